// adapter: NumPy's .npy files, untrusted -> numbers. The header is a Python dictionary of three known keys;
// only such ones are read.
#include <algorithm>
#include <bit>
#include <cctype>
#include <cmath>
#include <cstring>
#include <headsweep/adapter.hpp>
#include <optional>

namespace headsweep {
namespace {

namespace fs = std::filesystem;
static_assert(std::endian::native == std::endian::little, "numbers are read as they lie in the file");

constexpr std::string_view magic = "\x93NUMPY";
constexpr std::size_t most_header_bytes = 1 << 16, most_dims = 8;
constexpr std::uint64_t most_bytes = std::uint64_t{1} << 30;

struct Header {
  std::optional<std::string> type;
  std::optional<bool> fortran;
  std::optional<std::vector<std::int64_t>> shape;
};

/// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (64, 16), }`.
class HeaderReader {
 public:
  HeaderReader(std::string_view text, std::string where) : text_(text), where_(std::move(where)) {}

  Header read() {
    Header header;
    need('{');
    while (!take('}')) {
      const std::string key = quoted();
      need(':');
      if (key == "descr" && !header.type)
        header.type = quoted();
      else if (key == "fortran_order" && !header.fortran)
        header.fortran = flag();
      else if (key == "shape" && !header.shape)
        header.shape = tuple();
      else
        refuse();
      if (!take(',')) {
        need('}');
        break;
      }
    }
    skip();
    if (at_ != text_.size() || !header.type || !header.fortran || !header.shape) refuse();
    return header;
  }

 private:
  [[noreturn]] void refuse() const {
    throw BadInput(cat(where_, ": byte ", at_, " of the header: not the header of one array of numbers"));
  }
  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool take(char c) {
    skip();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void need(char c) {
    if (!take(c)) refuse();
  }
  std::string quoted() {
    need('\'');
    const std::size_t end = text_.find('\'', at_);
    if (end == std::string_view::npos) refuse();
    const std::string word(text_.substr(at_, end - at_));
    at_ = end + 1;
    return word;
  }
  bool flag() {
    skip();
    for (const std::string_view word : {"True", "False"})
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return word == "True";
      }
    refuse();
  }
  std::vector<std::int64_t> tuple() {
    std::vector<std::int64_t> sizes;
    need('(');
    while (!take(')')) {
      skip();
      std::int64_t size = 0;
      std::size_t digits = 0;
      for (; at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_])); ++at_, ++digits)
        size = size * 10 + (text_[at_] - '0');
      if (digits == 0 || digits > 12 || sizes.size() == most_dims) refuse();
      sizes.push_back(size);
      if (!take(',')) {
        need(')');
        break;
      }
    }
    return sizes;
  }

  std::string_view text_;
  std::string where_;
  std::size_t at_ = 0;
};

/// The header's text and what follows it.
std::pair<std::string_view, std::string_view> cut(std::string_view bytes, const std::string& where) {
  require(bytes.starts_with(magic), where, ": not a .npy file");
  const std::string_view rest = bytes.substr(magic.size());
  const int version = rest.size() < 2 ? 0 : static_cast<unsigned char>(rest[0]);
  require(version >= 1 && version <= 3, where, ": version ", version, " of .npy, 1 to 3 are read");
  const std::size_t field = version == 1 ? 2 : 4;
  require(rest.size() >= 2 + field, where, ": ends within its header");
  std::uint32_t length = 0;
  std::memcpy(&length, rest.data() + 2, field);
  const std::string_view body = rest.substr(2 + field);
  require(length <= most_header_bytes && length <= body.size(), where, ": a header of ", length,
          " bytes in a file of ", bytes.size());
  return {body.substr(0, length), body.substr(length)};
}

at::ScalarType type_of(const std::string& word, const std::string& where) {
  if (word == "<f2") return at::kHalf;
  if (word == "<f4") return at::kFloat;
  if (word == "<f8") return at::kDouble;
  throw BadInput(
      cat(where, ": numbers of type '", word, "', little-endian float16, float32 or float64 are due"));
}

}  // namespace

NumberArray read_npy(const fs::path& file) {
  const std::string where = file.string(), bytes = read_file(file, most_bytes);
  const auto [text, data] = cut(bytes, where);
  const Header header = HeaderReader(text, where).read();
  const at::ScalarType type = type_of(*header.type, where);
  require(!*header.fortran, where, ": in Fortran order, C order is due: save numpy.ascontiguousarray(...)");
  NumberArray array{.shape = *header.shape, .values = {}};
  std::uint64_t due = c10::elementSize(type);
  for (const std::int64_t size : array.shape)
    require(!__builtin_mul_overflow(due, static_cast<std::uint64_t>(size), &due), where,
            ": too large a shape");
  require(due == data.size(), where, ": ", data.size(), " bytes of numbers, its shape makes it ", due);
  const auto count = static_cast<std::int64_t>(due / c10::elementSize(type));
  at::Tensor raw = at::empty({count}, type);
  std::memcpy(raw.data_ptr(), data.data(), data.size());
  const at::Tensor values = raw.to(at::kDouble);
  array.values.assign(values.data_ptr<double>(), values.data_ptr<double>() + count);
  const auto bad = std::find_if_not(array.values.begin(), array.values.end(),
                                    [](double value) { return std::isfinite(value); });
  require(bad == array.values.end(), where, ": number ", bad - array.values.begin(), " is NaN or Inf");
  return array;
}

}  // namespace headsweep
