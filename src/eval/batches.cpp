// eval: which questions are measured, and their packing into forward calls of a fixed size.
#include "eval/batches.hpp"

#include <algorithm>

#include "eval/generate.hpp"

namespace headsweep {
namespace {

constexpr std::size_t text_tokens_a_call = 1536;

bool is_named(const std::vector<SplitPart>& parts, SplitPart part) {
  return std::find(parts.begin(), parts.end(), part) != parts.end();
}

/// Places of the questions of the named parts.
std::vector<std::size_t> places_of(const Material& material, const std::vector<SplitPart>& parts) {
  std::vector<std::size_t> places;
  for (std::size_t place = 0; place < material.questions.size(); ++place)
    if (is_named(parts, place < material.validation ? SplitPart::val : SplitPart::test))
      places.push_back(place);
  return places;
}

const TokenizedQuestion& tokens_at(const Evaluation::Inputs& inputs, const Material& material,
                                   std::size_t place) {
  return inputs.tokens.at(static_cast<std::size_t>(material.questions[place]));
}

/// Answers and prompt together must not outgrow the model.
void check_room(const Evaluation::Inputs& inputs, const Material& material,
                const std::vector<std::size_t>& places) {
  const int most = inputs.weights.config.max_tokens, wanted = inputs.job.evaluation.max_new_tokens;
  for (const std::size_t place : places) {
    const int prompt = static_cast<int>(tokens_at(inputs, material, place).prompt.size());
    require(prompt + wanted <= most, inputs.behaviour.file, ": question '",
            inputs.behaviour.questions.at(static_cast<std::size_t>(material.questions[place])).id,
            "': ", prompt, " prompt tokens and evaluation.max_new_tokens = ", wanted,
            " found, together at most ", most, " are allowed by the model");
  }
}

std::vector<std::vector<int>> checked_documents(const Evaluation::Inputs& inputs) {
  std::vector<std::vector<int>> documents;
  const ModelConfig& config = inputs.weights.config;
  for (std::size_t i = 0; i < inputs.documents.size(); ++i) {
    const std::vector<int>& ids = inputs.documents[i];
    const std::string place = cat(inputs.job.behaviour.text.string(), ": document ", i + 1);
    require(ids.size() <= static_cast<std::size_t>(config.max_tokens), place, ": ", ids.size(),
            " tokens found, at most ", config.max_tokens, " are allowed by the model");
    for (const int id : ids)
      require(id < config.vocab, place, ": token ", id, " found, the model knows ", config.vocab, " tokens");
    if (ids.size() >= 2) documents.push_back(ids);
  }
  return documents;
}

/// Calls `pack_chunk(begin, end)` for each chunk of so many items.
template <class PackChunk>
std::vector<TokenBatch> in_chunks(std::size_t items, int chunk, const PackChunk& pack_chunk) {
  std::vector<TokenBatch> batches;
  const auto size = static_cast<std::size_t>(chunk);
  for (std::size_t begin = 0; begin < items; begin += size)
    batches.push_back(pack_chunk(begin, std::min(items, begin + size)));
  return batches;
}

TokenTree reference_tree(const TokenizedQuestion& question, EditFrom from) {
  TokenTree tree{.prompt = question.prompt,
                 .answers = question.correct,
                 .edit_start = edit_start(from, Purpose::choice, static_cast<int>(question.prompt.size()))};
  for (const auto* more : {&question.refusals, &question.incorrect})
    tree.answers.insert(tree.answers.end(), more->begin(), more->end());
  return tree;
}

TokenTree own_answer_tree(const TokenizedQuestion& question, const std::vector<int>& answer, EditFrom from) {
  return {.prompt = question.prompt,
          .answers = {answer},
          .edit_start = edit_start(from, Purpose::text, static_cast<int>(question.prompt.size()))};
}

/// As many whole documents a call as fit.
std::vector<TokenBatch> pack_documents(const std::vector<std::vector<int>>& documents, EditFrom from,
                                       at::Device device) {
  std::vector<TokenBatch> batches;
  std::vector<TokenTree> trees;
  std::size_t tokens = 0;
  for (const std::vector<int>& document : documents) {
    if (!trees.empty() && tokens + document.size() > text_tokens_a_call) {
      batches.push_back(pack(trees, Keep::all, device));
      trees.clear();
      tokens = 0;
    }
    trees.push_back({.prompt = document, .answers = {}, .edit_start = edit_start(from, Purpose::text, 0)});
    tokens += document.size();
  }
  if (!trees.empty()) batches.push_back(pack(trees, Keep::all, device));
  return batches;
}

}  // namespace

Material gather_material(const Evaluation::Inputs& inputs) {
  const EvaluationSpec& spec = inputs.job.evaluation;
  Material material;
  material.questions = inputs.split.questions(SplitPart::val);
  material.validation = material.questions.size();
  const std::vector<int> test = inputs.split.questions(SplitPart::test);
  material.questions.insert(material.questions.end(), test.begin(), test.end());
  material.asked = places_of(material, spec.answers);
  material.chosen = places_of(material, spec.choice);
  material.drifted = places_of(material, spec.drift);
  check_room(inputs, material, material.asked);
  check_room(inputs, material, material.drifted);
  if (!spec.drift.empty()) material.documents = checked_documents(inputs);
  return material;
}

std::vector<TokenBatch> pack_places(const Evaluation::Inputs& inputs, const Material& material,
                                    const std::vector<std::size_t>& places, EditFrom from) {
  std::vector<std::vector<int>> prompts;
  for (const std::size_t place : places) prompts.push_back(tokens_at(inputs, material, place).prompt);
  return pack_prompts(prompts, from, inputs.job.evaluation.questions, inputs.weights.device());
}

Batches pack_material(const Evaluation::Inputs& inputs, const Material& material, EditFrom from) {
  const at::Device device = inputs.weights.device();
  const int chunk = inputs.job.evaluation.questions;
  Batches batches;
  batches.prompts = pack_places(inputs, material, material.asked, from);
  batches.references = in_chunks(material.chosen.size(), chunk, [&](std::size_t begin, std::size_t end) {
    std::vector<TokenTree> trees;
    for (std::size_t i = begin; i < end; ++i)
      trees.push_back(reference_tree(tokens_at(inputs, material, material.chosen[i]), from));
    return pack(trees, Keep::answers, device);
  });
  batches.own_answers = in_chunks(material.drifted.size(), chunk, [&](std::size_t begin, std::size_t end) {
    std::vector<TokenTree> trees;
    for (std::size_t i = begin; i < end; ++i)
      trees.push_back(
          own_answer_tree(tokens_at(inputs, material, material.drifted[i]), material.own_answers[i], from));
    return pack(trees, Keep::answers, device);
  });
  batches.documents = pack_documents(material.documents, from, device);
  return batches;
}

}  // namespace headsweep
