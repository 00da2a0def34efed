// store/part: the records of one block as an HDF5 image in memory, and back. In: records; out: bytes.
#include <headsweep/store.hpp>
#include <set>

#include "store/trials.hpp"

namespace headsweep {
namespace {

constexpr const char* part_format = "headsweep-part";
constexpr std::uint64_t most_trials = 1 << 16;
const Origins part_origins = {Origin::part, Origin::header_and_part};

Part read_part(const std::string& image) {
  Part part;
  ColumnReader in(h5::File::open_image(image), part_format, part_origins);
  const std::uint64_t count = in.extent("trial");
  sound(count > 0 && count <= most_trials, count, " trials, 1 to ", most_trials, " are allowed");
  sound(in.extent("answer_offset") == count * in.extent("item") + 1,
        "items/answer_offsets: of another length");
  sound(in.extent("edit_offset") == count + 1, "edits/trial_offsets: of another length");
  sound(in.extent("edit_row_offset") == in.extent("edit_row") + 1, "edits/a_offsets: of another length");
  part.block = in.attribute("block");
  part.sweep_hash = in.attribute("sweep_hash");
  part.build = in.attribute("build");
  part.records = read_trials(&in, {0, count}, LongValues::read);
  const auto ids = in.read<std::int32_t>("trial");
  const auto hashes = in.read_texts("trials/hash");
  sound(ids.size() == count, "trial: ", ids.size(), " rows, ", count, " are due");
  sound(std::set(hashes.begin(), hashes.end()).size() == count, "trials/hash: one trial stands twice");
  for (std::size_t i = 0; i < part.records.size(); ++i) {
    part.records[i].trial = TrialId{ids[i]};
    part.records[i].trial_hash = hashes[i];
  }
  return part;
}

}  // namespace

std::string encode_part(const Part& part) {
  std::vector<TrialOutline> outlines;
  std::vector<std::int32_t> ids;
  std::vector<std::string> hashes;
  for (const TrialRecord& record : part.records) {
    outlines.push_back(outline(record, hash_hex(part.build)));
    ids.push_back(record.trial.value);
    hashes.push_back(record.trial_hash);
  }
  h5::File file = h5::File::create_image();
  write_format(&file, part_format);
  file.set_attribute("/", "block", part.block);
  file.set_attribute("/", "sweep_hash", part.sweep_hash);
  file.set_attribute("/", "build", part.build);
  ColumnWriter out(&file, extents_of(outlines), FileUse::part);
  out.write("trial", ids);
  out.write("trials/hash", hashes);
  TrialWriter trials(&out, outlines);
  for (std::size_t row = 0; row < part.records.size(); ++row) trials.write_long(row, part.records[row]);
  out.expect_all(part_origins);
  return file.image();
}

Part decode_part(const std::string& image, const std::string& name) {
  try {
    return read_part(image);
  } catch (const h5::Failure& failure) {
    throw BadInput(cat(name, ": not a whole part: ", failure.what()));
  }
}

}  // namespace headsweep
