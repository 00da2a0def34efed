// tests/reference: a made-up sweep whose numbers are plausible and whose truth is known: a small model, every head, random
// sets, the top set and all heads, under optimal and ITI edits. Tests of store and analysis read its results.
#pragma once

#include <algorithm>
#include <cmath>
#include <headsweep/store.hpp>
#include <numeric>

namespace headsweep::example {

struct Options {
  int folds = 1;
  int questions = 120;
  int missing_blocks = 0;  ///< so many of the last blocks have no part
};

inline constexpr ModelShape shape{
    .layers = 4, .heads = 4, .head_dim = 8, .hidden = 32, .intermediate = 64, .kv_heads = 4, .vocab = 128};
inline constexpr int lanes = 8;
inline constexpr int steps = 40;

inline float normal(Random* random) {
  double sum = -6.0;
  for (int i = 0; i < 12; ++i) sum += random->uniform();
  return static_cast<float>(sum);
}

/// How well an edit at this head works, in logits.
inline float head_quality(const Head& head) {
  Random random(1, "quality", head.layer, head.index);
  return 0.9F * normal(&random);
}

inline std::vector<HeadRows> make_localiser(const Options& options) {
  std::vector<HeadRows> folds;
  for (int fold = 0; fold < options.folds; ++fold) {
    HeadRows& rows = folds.emplace_back();
    for (int i = 0; i < shape.layers * shape.heads; ++i) {
      Random random(2, "probe", fold, i);
      const float score = std::min(0.95F, 0.62F + 0.05F * head_quality({i / shape.heads, i % shape.heads}) +
                                              0.05F * normal(&random));
      rows.score.push_back(score);
      rows.train_accuracy.push_back(score + 0.03F);
      rows.auc.push_back(score + 0.04F);
      rows.log_loss.push_back(0.7F - 0.4F * (score - 0.5F));
      rows.sigma.push_back(0.5F + 0.2F * static_cast<float>(random.uniform()));
      std::vector<float> direction(static_cast<std::size_t>(shape.head_dim));
      for (float& value : direction) value = normal(&random);
      const float norm = std::sqrt(std::inner_product(direction.begin(), direction.end(), direction.begin(), 0.0F));
      for (const float value : direction) rows.direction.push_back(value / norm);
    }
  }
  return folds;
}

inline std::vector<QuestionRow> make_questions(const Options& options) {
  std::vector<QuestionRow> questions;
  for (int i = 0; i < options.questions; ++i) {
    QuestionRow& row = questions.emplace_back();
    row.id = cat("q", i);
    row.group = cat("topic", i / 4);  // four questions a group
    row.text = cat("What is true of thing ", i, i % 7 == 0 ? " – naïvely?" : "?");
    for (int fold = 0; fold < options.folds; ++fold) {
      const int place = (i / 4 + 5 * fold) % 5;
      const bool tested = options.folds > 1 ? i / 4 % options.folds == fold : place == 0;
      row.part.push_back(tested ? SplitPart::test : place == 1 ? SplitPart::val : SplitPart::train);
    }
  }
  return questions;
}

inline Head head_at(int i) { return {i / shape.heads, i % shape.heads}; }

inline std::vector<Head> top_heads(const HeadRows& rows, int size) {
  std::vector<int> order(rows.score.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int a, int b) {
    return rows.score[static_cast<std::size_t>(a)] > rows.score[static_cast<std::size_t>(b)];
  });
  std::vector<Head> heads;
  for (int i = 0; i < size; ++i) heads.push_back(head_at(order[static_cast<std::size_t>(i)]));
  std::sort(heads.begin(), heads.end());
  return heads;
}

/// As many heads in each layer as `model` has.
inline std::vector<Head> matched_heads(const std::vector<Head>& model, int draw) {
  std::vector<Head> heads;
  for (int layer = 0; layer < shape.layers; ++layer) {
    const auto here = std::count_if(model.begin(), model.end(), [&](const Head& head) { return head.layer == layer; });
    for (const int index : Random(3, "matched", draw, layer).choose(shape.heads, static_cast<int>(here)))
      heads.push_back({layer, index});
  }
  return heads;
}

inline std::vector<Location> make_locations(const Options& options, const std::vector<HeadRows>& localiser) {
  std::vector<Location> locations;
  const int all = shape.layers * shape.heads;
  for (int i = 0; i < all; ++i)
    locations.push_back({cat("singles[", to_text(head_at(i)), "]"), "singles", LocationKind::single, -1, -1, {head_at(i)}, ""});
  for (int draw = 0; draw < 12; ++draw) {
    std::vector<Head> heads;
    for (const int i : Random(3, "random set", draw).choose(all, 4)) heads.push_back(head_at(i));
    locations.push_back({cat("random4[", draw, "]"), "random4", LocationKind::random, draw, -1, heads, ""});
  }
  for (int fold = 0; fold < options.folds; ++fold) {
    const int of_fold = options.folds > 1 ? fold : -1;
    const std::string suffix = options.folds > 1 ? cat("@fold", fold) : "";
    const std::vector<Head> top = top_heads(localiser[static_cast<std::size_t>(fold)], 4);
    locations.push_back({cat("top4", suffix), "top4", LocationKind::top, -1, of_fold, top, ""});
    for (int draw = 0; draw < 12; ++draw)
      locations.push_back({cat("matched4[", draw, "]", suffix), "matched4", LocationKind::random, draw, of_fold,
                           matched_heads(top, draw), "top4"});
  }
  std::vector<Head> heads;
  for (int i = 0; i < all; ++i) heads.push_back(head_at(i));
  locations.push_back({"all", "all", LocationKind::all, -1, -1, heads, ""});
  return locations;
}

inline void add_trial(Plan* plan, int location, EditKind edit, double strength, std::uint64_t seed, int fold) {
  const int id = static_cast<int>(plan->trials.size());
  const std::string hash = hash_hex(cat(location, " ", to_text(edit), " ", strength, " ", seed, " ", fold));
  plan->trials.push_back({TrialId{id}, LocationId{location}, edit, strength, seed, fold, hash});
}

inline Plan make_plan(const Options& options, const std::vector<HeadRows>& localiser) {
  Plan plan{.shape = shape, .folds = options.folds, .locations = make_locations(options, localiser), .trials = {}, .blocks = {}};
  for (int place = 0; place < static_cast<int>(plan.locations.size()); ++place) {
    const Location& location = plan.locations[static_cast<std::size_t>(place)];
    const bool claimed = location.kind == LocationKind::top || location.kind == LocationKind::all;
    for (int fold = 0; fold < options.folds; ++fold) {
      if (location.fold >= 0 && location.fold != fold) continue;
      add_trial(&plan, place, EditKind::optimal, 0.1, 0, fold);
      if (location.kind != LocationKind::single) add_trial(&plan, place, EditKind::optimal, 0.1, 1, fold);
      if (claimed || location.set == "random4")
        for (const double alpha : {3.0, 10.0}) add_trial(&plan, place, EditKind::iti, alpha, 0, fold);
    }
  }
  std::map<std::string, std::vector<TrialId>> groups;
  for (const Trial& trial : plan.trials)
    groups[cat(trial.fold, to_text(trial.edit), trial.seed, plan.at(trial.location).first_layer())].push_back(trial.id);
  for (const auto& [name, ids] : groups) {
    for (std::size_t first = 0; first < ids.size(); first += lanes) {
      Block block;
      for (std::size_t i = first; i < std::min(ids.size(), first + lanes); ++i) block.trials.push_back(ids[i]);
      block.name = hash_hex(cat(name, first));
      block.cost = 1e9 * static_cast<double>(block.trials.size());
      plan.blocks.push_back(block);
    }
  }
  return plan;
}

inline std::vector<int> tested(const std::vector<QuestionRow>& questions, int fold) {
  std::vector<int> rows;
  for (std::size_t i = 0; i < questions.size(); ++i)
    if (questions[i].part[static_cast<std::size_t>(fold)] == SplitPart::test) rows.push_back(static_cast<int>(i));
  return rows;
}

inline float chance(float logit) { return 1.0F / (1.0F + std::exp(-logit)); }

/// Items of an edit of this strength in logits; `drift` is its KL.
inline std::vector<Item> make_items(const std::vector<int>& questions, float logit, float drift, Random* random) {
  std::vector<Item> items;
  for (const int question : questions) {
    Random own(4, "question", question);
    const float p = chance(logit + 1.2F * normal(&own));
    Item& item = items.emplace_back();
    const bool right = random->uniform() < p;
    item.refused = random->uniform() < 0.04;
    item.empty = !item.refused && random->uniform() < 0.01;
    item.truth = right ? 1.0F : 0.0F;
    item.info = item.refused || item.empty ? 0.0F : 1.0F;
    item.p_truth = item.truth;
    item.p_info = item.info;
    item.mc1 = random->uniform() < p ? 1.0F : 0.0F;
    item.mc2 = std::min(1.0F, std::max(0.0F, p + 0.1F * normal(random)));
    item.mc3 = std::min(1.0F, std::max(0.0F, p + 0.1F * normal(random)));
    item.kl_answer = drift * static_cast<float>(0.5 + random->uniform());
    item.repetition = 0.05F * static_cast<float>(random->uniform());
    item.answer = item.empty ? "" : item.refused ? "No comment." : cat(right ? "It is so" : "It is thought só", " ", question, ".");
  }
  return items;
}

inline float mean(const std::vector<Item>& items, float Item::*value) {
  float sum = 0;
  for (const Item& item : items) sum += item.*value;
  return sum / static_cast<float>(items.size());
}

inline Metrics metrics_of(const std::vector<Item>& items, float drift, float quality) {
  Metrics metrics{.truth = mean(items, &Item::truth), .info = mean(items, &Item::info)};
  metrics.truth_info = metrics.truth * metrics.info;
  metrics.both = 0;
  for (const Item& item : items) metrics.both += item.truth * item.info / static_cast<float>(items.size());
  metrics.mc1 = mean(items, &Item::mc1);
  metrics.mc2 = mean(items, &Item::mc2);
  metrics.mc3 = mean(items, &Item::mc3);
  metrics.kl_answer = mean(items, &Item::kl_answer);
  metrics.kl_text = drift;
  metrics.ce_text = 2.5F + 0.5F * drift;
  metrics.loss = 25.0F * std::exp(-0.5F * std::max(0.0F, quality + 2));
  metrics.margin = 5.0F - std::sqrt(metrics.loss);
  return metrics;
}

inline Training make_training(float quality, Random* random) {
  Training training;
  for (int step = 0; step < steps; ++step)
    training.curve.push_back(25.0F * std::exp(-0.08F * static_cast<float>(step) * chance(quality)) +
                             0.3F * normal(random));
  training.train_loss = (training.curve[38] + training.curve[39]) / 2;
  training.val_loss = training.train_loss + 0.5F;
  training.slope = -0.01F * static_cast<float>(random->uniform());
  training.gradient_norm = 0.5F + static_cast<float>(random->uniform());
  training.learning_rate = 0.01F;
  training.converged = random->uniform() < 0.9;
  training.steps = steps;
  return training;
}

inline std::vector<EditLayer> make_edit(const std::vector<Head>& heads, bool constant, Random* random) {
  std::vector<EditLayer> edit;
  const auto width = static_cast<std::size_t>(shape.heads * shape.head_dim);
  for (const Head& head : heads) {
    if (edit.empty() || edit.back().layer != head.layer)
      edit.push_back({head.layer, std::vector<float>(constant ? 0 : width), std::vector<float>(width, 0.0F)});
    for (float& value : edit.back().a) value = 0.1F * normal(random);
    for (int i = 0; i < shape.head_dim; ++i)
      edit.back().b[static_cast<std::size_t>(head.index * shape.head_dim + i)] = 0.1F * normal(random);
  }
  return edit;
}

inline float norm_of(const std::vector<EditLayer>& edit, std::vector<float> EditLayer::*values) {
  float sum = 0;
  for (const EditLayer& layer : edit)
    for (const float value : layer.*values) sum += value * value;
  return std::sqrt(sum);
}

/// The trial whose strength in logits is that of its heads, ITI's below the optimal edit's.
inline TrialRecord make_record(const SweepHeader& header, const Trial& trial) {
  Random random(5, "record", trial.hash);
  const Location& location = header.plan.at(trial.location);
  const bool iti = trial.edit == EditKind::iti;
  TrialRecord record;
  record.trial = trial.id;
  record.trial_hash = trial.hash;
  record.seconds = 1.0 + random.uniform();
  record.rank = static_cast<int>(random.below(4));
  if (location.name == "singles[L2.H3]") {
    record.status = TrialStatus::failed;
    record.stage = "train";
    record.message = "loss is NaN at step 17";
    return record;
  }
  record.status = TrialStatus::done;
  float quality = 0.15F * normal(&random);
  for (const Head& head : location.heads) quality += head_quality(head) / std::sqrt(static_cast<float>(location.heads.size()));
  quality = iti ? 0.4F * quality : quality + 0.4F * std::log(static_cast<float>(location.heads.size()));
  const float drift = iti ? 0.02F * static_cast<float>(trial.strength) : 0.2F + 0.05F * quality * quality;
  record.items = make_items(tested(header.questions, trial.fold), quality, drift, &random);
  record.test = metrics_of(record.items, drift, quality);
  record.validation = metrics_of(make_items(tested(header.questions, trial.fold), quality, drift, &random), drift, quality);
  if (!iti) record.training = make_training(quality, &random);
  record.edit = make_edit(location.heads, iti, &random);
  if (!iti) record.norm_a = norm_of(record.edit, &EditLayer::a);
  record.norm_b = norm_of(record.edit, &EditLayer::b);
  record.relative_size_prompt = 0.1F + 0.02F * static_cast<float>(random.uniform());
  record.relative_size_answer = 0.12F + 0.02F * static_cast<float>(random.uniform());
  return record;
}

inline SweepHeader make_header(const Options& options) {
  SweepHeader header;
  header.identity = {{{"behaviour.prompt", "Q: {question} A:"}, {"training.log_prob", "sum"}, {"split.folds", cat(options.folds)}},
                     "0123456789abcdef", "fedcba9876543210", "headsweep 0.1.0 (made up)"};
  header.job_text = "name: example  # a made-up sweep\n";
  header.resolved_job = "name: example\ntraining:\n  log_prob: sum\n";
  header.command_line = "headsweep run example.yaml -o runs/example";
  header.started_utc = "2026-01-31T12:00:00Z";
  header.device = "cpu";
  header.localiser = make_localiser(options);
  header.plan = make_plan(options, header.localiser);
  header.questions = make_questions(options);
  for (int fold = 0; fold < options.folds; ++fold) {
    Random random(6, "baseline", fold);
    SweepHeader::Baseline& baseline = header.baseline.emplace_back();
    baseline.items = make_items(tested(header.questions, fold), -0.8F, 0.0F, &random);
    baseline.test = metrics_of(baseline.items, 0.0F, -2.0F);
    baseline.validation = metrics_of(make_items(tested(header.questions, fold), -0.8F, 0.0F, &random), 0.0F, -2.0F);
  }
  return header;
}

inline Part make_part(const SweepHeader& header, const Block& block) {
  Part part{block.name, sweep_hash(header.identity), header.identity.build, {}};
  for (const TrialId id : block.trials) part.records.push_back(make_record(header, header.plan.at(id)));
  return part;
}

/// Writes the parts to `folder` and gathers them to `file`.
inline Gathered write_example(const std::filesystem::path& file, const std::filesystem::path& folder, const Options& options) {
  const SweepHeader header = make_header(options);
  std::vector<std::filesystem::path> parts;
  std::filesystem::create_directories(folder);
  for (std::size_t i = 0; i + static_cast<std::size_t>(options.missing_blocks) < header.plan.blocks.size(); ++i) {
    parts.push_back(folder / cat(header.plan.blocks[i].name, ".h5"));
    write_file(parts.back(), encode_part(make_part(header, header.plan.blocks[i])));
  }
  return write_results(file, header, parts);
}

}  // namespace headsweep::example
