// model: texts as token trees -> one row of tokens without padding, who sees whom, and what is predicted
// where.
#include <algorithm>
#include <headsweep/model.hpp>
#include <numeric>

namespace headsweep {
namespace {

/// Grows the lists of a batch tree by tree.
class Packer {
 public:
  /// The first `shared` tokens of every prompt stand once, in front.
  Packer(Keep keep, int shared) : keep_(keep), shared_(shared) {}
  void add(const TokenTree& tree);
  [[nodiscard]] TokenBatch finish(at::Device device) const;

 private:
  /// What a token of a clump sees beside those from `own` on, up to itself.
  struct Place {
    std::int64_t tree = 0, start = 0, middle = 0, middle_end = 0, own = 0;
  };
  void add_prompt(const TokenTree& tree);
  void add_answer(const TokenTree& tree, const std::vector<int>& answer);
  /// How many tokens the newest clump has.
  [[nodiscard]] std::int64_t clump_tokens() const {
    return static_cast<std::int64_t>(ids_.size()) - clump_begin_.back();
  }
  void add_token(int id, std::int64_t position, const Place& place, const TokenTree& tree);
  void keep_newest() { kept_.push_back(static_cast<std::int64_t>(ids_.size()) - 1); }
  /// The newest answer's next token is predicted by the kept token `row`.
  void predict(std::int64_t row, int id);
  [[nodiscard]] std::int64_t newest_row() const { return static_cast<std::int64_t>(kept_.size()) - 1; }
  Keep keep_;
  int shared_;
  std::int64_t trees_ = 0;
  Place prompt_;  ///< of the newest tree's own prompt tokens
  std::vector<std::int64_t> clump_begin_, prompt_begin_, prompt_tokens_;
  std::vector<std::int64_t> ids_, positions_, kept_, entry_row_, entry_id_, entry_answer_;
  std::vector<float> active_, answer_tokens_;
  std::vector<Place> places_;
};

void Packer::add_token(int id, std::int64_t position, const Place& place, const TokenTree& tree) {
  ids_.push_back(id);
  positions_.push_back(position);
  active_.push_back(position >= tree.edit_start ? 1.0F : 0.0F);
  places_.push_back(place);
}

void Packer::predict(std::int64_t row, int id) {
  entry_row_.push_back(row);
  entry_id_.push_back(id);
  entry_answer_.push_back(static_cast<std::int64_t>(answer_tokens_.size()) - 1);
  answer_tokens_.back() += 1.0F;
}

/// The prompt, but for what stands already; of a text that is kept whole, its last token is only predicted.
void Packer::add_prompt(const TokenTree& tree) {
  const std::size_t count = tree.prompt.size() - (keep_ == Keep::all ? 1 : 0);
  const auto shared = static_cast<std::size_t>(shared_);
  if (shared_ == 0 || trees_ == 0) clump_begin_.push_back(static_cast<std::int64_t>(ids_.size()));
  if (trees_ == 0)
    for (std::size_t i = 0; i < shared; ++i)
      add_token(tree.prompt[i], static_cast<std::int64_t>(i), {.start = shared_}, tree);
  prompt_begin_.push_back(static_cast<std::int64_t>(ids_.size()));
  prompt_tokens_.push_back(static_cast<std::int64_t>(count - shared));
  prompt_ = {.tree = trees_, .start = shared_, .own = clump_tokens()};
  if (shared_ == 0) prompt_.start = static_cast<std::int64_t>(count);
  if (keep_ == Keep::all) answer_tokens_.push_back(0.0F);
  for (std::size_t i = shared; i < count; ++i) {
    add_token(tree.prompt[i], static_cast<std::int64_t>(i), prompt_, tree);
    if (keep_ != Keep::all) continue;
    keep_newest();
    predict(newest_row(), tree.prompt[i + 1]);
  }
}

void Packer::add_answer(const TokenTree& tree, const std::vector<int>& answer) {
  const auto prompt = static_cast<std::int64_t>(tree.prompt.size());
  Place place = prompt_;
  place.own = clump_tokens();
  if (shared_ > 0) {
    place.middle = prompt_.own;
    place.middle_end = prompt_.own + prompt_tokens_.back();
  }
  for (std::size_t i = 1; i < answer.size(); ++i) {
    add_token(answer[i - 1], prompt + static_cast<std::int64_t>(i) - 1, place, tree);
    keep_newest();
    predict(newest_row(), answer[i]);
  }
}

void Packer::add(const TokenTree& tree) {
  expect(!tree.prompt.empty(), "a prompt of at least one token");
  expect(keep_ != Keep::all || tree.prompt.size() > 1, "a text of at least two tokens");
  expect(keep_ == Keep::answers || tree.answers.empty(), "no answers where the prompt's own tokens are kept");
  add_prompt(tree);
  const bool predicts =
      std::any_of(tree.answers.begin(), tree.answers.end(), [](const auto& a) { return !a.empty(); });
  if (keep_ == Keep::last || predicts) keep_newest();
  const std::int64_t prompt_row = newest_row();
  for (const auto& answer : tree.answers) {
    answer_tokens_.push_back(0.0F);
    if (answer.empty()) continue;
    predict(prompt_row, answer[0]);
    add_answer(tree, answer);
  }
  ++trees_;
}

std::vector<std::int32_t> narrowed(const std::vector<std::int64_t>& values) {
  return {values.begin(), values.end()};
}

TokenBatch Packer::finish(at::Device device) const {
  const auto place_on = [&](const auto& values) { return at::tensor(values).to(device); };
  TokenBatch batch;
  batch.trees = static_cast<int>(trees_);
  batch.tokens = static_cast<int>(ids_.size());
  batch.shared = shared_;
  batch.clump_begin = narrowed(clump_begin_);
  batch.clump_begin.push_back(batch.tokens);
  for (int clump = 0; clump < batch.clumps(); ++clump) {
    const auto at = static_cast<std::size_t>(clump);
    batch.longest = std::max(batch.longest, batch.clump_begin[at + 1] - batch.clump_begin[at]);
  }
  std::vector<std::int64_t> tree;
  for (const Place& place : places_) {
    tree.push_back(place.tree);
    batch.start.push_back(static_cast<std::int32_t>(place.start));
    batch.middle.push_back(static_cast<std::int32_t>(place.middle));
    batch.middle_end.push_back(static_cast<std::int32_t>(place.middle_end));
    batch.own.push_back(static_cast<std::int32_t>(place.own));
  }
  batch.kept_rows = narrowed(kept_);
  for (const std::int32_t first : batch.clump_begin)
    batch.kept_begin.push_back(static_cast<std::int32_t>(
        std::lower_bound(batch.kept_rows.begin(), batch.kept_rows.end(), first) - batch.kept_rows.begin()));
  batch.prompt_begin = narrowed(prompt_begin_);
  batch.prompt_tokens = narrowed(prompt_tokens_);
  batch.ids = place_on(ids_);
  batch.positions = place_on(positions_);
  batch.tree = place_on(tree);
  batch.active = place_on(active_);
  batch.kept = place_on(kept_);
  batch.entry_row = place_on(entry_row_);
  batch.entry_id = place_on(entry_id_);
  batch.entry_answer = place_on(entry_answer_);
  batch.answer_tokens = place_on(answer_tokens_);
  batch.answers = static_cast<int>(answer_tokens_.size());
  return batch;
}

/// How many tokens two texts begin with alike.
std::size_t common_start(const std::vector<int>& one, const std::vector<int>& other) {
  const auto end = std::mismatch(one.begin(), one.end(), other.begin(), other.end()).first;
  return static_cast<std::size_t>(end - one.begin());
}

}  // namespace

int shared_start(const std::vector<TokenTree>& trees) {
  constexpr std::size_t least = 16;
  if (trees.size() < 2) return 0;
  std::size_t shared = trees.front().prompt.size();
  for (const TokenTree& tree : trees) {
    shared = std::min({shared, common_start(trees.front().prompt, tree.prompt), tree.prompt.size() - 1});
    if (tree.edit_start > 0) shared = std::min(shared, static_cast<std::size_t>(tree.edit_start));
  }
  const auto everywhere = [](const TokenTree& tree) { return tree.edit_start == 0; };
  const bool alike = std::all_of(trees.begin(), trees.end(), everywhere) ||
                     std::none_of(trees.begin(), trees.end(), everywhere);
  return alike && shared >= least ? static_cast<int>(shared) : 0;
}

TokenBatch pack(const std::vector<TokenTree>& trees, Keep keep, at::Device device, Starts starts) {
  expect(!trees.empty(), "at least one tree to pack");
  expect(starts == Starts::apart || keep != Keep::all, "whole texts predict each of their tokens");
  Packer packer(keep, starts == Starts::joined ? shared_start(trees) : 0);
  for (const TokenTree& tree : trees) packer.add(tree);
  return packer.finish(device);
}

}  // namespace headsweep
