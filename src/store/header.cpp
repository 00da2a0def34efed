// store/header: writing the header's columns.
#include "store/header.hpp"

#include <algorithm>
#include <headsweep/json.hpp>

#include "store/fields.hpp"
#include "store/items.hpp"

namespace headsweep {
namespace {

int head_row(const Head& head, const ModelShape& shape) { return head.layer * shape.heads + head.index; }

template <class Value, class Row, class Get>
std::vector<Value> column_of(const std::vector<Row>& rows, Get get) {
  std::vector<Value> values;
  values.reserve(rows.size());
  for (const Row& row : rows) values.push_back(get(row));
  return values;
}

/// A localiser's values of all folds, one after another; NaN without localiser.
std::vector<float> all_folds(const SweepHeader& header, std::vector<float> HeadRows::*values,
                             std::size_t size) {
  std::vector<float> all;
  for (const HeadRows& rows : header.localiser)
    all.insert(all.end(), (rows.*values).begin(), (rows.*values).end());
  all.resize(size, not_measured);
  return all;
}

void write_locations(ColumnWriter* out, const SweepHeader& header) {
  const auto& rows = header.plan.locations;
  using Row = Location;
  out->write("locations/name", column_of<std::string>(rows, [](const Row& row) { return row.name; }));
  out->write("locations/set", column_of<std::string>(rows, [](const Row& row) { return row.set; }));
  out->write("locations/kind",
             column_of<std::string>(rows, [](const Row& row) { return to_text(row.kind); }));
  out->write("locations/matched_to",
             column_of<std::string>(rows, [](const Row& row) { return row.matched_to; }));
  out->write("locations/size", column_of<std::int32_t>(rows, [](const Row& row) {
               return static_cast<std::int32_t>(row.heads.size());
             }));
  out->write("locations/first_layer",
             column_of<std::int32_t>(rows, [](const Row& row) { return row.first_layer(); }));
  out->write("locations/draw", column_of<std::int32_t>(rows, [](const Row& row) { return row.draw; }));
  out->write("locations/fold", column_of<std::int32_t>(rows, [](const Row& row) { return row.fold; }));
  out->write("locations/tuning",
             column_of<std::uint8_t>(rows, [](const Row& row) { return std::uint8_t{row.tuning}; }));
  const std::size_t heads = out->extent("head_row");
  std::vector<std::uint8_t> mask(rows.size() * heads, 0);
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (const Head& head : rows[i].heads)
      mask.at(i * heads + static_cast<std::size_t>(head_row(head, header.plan.shape))) = 1;
  out->write("locations/mask", mask);
}

void write_questions(ColumnWriter* out, const SweepHeader& header) {
  using Row = QuestionRow;
  out->write("questions/id", column_of<std::string>(header.questions, [](const Row& row) { return row.id; }));
  out->write("questions/group",
             column_of<std::string>(header.questions, [](const Row& row) { return row.group; }));
  out->write("questions/text",
             column_of<std::string>(header.questions, [](const Row& row) { return row.text; }));
  out->write("questions/pairs",
             column_of<std::int32_t>(header.questions, [](const Row& row) { return row.pairs; }));
  std::vector<std::uint8_t> part;
  std::vector<std::int32_t> item_question;
  for (int fold = 0; fold < header.plan.folds; ++fold) {
    for (const Row& row : header.questions)
      part.push_back(static_cast<std::uint8_t>(row.part.at(static_cast<std::size_t>(fold))));
    std::vector<std::int32_t> measured = measured_questions(header, fold);
    measured.resize(out->extent("item"), -1);
    item_question.insert(item_question.end(), measured.begin(), measured.end());
  }
  out->write("questions/part", part);
  out->write("items/question", item_question);
}

void write_plan(ColumnWriter* out, const Plan& plan) {
  using Row = Trial;
  out->write("trials/location",
             column_of<std::int32_t>(plan.trials, [](const Row& row) { return row.location.value; }));
  out->write("trials/edit",
             column_of<std::string>(plan.trials, [](const Row& row) { return to_text(row.edit); }));
  out->write("trials/rank_of_edit",
             column_of<std::int32_t>(plan.trials, [](const Row& row) { return rank_of_edit(row); }));
  out->write("trials/targets",
             column_of<std::string>(plan.trials, [](const Row& row) { return to_text(row.lora.targets); }));
  out->write("trials/lora_rate",
             column_of<double>(plan.trials, [](const Row& row) { return row.lora.learning_rate; }));
  out->write("trials/labels",
             column_of<std::string>(plan.trials, [](const Row& row) { return to_text(row.labels); }));
  out->write("trials/recheck", column_of<std::uint8_t>(plan.trials, [](const Row& row) {
               return static_cast<std::uint8_t>(row.recheck);
             }));
  out->write("trials/epochs",
             column_of<std::int32_t>(plan.trials, [](const Row& row) { return row.epochs; }));
  out->write("trials/strength", column_of<double>(plan.trials, [](const Row& row) { return row.strength; }));
  out->write("trials/seed", column_of<std::uint64_t>(plan.trials, [](const Row& row) { return row.seed; }));
  out->write("trials/fold", column_of<std::int32_t>(plan.trials, [](const Row& row) { return row.fold; }));
  out->write("trials/hash", column_of<std::string>(plan.trials, [](const Row& row) { return row.hash; }));
  std::vector<std::string> block(plan.trials.size());
  std::vector<std::int32_t> lane(plan.trials.size(), -1);
  for (const Block& one : plan.blocks) {
    for (std::size_t i = 0; i < one.trials.size(); ++i) {
      const auto trial = static_cast<std::size_t>(one.trials[i].value);
      block.at(trial) = one.name;
      lane.at(trial) = static_cast<std::int32_t>(i);
    }
  }
  out->write("trials/block", block);
  out->write("trials/lane", lane);
  out->write("blocks/name", column_of<std::string>(plan.blocks, [](const Block& row) { return row.name; }));
  out->write("blocks/cost", column_of<double>(plan.blocks, [](const Block& row) { return row.cost; }));
}

void write_tuning(ColumnWriter* out, const std::vector<TuningRow>& rows) {
  using Row = TuningRow;
  out->write("tuning/edit",
             column_of<std::string>(rows, [](const Row& row) { return to_text(row.key.edit); }));
  out->write("tuning/rank_of_edit",
             column_of<std::int32_t>(rows, [](const Row& row) { return row.key.rank; }));
  out->write("tuning/targets",
             column_of<std::string>(rows, [](const Row& row) { return to_text(row.key.targets); }));
  out->write("tuning/size", column_of<std::int32_t>(rows, [](const Row& row) { return row.key.size; }));
  out->write("tuning/fold", column_of<std::int32_t>(rows, [](const Row& row) { return row.key.fold; }));
  out->write("tuning/learning_rate",
             column_of<double>(rows, [](const Row& row) { return row.learning_rate; }));
  out->write("tuning/val_loss", column_of<double>(rows, [](const Row& row) { return row.val_loss; }));
  out->write("tuning/chosen",
             column_of<std::uint8_t>(rows, [](const Row& row) { return std::uint8_t{row.chosen}; }));
  out->write("tuning/edge",
             column_of<std::uint8_t>(rows, [](const Row& row) { return std::uint8_t{row.edge}; }));
}

void write_baseline(ColumnWriter* out, const SweepHeader& header) {
  using Row = SweepHeader::Baseline;
  std::vector<Row> rows = header.baseline;
  rows.resize(static_cast<std::size_t>(header.plan.folds));
  write_metrics(out, "baseline/validation",
                column_of<Metrics>(rows, [](const Row& row) { return row.validation; }));
  write_metrics(out, "baseline/test", column_of<Metrics>(rows, [](const Row& row) { return row.test; }));
  create_items(out, baseline_items);
  std::uint64_t byte = 0;
  for (std::size_t fold = 0; fold < rows.size(); ++fold) {
    write_items(out, baseline_items, fold, byte, rows[fold].items);
    byte += answer_bytes(rows[fold].items);
  }
  finish_items(out, baseline_items, column_of<std::int32_t>(rows, [](const Row& row) {
                 return static_cast<std::int32_t>(row.items.size());
               }));
}

void write_references(ColumnWriter* out, const std::vector<Reference>& rows) {
  using Row = Reference;
  out->write("judge/question", column_of<std::int32_t>(rows, [](const Row& row) { return row.question; }));
  out->write("judge/kind", column_of<std::uint8_t>(
                               rows, [](const Row& row) { return static_cast<std::uint8_t>(row.kind); }));
  out->write("judge/answer", column_of<std::string>(rows, [](const Row& row) { return row.answer; }));
  for (const auto& field : verdict_fields())
    out->write(cat("judge/", field.name),
               column_of<float>(rows, [&](const Row& row) { return field.get(row.verdict); }));
}

/// What the settings say: exact, none or model.
std::string judge_of(const SweepIdentity& identity) {
  const auto word = identity.settings.find("evaluation.judge");
  return word == identity.settings.end() ? "model" : word->second;
}

}  // namespace

std::string sweep_hash(const SweepIdentity& identity) {
  if (!identity.begun_as.empty()) return identity.begun_as;
  std::string text;
  for (const auto& [key, value] : identity.settings)
    text += cat(key.size(), " ", key, value.size(), " ", value);
  return hash_hex(cat(text, "\n", identity.model_hash, "\n", identity.data_hash));
}

std::vector<std::int32_t> measured_questions(const SweepHeader& header, int fold) {
  std::vector<std::int32_t> rows;
  for (const SplitPart part : {SplitPart::val, SplitPart::test})
    for (std::size_t i = 0; i < header.questions.size(); ++i)
      if (header.questions[i].part.at(static_cast<std::size_t>(fold)) == part)
        rows.push_back(static_cast<std::int32_t>(i));
  return rows;
}

Extents extents_of(const SweepHeader& header) {
  const Plan& plan = header.plan;
  const auto folds = static_cast<std::uint64_t>(plan.folds);
  std::uint64_t items = 0, bytes = 0;
  for (int fold = 0; fold < plan.folds; ++fold)
    items = std::max<std::uint64_t>(items, measured_questions(header, fold).size());
  for (const auto& baseline : header.baseline) bytes += answer_bytes(baseline.items);
  return {{"trial", plan.trials.size()},
          {"location", plan.locations.size()},
          {"block", plan.blocks.size()},
          {"tuning_row", header.tuning.size()},
          {"extension", header.extensions.size()},
          {"head_row", static_cast<std::uint64_t>(plan.shape.layers * plan.shape.heads)},
          {"fold", folds},
          {"reference", header.references.size()},
          {"question", header.questions.size()},
          {"item", items},
          {"head_channel", static_cast<std::uint64_t>(plan.shape.head_dim)},
          {"baseline_byte", bytes},
          {"baseline_offset", folds * items + 1}};
}

void write_attributes(h5::File* file, const SweepHeader& header) {
  const auto& identity = header.identity;
  const ModelShape& shape = header.plan.shape;
  const std::pair<const char*, std::string> texts[] = {
      {"build", identity.build},
      {"started_utc", header.started_utc},
      {"command_line", header.command_line},
      {"job", header.job_text},
      {"resolved_job", header.resolved_job},
      {"device", header.device},
      {"settings", Json(identity.settings).dump(1, ' ', false, Json::error_handler_t::replace)},
      {"model_hash", identity.model_hash},
      {"data_hash", identity.data_hash},
      {"sweep_hash", sweep_hash(identity)},
      {"judged_by", judge_of(identity)},
      {"localisers", header.localiser.empty() ? "" : "probe"}};
  for (const auto& [name, text] : texts) file->set_attribute("/", name, text);
  const std::pair<const char*, int> numbers[] = {{"layers", shape.layers},
                                                 {"heads", shape.heads},
                                                 {"head_dim", shape.head_dim},
                                                 {"hidden", shape.hidden},
                                                 {"intermediate", shape.intermediate},
                                                 {"kv_heads", shape.kv_heads},
                                                 {"vocab", shape.vocab},
                                                 {"head_norms", shape.head_norms ? 1 : 0}};
  for (const auto& [name, number] : numbers) file->set_attribute("/", name, std::int64_t{number});
  write_quality(file, header.references);
}

void write_quality(h5::File* file, const std::vector<Reference>& references) {
  const JudgeQuality quality = quality_of(references);
  const std::pair<const char*, double> shares[] = {{"judge_truth_sensitivity", quality.truth_sensitivity},
                                                   {"judge_truth_specificity", quality.truth_specificity},
                                                   {"judge_info_sensitivity", quality.info_sensitivity},
                                                   {"judge_info_specificity", quality.info_specificity}};
  for (const auto& [name, share] : shares) file->set_attribute("/", name, share);
}

void write_probe(ColumnWriter* out, const SweepHeader& header) {
  const ModelShape& shape = header.plan.shape;
  std::vector<std::int32_t> layers, heads;
  for (int layer = 0; layer < shape.layers; ++layer) {
    for (int head = 0; head < shape.heads; ++head) {
      layers.push_back(layer);
      heads.push_back(head);
    }
  }
  out->write("heads/layer", layers);
  out->write("heads/head", heads);
  const std::size_t size = out->extent("fold") * out->extent("head_row");
  out->write("heads/probe/score", all_folds(header, &HeadRows::score, size));
  out->write("heads/probe/train_accuracy", all_folds(header, &HeadRows::train_accuracy, size));
  out->write("heads/probe/auc", all_folds(header, &HeadRows::auc, size));
  out->write("heads/probe/log_loss", all_folds(header, &HeadRows::log_loss, size));
  out->write("heads/probe/sigma", all_folds(header, &HeadRows::sigma, size));
  out->write("heads/probe/direction",
             all_folds(header, &HeadRows::direction, size * out->extent("head_channel")));
  out->expect_all({Origin::probe});
}

void write_design(ColumnWriter* out, const SweepHeader& header) {
  write_locations(out, header);
  write_questions(out, header);
  write_plan(out, header.plan);
  write_tuning(out, header.tuning);
  write_extensions(out, header.extensions);
  write_baseline(out, header);
  write_references(out, header.references);
  out->expect_all({Origin::header, Origin::header_and_part});
}

}  // namespace headsweep
