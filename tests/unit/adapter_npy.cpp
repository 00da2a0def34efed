// adapter: NumPy's files and the shifts that they say.
#include <bit>
#include <cmath>

#include "unit/adapter_world.hpp"

namespace headsweep {
namespace {

/// A .npy file: version, header text padded to 64 bytes, data.
std::string npy(int version, std::string header, const std::string& data) {
  const std::size_t start = version == 1 ? 10 : 12;
  while ((start + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  const auto length = static_cast<std::uint32_t>(header.size());
  return std::string("\x93NUMPY", 6) + static_cast<char>(version) + '\0' +
         std::string(reinterpret_cast<const char*>(&length), version == 1 ? 2 : 4) + header + data;
}
template <class Number>
std::string bytes_of(const std::vector<Number>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Number)};
}
std::string header(const std::string& type, const std::string& shape, const std::string& order = "False") {
  return "{'descr': '" + type + "', 'fortran_order': " + order + ", 'shape': (" + shape + "), }";
}

class AdapterNpy : public AdapterWorld {
 protected:
  std::string refusal(const std::string& bytes) const {
    std::ofstream(folder_ / "x.npy", std::ios::binary) << bytes;
    return refusal_of([&] { read_npy(folder_ / "x.npy"); });
  }
  [[nodiscard]] std::filesystem::path put(const std::string& name, const std::string& shape,
                                          const std::vector<float>& values) const {
    write_file(folder_ / name, npy(1, header("<f4", shape), bytes_of(values)));
    return folder_ / name;
  }
};

TEST_F(AdapterNpy, ReadsThreeVersionsAndTypes) {
  const std::vector<float> floats = {1, -2.5F, 3, 4, 5, 6};
  const std::vector<double> doubles(floats.begin(), floats.end());
  for (const int version : {1, 2, 3}) {
    write_file(folder_ / "x.npy", npy(version, header("<f4", "2, 3"), bytes_of(floats)));
    const NumberArray array = read_npy(folder_ / "x.npy");
    EXPECT_EQ(array.shape, (std::vector<std::int64_t>{2, 3}));
    EXPECT_EQ(array.values, doubles);
  }
  write_file(folder_ / "x.npy", npy(1, header("<f8", "6,"), bytes_of(doubles)));
  EXPECT_EQ(read_npy(folder_ / "x.npy").values, doubles);
  const std::vector<std::uint16_t> halves = {0x3C00, 0xC100};  // 1, -2.5
  write_file(folder_ / "x.npy",
             npy(1, "{'shape':(2,),'fortran_order':False,'descr':'<f2'}", bytes_of(halves)));
  EXPECT_EQ(read_npy(folder_ / "x.npy").values, (std::vector<double>{1, -2.5}));
}

TEST_F(AdapterNpy, RefusesAllElse) {
  const std::string six = bytes_of(std::vector<float>(6, 1.0F));
  EXPECT_EQ(refusal("PK\x03\x04"), "x.npy: not a .npy file");
  EXPECT_EQ(refusal(npy(4, header("<f4", "6,"), six)), "x.npy: version 4 of .npy, 1 to 3 are read");
  EXPECT_EQ(refusal(npy(1, header("<f4", "6,"), six).substr(0, 9)), "x.npy: ends within its header");
  EXPECT_EQ(refusal(npy(1, header("<f4", "7,"), six)), "x.npy: 24 bytes of numbers, its shape makes it 28");
  EXPECT_EQ(refusal(npy(1, header("<f4", "2, 3", "True"), six)),
            "x.npy: in Fortran order, C order is due: save numpy.ascontiguousarray(...)");
  for (const char* type : {">f4", "<i4", "|O"})
    EXPECT_EQ(refusal(npy(1, header(type, "6,"), six)),
              cat("x.npy: numbers of type '", type, "', little-endian float16, float32 or float64 are due"));
  EXPECT_EQ(refusal(npy(1, header("<f4", "999999999999, 999999999999"), six)), "x.npy: too large a shape");
  EXPECT_EQ(refusal(npy(1, header("<f4", "2,"), bytes_of(std::vector<float>{1, NAN}))),
            "x.npy: number 1 is NaN or Inf");
  EXPECT_EQ(refusal(npy(1, "{'descr': '<f4', 'shape': (6,), }", six)).substr(0, 12), "x.npy: byte ");
}

TEST_F(AdapterNpy, NeverBreaks) {
  const std::string whole = npy(1, header("<f4", "2, 3"), bytes_of(std::vector<float>(6, 1.0F)));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const char c : {'\0', '\xFF', '9', '\'', '(', ')'}) {
      std::string bytes = whole;
      bytes[at] = c;
      EXPECT_FALSE(refusal(bytes).empty());
    }
    EXPECT_NE(refusal(whole.substr(0, at)), "accepted") << at;
  }
}

TEST_F(AdapterNpy, AShiftIsAlphaSigmaAlongTheUnitDirection) {
  std::vector<float> directions(16, 0.0F);
  directions[2 * 4 + 1] = 3;  // L1.H0: length 5
  directions[2 * 4 + 3] = -4;
  directions[1 * 4] = 0.5F;  // L0.H1
  const auto flat = put("flat.npy", "4, 4", directions), deep = put("deep.npy", "2, 2, 4", directions),
             sigma = put("sigma.npy", "2, 2", {9, 0.5F, 2, 9});
  const std::vector<Head> at = {{1, 0}, {0, 1}};
  for (const auto& file : {flat, deep}) {
    const auto edit = read_shift({.directions = file, .sigma = sigma, .heads = at, .alpha = 10}, config());
    ASSERT_EQ(edit.size(), 2U);
    EXPECT_EQ(edit[0].layer, 0);
    EXPECT_TRUE(edit[0].a.empty());
    EXPECT_EQ(edit[0].b, (std::vector<float>{0, 0, 0, 0, 5, 0, 0, 0}));
    EXPECT_EQ(edit[1].b, (std::vector<float>{0, 12, 0, -16, 0, 0, 0, 0}));
  }
  EXPECT_EQ(read_shift({.directions = flat, .sigma = {}, .heads = {{1, 0}}, .alpha = -5}, config())[0].b,
            (std::vector<float>{0, -3, 0, 4, 0, 0, 0, 0}));
  const auto refusal_at = [&](const ShiftFiles& files) {
    return refusal_of([&] { read_shift(files, config()); });
  };
  EXPECT_EQ(refusal_at({.directions = flat, .sigma = {}, .heads = {{1, 1}}, .alpha = 1}),
            "flat.npy: L1.H1: a direction of length 0, one above 0 is due");
  EXPECT_EQ(refusal_at({.directions = flat, .sigma = {}, .heads = {{2, 0}}, .alpha = 1}),
            "--heads: L2.H0 found, the model has layers 0 to 1 with heads 0 to 1");
  EXPECT_EQ(refusal_at({.directions = flat, .sigma = {}, .heads = {{1, 0}, {1, 0}}, .alpha = 1}),
            "--heads: L1.H0 stands twice");
  EXPECT_EQ(refusal_at({.directions = sigma, .sigma = {}, .heads = at, .alpha = 1}),
            "sigma.npy: shape [2, 2], the model makes it [4, 4] or [2, 2, 4]");
  EXPECT_EQ(refusal_at(
                {.directions = flat, .sigma = put("less.npy", "4,", {1, -1, 1, 1}), .heads = at, .alpha = 1}),
            "less.npy: L0.H1: -1 found, a spread of at least 0 is due");
}

}  // namespace
}  // namespace headsweep
