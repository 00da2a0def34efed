// store/h5_read: reading files that may come from anywhere: every link, layout, filter, type and size is
// looked at before a byte of data is asked for.
#include <hdf5.h>

#include <algorithm>
#include <optional>

#include "store/h5.hpp"
namespace headsweep::h5 {
namespace {

constexpr int most_depth = 6;
constexpr std::size_t most_objects = 4096;
constexpr std::size_t most_text = std::size_t{1} << 26;

std::optional<ColumnType> number_type(std::int64_t type) {
  for (const ColumnType candidate :
       {ColumnType::u8, ColumnType::i32, ColumnType::i64, ColumnType::u64, ColumnType::f32, ColumnType::f64})
    if (H5Tequal(type, file_type(candidate, 1).id()) > 0) return candidate;
  return std::nullopt;
}

bool is_fixed_text(std::int64_t type) {
  return H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 &&
         H5Tget_cset(type) == H5T_CSET_UTF8 && H5Tget_strpad(type) == H5T_STR_NULLPAD;
}

void read_type(std::int64_t dataset, const std::string& path, Shape* shape) {
  const Handle type(H5Dget_type(dataset), H5Tclose, path);
  if (is_fixed_text(type.id())) {
    shape->type = ColumnType::text;
    shape->text_width = H5Tget_size(type.id());
    return;
  }
  const auto number = number_type(type.id());
  if (!number) throw Failure(cat(path, ": of a type that results do not have"));
  shape->type = *number;
}

void read_dims(std::int64_t dataset, const std::string& path, Shape* shape) {
  const Handle space(H5Dget_space(dataset), H5Sclose, path);
  const int rank = H5Sget_simple_extent_ndims(space.id());
  if (rank < 1 || rank > 3) throw Failure(cat(path, ": ", rank, " axes, 1 to 3 are allowed"));
  shape->dims.resize(static_cast<std::size_t>(rank));
  check(H5Sget_simple_extent_dims(space.id(), shape->dims.data(), nullptr), path);
}

void read_layout(std::int64_t dataset, const std::string& path, Shape* shape) {
  const Handle list(H5Dget_create_plist(dataset), H5Pclose, path);
  if (H5Pget_external_count(list.id()) != 0) throw Failure(cat(path, ": data in another file"));
  const H5D_layout_t layout = H5Pget_layout(list.id());
  if (layout == H5D_VIRTUAL) throw Failure(cat(path, ": a virtual dataset"));
  if (layout < 0) throw Failure(cat(path, ": ", error_stack()));
  for (int i = 0; i < H5Pget_nfilters(list.id()); ++i) {
    unsigned flags = 0;
    std::size_t words = 0;
    const H5Z_filter_t filter =
        H5Pget_filter2(list.id(), static_cast<unsigned>(i), &flags, &words, nullptr, 0, nullptr, nullptr);
    const bool known = filter == H5Z_FILTER_DEFLATE || filter == H5Z_FILTER_SHUFFLE;
    if (!known) throw Failure(cat(path, ": filter ", filter, ", only deflate and shuffle are allowed"));
  }
  if (layout != H5D_CHUNKED) return;
  shape->chunk.resize(shape->dims.size());
  check(H5Pget_chunk(list.id(), static_cast<int>(shape->chunk.size()), shape->chunk.data()), path);
}

/// Bytes of the whole, or the largest number if they overflow.
std::uint64_t product(std::uint64_t bytes, const std::vector<Size>& dims) {
  for (const Size size : dims)
    if (__builtin_mul_overflow(bytes, size, &bytes)) return UINT64_MAX;
  return bytes;
}

}  // namespace

std::vector<std::string> File::datasets() const {
  std::vector<std::string> found;
  list("/", 0, &found);
  std::sort(found.begin(), found.end());
  return found;
}

void File::list(const std::string& group, int depth, std::vector<std::string>* found) const {
  if (depth > most_depth) throw Failure(cat(group, ": groups nested deeper than ", most_depth));
  H5G_info_t info{};
  check(H5Gget_info_by_name(file_.id(), group.c_str(), &info, H5P_DEFAULT), group);
  if (info.storage_type == H5G_STORAGE_TYPE_DENSE)
    throw Failure(cat(group, ": a group with a heap of names"));
  for (hsize_t i = 0; i < info.nlinks; ++i) {
    char name[256] = {};
    check(H5Lget_name_by_idx(file_.id(), group.c_str(), H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name,
                             H5P_DEFAULT),
          group);
    const std::string path = group == "/" ? std::string(name) : cat(group, "/", name);
    H5L_info_t link{};
    check(H5Lget_info(file_.id(), path.c_str(), &link, H5P_DEFAULT), path);
    if (link.type != H5L_TYPE_HARD)
      throw Failure(cat(path, ": a soft or external link, only plain data are allowed"));
    H5O_info_t object{};
    check(H5Oget_info_by_name2(file_.id(), path.c_str(), &object, H5O_INFO_BASIC, H5P_DEFAULT), path);
    if (object.type == H5O_TYPE_GROUP)
      list(path, depth + 1, found);
    else if (object.type == H5O_TYPE_DATASET)
      found->push_back(path);
    else
      throw Failure(cat(path, ": neither group nor dataset"));
    if (found->size() > most_objects) throw Failure(cat("more than ", most_objects, " datasets"));
  }
}

File::Dataset& File::dataset(const std::string& path) {
  const auto known = open_.find(path);
  if (known != open_.end()) return known->second;
  Dataset opened{Handle(H5Dopen2(file_.id(), path.c_str(), H5P_DEFAULT), H5Dclose, path), {}};
  read_type(opened.handle.id(), path, &opened.shape);
  read_dims(opened.handle.id(), path, &opened.shape);
  read_layout(opened.handle.id(), path, &opened.shape);
  const std::uint64_t chunk_bytes = product(opened.shape.value_bytes(), opened.shape.chunk);
  if (!opened.shape.chunk.empty() && chunk_bytes > read_limit_)
    throw Failure(cat(path, ": chunks of ", chunk_bytes, " bytes are far larger than the file"));
  return open_.emplace(path, std::move(opened)).first->second;
}

const Shape& File::shape(const std::string& path) { return dataset(path).shape; }

std::uint64_t File::bytes_of(const std::string& path, Rows rows) {
  const Shape& form = shape(path);
  if (rows.first > form.dims[0] || rows.count > form.dims[0] - rows.first)
    throw Failure(cat(path, ": rows ", rows.first, " to ", rows.first + rows.count, " of ", form.dims[0]));
  const std::uint64_t bytes = product(form.row_bytes(), {rows.count});
  if (bytes > read_limit_)
    throw Failure(cat(path, ": ", bytes, " bytes are far more than the file can hold"));
  return bytes;
}

std::string File::text_attribute(const std::string& path, const std::string& name) const {
  const Handle attribute(H5Aopen_by_name(file_.id(), path.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT),
                         H5Aclose, cat("attribute ", name));
  const Handle type(H5Aget_type(attribute.id()), H5Tclose, name);
  const Handle space(H5Aget_space(attribute.id()), H5Sclose, name);
  const bool one = H5Sget_simple_extent_type(space.id()) == H5S_SCALAR;
  if (!one || !is_fixed_text(type.id()))
    throw Failure(cat("attribute ", name, ": not one fixed-length text"));
  const std::size_t size = H5Tget_size(type.id());
  if (size > std::min<std::uint64_t>(most_text, read_limit_))
    throw Failure(cat("attribute ", name, ": ", size, " bytes"));
  std::string text(size, '\0');
  check(H5Aread(attribute.id(), type.id(), text.data()), name);
  return text.substr(0, text.find_last_not_of('\0') + 1);
}

std::int64_t File::integer_attribute(const std::string& path, const std::string& name) const {
  const Handle attribute(H5Aopen_by_name(file_.id(), path.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT),
                         H5Aclose, cat("attribute ", name));
  const Handle type(H5Aget_type(attribute.id()), H5Tclose, name);
  const Handle space(H5Aget_space(attribute.id()), H5Sclose, name);
  const bool one = H5Sget_simple_extent_type(space.id()) == H5S_SCALAR;
  if (!one || H5Tget_class(type.id()) != H5T_INTEGER)
    throw Failure(cat("attribute ", name, ": not one whole number"));
  std::int64_t value = 0;
  check(H5Aread(attribute.id(), H5T_NATIVE_INT64, &value), name);
  return value;
}

}  // namespace headsweep::h5
