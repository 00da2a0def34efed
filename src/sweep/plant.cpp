// sweep: `plant`: sweeps whose truth is known. In: a job; out: folders with a teacher, its answers and a job.
// Level 4.
#include "sweep/plant.hpp"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "sweep/alone.hpp"

namespace headsweep {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t sample_pairs = 64;   ///< that the size of an edit is measured on
constexpr std::size_t least_changed = 20;  ///< questions that make a behaviour

void check_options(const PlantOptions& options) {
  require(!fs::exists(fs::symlink_status(options.folder)), options.folder.string(), ": is there already");
}

/// The job with what plants need measured.
JobSpec read_plant_job(const PlantOptions& options) {
  JobSpec job = read_job(options.job);
  job.evaluation.drift = {SplitPart::val, SplitPart::test};
  job.evaluation.teacher.clear();
  for (const LocationSpec& set : job.locations)
    for (const char* name : {"planted", "matched", "random"})
      require(set.name != name, set.place, ": locations: '", name, "' is the name of a set of the plants");
  return job;
}

/// Of the job's first entry of optimal edits.
double strength_of(const JobSpec& job) {
  const auto optimal = [](const EditSpec& edit) { return edit.kind == EditKind::optimal; };
  const auto found = std::find_if(job.edits.begin(), job.edits.end(), optimal);
  require(found != job.edits.end(), job.file, ": edits: no optimal edit found, whose tau a plant's has");
  return found->strengths.front();
}

/// The first where the job lists several: to choose takes many locations, and a teacher has one.
double rate_of(const PlantOptions& options, const JobSpec& job) {
  return options.edit == PlantedEdit::trained ? job.training.learning_rate.at(options.size).front() : 0;
}

std::vector<Head> draw_heads(const PlantGround& ground, int index) {
  const ModelConfig& config = ground.texts.config;
  const int there = config.layers * config.heads;
  require(ground.options.size <= there, "--size ", ground.options.size, ": the model has ", there, " heads");
  std::vector<Head> heads;
  for (const int head : Random(ground.job.seed, "plant", index).choose(there, ground.options.size))
    heads.push_back({.layer = head / config.heads, .index = head % config.heads});
  return heads;
}

/// Refuses what `run` would refuse of a plant's job, before the model is loaded.
void check_plan_of(const PlantGround& ground, const Planted& planted) {
  const JobSpec job = plant_job(ground, planted);
  static_cast<void>(
      make_plan(job, shape_of(ground.texts.config), size_of_data(ground.job, ground.texts), nullptr));
}

/// Makes the edits and lets the edited models answer.
class Planter {
 public:
  Planter(const PlantGround& ground, const Weights& weights)
      : ground_(ground), weights_(weights), own_(answers({}, EditFrom::all)) {
    const JobSpec& job = ground.job;
    pairs_ = make_pairs(ground.texts.training, ground.texts.behaviour,
                        ground.texts.splits.front().questions(SplitPart::train), job.training, job.seed);
    const auto end = pairs_.begin() + static_cast<std::ptrdiff_t>(std::min(pairs_.size(), sample_pairs));
    sample_ = pack_pairs(weights, {pairs_.begin(), end}, job.training);
  }

  void grow(Planted& planted) const {
    if (ground_.options.edit == PlantedEdit::random)
      draw_edit(planted);
    else
      train_edit(planted);
    const LaneEdits edits = restore(planted.edit);
    const RelativeSize size = relative_size(weights_, sample_, edits);
    planted.size_prompt = size.prompt.item<float>();
    planted.size_answer = size.answer.item<float>();
    take_answers(answers(edits, ground_.job.training.edit_from), planted);
    require(planted.behaviour.size() >= least_changed, planted.name(), ": its edit changes ",
            planted.behaviour.size(), " of ", own_.size(), " answers, at least ", least_changed,
            " are due; a stronger edit changes more");
    const double gain = mean_gain(planted, edits);
    require(gain > 0, planted.name(), ": its edit does not make its answers more likely (mean gain ", gain,
            " nats)");
    planted.tau = round_off(1 / (2 * gain));
  }

 private:
  [[nodiscard]] LaneEdits restore(const std::vector<EditLayer>& edit) const {
    return restore_lanes(EditKind::optimal, {edit}, weights_);
  }

  /// With a seed of its own: no sweep of the plant starts where the teacher has started.
  [[nodiscard]] LaneSpec lane_of(const Planted& planted) const {
    return {.heads = planted.heads,
            .strength = strength_of(ground_.job),
            .learning_rate = planted.rate,
            .seed = Random(ground_.job.seed, "planted edit", planted.index).bits()};
  }

  /// The optimal edit at the heads on the job's own training pairs.
  void train_edit(Planted& planted) const {
    const TrainingSpec& spec = ground_.job.training;
    const LaneSpec lane = lane_of(planted);
    TrainingData data = pack_training(weights_, pairs_, spec, lane.seed, 0);
    data.keeps_prefixes = ground_.job.run.prefixes == Prefixes::kept;
    TrainingPrefixes prefixes(weights_, data);
    LaneParams params = LaneParams::start(EditKind::optimal, {lane}, spec, weights_);
    const TrainedLanes trained = train_lanes(
        {.weights = weights_, .data = data, .prefixes = prefixes, .spec = spec}, {lane}, params, [] {});
    require(trained.failed.front().empty(), planted.name(), ": training its edit: ", trained.failed.front());
    planted.edit = params.layers_of(0);
  }

  /// a as at the start of training, b Gaussian in the heads' slices; each layer's write is as large as asked
  /// for.
  void draw_edit(Planted& planted) const {
    TrainingSpec spec = ground_.job.training;
    spec.start_b = 1;
    planted.edit = LaneParams::start(EditKind::optimal, {lane_of(planted)}, spec, weights_).layers_of(0);
    for (EditLayer& layer : planted.edit) {
      const double size = relative_size(weights_, sample_, restore({layer})).answer.item<double>();
      require(std::isfinite(size) && size > 0, planted.name(), ": an edit at layer ", layer.layer,
              " has a relative size of ", size, " at answer tokens");
      for (float& value : layer.b) value = static_cast<float>(value * ground_.options.gain / size);
    }
  }

  [[nodiscard]] std::vector<std::string> answers(const LaneEdits& edits, EditFrom from) const {
    GenerateOptions options = generate_options(ground_.job.evaluation);
    options.from = from;
    std::vector<std::string> texts;
    auto all = generate(weights_, *ground_.texts.tokenizer, ground_.texts.prompts, edits, options);
    for (Answer& answer : all.front()) texts.push_back(std::move(answer.text));
    return texts;
  }

  /// The questions whose two answers a judge can tell apart and a behaviour file can hold.
  void take_answers(const std::vector<std::string>& taught, Planted& planted) const {
    const auto sound = [](const std::string& text) {
      return !text.empty() && text.find('\0') == std::string::npos &&
             find_invalid_utf8(text) == std::string::npos;
    };
    for (std::size_t i = 0; i < own_.size(); ++i) {
      const Question& asked = ground_.texts.behaviour.questions[i];
      const bool differ = normalised_sentence(taught[i]) != normalised_sentence(own_[i]);
      if (!differ || !sound(taught[i]) || !sound(own_[i])) continue;
      planted.behaviour.push_back({.id = asked.id,
                                   .group = asked.group,
                                   .text = asked.text,
                                   .best = taught[i],
                                   .correct = {taught[i]},
                                   .incorrect = {own_[i]},
                                   .line = static_cast<int>(planted.behaviour.size()) + 1});
    }
  }

  /// By how many nats the teacher prefers its answers more than the model does, mean over the questions.
  [[nodiscard]] double mean_gain(const Planted& planted, const LaneEdits& edits) const {
    const JobSpec& job = ground_.job;
    const Behaviour behaviour{
        .file = planted.name() + "/behaviour.jsonl", .hash = {}, .questions = planted.behaviour};
    const ModelConfig& config = weights_.config;
    const TokenLimits limits{.vocab = config.vocab, .max_tokens = config.max_tokens, .eos = config.eos};
    const auto tokens =
        tokenize_questions(behaviour, *ground_.texts.tokenizer, ground_.texts.formats.training, limits);
    std::vector<int> all(tokens.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int>(i);
    const auto batches =
        pack_evaluation(weights_, make_pairs(tokens, behaviour, all, job.training, job.seed), job.training);
    PrefixMemo prefixes(weights_, false);
    const at::Tensor tau = at::ones({1}, at::TensorOptions(weights_.device()));
    return score_pairs(prefixes, batches, edits, tau, job.training.log_prob).margin.item<double>();
  }

  /// Three digits.
  static double round_off(double value) {
    const double unit = std::pow(10, std::floor(std::log10(value)) - 2);
    return std::round(value / unit) * unit;
  }

  const PlantGround& ground_;
  const Weights& weights_;
  std::vector<std::string> own_;  ///< of the unedited model
  std::vector<Pair> pairs_;       ///< that the job trains on
  PairBatch sample_;
};

/// Files on their way into a folder: beside it under another name until all are there.
class NewFolder {
 public:
  explicit NewFolder(const fs::path& folder)
      : folder_(fs::absolute(folder).lexically_normal()),
        made_(cat(folder_.string(), ".new-", host_name(), "-", ::getpid())) {
    std::error_code error;
    require(fs::create_directories(made_, error), folder.string(), ": cannot be made",
            error ? ": " + error.message() : "");
  }
  ~NewFolder() {
    std::error_code error;
    fs::remove_all(made_, error);
  }
  NewFolder(const NewFolder&) = delete;
  [[nodiscard]] const fs::path& path() const { return made_; }
  void finish() const {
    std::error_code error;
    fs::rename(made_, folder_, error);
    require(!error, folder_.string(), ": cannot be made: ", error.message());
  }

 private:
  fs::path folder_, made_;
};

Plant outcome_of(const PlantGround& ground, const Planted& planted) {
  std::set<std::string> distinct;
  for (const Question& question : planted.behaviour) distinct.insert(question.best);
  return {.folder = ground.options.folder / planted.name(),
          .heads = planted.heads,
          .questions = static_cast<int>(ground.texts.behaviour.questions.size()),
          .changed = static_cast<int>(planted.behaviour.size()),
          .distinct = static_cast<int>(distinct.size()),
          .tau = planted.tau};
}

}  // namespace

std::vector<Plant> make_plants(const PlantOptions& options) {
  const c10::InferenceMode no_gradients;
  check_options(options);
  const JobSpec job = read_plant_job(options);
  at::set_num_threads(job.run.threads);
  const Texts texts = read_texts(job);
  const PlantGround ground{.options = options, .job = job, .texts = texts};
  std::vector<Planted> all(static_cast<std::size_t>(options.plants));
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].index = static_cast<int>(i);
    all[i].heads = draw_heads(ground, all[i].index);
    all[i].tau = 1;
    check_plan_of(ground, all[i]);
    all[i].rate = rate_of(options, job);
  }
  const Weights weights = load_weights_alone(job, texts.config);
  const Planter planter(ground, weights);
  for (Planted& planted : all) planter.grow(planted);

  const NewFolder folder(options.folder);
  const std::string model_hash = hash_model(job.model.folder);
  std::vector<Plant> plants;
  for (const Planted& planted : all) {
    write_plant(ground, planted, folder.path(), model_hash);
    // As `run` will read it.
    const fs::path file = folder.path() / planted.name() / "job.yaml";
    static_cast<void>(read_texts(read_job(file)));
    plants.push_back(outcome_of(ground, planted));
  }
  folder.finish();
  return plants;
}

}  // namespace headsweep
