// sweep: reads the job's texts and packs each fold's pairs and questions.
#include "sweep/ground.hpp"

#include <algorithm>
#include <limits>

#include "sweep/judge_files.hpp"

namespace headsweep {
namespace {

TokenLimits limits_of(const Texts& texts) {
  constexpr int any = std::numeric_limits<int>::max();
  if (texts.estimated) return {.vocab = any, .max_tokens = any, .eos = 0};
  return {.vocab = texts.config.vocab, .max_tokens = texts.config.max_tokens, .eos = texts.config.eos};
}

/// Documents as ids, cut to the job's length; those too short to predict a token are left out.
std::vector<std::vector<int>> tokenize_documents(const JobSpec& job, const Tokenizer& tokenizer,
                                                 const TokenLimits& limits) {
  std::vector<std::vector<int>> documents;
  if (job.behaviour.text.empty()) return documents;
  const std::string file = job.behaviour.text.string();
  const auto most = static_cast<std::size_t>(std::min(job.behaviour.text_tokens, limits.max_tokens));
  for (const std::string& text : read_documents(job.behaviour.text, job.behaviour.text_documents)) {
    std::vector<int> ids = tokenizer.encode(text, file);
    ids.resize(std::min(ids.size(), most));
    check_tokens(ids, limits, file);
    if (ids.size() >= 2) documents.push_back(std::move(ids));
  }
  require(!documents.empty(), file, ": no document of two tokens or more");
  return documents;
}

/// All that texts and their tokens come from.
std::string hash_texts(const JobSpec& job, const Behaviour& behaviour) {
  std::string all = behaviour.hash;
  const auto add = [&](const std::string& name, const std::filesystem::path& file) {
    if (!file.empty() && std::filesystem::exists(file)) all += cat("\n", name, " ", hash_file(file));
  };
  add("text", job.behaviour.text);
  add("primer", job.evaluation.primer);
  return hash_hex(cat(all, "\ntokenizer ", hash_tokenizer(job.model.folder)));
}

std::vector<ProbeText> read_probe_texts(const JobSpec& job, const Texts& texts, const Split& split,
                                        const std::string& text) {
  auto read = make_probe_texts(texts.behaviour, split, *texts.tokenizer, job, text);
  for (const ProbeText& one : read) {
    const std::string& id = texts.behaviour.questions[static_cast<std::size_t>(one.question)].id;
    check_tokens(one.ids, limits_of(texts),
                 cat(texts.behaviour.file, ": question '", id, "': its probe text"));
  }
  return read;
}

/// Of a model that could be loaded.
ModelConfig config_of(const std::filesystem::path& folder) {
  refuse_pickles(folder);
  return read_config(folder);
}

/// By config.json alone; `data` says how long questions and answers are.
std::vector<JudgeSize> judge_sizes(const JobSpec& job, const DataSize& data) {
  constexpr double bytes_a_token = 4;
  std::vector<JudgeSize> sizes;
  for (const std::filesystem::path& folder : judge_folders(job)) {
    const ModelConfig config = config_of(folder);
    JudgeSize size{.shape = shape_of(config), .tied = config.tied, .prompts = 0};
    for (const JudgePrompt* asked : asked_of_models(job)) {
      if (asked->folder != folder) continue;
      const double tokens =
          static_cast<double>(asked->prompt.size()) / bytes_a_token + data.prompt_tokens + data.answer_tokens;
      size.text_tokens = (size.text_tokens * size.prompts + tokens) / (size.prompts + 1);
      ++size.prompts;
    }
    size.call_tokens = size.text_tokens * job.evaluation.judge.texts;
    sizes.push_back(size);
  }
  return sizes;
}

/// What is neither measured nor trained on is not read: it may be too long for the model.
void tokenize(const JobSpec& job, Texts& texts) {
  const Tokenizer& tokenizer = *texts.tokenizer;
  const TokenLimits limits = limits_of(texts);
  const EvaluationSpec& spec = job.evaluation;
  const auto& [training, generation, choice] = texts.formats;
  texts.training = tokenize_questions(texts.behaviour, tokenizer, training, limits);
  if (!spec.choice.empty())
    texts.choices =
        choice == training ? texts.training : tokenize_questions(texts.behaviour, tokenizer, choice, limits);
  if (!spec.answers.empty() || !spec.drift.empty())
    texts.prompts = tokenize_prompts(texts.behaviour, tokenizer, generation, limits, spec.max_new_tokens);
  texts.documents = tokenize_documents(job, tokenizer, limits);
  const bool same = job.probe.sigma_text.empty() || job.probe.sigma_text == job.probe.text;
  for (const Split& split : texts.splits) {
    texts.probe.push_back(read_probe_texts(job, texts, split, job.probe.text));
    if (!same) texts.sigma.push_back(read_probe_texts(job, texts, split, job.probe.sigma_text));
  }
}

/// Means over the questions.
struct AnswerSizes {
  double prompt = 0, answers = 0, answer = 0;
};
AnswerSizes sizes_of(const std::vector<TokenizedQuestion>& questions) {
  AnswerSizes sizes;
  double tokens = 0;
  for (const TokenizedQuestion& question : questions) {
    sizes.prompt += static_cast<double>(question.prompt.size());
    for (const auto* list : {&question.correct, &question.incorrect, &question.refusals})
      for (const auto& answer : *list) {
        sizes.answers += 1;
        tokens += static_cast<double>(answer.size());
      }
  }
  const double count = std::max<double>(1, static_cast<double>(questions.size()));
  return {sizes.prompt / count, sizes.answers / count, tokens / std::max(1.0, sizes.answers)};
}

/// Tokens that stand once where these prompts are packed together.
template <class Element, class PromptOf>
int shared_of(const std::vector<Element>& elements, const PromptOf& prompt_of) {
  std::vector<TokenTree> trees;
  for (const Element& element : elements) trees.push_back({.prompt = prompt_of(element), .answers = {}});
  return shared_start(trees);
}

bool names(const std::vector<SplitPart>& parts, SplitPart part) {
  return std::find(parts.begin(), parts.end(), part) != parts.end();
}

}  // namespace

void check_plan(const JobSpec& job) {
  static_cast<void>(make_plan(job, shape_of(config_of(job.model.folder)), {}, nullptr));
}

Texts read_texts(const JobSpec& job, NoTokenizer absent) {
  const std::filesystem::path& folder = job.model.folder;
  Texts texts;
  texts.config = config_of(folder);
  texts.estimated = absent == NoTokenizer::estimated && !has_tokenizer(folder);
  texts.tokenizer = texts.estimated ? rough_tokenizer() : load_tokenizer(folder);
  texts.behaviour = read_behaviour(job.behaviour.file, job.behaviour.groups);
  texts.formats = read_formats(job);
  texts.splits = make_splits(texts.behaviour, job.split, job.seed);
  tokenize(job, texts);
  texts.hash = hash_texts(job, texts.behaviour);
  texts.teacher = read_teacher(job);
  return texts;
}

ModelShape shape_of(const ModelConfig& config) {
  return {.layers = config.layers,
          .heads = config.heads,
          .head_dim = config.head_dim,
          .hidden = config.hidden,
          .intermediate = config.intermediate,
          .kv_heads = config.kv_heads,
          .vocab = config.vocab,
          .head_norms = config.head_norms};
}

DataSize size_of_data(const JobSpec& job, const Texts& texts) {
  const Split& split = texts.splits.front();
  DataSize size;
  size.train_pairs = static_cast<double>(
      make_pairs(texts.training, texts.behaviour, split.questions(SplitPart::train), job.training, job.seed)
          .size());
  size.val_questions = static_cast<double>(split.questions(SplitPart::val).size());
  size.test_questions = static_cast<double>(split.questions(SplitPart::test).size());
  const AnswerSizes training = sizes_of(texts.training), choice = sizes_of(texts.choices);
  size.prompt_tokens = training.prompt;
  size.answers_per_question = training.answers;
  size.answer_tokens = training.answer;
  size.choice_prompt_tokens = choice.prompt;
  size.choice_answer_tokens = choice.answer;
  size.generation_shared = shared_of(texts.prompts, [](const auto& prompt) { return prompt; });
  size.choice_shared = shared_of(texts.choices, [](const auto& question) { return question.prompt; });
  double prompts = 0;
  for (const auto& prompt : texts.prompts) prompts += static_cast<double>(prompt.size());
  size.generation_tokens = prompts / std::max<double>(1, static_cast<double>(texts.prompts.size()));
  for (const auto& document : texts.documents) size.text_tokens += static_cast<double>(document.size());
  size.judges = judge_sizes(job, size);
  return size;
}

FoldGround::FoldGround(const Common& common, int fold)
    : job_(common.job), weights_(common.weights), behaviour_(common.texts.behaviour), fold_(fold) {
  const Texts& texts = common.texts;
  const Split& split = texts.splits.at(static_cast<std::size_t>(fold));
  const auto pairs_of = [&](SplitPart part) {
    return make_pairs(texts.training, texts.behaviour, split.questions(part), job_.training, job_.seed);
  };
  train_ = pairs_of(SplitPart::train);
  validation_ = pairs_of(SplitPart::val);
  test_ = pairs_of(SplitPart::test);
  const Teacher* teacher = common.teacher ? &*common.teacher : nullptr;
  evaluation_ = std::make_unique<Evaluation>(Evaluation::Inputs{.weights = weights_,
                                                                .tokenizer = *texts.tokenizer,
                                                                .behaviour = texts.behaviour,
                                                                .prompts = texts.prompts,
                                                                .choices = texts.choices,
                                                                .split = split,
                                                                .documents = texts.documents,
                                                                .job = job_,
                                                                .judge = common.judge,
                                                                .teacher = teacher,
                                                                .keeps_prefixes = keeps_prefixes()});
}

/// Packed for the longest training of the job, of which shorter ones are the beginning.
TrainingInputs FoldGround::training(std::uint64_t seed, Labels labels, int epochs) {
  TrainingSpec longest = job_.training;
  longest.epochs = epochs_of(job_.training, job_.training.recheck > 0);
  const std::pair asked{seed, labels};
  if (!training_ || trained_ != asked) {
    prefixes_.reset();
    const std::vector<Pair> pairs = label_pairs(train_, behaviour_, labels, job_.seed);
    training_ = std::make_unique<TrainingData>(pack_training(weights_, pairs, longest, seed, fold_));
    training_->keeps_prefixes = keeps_prefixes();
    prefixes_ = std::make_unique<TrainingPrefixes>(weights_, *training_);
    trained_ = asked;
  }
  const int wanted = epochs > 0 ? epochs : job_.training.epochs;
  expect(wanted <= longest.epochs, "no training longer than a recheck");
  const std::size_t steps = training_->batches.size() / static_cast<std::size_t>(longest.epochs);
  return {.weights = weights_,
          .data = *training_,
          .prefixes = *prefixes_,
          .spec = job_.training,
          .steps = steps * static_cast<std::size_t>(wanted)};
}

FoldGround::Measured& FoldGround::measured(EditFrom from) {
  const auto known = measured_.find(from);
  if (known != measured_.end()) return known->second;
  TrainingSpec spec = job_.training;
  spec.edit_from = from;
  const std::size_t sample = std::min(validation_.size(), static_cast<std::size_t>(spec.batch));
  const auto end = validation_.begin() + static_cast<std::ptrdiff_t>(sample);
  Measured made{.sample = pack_pairs(weights_, {validation_.begin(), end}, spec),
                .validation = {},
                .test = {},
                .prefixes = PrefixMemo(weights_, keeps_prefixes())};
  if (names(job_.evaluation.pairs, SplitPart::val))
    made.validation = pack_evaluation(weights_, validation_, spec);
  if (names(job_.evaluation.pairs, SplitPart::test)) made.test = pack_evaluation(weights_, test_, spec);
  return measured_.emplace(from, std::move(made)).first->second;
}

Ground::Ground(const JobSpec& job, const Texts& texts, const Weights& weights, std::shared_ptr<Judge> judge)
    : common_{.job = job, .texts = texts, .weights = weights, .judge = std::move(judge)} {
  if (!texts.teacher) return;
  const StoredEdit& edit = texts.teacher->edit;
  common_.teacher = Teacher{.edits = restore_lanes(edit.kind, {edit.layers}, weights), .from = edit.from};
}

FoldGround& Ground::fold(int fold) {
  if (!ground_ || current_ != fold) {
    ground_.reset();
    ground_ = std::make_unique<FoldGround>(common_, fold);
    current_ = fold;
  }
  return *ground_;
}

}  // namespace headsweep
