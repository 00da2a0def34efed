// edit: the size of an edit beside the residual stream, and the checks that run before every sweep.
#include <cmath>
#include <headsweep/edit.hpp>

namespace headsweep {
namespace {

/// |gate| * norm(write) / norm(r) of every lane and token at one layer of the unedited model: [K', T].
at::Tensor sizes_at(const Prefix& prefix, const LayerEdit& edit) {
  const at::Tensor norm = prefix.residual.norm(2, -1);    // [T]
  const at::Tensor write = edit.write.norm(2, -1, true);  // [K', 1]
  if (!edit.read.defined()) return (write / norm).contiguous();
  return at::matmul(edit.read, prefix.outputs.to(at::kFloat).t()).abs() * write / norm;
}

/// The same of what an adapter at o_proj writes: |B^T gates| / norm(r) [K, T].
at::Tensor sizes_at(const Prefix& prefix, const Adapter& adapter) {
  const at::Tensor outputs = prefix.outputs.to(at::kFloat).t();                            // [C, T]
  const at::Tensor gates = at::matmul(adapter.a.to(at::kFloat), outputs).transpose(1, 2);  // [K, T, rank]
  return at::bmm(gates, adapter.b.to(at::kFloat)).norm(2, -1) / prefix.residual.norm(2, -1);
}

void demand(bool ok, const std::string& what) {
  if (!ok) throw std::logic_error(cat("self-test of the edit failed: ", what));
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

/// Whether two ways to the same final states agree: their difference is rounding beside the states, or small
/// beside what the edit changes. Layers may make much of a rounding, as random ones do; they make as much of
/// an edit.
bool agree(const at::Tensor& one, const at::Tensor& other, const at::Tensor& unedited, double tolerance) {
  constexpr double small = 0.25;
  return largest_difference(one, other) <= tolerance * one.abs().max().item<double>() ||
         (one - other).norm().item<double>() <= small * (one - unedited).norm().item<double>();
}

/// Of final states, relative to their largest: rounding of the products' operands.
double tolerance_of(const Weights& weights) { return weights.number == at::kFloat ? 1e-3 : 5e-2; }

/// A lane at one head with a visible b, and the same written as a changed input of o_proj.
void check_slice(const Weights& weights, const PairBatch& batch, Head head) {
  const ModelConfig& config = weights.config;
  const LaneSpec lane{.heads = {head}, .strength = 0.1, .learning_rate = 0, .seed = 1};
  TrainingSpec spec;
  spec.start_b = 0.5;
  const LaneParams params = LaneParams::start(EditKind::optimal, {lane}, spec, weights);
  const auto& layer = params.layers().front();
  const Prefix prefix = run_prefix(weights, batch.tokens, head.layer);
  const at::Tensor b = layer.b * layer.b_mask;  // [1, C]
  const at::Tensor outputs = prefix.outputs.to(at::kFloat);
  const at::Tensor gate = at::matmul(outputs, layer.a[0]).unsqueeze(1) * batch.tokens.active.unsqueeze(1);
  const at::Tensor changed = outputs + gate * b;  // [T, C]
  const at::Tensor o = weights.layers.at(static_cast<std::size_t>(head.layer)).o.to(at::kFloat);
  // What is written comes from the head's own columns of W_o alone.
  const auto slice = [&](const at::Tensor& values) {
    return values.narrow(-1, head.index * config.head_dim, config.head_dim);
  };
  const at::Tensor write = params.edits(weights).layers.at(head.layer).write[0];
  demand(largest_difference(write, at::matmul(slice(o), slice(layer.b)[0])) <=
             1e-4 * write.abs().max().item<double>(),
         cat("an edit at ", head, " wrote through another head"));
  const Prefix edited{.layer = head.layer,
                      .outputs = changed.to(weights.number),
                      .residual = prefix.residual + at::matmul(changed - outputs, o.t())};
  const at::Tensor direct = run_lanes(weights, batch.tokens, edited, LaneEdits{});
  const at::Tensor by_rank_one = run_lanes(weights, batch.tokens, prefix, params.edits(weights));
  const at::Tensor unedited = run_lanes(weights, batch.tokens, prefix, LaneEdits{});
  demand(largest_difference(direct, unedited) > 0, cat("an edit at ", head, " changed nothing"));
  demand(agree(direct, by_rank_one, unedited, tolerance_of(weights)),
         cat("r + <a, o> W_o b differs from a changed input of o_proj at ", head, " by ",
             largest_difference(direct, by_rank_one)));
}

}  // namespace

RelativeSize relative_size(const Weights& weights, const PairBatch& batch, const LaneEdits& edits) {
  const TokenBatch& tokens = batch.tokens;
  const at::Tensor prompt_end = batch.prompt_tokens.index_select(0, tokens.tree);
  const at::Tensor answer = (tokens.positions >= prompt_end).to(at::kFloat), prompt = 1 - answer;  // [T]
  at::Tensor in_prompt = at::zeros({edits.lanes}, tokens.active.options()), in_answer = in_prompt.clone();
  at::Tensor layers = in_prompt.clone();
  const at::Tensor all = at::arange(edits.lanes, tokens.tree.options());
  const auto add = [&](const at::Tensor& everywhere, const at::Tensor& lanes) {
    const at::Tensor sizes = everywhere * tokens.active;  // [K', T]
    in_prompt.index_add_(0, lanes, at::matmul(sizes, prompt) / prompt.sum());
    in_answer.index_add_(0, lanes, at::matmul(sizes, answer) / answer.sum());
    layers.index_add_(0, lanes, at::ones({sizes.size(0)}, layers.options()));
  };
  for (const auto& [layer, edit] : edits.layers)
    add(sizes_at(run_prefix(weights, tokens, layer), edit), edit.lanes.defined() ? edit.lanes : all);
  for (const auto& [layer, adapters] : edits.adapters)
    if (adapters.contains(EditTarget::o))
      add(sizes_at(run_prefix(weights, tokens, layer), adapters.at(EditTarget::o)), all);
  return {.prompt = in_prompt / layers, .answer = in_answer / layers};
}

void check_edits(const Weights& weights, const PairBatch& batch) {
  const int last = weights.config.layers - 1;
  const Head head{.layer = last / 2, .index = weights.config.heads - 1};
  const LaneSpec lane{.heads = {head}, .strength = 0.1, .learning_rate = 0, .seed = 0};
  const LaneEdits zero =
      LaneParams::start(EditKind::optimal, {lane, lane}, TrainingSpec{}, weights).edits(weights);
  const Prefix prefix = run_prefix(weights, batch.tokens, head.layer);
  const at::Tensor unedited = run_lanes(weights, batch.tokens, prefix, LaneEdits{.lanes = 2, .layers = {}});
  // Edited lanes take the products of the first edited layer in another order: equal to rounding, not to the
  // bit.
  const double moved = largest_difference(run_lanes(weights, batch.tokens, prefix, zero), unedited);
  demand(moved <= tolerance_of(weights) * unedited.abs().max().item<double>(),
         cat("a zero edit changed the final states by ", moved));
  for (const Head one : {Head{0, 0}, head, Head{last, weights.config.heads - 1}})
    check_slice(weights, batch, one);
}

}  // namespace headsweep
