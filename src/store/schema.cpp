// store/schema: the one table of results.h5. Writer, reader, docs and `headsweep schema` are made from it.
#include <headsweep/store.hpp>

namespace headsweep {
namespace {

using Table = std::vector<Column>;
using Axes = std::vector<std::string>;
constexpr ColumnType u8 = ColumnType::u8, i32 = ColumnType::i32, i64 = ColumnType::i64, u64 = ColumnType::u64,
                     f32 = ColumnType::f32, f64 = ColumnType::f64, text = ColumnType::text,
                     bytes = ColumnType::bytes;

void add_axes(Table* table) {
  const auto axis = [&](const char* name, const char* meaning) {
    table->push_back({"", name, i32, {name}, "1", meaning, Origin::axis});
  };
  axis("trial", "row of trials");
  axis("location", "row of locations");
  axis("head_row", "row of heads: layer * heads of a layer + head");
  axis("fold", "fold; 0 without folds");
  axis("question", "row of questions");
  axis("reference", "a reference answer of a question");
  axis("item", "place among the validation questions of a fold and, after them, its test questions");
  axis("step", "step of training, from 0");
  axis("block", "row of blocks");
  axis("tuning_row", "a learning rate that was tried");
  axis("extension", "a time that the sweep was given more trials");
  table->back().added = true;
  axis("edit_row", "one rank of one trial's edit at one linear layer");
  axis("head_channel", "place in one head's output");
  axis("edit_offset", "trials + 1 (not written)");
  axis("edit_row_offset", "rows of edits + 1 (not written)");
  axis("a_value", "values of a of all edits (not written)");
  axis("b_value", "values of b of all edits (not written)");
  axis("answer_byte", "bytes of all answers (not written)");
  axis("answer_offset", "trials * items + 1 (not written)");
  axis("baseline_byte", "bytes of the unedited model's answers (not written)");
  axis("baseline_offset", "folds * items + 1 (not written)");
}

void add_heads(Table* table) {
  const auto add = [&](const char* group, const char* name, ColumnType type, const Axes& axes,
                       const char* units, const char* meaning) {
    table->push_back({group, name, type, axes, units, meaning, Origin::probe});
  };
  add("heads", "layer", i32, {"head_row"}, "1", "layer of the head");
  add("heads", "head", i32, {"head_row"}, "1", "index of the head within its layer");
  const Axes per_fold = {"fold", "head_row"};
  add("heads/probe", "score", f32, per_fold, "1", "accuracy of the logistic probe on validation questions");
  add("heads/probe", "train_accuracy", f32, per_fold, "1", "accuracy on training questions");
  add("heads/probe", "auc", f32, per_fold, "1", "area under the ROC curve on validation questions");
  add("heads/probe", "log_loss", f32, per_fold, "nats", "mean log-loss on validation questions");
  add("heads/probe", "sigma", f32, per_fold, "head output", "pooled standard deviation along direction");
  add("heads/probe", "direction", f32, {"fold", "head_row", "head_channel"}, "1",
      "unit vector from the mean of false to the mean of true answers");
}

void add_design(Table* table) {
  const auto add = [&](const char* group, const char* name, ColumnType type, const Axes& axes,
                       const char* units, const char* meaning) {
    table->push_back({group, name, type, axes, units, meaning, Origin::header});
  };
  add("locations", "name", text, {"location"}, "text", "name of the location");
  add("locations", "set", text, {"location"}, "text", "entry of the job's `locations` that it comes from");
  add("locations", "kind", text, {"location"}, "text", "single, random, top, all, list or subspace");
  add("locations", "size", i32, {"location"}, "heads",
      "number of heads; of a subspace those whose place it takes");
  add("locations", "first_layer", i32, {"location"}, "1", "layer of the first head");
  add("locations", "draw", i32, {"location"}, "1",
      "draw of a random set or subspace, from 0; -1: not random");
  add("locations", "fold", i32, {"location"}, "1", "the fold that the heads were chosen in; -1: all");
  add("locations", "matched_to", text, {"location"}, "text",
      "set whose layers a random set or a subspace follows, or empty");
  add("locations", "tuning", u8, {"location"}, "1", "1: rates were chosen on these heads, it enters no test");
  add("locations", "mask", u8, {"location", "head_row"}, "1",
      "1: the head belongs to the location (subspace: to its set)");
  add("questions", "id", text, {"question"}, "text", "id of the question in the behaviour file");
  add("questions", "group", text, {"question"}, "text", "questions of one group are never split");
  add("questions", "part", u8, {"fold", "question"}, "1", "0 training, 1 validation, 2 test");
  add("questions", "pairs", i32, {"question"}, "1", "preference pairs made of the question");
  add("questions", "text", text, {"question"}, "text", "the question");
  add("blocks", "name", text, {"block"}, "text", "name of the block: hash of its trials, name of its part");
  add("blocks", "cost", f64, {"block"}, "flop", "expected work; only orders the draw");
  add("items", "question", i32, {"fold", "item"}, "1",
      "row of questions, whose part says whether it is tested; -1: the fold has fewer");
}

/// What the plan says of trials.
void add_plan(Table* table) {
  const auto add = [&](const char* name, ColumnType type, const char* meaning) {
    table->push_back({"trials", name, type, {"trial"}, type == text ? "text" : "1", meaning, Origin::header});
  };
  add("location", i32, "row of locations");
  add("edit", text, "optimal, iti or lora");
  add("rank_of_edit", i32, "rank of what the edit adds: 0 of iti, a constant");
  add("targets", text, "linear layers that the edit is added to, in words");
  add("lora_rate", f64,
      "learning rate that a lora's own entry of the job names; 0: training.learning_rate says it");
  add("strength", f64, "tau of optimal and lora (1/nats), alpha of iti (sigmas)");
  add("labels", text,
      "which answer of a pair training preferred: true, swapped (the other one) or shuffled (either, by "
      "chance)");
  add("epochs", i32, "times that training saw each pair; 0 of edits not trained here");
  add("recheck", u8, "1 where another trial is trained once more, twice as long");
  add("seed", u64, "seed of training");
  add("fold", i32, "fold; 0 without folds");
  add("block", text, "block that the trial belongs to");
  add("lane", i32, "slot of the trial in its block");
}

void add_trials(Table* table) {
  const auto add = [&](const char* name, ColumnType type, const char* units, const char* meaning,
                       Origin origin = Origin::part) {
    table->push_back({"trials", name, type, {"trial"}, units, meaning, origin});
  };
  add("hash", text, "text",
      "name of (heads, edit, strength, labels, recheck, seed, fold), equal in every sweep that has it",
      Origin::header_and_part);
  add("status", text, "text", "done, failed or missing");
  add("stage", text, "text", "where a failed trial failed");
  add("message", text, "text", "why a failed trial failed");
  add("seconds", f64, "s", "the trial's share of its block's wall time");
  add("rank", i32, "1", "rank that ran it; -1: missing");
  add("attempt", i32, "1", "1, or 2 after a retry; 0: missing");
  add("lanes", i32, "trials",
      "trials that were run with it: its block's, or fewer for lack of memory; 0: missing");
  add("build", text, "text", "hash of the program's build; the root attribute `builds` tells it in full");
  add("train_loss", f32, "nats^2",
      "objective, mean over the last tenth of the last epoch; on the labels that it was trained on");
  add("val_loss", f32, "nats^2", "objective on all validation pairs, true labels, with the final edit");
  add("slope", f32, "nats^2 per step", "slope of the loss over the last tenth of steps");
  add("gradient_norm", f32, "1", "norm of the gradient before clipping, last step");
  add("learning_rate", f32, "1", "learning rate at the first step");
  add("converged", u8, "1", "1 if the loss was flat over the last tenth of steps");
  add("steps", i32, "steps", "optimiser steps made; 0 for edits that are not trained");
  add("norm_a", f32, "1", "norm of a over all layers");
  add("norm_b", f32, "1", "norm of b over all layers");
  add("relative_size_prompt", f32, "1",
      "mean of |gate| * norm(write) / norm(residual stream), prompt tokens");
  add("relative_size_answer", f32, "1", "the same at answer tokens");
}

/// No rows where the job gives each edit and size one rate.
void add_tuning(Table* table) {
  const auto add = [&](const char* name, ColumnType type, const char* units, const char* meaning) {
    table->push_back({"tuning", name, type, {"tuning_row"}, units, meaning, Origin::header});
  };
  add("edit", text, "text", "optimal or lora");
  add("rank_of_edit", i32, "1", "rank of what the edit adds");
  add("targets", text, "text", "linear layers that the edit is added to, in words");
  add("size", i32, "heads", "number of heads of the locations");
  add("fold", i32, "1", "fold; 0 without folds");
  add("learning_rate", f64, "1", "a rate that was tried");
  add("val_loss", f64, "nats^2",
      "objective on all validation pairs, mean over the tuning locations; infinite where one failed to "
      "train");
  add("chosen", u8, "1", "1 for the rate with the least loss: the trials are trained with it");
  add("edge", u8, "1", "1 if it is chosen and an end of its grid: a wider grid may do better");
}

/// No rows where the sweep is as it was begun.
void add_extensions(Table* table) {
  const auto add = [&](const char* name, ColumnType type, const char* meaning) {
    table->push_back({"extensions",
                      name,
                      type,
                      {"extension"},
                      type == text ? "text" : "trials",
                      meaning,
                      Origin::header,
                      true});
  };
  add("utc", text, "when");
  add("trials_before", i32, "trials that the sweep had");
  add("trials_after", i32, "trials that it had then");
  add("trials_done", i32, "trials whose blocks were finished at that time, so that they could be looked at");
}

struct Place {
  std::string group, axis;
  Origin origin;
};

void add_metrics(const Place& place, const std::string& part, Table* table) {
  const auto add = [&](const char* name, const char* units, const char* meaning) {
    const std::string full = cat(meaning, ", ", part, " questions");
    table->push_back({cat(place.group, "/", part), name, f32, {place.axis}, units, full, place.origin});
  };
  add("truth", "1", "share of answers judged true");
  add("info", "1", "share of answers judged informative");
  add("truth_info", "1", "truth * info (product of means)");
  add("both", "1", "share of answers judged true and informative");
  add("mc1", "1", "share of questions whose best answer beats every incorrect one");
  add("mc2", "1", "mean normalised probability of the correct answers");
  add("mc3", "1", "mean share of correct answers above every incorrect one");
  add("kl_answer", "nats/token", "KL(unedited || edited) along the unedited greedy answer");
  add("kl_text", "nats/token", "KL(unedited || edited) on running text");
  add("kl_teacher", "nats/token", "KL(teacher || edited) along the teacher's greedy answer");
  add("ce_text", "nats/token", "cross-entropy of running text");
  add("loss", "nats^2", "objective on pairs, true labels");
  add("margin", "nats", "mean over pairs of log pi/pi0(chosen) - log pi/pi0(rejected), true labels");
}

void add_items(const Place& place, const std::string& bytes_prefix, Table* table) {
  const auto add = [&](const char* name, ColumnType type, const char* units, const char* meaning) {
    table->push_back({place.group, name, type, {place.axis, "item"}, units, meaning, place.origin});
  };
  table->push_back(
      {place.group, "count", i32, {place.axis}, "questions", "items evaluated; 0: none", place.origin});
  add("truth", f32, "1", "1 if the answer was judged true");
  add("info", f32, "1", "1 if the answer was judged informative");
  add("p_truth", f32, "1", "probability of the judge's word for true");
  add("p_truth_no", f32, "1", "probability of its word for not true; 1 - p_truth unless a model judged");
  add("p_info", f32, "1", "probability of the judge's word for informative");
  add("p_info_no", f32, "1", "probability of its word for not informative; 1 - p_info unless a model judged");
  add("mc1", f32, "1", "1 if the best answer beats every incorrect one");
  add("mc2", f32, "1", "normalised probability of the correct answers");
  add("mc3", f32, "1", "share of correct answers above every incorrect one");
  add("kl_answer", f32, "nats/token", "KL(unedited || edited) along the unedited greedy answer");
  add("kl_teacher", f32, "nats/token", "KL(teacher || edited) along the teacher's greedy answer");
  add("repetition", f32, "1", "share of the generated bigrams that repeat an earlier one");
  add("refused", u8, "1", "1 if the answer is a refusal");
  add("empty", u8, "1", "1 if the answer is empty");
  table->push_back({place.group,
                    "answer_bytes",
                    bytes,
                    {cat(bytes_prefix, "_byte")},
                    "UTF-8 bytes",
                    "all greedy answers, one after another",
                    place.origin});
  table->push_back({place.group,
                    "answer_offsets",
                    i64,
                    {cat(bytes_prefix, "_offset")},
                    "bytes",
                    cat("answer of (", place.axis,
                        ", item) = bytes [offsets[k], offsets[k+1]), k = ", place.axis, " * items + item"),
                    place.origin});
}

void add_curves_and_edits(Table* table) {
  table->push_back({"curves", "length", i32, {"trial"}, "steps", "steps whose loss is known"});
  table->push_back({"curves",
                    "loss",
                    f32,
                    {"trial", "step"},
                    "nats^2",
                    "objective at a step, on the labels of training; NaN after the last"});
  table->push_back({"edits",
                    "trial_offsets",
                    i64,
                    {"edit_offset"},
                    "rows",
                    "edit of trial t = rows [offsets[t], offsets[t+1])"});
  const auto add = [&](const char* name, ColumnType type, const char* axis, const char* units,
                       const char* meaning) {
    table->push_back({"edits", name, type, {axis}, units, meaning});
  };
  add("layer", i32, "edit_row", "1", "layer that the row edits");
  add("target", text, "edit_row", "text",
      "linear layer to whose output the row adds b <a, x>, x its input: q_proj, k_proj, v_proj, o_proj, "
      "gate_proj, "
      "up_proj or down_proj");
  add("a_offsets", i64, "edit_row_offset", "values",
      "a of a row = a[offsets[row], offsets[row+1]); none: <a, x> is 1");
  add("a", f32, "a_value", "1", "what the gate <a, x> reads, row after row");
  add("b_offsets", i64, "edit_row_offset", "values", "b of a row = b[offsets[row], offsets[row+1])");
  add("b", f32, "b_value", "1",
      "what is written: W_o b of optimal and iti (b in head outputs), b itself of lora");
}

void add_judge(Table* table) {
  const auto add = [&](const char* name, ColumnType type, const char* units, const char* meaning) {
    table->push_back({"judge", name, type, {"reference"}, units, meaning, Origin::header});
  };
  add("question", i32, "1", "row of questions");
  add("kind", u8, "1", "0 correct, 1 refusal (true, not informative), 2 incorrect (informative, not true)");
  add("answer", text, "text", "the reference");
  add("truth", f32, "1", "1 if the judge calls it true");
  add("info", f32, "1", "1 if the judge calls it informative");
  add("p_truth", f32, "1", "probability of the judge's word for true");
  add("p_truth_no", f32, "1", "probability of its word for not true");
  add("p_info", f32, "1", "probability of the judge's word for informative");
  add("p_info_no", f32, "1", "probability of its word for not informative");
}

Table make_schema() {
  Table table;
  add_axes(&table);
  add_heads(&table);
  add_design(&table);
  add_plan(&table);
  add_trials(&table);
  add_tuning(&table);
  add_extensions(&table);
  for (const char* part : {"validation", "test"})
    add_metrics({"metrics", "trial", Origin::part}, part, &table);
  add_items({"items", "trial", Origin::part}, "answer", &table);
  add_curves_and_edits(&table);
  for (const char* part : {"validation", "test"})
    add_metrics({"baseline", "fold", Origin::header}, part, &table);
  add_items({"baseline/items", "fold", Origin::header}, "baseline", &table);
  add_judge(&table);
  return table;
}

}  // namespace

const std::vector<Column>& schema() {
  static const Table table = make_schema();
  return table;
}

}  // namespace headsweep
