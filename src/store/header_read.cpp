// store/header_read: the header back from its columns. What does not fit together is refused.
#include <algorithm>
#include <array>
#include <headsweep/json.hpp>

#include "store/fields.hpp"
#include "store/header.hpp"
#include "store/items.hpp"

namespace headsweep {
namespace {

template <class Kinds>
auto parse_kind(const std::string& text, const Kinds& kinds, const char* path) {
  for (const auto kind : kinds)
    if (to_text(kind) == text) return kind;
  throw h5::Failure(cat(path, ": '", text.substr(0, 40), "' is not known"));
}

LocationKind parse_location(const std::string& text) {
  using enum LocationKind;
  return parse_kind(text, std::array{single, random, top, all, list, subspace}, "locations/kind");
}

std::map<std::string, std::string> parse_settings(const std::string& text) {
  try {
    return parse_json(text, "settings").get<std::map<std::string, std::string>>();
  } catch (const std::exception& error) {
    throw h5::Failure(error.what());
  }
}

int positive(ColumnReader* in, const char* name) {
  const std::int64_t number = in->number(name);
  sound(number >= 0 && number <= INT32_MAX, "attribute ", name, ": ", number);
  return static_cast<int>(number);
}

ModelShape read_shape(ColumnReader* in) {
  return {.layers = positive(in, "layers"),
          .heads = positive(in, "heads"),
          .head_dim = positive(in, "head_dim"),
          .hidden = positive(in, "hidden"),
          .intermediate = positive(in, "intermediate"),
          .kv_heads = positive(in, "kv_heads"),
          .vocab = positive(in, "vocab"),
          .head_norms = positive(in, "head_norms") > 0};
}

std::vector<EditTarget> parse_targets(const std::string& text) {
  std::vector<EditTarget> targets;
  for (const std::string& word : split_text(text, ' '))
    targets.push_back(parse_kind(word, edit_targets, "trials/targets"));
  return targets;
}

LoraSpec parse_lora(std::int32_t rank, const std::string& targets, double rate) {
  sound(rank >= 1, "trials/rank_of_edit: ", rank, " of a lora");
  return {.rank = rank, .targets = parse_targets(targets), .learning_rate = rate};
}

void read_trials(ColumnReader* in, Plan* plan) {
  const auto location = in->read<std::int32_t>("trials/location");
  const auto edit = in->read_texts("trials/edit");
  const auto rank = in->read<std::int32_t>("trials/rank_of_edit");
  const auto targets = in->read_texts("trials/targets");
  const auto rate = in->read<double>("trials/lora_rate");
  const auto strength = in->read<double>("trials/strength");
  const auto labels = in->read_texts("trials/labels");
  const auto recheck = in->read<std::uint8_t>("trials/recheck");
  const auto epochs = in->read<std::int32_t>("trials/epochs");
  const auto seed = in->read<std::uint64_t>("trials/seed");
  const auto fold = in->read<std::int32_t>("trials/fold");
  const auto hash = in->read_texts("trials/hash");
  for (std::size_t i = 0; i < location.size(); ++i) {
    const bool fits = location[i] >= 0 && static_cast<std::size_t>(location[i]) < plan->locations.size() &&
                      fold[i] >= 0 && fold[i] < plan->folds;
    sound(fits, "trials: row ", i, " is at location ", location[i], ", fold ", fold[i],
          ", which do not exist");
    const EditKind kind = parse_edit(edit[i]);
    plan->trials.push_back(
        {.id = TrialId{static_cast<int>(i)},
         .location = LocationId{location[i]},
         .edit = kind,
         .lora = kind == EditKind::lora ? parse_lora(rank[i], targets[i], rate[i]) : LoraSpec{},
         .strength = strength[i],
         .labels = parse_labels(labels[i]),
         .recheck = recheck[i] != 0,
         .epochs = epochs[i],
         .seed = seed[i],
         .fold = fold[i],
         .hash = hash[i]});
  }
}

void read_blocks(ColumnReader* in, Plan* plan) {
  const auto name = in->read_texts("blocks/name");
  const auto cost = in->read<double>("blocks/cost");
  const auto block_of = in->read_texts("trials/block");
  const auto lane = in->read<std::int32_t>("trials/lane");
  std::map<std::string, std::map<std::int32_t, TrialId>> trials;  // block -> lane -> trial
  for (std::size_t i = 0; i < block_of.size(); ++i)
    if (!block_of[i].empty()) trials[block_of[i]].emplace(lane[i], plan->trials[i].id);
  for (std::size_t i = 0; i < name.size(); ++i) {
    Block& block = plan->blocks.emplace_back(Block{name[i], {}, cost[i]});
    for (const auto& [slot, trial] : trials[name[i]]) block.trials.push_back(trial);
  }
}

std::vector<TuningRow> read_tuning(ColumnReader* in) {
  const auto edit = in->read_texts("tuning/edit");
  const auto rank = in->read<std::int32_t>("tuning/rank_of_edit");
  const auto targets = in->read_texts("tuning/targets");
  const auto size = in->read<std::int32_t>("tuning/size");
  const auto fold = in->read<std::int32_t>("tuning/fold");
  const auto rate = in->read<double>("tuning/learning_rate");
  const auto loss = in->read<double>("tuning/val_loss");
  const auto chosen = in->read<std::uint8_t>("tuning/chosen");
  const auto edge = in->read<std::uint8_t>("tuning/edge");
  std::vector<TuningRow> rows;
  for (std::size_t i = 0; i < edit.size(); ++i)
    rows.push_back({.key = {.edit = parse_edit(edit[i]),
                            .rank = rank[i],
                            .targets = parse_targets(targets[i]),
                            .size = size[i],
                            .fold = fold[i]},
                    .learning_rate = rate[i],
                    .val_loss = loss[i],
                    .chosen = chosen[i] != 0,
                    .edge = edge[i] != 0});
  return rows;
}

}  // namespace

EditKind parse_edit(const std::string& text) {
  using enum EditKind;
  return parse_kind(text, std::array{optimal, iti, lora}, "trials/edit");
}

Labels parse_labels(const std::string& text) {
  using enum Labels;
  return parse_kind(text, std::array{truth, swapped, shuffled}, "trials/labels");
}

std::vector<Location> read_locations(ColumnReader* in, h5::Rows rows, int heads) {
  const auto name = in->read_texts("locations/name", rows);
  const auto set = in->read_texts("locations/set", rows);
  const auto kind = in->read_texts("locations/kind", rows);
  const auto draw = in->read_rows<std::int32_t>("locations/draw", rows);
  const auto fold = in->read_rows<std::int32_t>("locations/fold", rows);
  const auto matched_to = in->read_texts("locations/matched_to", rows);
  const auto tuning = in->read_rows<std::uint8_t>("locations/tuning", rows);
  const auto mask = in->read_rows<std::uint8_t>("locations/mask", rows);
  const std::size_t width = in->extent("head_row");
  std::vector<Location> locations;
  for (std::size_t i = 0; i < name.size(); ++i) {
    locations.push_back({.name = name[i],
                         .set = set[i],
                         .kind = parse_location(kind[i]),
                         .draw = draw[i],
                         .fold = fold[i],
                         .heads = {},
                         .matched_to = matched_to[i],
                         .tuning = tuning[i] != 0});
    for (std::size_t head = 0; head < width; ++head)
      if (mask[i * width + head] != 0)
        locations.back().heads.push_back({static_cast<int>(head) / heads, static_cast<int>(head) % heads});
  }
  return locations;
}

std::vector<QuestionRow> read_questions(ColumnReader* in) {
  const auto id = in->read_texts("questions/id");
  const auto group = in->read_texts("questions/group");
  const auto text = in->read_texts("questions/text");
  const auto part = in->read<std::uint8_t>("questions/part");
  const auto pairs = in->read<std::int32_t>("questions/pairs");
  const std::size_t folds = in->extent("fold");
  std::vector<QuestionRow> questions;
  for (std::size_t i = 0; i < id.size(); ++i) {
    QuestionRow& question = questions.emplace_back(QuestionRow{id[i], group[i], text[i], {}, pairs[i]});
    for (std::size_t fold = 0; fold < folds; ++fold) {
      const std::uint8_t value = part[fold * id.size() + i];
      sound(value <= 2, "questions/part: ", int{value}, ", 0 to 2 are allowed");
      question.part.push_back(static_cast<SplitPart>(value));
    }
  }
  return questions;
}

SweepHeader::Baseline read_baseline(ColumnReader* in, std::uint64_t fold) {
  return {read_metrics(in, "baseline/validation", {fold, 1}).front(),
          read_metrics(in, "baseline/test", {fold, 1}).front(), read_items(in, baseline_items, fold)};
}

std::vector<Reference> read_references(ColumnReader* in) {
  const auto question = in->read<std::int32_t>("judge/question");
  const auto kind = in->read<std::uint8_t>("judge/kind");
  const auto answer = in->read_texts("judge/answer");
  std::vector<Reference> references(question.size());
  for (std::size_t i = 0; i < references.size(); ++i) {
    sound(question[i] >= 0 && question[i] < in->size("question"), "judge/question: ", question[i], " of ",
          in->size("question"), " questions");
    sound(kind[i] <= 2, "judge/kind: ", int{kind[i]}, ", 0 to 2 are allowed");
    references[i] = {
        .question = question[i], .kind = static_cast<ReferenceKind>(kind[i]), .answer = answer[i]};
  }
  for (const auto& field : verdict_fields()) {
    const auto values = in->read<float>(cat("judge/", field.name));
    for (std::size_t i = 0; i < references.size(); ++i) field.set(references[i].verdict, values[i]);
  }
  return references;
}

SweepHeader read_design(ColumnReader* in) {
  SweepHeader header;
  header.identity = {parse_settings(in->attribute("settings")), in->attribute("model_hash"),
                     in->attribute("data_hash"), in->attribute("build"), ""};
  const std::string begun_as = in->attribute("sweep_hash");
  if (begun_as != sweep_hash(header.identity)) header.identity.begun_as = begun_as;
  header.job_text = in->attribute("job");
  header.resolved_job = in->attribute("resolved_job");
  header.command_line = in->attribute("command_line");
  header.started_utc = in->attribute("started_utc");
  header.device = in->attribute("device");
  header.plan.shape = read_shape(in);
  header.plan.folds = in->size("fold");
  const int heads = header.plan.shape.heads;
  sound(heads > 0 && in->size("head_row") == heads * header.plan.shape.layers,
        "locations/mask: ", in->size("head_row"), " heads, the model has ", header.plan.shape.layers, " x ",
        heads);
  header.plan.locations = read_locations(in, {0, in->extent("location")}, heads);
  read_trials(in, &header.plan);
  read_blocks(in, &header.plan);
  header.tuning = read_tuning(in);
  header.extensions = read_extensions(in);
  header.questions = read_questions(in);
  for (int fold = 0; fold < header.plan.folds; ++fold)
    header.baseline.push_back(read_baseline(in, static_cast<std::uint64_t>(fold)));
  header.references = read_references(in);
  return header;
}

std::vector<HeadRows> read_probe(ColumnReader* in) {
  std::vector<HeadRows> folds;
  if (in->attribute("localisers").empty()) return folds;
  for (std::uint64_t fold = 0; fold < in->extent("fold"); ++fold) {
    const auto read = [&](const char* name) {
      return in->read_rows<float>(cat("heads/probe/", name), {fold, 1});
    };
    folds.push_back({.score = read("score"),
                     .train_accuracy = read("train_accuracy"),
                     .auc = read("auc"),
                     .log_loss = read("log_loss"),
                     .sigma = read("sigma"),
                     .direction = read("direction")});
  }
  return folds;
}

}  // namespace headsweep
