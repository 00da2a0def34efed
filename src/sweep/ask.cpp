// sweep: one model beside its edited self: greedy answers and log-probabilities, for `ask` and `score`.
#include <c10/core/InferenceMode.h>

#include <charconv>
#include <fstream>
#include <headsweep/data.hpp>
#include <headsweep/edit.hpp>
#include <headsweep/eval.hpp>
#include <headsweep/json.hpp>
#include <headsweep/model.hpp>
#include <headsweep/sweep.hpp>

#include "sweep/stored_edit.hpp"

namespace headsweep {
namespace {

/// A model folder, opened.
struct Opened {
  Weights weights;
  std::unique_ptr<Tokenizer> tokenizer;
};
Opened open_model(const std::filesystem::path& folder) {
  const ModelConfig config = read_config(folder);
  return {.weights = load_weights(folder, config, LoadOptions{}), .tokenizer = load_tokenizer(folder)};
}

/// A stored edit, ready for the forward.
struct ReadyEdit {
  StoredEdit stored;
  LaneEdits edits;
};
ReadyEdit load_edit(const EditReference& reference, const std::filesystem::path& model,
                    const Weights& weights) {
  ReadyEdit ready{.stored = read_stored_edit(reference, model)};
  ready.edits = restore_lanes(ready.stored.kind, {ready.stored.layers}, weights);
  return ready;
}

std::vector<int> ids_of(const Json& line, const std::string& key, const std::string& where, int vocab) {
  const auto found = line.find(key);
  require(found != line.end() && found->is_array() && !found->empty(), where, ": ", key,
          " is not a list of token ids");
  std::vector<int> ids;
  for (const Json& id : *found) {
    const bool whole =
        id.is_number_integer() && id.get<std::int64_t>() >= 0 && id.get<std::int64_t>() < vocab;
    require(whole, where, ": ", key, " holds ", json_kind(id), ", token ids from 0 to ", vocab - 1,
            " are due");
    ids.push_back(id.get<int>());
  }
  return ids;
}

/// A line of the input as tokens.
Continuation read_line(const Json& line, const Opened& model, const std::string& where) {
  const int vocab = model.weights.config.vocab;
  Continuation tokens;
  if (line.contains("prompt_ids")) {
    tokens = {.prompt = ids_of(line, "prompt_ids", where, vocab),
              .answer = ids_of(line, "completion_ids", where, vocab)};
  } else {
    const std::string prompt = json_text(line, "prompt", where),
                      completion = json_text(line, "completion", where);
    tokens = tokenize(*model.tokenizer, prompt, completion, where);
    for (const auto* ids : {&tokens.prompt, &tokens.answer})
      for (const int id : *ids)
        require(id < vocab, where, ": token ", id, " is outside the model's vocabulary of ", vocab);
  }
  require(!tokens.prompt.empty(), where, ": an empty prompt predicts nothing");
  const std::size_t length = tokens.prompt.size() + tokens.answer.size();
  require(length <= static_cast<std::size_t>(model.weights.config.max_tokens), where, ": ", length,
          " tokens, the model takes ", model.weights.config.max_tokens);
  return tokens;
}

/// log p of each token of the completion, nats.
std::vector<double> score(const Weights& weights, const Continuation& tokens, const ReadyEdit* ready) {
  const c10::InferenceMode no_gradients;
  TokenTree tree{.prompt = tokens.prompt, .answers = {tokens.answer}};
  const LaneEdits edits = ready == nullptr ? LaneEdits{} : ready->edits;
  if (ready != nullptr)
    tree.edit_start = edit_start(ready->stored.from, Purpose::choice, static_cast<int>(tokens.prompt.size()));
  const TokenBatch batch = pack({tree}, Keep::answers, weights.device());
  const Prefix prefix = run_prefix(weights, batch, edits.first_layer(weights.config.layers));
  const at::Tensor scores =
      entry_log_probs(weights, batch, run_lanes(weights, batch, prefix, edits))[0].to(at::kCPU, at::kDouble);
  return {scores.data_ptr<double>(), scores.data_ptr<double>() + scores.numel()};
}

}  // namespace

EditReference parse_edit_reference(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  int trial = -1;
  if (colon != std::string::npos) {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, trial);
    if (error != std::errc{} || stop != end) trial = -1;
  }
  if (trial < 0)
    throw BadUsage(cat("'", text, "' is no trial; write FILE:TRIAL, for example runs/demo/results.h5:17"));
  return {.results = text.substr(0, colon), .trial = TrialId{trial}};
}

Asked ask(const AskOptions& options) {
  const Opened model = open_model(options.model);
  std::optional<ReadyEdit> ready;
  if (options.edit) ready = load_edit(*options.edit, options.model, model.weights);
  GenerateOptions how{.max_new_tokens = options.max_new_tokens, .stop = options.stop, .from = EditFrom::all};
  TextFormat format{.prompt = options.prompt};
  if (ready) {
    const JobSpec& job = ready->stored.job;
    format = read_formats(job).generation;
    how = generate_options(job.evaluation);
    how.from = ready->stored.from;
  }
  const std::vector<int> prompt = model.tokenizer->encode(format.prompt_of(options.question), "question");
  for (const int id : prompt)
    require(id < model.weights.config.vocab, "question: token ", id, " is outside the model's vocabulary");
  const int most = model.weights.config.max_tokens, length = static_cast<int>(prompt.size());
  require(length + how.max_new_tokens <= most, "question: ", length, " tokens and an answer of at most ",
          how.max_new_tokens, ", the model takes ", most);
  const auto answer = [&](const LaneEdits& edits) {
    return generate(model.weights, *model.tokenizer, {prompt}, edits, how).front().front().text;
  };
  return {.unedited = answer(LaneEdits{}), .edited = ready ? answer(ready->edits) : ""};
}

void score_lines(const std::filesystem::path& model, const std::filesystem::path& file,
                 const std::optional<EditReference>& edit,
                 const std::function<void(const std::string&)>& put) {
  const Opened opened = open_model(model);
  std::optional<ReadyEdit> ready;
  if (edit) ready = load_edit(*edit, model, opened.weights);
  std::vector<std::pair<Json, Continuation>> lines;  // all are read before the first is scored
  int number = 0;
  for (const std::string& text : split_text(read_file(file), '\n')) {
    const std::string where = cat(file.string(), ":", ++number);
    if (text.find_first_not_of(" \r\t") == std::string::npos) continue;
    Json line = parse_json(text, where);
    require(line.is_object(), where, ": ", json_kind(line), " found, an object is due");
    Continuation tokens = read_line(line, opened, where);
    lines.emplace_back(std::move(line), std::move(tokens));
  }
  require(!lines.empty(), file.string(), ": holds no line to score");
  for (auto& [line, tokens] : lines) {
    const std::vector<double> log_probs = score(opened.weights, tokens, ready ? &*ready : nullptr);
    double sum = 0;
    for (const double value : log_probs) sum += value;
    line["tokens"] = tokens.answer;
    line["log_probs"] = log_probs;
    line["log_prob"] = sum;
    put(line.dump());
  }
}

}  // namespace headsweep
