// eval: which questions are measured, and their packing into forward calls.
#include "eval/batches.hpp"

#include <algorithm>

#include "eval/generate.hpp"

namespace headsweep {
namespace {

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

const std::vector<int>& prompt_at(const Evaluation::Inputs& inputs, const Material& material,
                                  std::size_t place) {
  return inputs.prompts.at(static_cast<std::size_t>(material.questions[place]));
}

TokenTree reference_tree(const TokenizedQuestion& question, EditFrom from) {
  TokenTree tree{.prompt = question.prompt,
                 .answers = question.correct,
                 .edit_start = edit_start(from, Purpose::choice, static_cast<int>(question.prompt.size()))};
  for (const auto* more : {&question.refusals, &question.incorrect})
    tree.answers.insert(tree.answers.end(), more->begin(), more->end());
  return tree;
}

TokenTree own_answer_tree(const std::vector<int>& prompt, const std::vector<int>& answer, EditFrom from) {
  return {.prompt = prompt,
          .answers = {answer},
          .edit_start = edit_start(from, Purpose::generation, static_cast<int>(prompt.size()))};
}

std::size_t tokens_of(const TokenTree& tree) {
  std::size_t tokens = tree.prompt.size();
  for (const std::vector<int>& answer : tree.answers) tokens += answer.size();
  return tokens;
}

/// As many whole trees a call as fit, at least one. A start that all share stands once a call, which may then
/// be longer, so that the start is a small part of it.
std::vector<TokenBatch> pack_trees(const std::vector<TokenTree>& trees, Keep keep, at::Device device) {
  const Starts starts = keep == Keep::all ? Starts::apart : Starts::joined;
  const auto shared = static_cast<std::size_t>(starts == Starts::joined ? shared_start(trees) : 0);
  const auto room = static_cast<std::size_t>(own_tokens_a_call(static_cast<int>(shared)));
  std::vector<TokenBatch> batches;
  for (auto begin = trees.begin(); begin != trees.end();) {
    std::size_t tokens = tokens_of(*begin) - shared;
    auto end = begin + 1;
    while (end != trees.end() && tokens + tokens_of(*end) - shared <= room)
      tokens += tokens_of(*end++) - shared;
    batches.push_back(pack({begin, end}, keep, device, starts));
    begin = end;
  }
  return batches;
}

}  // namespace

const TokenizedQuestion& choice_at(const Evaluation::Inputs& inputs, const Material& material,
                                   std::size_t place) {
  return inputs.choices.at(static_cast<std::size_t>(material.questions[place]));
}

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
  if (!spec.drift.empty()) material.documents = inputs.documents;
  return material;
}

std::vector<TokenBatch> pack_places(const Evaluation::Inputs& inputs, const Material& material,
                                    const std::vector<std::size_t>& places, EditFrom from) {
  std::vector<std::vector<int>> prompts;
  for (const std::size_t place : places) prompts.push_back(prompt_at(inputs, material, place));
  return pack_prompts(prompts, from, inputs.job.evaluation.questions, inputs.weights.device());
}

Batches pack_material(const Evaluation::Inputs& inputs, const Material& material, EditFrom from) {
  std::vector<TokenTree> references, own_answers, documents;
  for (const std::size_t place : material.chosen)
    references.push_back(reference_tree(choice_at(inputs, material, place), from));
  for (std::size_t i = 0; i < material.drifted.size(); ++i)
    own_answers.push_back(
        own_answer_tree(prompt_at(inputs, material, material.drifted[i]), material.own_answers[i], from));
  for (const std::vector<int>& document : material.documents)
    documents.push_back(
        {.prompt = document, .answers = {}, .edit_start = edit_start(from, Purpose::text, 0)});
  const at::Device device = inputs.weights.device();
  Batches batches{.prompts = pack_places(inputs, material, material.asked, from),
                  .references = pack_trees(references, Keep::answers, device),
                  .own_answers = pack_trees(own_answers, Keep::answers, device),
                  .documents = pack_trees(documents, Keep::all, device)};
  for (const TokenBatch& batch : batches.own_answers)
    batches.own_states.push_back(unedited_states(inputs.weights, batch));
  for (const TokenBatch& batch : batches.documents)
    batches.document_states.push_back(unedited_states(inputs.weights, batch));
  return batches;
}

}  // namespace headsweep
