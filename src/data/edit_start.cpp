// data: the token from which an edit acts; training, evaluation and generation read the same rule.
#include <algorithm>
#include <headsweep/data.hpp>

namespace headsweep {

int edit_start(EditFrom from, Purpose purpose, int prompt_tokens) {
  const int last_prompt = std::max(0, prompt_tokens - 1);
  if (from == EditFrom::all) return 0;
  if (from == EditFrom::last_prompt || purpose == Purpose::generation) return last_prompt;
  return purpose == Purpose::choice ? prompt_tokens + 1 : 0;
}

}  // namespace headsweep
