// store/h5: files, datasets and dimension scales.
#include "store/h5.hpp"

#include <hdf5.h>
#include <hdf5_hl.h>

#include <algorithm>
#include <atomic>

namespace headsweep::h5 {
namespace {

constexpr std::uint64_t least_read_limit = std::uint64_t{1} << 24;
constexpr std::uint64_t most_inflation = 1100;  // deflate gives at most 1032 bytes for one
constexpr unsigned most_compact = 256;
constexpr std::size_t image_step = std::size_t{1} << 20;

Handle access_list() {
  start_library();
  Handle list(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "access list");
  check(H5Pset_fclose_degree(list.id(), H5F_CLOSE_STRONG), "close degree");
  // Locks of HDF5 fail on many cluster file systems; a sweep folder has its own lock.
  check(H5Pset_file_locking(list.id(), false, true), "file locking");
  return list;
}

Handle writer_access_list(H5F_libver_t format) {
  Handle list = access_list();
  check(H5Pset_libver_bounds(list.id(), format, format), "format bounds");
  return list;
}

/// HDF5 takes two images of one name for the same file.
std::string image_name() {
  static std::atomic<int> count{0};
  return cat("image-", count++);
}

std::uint64_t limit_for(std::uint64_t file_bytes) {
  return std::max(least_read_limit, std::min(file_bytes, std::uint64_t{1} << 50) * most_inflation);
}

/// How a file, group or dataset is made: without times, so that equal content gives equal bytes; names of
/// members and attributes within the object's own checksummed header, as HDF5 reads damaged heaps of names
/// into freed memory.
Handle creation_list(hid_t kind) {
  Handle list(H5Pcreate(kind), H5Pclose, "creation list");
  check(H5Pset_obj_track_times(list.id(), false), "times");
  check(H5Pset_attr_phase_change(list.id(), most_compact, 0), "attributes");
  if (kind != H5P_DATASET_CREATE) check(H5Pset_link_phase_change(list.id(), most_compact, 0), "links");
  return list;
}

Handle dataset_list(const Shape& shape) {
  Handle list = creation_list(H5P_DATASET_CREATE);
  const float no_number = not_measured;
  if (shape.type == ColumnType::f32)
    check(H5Pset_fill_value(list.id(), H5T_NATIVE_FLOAT, &no_number), "fill");
  if (shape.type == ColumnType::f64)
    check(H5Pset_fill_value(list.id(), H5T_NATIVE_FLOAT, &no_number), "fill");
  if (shape.chunk.empty()) return list;
  check(H5Pset_chunk(list.id(), static_cast<int>(shape.chunk.size()), shape.chunk.data()), "chunks");
  check(H5Pset_shuffle(list.id()), "shuffle");
  check(H5Pset_deflate(list.id(), 1), "deflate");
  return list;
}

/// Selection of whole rows and the matching space in memory.
std::pair<Handle, Handle> select(std::int64_t dataset, const Shape& shape, Rows rows) {
  Handle space(H5Dget_space(dataset), H5Sclose, "dataspace");
  std::vector<hsize_t> start(shape.dims.size(), 0), count(shape.dims.begin(), shape.dims.end());
  start[0] = rows.first;
  count[0] = rows.count;
  check(H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr),
        "selection");
  Handle memory(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr), H5Sclose,
                "memory space");
  return {std::move(space), std::move(memory)};
}

}  // namespace

std::uint64_t Shape::value_bytes() const {
  switch (type) {
    case ColumnType::u8:
    case ColumnType::bytes:
      return 1;
    case ColumnType::i32:
    case ColumnType::f32:
      return 4;
    case ColumnType::text:
      return text_width;
    default:
      return 8;
  }
}

std::uint64_t Shape::row_bytes() const {
  std::uint64_t bytes = value_bytes();
  for (std::size_t axis = 1; axis < dims.size(); ++axis)
    if (__builtin_mul_overflow(bytes, dims[axis], &bytes)) throw Failure("rows larger than any memory");
  return bytes;
}

File File::create(const std::filesystem::path& file) {
  const Handle access = writer_access_list(H5F_LIBVER_V110);
  const Handle form = creation_list(H5P_FILE_CREATE);
  return {Handle(H5Fcreate(file.c_str(), H5F_ACC_TRUNC, form.id(), access.id()), H5Fclose, "create"), 0};
}

File File::create_image() {
  // V110 marks a file that is open for writing, and nothing clears the mark in an image; V18 does not look at
  // it.
  const Handle access = writer_access_list(H5F_LIBVER_V18);
  check(H5Pset_fapl_core(access.id(), image_step, false), "memory image");
  const Handle form = creation_list(H5P_FILE_CREATE);
  return {Handle(H5Fcreate(image_name().c_str(), H5F_ACC_TRUNC, form.id(), access.id()), H5Fclose, "create"),
          0};
}

File File::open_to_change(const std::filesystem::path& file) {
  const Handle access = writer_access_list(H5F_LIBVER_V110);
  return {Handle(H5Fopen(file.c_str(), H5F_ACC_RDWR, access.id()), H5Fclose, "open"), UINT64_MAX};
}

File File::open(const std::filesystem::path& file) {
  const Handle access = access_list();
  Handle handle(H5Fopen(file.c_str(), H5F_ACC_RDONLY, access.id()), H5Fclose, "open");
  std::error_code error;
  const std::uint64_t bytes = std::filesystem::file_size(file, error);
  return {std::move(handle), limit_for(error ? 0 : bytes)};
}

File File::open_image(const std::string& bytes) {
  const Handle access = access_list();
  if (bytes.empty()) throw Failure("empty");
  check(H5Pset_fapl_core(access.id(), image_step, false), "memory image");
  check(H5Pset_file_image(access.id(), const_cast<char*>(bytes.data()), bytes.size()),
        "memory image");  // copied
  return {Handle(H5Fopen(image_name().c_str(), H5F_ACC_RDONLY, access.id()), H5Fclose, "open"),
          limit_for(bytes.size())};
}

std::string File::image() const {
  check(H5Fflush(file_.id(), H5F_SCOPE_GLOBAL), "flush");
  const ssize_t size = H5Fget_file_image(file_.id(), nullptr, 0);
  check(size, "image size");
  // The driver's own memory: the copy that HDF5 gives has a byte of the superblock changed, its checksum not.
  void* memory = nullptr;
  check(H5Fget_vfd_handle(file_.id(), H5P_DEFAULT, &memory), "image");
  return {*static_cast<const char**>(memory), static_cast<std::size_t>(size)};
}

void File::close() {
  for (auto& [path, dataset] : open_)
    if (!dataset.handle.reset()) throw Failure(cat(path, ": ", error_stack()));
  open_.clear();
  if (!file_.reset()) throw Failure(cat("close: ", error_stack()));
}

void File::create_dataset(const std::string& path, const Shape& shape) {
  const Handle space(H5Screate_simple(static_cast<int>(shape.dims.size()), shape.dims.data(), nullptr),
                     H5Sclose, path);
  const Handle type = file_type(shape.type, shape.text_width);
  const Handle form = dataset_list(shape);
  make_groups(path);
  Handle handle(
      H5Dcreate2(file_.id(), path.c_str(), type.id(), space.id(), H5P_DEFAULT, form.id(), H5P_DEFAULT),
      H5Dclose, path);
  open_.insert_or_assign(path, Dataset{std::move(handle), shape});
}

void File::make_groups(const std::string& path) {
  for (std::size_t end = path.find('/'); end != std::string::npos; end = path.find('/', end + 1)) {
    const std::string group = path.substr(0, end);
    if (!groups_.insert(group).second) continue;
    const Handle form = creation_list(H5P_GROUP_CREATE);
    Handle(H5Gcreate2(file_.id(), group.c_str(), H5P_DEFAULT, form.id(), H5P_DEFAULT), H5Gclose, group);
  }
}

void File::write_rows(const std::string& path, Rows rows, const void* values) {
  Dataset& to = dataset(path);
  if (rows.count == 0 || to.shape.row_bytes() == 0) return;
  const auto [space, memory] = select(to.handle.id(), to.shape, rows);
  const Handle type = memory_type(to.shape.type, to.shape.text_width);
  check(H5Dwrite(to.handle.id(), type.id(), memory.id(), space.id(), H5P_DEFAULT, values), path);
}

void File::read_rows(const std::string& path, Rows rows, void* values) {
  Dataset& from = dataset(path);
  if (rows.count == 0 || from.shape.row_bytes() == 0) return;
  const auto [space, memory] = select(from.handle.id(), from.shape, rows);
  const Handle type = memory_type(from.shape.type, from.shape.text_width);
  check(H5Dread(from.handle.id(), type.id(), memory.id(), space.id(), H5P_DEFAULT, values), path);
}

void File::make_scale(const std::string& path, const std::string& name) {
  check(H5DSset_scale(dataset(path).handle.id(), name.c_str()), path);
}

void File::attach_scale(const std::string& path, unsigned axis, const std::string& scale) {
  check(H5DSattach_scale(dataset(path).handle.id(), dataset(scale).handle.id(), axis), path);
}

bool File::has_scale(const std::string& path, unsigned axis) {
  return H5DSget_num_scales(dataset(path).handle.id(), axis) == 1;
}

void File::put_attribute(const std::string& path, const std::string& name, std::int64_t type,
                         std::int64_t memory_type, const void* value) {
  const auto there = H5Aexists_by_name(file_.id(), path.c_str(), name.c_str(), H5P_DEFAULT);
  check(there, name);
  if (there > 0) check(H5Adelete_by_name(file_.id(), path.c_str(), name.c_str(), H5P_DEFAULT), name);
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose, name);
  const Handle attribute(H5Acreate_by_name(file_.id(), path.c_str(), name.c_str(), type, space.id(),
                                           H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                         H5Aclose, name);
  check(H5Awrite(attribute.id(), memory_type, value), name);
}

void File::set_attribute(const std::string& path, const std::string& name, const std::string& text) {
  const Handle type = text_type(std::max<std::size_t>(text.size(), 1));
  const std::string padded = text.empty() ? std::string(1, '\0') : text;
  put_attribute(path, name, type.id(), type.id(), padded.data());
}

void File::set_attribute(const std::string& path, const std::string& name, std::int64_t value) {
  put_attribute(path, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
}

void File::set_attribute(const std::string& path, const std::string& name, double value) {
  put_attribute(path, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value);
}

}  // namespace headsweep::h5
