// eval: the answer in what was generated. In: text, marks; out: text.
#include <headsweep/eval.hpp>

namespace headsweep {
namespace {

constexpr std::size_t nowhere = std::string_view::npos;

std::size_t find_mark(std::string_view text, const std::string& mark, std::size_t from = 0) {
  return mark.empty() ? nowhere : text.find(mark, from);
}

}  // namespace

std::string cut_answer(std::string_view text, const AnswerMarks& marks) {
  text = strip_blanks(text);
  text = strip_blanks(text.substr(0, find_mark(text, marks.before)));
  const std::size_t first = find_mark(text, marks.after);
  if (first != nowhere) {
    text.remove_prefix(first + marks.after.size());
    text = strip_blanks(text.substr(0, find_mark(text, marks.after)));
  }
  return std::string(text);
}

bool cut_is_final(std::string_view text, const AnswerMarks& marks) {
  text = strip_blanks(text);
  if (find_mark(text, marks.before) != nowhere) return true;
  const std::size_t first = find_mark(text, marks.after);
  if (first == nowhere) return false;
  const std::size_t second = find_mark(text, marks.after, first + marks.after.size());
  // `before` may begin in the text's last characters, and must not reach back into the second mark.
  const std::size_t open = marks.before.empty() ? 0 : marks.before.size() - 1;
  return second != nowhere && second + marks.after.size() + open <= text.size();
}

}  // namespace headsweep
