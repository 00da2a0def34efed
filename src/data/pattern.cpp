// data: matching by PCRE2.
#include "data/pattern.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <headsweep/base.hpp>
#include <limits>

namespace headsweep {
namespace {

struct Free {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
}

}  // namespace

struct Pattern::Code {
  std::unique_ptr<pcre2_code, Free> code;
  std::unique_ptr<pcre2_match_context, Free> context;
};

Pattern::Pattern(std::string pattern) : code_(std::make_unique<Code>()) {
  // PCRE2's own \s takes in a character that is no white space, U+180E.
  replace_all(pattern, "\\s", "\\p{White_Space}");
  replace_all(pattern, "\\S", "\\P{White_Space}");
  int error = 0;
  std::size_t offset = 0;
  code_->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF,
                                  &error, &offset, nullptr));
  expect(code_->code != nullptr,
         "PCRE2 of 10.40 or newer, which knows the Unicode properties of the word pattern");
  code_->context.reset(pcre2_match_context_create(nullptr));
  expect(code_->context != nullptr, "memory for a pattern");
  // Each step back in a run of blanks counts, and a long run is no error: time is linear all the same.
  pcre2_set_match_limit(code_->context.get(), std::numeric_limits<std::uint32_t>::max());
}

Pattern::~Pattern() = default;
Pattern::Pattern(Pattern&&) noexcept = default;

std::vector<std::string_view> Pattern::find_all(std::string_view text) const {
  const std::unique_ptr<pcre2_match_data, Free> match(pcre2_match_data_create(1, nullptr));
  std::vector<std::string_view> found;
  for (std::size_t at = 0; at < text.size();) {
    // Without NO_UTF_CHECK each call would read the whole rest of the text: quadratic time.
    const int count = pcre2_match(code_->code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                                  at, PCRE2_NO_UTF_CHECK, match.get(), code_->context.get());
    if (count == PCRE2_ERROR_NOMATCH) break;
    expect(count > 0, "a pattern that matches without an error");
    const std::size_t* bounds = pcre2_get_ovector_pointer(match.get());
    found.push_back(text.substr(bounds[0], bounds[1] - bounds[0]));
    at = bounds[1];
  }
  return found;
}

std::vector<std::string_view> Pattern::cut(std::string_view text) const {
  std::vector<std::string_view> pieces;
  std::size_t end = 0;
  for (const std::string_view match : find_all(text)) {
    const auto begin = static_cast<std::size_t>(match.data() - text.data());
    if (begin > end) pieces.push_back(text.substr(end, begin - end));
    pieces.push_back(match);
    end = begin + match.size();
  }
  if (end < text.size()) pieces.push_back(text.substr(end));
  return pieces;
}

}  // namespace headsweep
