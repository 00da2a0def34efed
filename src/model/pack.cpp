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
  explicit Packer(Keep keep) : keep_(keep) {}
  void add(const TokenTree& tree);
  [[nodiscard]] TokenBatch finish(at::Device device) const;

 private:
  /// A token's place in its tree: it sees the first `prompt` tokens and those from `own` on, up to itself.
  struct Place {
    std::int64_t tree = 0, index = 0, prompt = 0, own = 0;
  };
  void add_prompt(const TokenTree& tree);
  void add_answer(const TokenTree& tree, const std::vector<int>& answer);
  void add_token(int id, std::int64_t position, const Place& place, const TokenTree& tree);
  void keep_newest() { kept_.push_back(static_cast<std::int64_t>(ids_.size()) - 1); }
  /// The newest answer's next token is predicted by the kept token `row`.
  void predict(std::int64_t row, int id);
  [[nodiscard]] std::int64_t newest_row() const { return static_cast<std::int64_t>(kept_.size()) - 1; }
  Keep keep_;
  std::int64_t trees_ = 0;
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

void Packer::add_prompt(const TokenTree& tree) {
  const std::size_t count = tree.prompt.size() - (keep_ == Keep::all ? 1 : 0);
  const auto prompt = static_cast<std::int64_t>(count);
  if (keep_ == Keep::all) answer_tokens_.push_back(0.0F);
  for (std::size_t i = 0; i < count; ++i) {
    const auto index = static_cast<std::int64_t>(i);
    add_token(tree.prompt[i], index, {trees_, index, prompt, 0}, tree);
    if (keep_ != Keep::all) continue;
    keep_newest();
    predict(newest_row(), tree.prompt[i + 1]);
  }
}

void Packer::add_answer(const TokenTree& tree, const std::vector<int>& answer) {
  const auto prompt = static_cast<std::int64_t>(tree.prompt.size());
  const std::int64_t own = places_.back().index + 1;
  for (std::size_t i = 1; i < answer.size(); ++i) {
    const auto step = static_cast<std::int64_t>(i) - 1;
    add_token(answer[i - 1], prompt + step, {trees_, own + step, prompt, own}, tree);
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

TokenBatch Packer::finish(at::Device device) const {
  const auto place_on = [&](const auto& values) { return at::tensor(values).to(device); };
  TokenBatch batch;
  batch.trees = static_cast<int>(trees_);
  batch.tokens = static_cast<int>(ids_.size());
  std::vector<std::int64_t> tree;
  batch.tree_begin.assign(static_cast<std::size_t>(trees_) + 1, 0);
  batch.kept_begin = batch.tree_begin;
  for (const Place& place : places_) {
    tree.push_back(place.tree);
    ++batch.tree_begin[static_cast<std::size_t>(place.tree) + 1];
    batch.prompt.push_back(static_cast<std::int32_t>(place.prompt));
    batch.own.push_back(static_cast<std::int32_t>(place.own));
    batch.longest = std::max(batch.longest, static_cast<int>(place.index) + 1);
  }
  for (const std::int64_t token : kept_) {
    batch.kept_rows.push_back(static_cast<std::int32_t>(token));
    ++batch.kept_begin[static_cast<std::size_t>(tree[static_cast<std::size_t>(token)]) + 1];
  }
  std::partial_sum(batch.tree_begin.begin(), batch.tree_begin.end(), batch.tree_begin.begin());
  std::partial_sum(batch.kept_begin.begin(), batch.kept_begin.end(), batch.kept_begin.begin());
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

}  // namespace

TokenBatch pack(const std::vector<TokenTree>& trees, Keep keep, at::Device device) {
  expect(!trees.empty(), "at least one tree to pack");
  Packer packer(keep);
  for (const TokenTree& tree : trees) packer.add(tree);
  return packer.finish(device);
}

}  // namespace headsweep
