// base: what every module stands on: errors, heads and ids, random streams, text, files, log. Level 0. Knows
// no other module.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace headsweep {

// ---- errors
// ------------------------------------------------------------------------------------------------------

/// What the program says to the shell when it ends.
enum class ExitCode { done = 0, internal = 1, usage = 2, bad_input = 3, trials_failed = 4, stopped = 5 };

/// Every error that headsweep throws on purpose; the code is what `main` returns for it.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  [[nodiscard]] ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

/// The user's files, values or machine are at fault. The message is one line: `file: place: found, allowed`.
class BadInput : public Error {
 public:
  explicit BadInput(const std::string& message) : Error(ExitCode::bad_input, message) {}
};

/// The command line is at fault.
class BadUsage : public Error {
 public:
  explicit BadUsage(const std::string& message) : Error(ExitCode::usage, message) {}
};

/// Joins values to text; numbers are written so that they read back equal.
std::string to_text(double value);
std::string to_text(float value);
template <class T>
std::string to_text(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}
template <class... Values>
std::string cat(const Values&... values) {
  std::string text;
  (text.append(to_text(values)), ...);
  return text;
}

/// Throws BadInput with the joined message unless `ok`: for what the user's world may do. Always on.
template <class... Message>
void require(bool ok, const Message&... message) {
  if (!ok) throw BadInput(cat(message...));
}

/// Throws std::logic_error: for our own mistakes, cheap enough to stay on.
void expect(bool ok, const char* what);

// ---- ids
// ---------------------------------------------------------------------------------------------------------

/// An index that cannot be taken for another kind of index.
template <class Tag>
struct Id {
  int value = -1;
  auto operator<=>(const Id&) const = default;
};
using LocationId = Id<struct LocationTag>;  ///< row of /locations
using TrialId = Id<struct TrialTag>;        ///< row of /trials

/// A query head: one D-wide slice of the input of its layer's o_proj. Written `L5.H12`.
struct Head {
  int layer = 0;
  int index = 0;  ///< within the layer
  auto operator<=>(const Head&) const = default;
};
std::string to_text(const Head& head);
/// Reads `L5.H12`; throws BadInput(`place`: found, allowed).
Head parse_head(std::string_view text, std::string_view place);

/// A linear layer of a transformer layer, as an edit may be added to.
enum class EditTarget { q, k, v, o, gate, up, down };
inline constexpr std::array edit_targets = {EditTarget::q,    EditTarget::k,  EditTarget::v,   EditTarget::o,
                                            EditTarget::gate, EditTarget::up, EditTarget::down};
/// As transformers calls it: `q_proj`.
std::string to_text(EditTarget target);

// ---- randomness
// --------------------------------------------------------------------------------------------------

/// A stream of random numbers that hangs on (seed, purpose) alone, never on rank, order or lane. Portable:
/// equal on every machine and compiler.
class Random {
 public:
  /// `purpose` names what the numbers are for, for example {"random set", size, draw}.
  template <class... Purpose>
  explicit Random(std::uint64_t seed, const Purpose&... purpose)
      : Random(Key{}, seed, cat(joined(purpose)...)) {}

  std::uint64_t bits() { return engine_(); }
  /// Uniform in [0, n); n > 0.
  std::uint64_t below(std::uint64_t n);
  /// Uniform in [0, 1).
  double uniform();
  /// k distinct numbers of [0, n), ascending.
  std::vector<int> choose(int n, int k);
  template <class T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  struct Key {};
  Random(Key, std::uint64_t seed, const std::string& purpose);
  template <class T>
  static std::string joined(const T& word) {
    return cat(word, "\x1f");
  }
  std::mt19937_64 engine_;
};

// ---- text
// --------------------------------------------------------------------------------------------------------

/// The candidate with the least edit distance, or "" if none is near: for `did you mean`.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);
std::vector<std::string> split_text(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
/// Byte offset of the first byte that is not UTF-8, or npos.
std::size_t find_invalid_utf8(std::string_view text);

// ---- hashes and files
// --------------------------------------------------------------------------------------------

/// xxh64 of bytes, as 16 hexadecimal digits.
std::string hash_hex(std::string_view bytes);
/// xxh64 of a file's content, read in pieces.
std::string hash_file(const std::filesystem::path& file);

/// The whole file; BadInput if it is absent, not a regular file, or larger than `cap` bytes.
std::string read_file(const std::filesystem::path& file, std::uint64_t cap = std::uint64_t{1} << 30);
/// Whole or absent: written under a temporary name, fsync, rename, fsync of the folder. Throws BadInput (disk
/// full, read-only) and leaves nothing behind.
void write_file(const std::filesystem::path& file, std::string_view bytes);
/// One line at the end of a file that one process alone writes; flushed to the disk when `sync`.
void append_line(const std::filesystem::path& file, std::string_view line, bool sync = false);
/// A file mapped read-only into memory; shared by the processes of a node through the page cache.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& file);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  [[nodiscard]] std::string_view bytes() const { return {data_, size_}; }
  /// This process holds the pages inside `part` of bytes() no more; a look reads them again.
  void release(std::string_view part) const;

 private:
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Seconds since 1970 and the same as `2026-01-31T12:00:00Z`.
double now_seconds();
std::string utc_text(double seconds);
std::string host_name();

// ---- log
// ---------------------------------------------------------------------------------------------------------

/// Only the speaker (rank 0) prints; the others' lines are dropped unless they are errors.
void set_speaker(bool speaks);
/// One line on standard error.
void log_line(std::string_view text);
void log_error(std::string_view text);

}  // namespace headsweep
