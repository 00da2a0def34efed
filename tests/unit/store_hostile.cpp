// store: HDF5 files that are not what they claim, or lead out of themselves, are refused before their data is
// touched.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>
#include <unistd.h>

#include <functional>

#include "reference/example_results.hpp"

namespace headsweep {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class StoreHostile : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_);
    const SweepHeader header = example::make_header({.questions = 40});
    write_file(folder_ / "part.h5", encode_part(example::make_part(header, header.plan.blocks[0])));
    write_results(good_, header, {folder_ / "part.h5"});
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// What is said of the good file after `spoil` had its way with a copy.
  std::string refusal(const std::function<void(hid_t)>& spoil) const {
    const fs::path copy = folder_ / "copy.h5";
    fs::copy_file(good_, copy, fs::copy_options::overwrite_existing);
    const hid_t file = H5Fopen(copy.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    EXPECT_GE(file, 0);
    spoil(file);
    EXPECT_GE(H5Fclose(file), 0);
    try {
      const ResultsFile results(copy);
      for (int trial = 0; trial < results.trials(); ++trial) (void)results.trial(TrialId{trial});
    } catch (const BadInput& error) {
      EXPECT_THAT(error.what(), HasSubstr(cat(copy.string(), ": not a whole results file: ")));
      EXPECT_THAT(error.what(), HasSubstr("`headsweep gather` makes it again"));
      return error.what();
    }
    return "accepted";
  }

  fs::path folder_ = testing::TempDir() + cat("store_hostile-", ::getpid());
  fs::path good_ = folder_ / "results.h5";
};

/// Puts a dataset of this form in the place of another.
void replace(hid_t file, const char* path, hid_t type, const std::vector<hsize_t>& dims,
             hid_t form = H5P_DEFAULT) {
  ASSERT_GE(H5Ldelete(file, path, H5P_DEFAULT), 0);
  const hid_t space = H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr);
  const hid_t dataset = H5Dcreate2(file, path, type, space, H5P_DEFAULT, form, H5P_DEFAULT);
  ASSERT_GE(dataset, 0);
  H5Dclose(dataset);
  H5Sclose(space);
}

void write_attribute(hid_t file, const char* name, const char* value) {
  const hid_t attribute = H5Aopen(file, name, H5P_DEFAULT);
  const hid_t type = H5Aget_type(attribute);
  ASSERT_GE(H5Awrite(attribute, type, value), 0);
  H5Tclose(type);
  H5Aclose(attribute);
}

template <class Value>
void write_values(hid_t file, const char* path, hid_t type, const std::vector<Value>& values) {
  const hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT);
  ASSERT_GE(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0);
  H5Dclose(dataset);
}

hsize_t length(hid_t file, const char* path) {
  const hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT);
  const hid_t space = H5Dget_space(dataset);
  const auto points = static_cast<hsize_t>(H5Sget_simple_extent_npoints(space));
  H5Sclose(space);
  H5Dclose(dataset);
  return points;
}

TEST_F(StoreHostile, TheGoodFileIsAccepted) {
  EXPECT_EQ(refusal([](hid_t) {}), "accepted");
}

TEST_F(StoreHostile, OtherFormatsAndVersionsAreRefused) {
  EXPECT_THAT(refusal([](hid_t file) { write_attribute(file, "format", "headsweep-remains"); }),
              HasSubstr("format 'headsweep-remains', headsweep-results is due"));
  EXPECT_THAT(refusal([](hid_t file) { write_attribute(file, "version", "2.0"); }),
              HasSubstr("version 2.0, this program reads 1.2"));
  for (const char* old : {"1.0", "1.1"})
    EXPECT_THAT(
        refusal([&](hid_t file) { write_attribute(file, "version", old); }),
        HasSubstr(cat("version ", old, ", this program reads 1.2; the headsweep that wrote it reads it")));
  EXPECT_EQ(refusal([](hid_t file) { write_attribute(file, "version", "1.7"); }), "accepted");
  EXPECT_THAT(refusal([](hid_t file) { H5Adelete(file, "format"); }), HasSubstr("attribute format: "));
}

TEST_F(StoreHostile, AFileLeftOpenForWritingIsRefused) {
  const fs::path open = folder_ / "open.h5", left = folder_ / "left.h5";
  fs::copy_file(good_, open);
  const hid_t file = H5Fopen(open.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  fs::copy_file(open, left);  // as a killed writer leaves it
  H5Fclose(file);
  try {
    const ResultsFile results(left);
    FAIL();
  } catch (const BadInput& error) {
    EXPECT_THAT(error.what(), HasSubstr("file is already open for write"));
  }
}

TEST_F(StoreHostile, LinksThatLeadElsewhereAreRefused) {
  const auto& outside = good_;
  EXPECT_THAT(refusal([&](hid_t file) {
                H5Lcreate_external(outside.c_str(), "/trials", file, "more", H5P_DEFAULT, H5P_DEFAULT);
              }),
              HasSubstr("more: a soft or external link, only plain data are allowed"));
  EXPECT_THAT(refusal([&](hid_t file) {
                H5Ldelete(file, "trials/seconds", H5P_DEFAULT);
                H5Lcreate_external(outside.c_str(), "/trials/seconds", file, "trials/seconds", H5P_DEFAULT,
                                   H5P_DEFAULT);
              }),
              HasSubstr("trials/seconds: a soft or external link"));
  EXPECT_THAT(refusal([](hid_t file) { H5Lcreate_soft("/trials", file, "loop", H5P_DEFAULT, H5P_DEFAULT); }),
              HasSubstr("loop: a soft or external link"));
  EXPECT_THAT(
      refusal([](hid_t file) { H5Lcreate_hard(file, "/", file, "trials/again", H5P_DEFAULT, H5P_DEFAULT); }),
      HasSubstr("groups nested deeper than 6"));
}

TEST_F(StoreHostile, DataOutsideTheFileIsRefused) {
  EXPECT_THAT(refusal([](hid_t file) {
                const hid_t form = H5Pcreate(H5P_DATASET_CREATE);
                H5Pset_external(form, "/etc/hostname", 0, length(file, "trials/seconds") * 8);
                replace(file, "trials/seconds", H5T_IEEE_F64LE, {length(file, "trials/seconds")}, form);
              }),
              HasSubstr("trials/seconds: data in another file"));
  EXPECT_THAT(refusal([&](hid_t file) {
                const hsize_t size = length(file, "trials/seconds");
                const hid_t form = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, &size, nullptr);
                H5Pset_virtual(form, space, good_.c_str(), "/trials/seconds", space);
                replace(file, "trials/seconds", H5T_IEEE_F64LE, {size}, form);
              }),
              HasSubstr("trials/seconds: a virtual dataset"));
}

TEST_F(StoreHostile, UnknownFiltersAreRefused) {
  EXPECT_THAT(refusal([](hid_t file) {
                const hsize_t size = length(file, "trials/seconds");
                const hid_t form = H5Pcreate(H5P_DATASET_CREATE);
                H5Pset_chunk(form, 1, &size);
                H5Pset_filter(form, 32015, H5Z_FLAG_OPTIONAL, 0, nullptr);  // zstd, a plug-in
                replace(file, "trials/seconds", H5T_IEEE_F64LE, {size}, form);
              }),
              HasSubstr("trials/seconds: filter 32015, only deflate and shuffle are allowed"));
}

TEST_F(StoreHostile, HugeDatasetsAreRefusedBeforeTheyAreRead) {
  // Every column along `trial` is made as long as 2^31 - 1 rows, without a byte of data.
  const auto stretch = [](hid_t file, hsize_t rows) {
    for (const Column& column : schema()) {
      if (column.dims[0] != "trial" && column.dims[0] != "edit_offset") continue;
      const hid_t dataset = H5Dopen2(file, column.path().c_str(), H5P_DEFAULT);
      const hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset);
      std::vector<hsize_t> dims(column.dims.size());
      H5Sget_simple_extent_dims(space, dims.data(), nullptr);
      dims[0] = column.dims[0] == "trial" ? rows : rows + 1;
      H5Dclose(dataset);
      replace(file, column.path().c_str(), type, dims);
    }
    const hsize_t items = length(file, "item");
    for (const char* path : {"answer_offset", "items/answer_offsets"})
      replace(file, path, path[0] == 'a' ? H5T_STD_I32LE : H5T_STD_I64LE, {rows * items + 1});
    replace(file, "edit_offset", H5T_STD_I32LE, {rows + 1});
  };
  EXPECT_THAT(refusal([&](hid_t file) { stretch(file, 0x7FFFFFFE); }),
              HasSubstr("bytes are far more than the file can hold"));
  EXPECT_THAT(refusal([&](hid_t file) { stretch(file, hsize_t{1} << 40); }), HasSubstr("are too many"));
  EXPECT_THAT(refusal([](hid_t file) {
                const std::vector<hsize_t> dims = {length(file, "a_value")};
                const hid_t form = H5Pcreate(H5P_DATASET_CREATE);
                H5Pset_chunk(form, 1, dims.data());
                replace(file, "edits/a", H5T_IEEE_F64LE, dims, form);
              }),
              HasSubstr("edits/a: another type than the schema's"));
}

TEST_F(StoreHostile, FilesOfBeforeExtensionsWereToldAreRead) {
  const auto forget = [](hid_t file) {
    for (const char* name : {"extensions", "extension"}) H5Ldelete(file, name, H5P_DEFAULT);
  };
  EXPECT_EQ(refusal(forget), "accepted");
  EXPECT_TRUE(ResultsFile(folder_ / "copy.h5").header().extensions.empty());
  EXPECT_THAT(refusal([](hid_t file) { replace(file, "extensions/trials_done", H5T_STD_I32LE, {7}); }),
              HasSubstr("along axis extension, others have 0"));
}

TEST_F(StoreHostile, LengthsAndIdsThatDisagreeAreRefused) {
  EXPECT_THAT(refusal([](hid_t file) {
                replace(file, "trials/seconds", H5T_IEEE_F64LE, {length(file, "trial") - 1});
              }),
              HasSubstr("along axis trial, others have "));
  EXPECT_THAT(refusal([](hid_t file) {
                replace(file, "metrics/test/mc1", H5T_IEEE_F32LE, {length(file, "trial"), 1});
              }),
              HasSubstr("metrics/test/mc1: 2 axes, 1 are due"));
  EXPECT_THAT(refusal([](hid_t file) { H5Ldelete(file, "items/mc2", H5P_DEFAULT); }),
              HasSubstr("items/mc2: missing"));
  EXPECT_THAT(refusal([](hid_t file) {
                write_values(file, "trial", H5T_NATIVE_INT, std::vector<int>(length(file, "trial"), 0));
              }),
              HasSubstr("trial: row 1 is called 0"));
  EXPECT_THAT(refusal([](hid_t file) {
                write_values(file, "trials/location", H5T_NATIVE_INT,
                             std::vector<int>(length(file, "trial"), 9999));
              }),
              HasSubstr("trials: row 0 is at location 9999, fold 0, which do not exist"));
  EXPECT_THAT(refusal([](hid_t file) {
                write_values(file, "edits/trial_offsets", H5T_NATIVE_INT64,
                             std::vector<std::int64_t>(length(file, "edit_offset"), 1 << 30));
              }),
              HasSubstr("edits/trial_offsets: not ascending within the rows"));
  for (const char* name : {"edits/a_offsets", "edits/b_offsets"}) {
    EXPECT_THAT(refusal([&](hid_t file) {
                  write_values(file, name, H5T_NATIVE_INT64,
                               std::vector<std::int64_t>(length(file, "edit_row_offset"), 1 << 30));
                }),
                HasSubstr(cat(name, ": not ascending within the values")));
    EXPECT_THAT(refusal([&](hid_t file) {
                  std::vector<std::int64_t> offsets(length(file, "edit_row_offset"), 5);
                  offsets[1] = 3;
                  write_values(file, name, H5T_NATIVE_INT64, offsets);
                }),
                HasSubstr(cat(name, ": not ascending within the values")));
  }
  EXPECT_THAT(refusal([](hid_t file) {
                write_values(file, "items/answer_offsets", H5T_NATIVE_INT64,
                             std::vector<std::int64_t>(length(file, "answer_offset"), -5));
              }),
              HasSubstr("items/answer_offsets: not ascending within the answers"));
  EXPECT_THAT(refusal([](hid_t file) {
                write_values(file, "items/count", H5T_NATIVE_INT,
                             std::vector<int>(length(file, "trial"), 1000));
              }),
              HasSubstr("items/count: 1000 items of 16"));
}

}  // namespace
}  // namespace headsweep
