// data, private: patterns of PCRE2 over UTF-8; all are our own or known ones, none comes from a file.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace headsweep {

/// A compiled pattern, in which \s and \S are Unicode's White_Space.
class Pattern {
 public:
  explicit Pattern(std::string pattern);
  ~Pattern();
  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) = delete;

  /// All matches in a valid UTF-8 text from left to right, without overlap; the pattern matches no empty
  /// text.
  [[nodiscard]] std::vector<std::string_view> find_all(std::string_view text) const;
  /// The matches and what stands between them.
  [[nodiscard]] std::vector<std::string_view> cut(std::string_view text) const;

 private:
  struct Code;
  std::unique_ptr<Code> code_;
};

}  // namespace headsweep
