// store: a part holds its records bit for bit, and what is not a whole part is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>

#include "reference/example_results.hpp"
#include "reference/record_bits.hpp"

namespace headsweep {
namespace {

using reference::bits_of;

/// Numbers that a careless path would change.
std::vector<float> awkward_floats() {
  return {std::bit_cast<float>(0x7FC12345U),
          std::bit_cast<float>(0xFFC00001U),
          -0.0F,
          std::bit_cast<float>(1U),
          std::numeric_limits<float>::infinity(),
          -std::numeric_limits<float>::max(),
          not_measured};
}

TrialRecord awkward_record(int number) {
  const std::vector<float> floats = awkward_floats();
  TrialRecord record;
  record.trial = TrialId{100 - number};
  record.trial_hash = hash_hex(cat(number));
  record.status = TrialStatus::done;
  record.message = "naïve – 日本語";
  record.seconds = 0.1 + number;
  record.attempt = 2;
  record.rank = 31;
  record.training.train_loss = floats[0];
  record.training.converged = true;
  record.training.steps = 3;
  record.training.curve.assign(floats.begin(), floats.begin() + number);  // of differing lengths
  record.norm_a = floats[1];
  record.validation.margin = floats[2];
  record.test.kl_text = floats[3];
  for (int i = 0; i < 5; ++i) {
    Item& item = record.items.emplace_back();
    item.truth = floats[static_cast<std::size_t>(i)];
    item.refused = i == 1;
    item.empty = i == 2;
    item.answer = i == 2 ? "" : i == 3 ? std::string("nul \0 inside", 12) : cat("Ω≠ß ", number, "\n🙂");
  }
  for (int layer = 0; layer < number; ++layer)
    record.edit.push_back({.layer = layer,
                           .target = layer == 2 ? EditTarget::gate : EditTarget::o,
                           .a = layer == 1 ? std::vector<float>{} : floats,
                           .b = std::vector<float>(layer == 2 ? 9 : 7, -0.0F)});
  return record;
}

Part awkward_part() {
  Part part{"0123456789abcdef", "fedcba9876543210", "headsweep 0.1 (g++ 12)", {}};
  for (int number = 0; number < 4; ++number) part.records.push_back(awkward_record(number));
  TrialRecord& failed = part.records.emplace_back();
  failed.trial = TrialId{7};
  failed.trial_hash = hash_hex("failed");
  failed.status = TrialStatus::failed;
  failed.stage = "train";
  return part;
}

TEST(StorePart, HoldsRecordsBitForBit) {
  const Part part = awkward_part();
  const std::string image = encode_part(part);
  const Part back = decode_part(image, "part");
  EXPECT_EQ(back.block, part.block);
  EXPECT_EQ(back.sweep_hash, part.sweep_hash);
  EXPECT_EQ(back.build, part.build);
  ASSERT_EQ(back.records.size(), part.records.size());
  for (std::size_t i = 0; i < part.records.size(); ++i)
    EXPECT_EQ(bits_of(back.records[i]), bits_of(part.records[i])) << "record " << i;
  EXPECT_EQ(encode_part(part), image) << "equal content, equal bytes";
}

TEST(StorePart, HoldsRecordsWithoutItemsCurvesOrEdits) {
  Part part{"b", "s", "", {}};
  part.records.resize(1);
  part.records[0].trial_hash = "h";
  part.records[0].status = TrialStatus::failed;
  EXPECT_EQ(bits_of(decode_part(encode_part(part), "part").records[0]), bits_of(part.records[0]));
}

TEST(StorePart, HoldsLargeRecordsInChunks) {
  Part part{"b", "s", "build", {}};
  for (int number = 0; number < 3; ++number) {
    TrialRecord record = awkward_record(number);
    Random random(9, number);
    record.training.curve.resize(5000);
    for (float& value : record.training.curve) value = example::normal(&random);
    record.items.assign(900, Item{});
    for (Item& item : record.items) item.answer = cat("answer ", random.bits());
    for (int layer = 0; layer < 40; ++layer)
      record.edit.push_back({.layer = layer,
                             .target = edit_targets[static_cast<std::size_t>(layer % 7)],
                             .a = std::vector<float>(4096, example::normal(&random)),
                             .b = std::vector<float>(5120, 1.0F)});
    part.records.push_back(record);
  }
  const Part back = decode_part(encode_part(part), "part");
  for (std::size_t i = 0; i < part.records.size(); ++i)
    EXPECT_EQ(bits_of(back.records[i]), bits_of(part.records[i]));
}

void expect_refused(const std::string& image, const std::string& message) {
  try {
    decode_part(image, "parts/x.h5");
    ADD_FAILURE() << "taken for a part; due: " << message;
  } catch (const BadInput& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr(message));
    EXPECT_THAT(error.what(), testing::StartsWith("parts/x.h5: not a whole part: "));
    EXPECT_THAT(error.what(), testing::Not(testing::HasSubstr("\n")));
  }
}

TEST(StorePart, RefusesWhatIsNoPart) {
  expect_refused("", "empty");
  expect_refused("not HDF5 at all", "unable to open file");
  Part part = awkward_part();
  part.records[1].trial_hash = part.records[0].trial_hash;
  expect_refused(encode_part(part), "one trial stands twice");
  part.records.clear();
  expect_refused(encode_part(part), "0 trials, 1 to 65536 are allowed");
}

TEST(StorePart, RefusesEveryTruncation) {
  const std::string image = encode_part(awkward_part());
  for (std::size_t size = 1; size < image.size(); size += 97)
    EXPECT_THROW(decode_part(image.substr(0, size), "part"), BadInput)
        << size << " of " << image.size() << " bytes";
}

}  // namespace
}  // namespace headsweep
