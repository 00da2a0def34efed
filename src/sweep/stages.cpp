// sweep: the stages before the first block.
#include "sweep/stages.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <headsweep/kernels.hpp>

#include "sweep/agree.hpp"

namespace headsweep {
namespace {

std::vector<float> to_floats(const at::Tensor& values) {
  const at::Tensor flat = values.to(at::kCPU, at::kFloat).contiguous();
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

/// Gives rank 0's numbers to every rank, through the GPU group or host memory. Collective.
void broadcast_from_first(GpuGroup& group, at::Tensor& tensor) {
  if (group.path() == GpuGroup::Path::alone) return;
  const bool staged = group.path() == GpuGroup::Path::host && tensor.is_cuda();
  at::Tensor buffer = staged ? tensor.cpu() : tensor;
  group.broadcast(buffer.data_ptr(), buffer.nbytes());
  if (staged) tensor.copy_(buffer);
}

/// All texts' head outputs [n, L, C] on rank 0, each call made by one rank; elsewhere undefined. Collective.
at::Tensor capture_all(const World& world, const Weights& weights, const std::vector<ProbeText>& texts,
                       int batch) {
  const int calls = capture_calls(texts.size(), batch);
  std::string mine;
  for (int call = world.rank(); call < calls; call += world.size()) {
    const at::Tensor outputs = capture(weights, texts, batch, call).to(at::kCPU).contiguous();
    mine.append(static_cast<const char*>(outputs.data_ptr()), outputs.nbytes());
    world.tick();
  }
  at::Tensor all;
  const ModelConfig& config = weights.config;
  const auto step = static_cast<std::size_t>(batch);
  const std::size_t row =
      static_cast<std::size_t>(config.layers) * static_cast<std::size_t>(config.width()) * sizeof(float);
  world.gather(mine, [&](int owner, const std::string& sent) {
    if (!all.defined())
      all = at::empty({static_cast<std::int64_t>(texts.size()), config.layers, config.width()});
    std::size_t read = 0;
    for (int call = owner; call < calls; call += world.size()) {
      const std::size_t begin = static_cast<std::size_t>(call) * step;
      const std::size_t bytes = std::min(texts.size() - begin, step) * row;
      expect(read + bytes <= sent.size(), "every rank to send the outputs of its calls");
      std::memcpy(static_cast<char*>(all.data_ptr()) + begin * row, sent.data() + read, bytes);
      read += bytes;
    }
  });
  return all;
}

}  // namespace

std::vector<QuestionRow> question_rows(const JobSpec& job, const Texts& texts) {
  std::vector<QuestionRow> rows;
  for (std::size_t i = 0; i < texts.behaviour.questions.size(); ++i) {
    const Question& question = texts.behaviour.questions[i];
    QuestionRow row{.id = question.id, .group = question.group, .text = question.text, .part = {}};
    for (const Split& split : texts.splits) row.part.push_back(split.part_of[i]);
    rows.push_back(std::move(row));
  }
  std::vector<int> all(rows.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int>(i);
  for (const Pair& pair : make_pairs(texts.training, texts.behaviour, all, job.training, job.seed))
    ++rows[static_cast<std::size_t>(pair.question)].pairs;
  return rows;
}

std::vector<SweepHeader::Baseline> measure_unedited(Ground& ground, int folds) {
  std::vector<SweepHeader::Baseline> baseline;
  for (int fold = 0; fold < folds; ++fold) {
    const Evaluation::Result unedited = ground.fold(fold).evaluation().baseline();
    baseline.push_back({.validation = unedited.validation, .test = unedited.test, .items = unedited.items});
  }
  return baseline;
}

LoadOptions load_options(Precision precision, at::Device device) {
  const bool half = precision == Precision::bf16;
  require(!half || device.is_cuda() || kernels::has_bf16_products(), host_name(),
          ": model.precision: bf16 is asked for, but this CPU has no bfloat16 products (AVX512-BF16, AMX); "
          "use f32");
  return {.number = half ? at::kBFloat16 : at::kFloat, .device = device};
}

void fix_gpu_arithmetic() {
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);
  at::globalContext().setDeterministicAlgorithms(true, false);
  at::globalContext().setDeterministicFillUninitializedMemory(
      false);  // every new tensor is written before it is read
}

std::string device_kind(at::Device device) {
  return device.is_cuda() ? GpuGroup::name_of(device.index()) : kernels::cpu_kind();
}

at::Device choose_device(const JobSpec& job, const World& world, bool share_gpus) {
  if (job.model.device == Device::cpu) return at::kCPU;
  const int visible = GpuGroup::visible_devices();
  const std::vector<std::string> firsts =
      world.all_gather(visible > 0 ? cat(host_name(), " ", GpuGroup::place_of(0)) : "");
  const std::string& first_seen = firsts[static_cast<std::size_t>(world.rank())];
  // A launcher may show each rank a GPU of its own, which is then its first.
  const bool own = visible == 1 && std::count(firsts.begin(), firsts.end(), first_seen) == 1;
  std::string obstacle;
  if (visible == 0)
    obstacle = "no GPU is visible";
  else if (!kernels::has_cuda())
    obstacle = "this build has no CUDA kernels; build it where nvcc is";
  else if (world.node_size() > visible && !own && !share_gpus)
    obstacle = cat(world.node_size(), " ranks for ", visible,
                   " visible GPUs; start one rank a GPU, or let them share with --share-gpus");
  if (!obstacle.empty()) obstacle = host_name() + ": " + obstacle;
  const std::vector<std::string> obstacles = world.all_gather(obstacle);  // one kind of device for all ranks
  const auto first =
      std::find_if(obstacles.begin(), obstacles.end(), [](const auto& o) { return !o.empty(); });
  if (first == obstacles.end())
    return {at::kCUDA, static_cast<at::DeviceIndex>(own ? 0 : world.node_rank() % visible)};
  all_do(world,
         [&] { require(job.model.device != Device::cuda, "model.device: cuda is asked for, but ", *first); });
  if (world.max(visible) > 0) log_line(cat("the model runs on the CPU: ", *first));
  return at::kCPU;
}

namespace {

/// Tensors one after the other in the memory that the ranks of a host share.
class Placer {
 public:
  explicit Placer(const NodeMemory& memory) : next_(static_cast<char*>(memory.data())) {}
  at::Tensor operator()(at::IntArrayRef shape, at::ScalarType type) {
    at::Tensor tensor = at::from_blob(next_, shape, at::TensorOptions(type));
    next_ += placed_bytes(tensor.nbytes());
    return tensor;
  }

 private:
  char* next_;
};

/// One copy a host, prepared by its first rank. Collective.
SharedWeights load_on_hosts(const World& world, const WeightSource& source, LoadOptions load) {
  SharedWeights shared;
  const std::size_t bytes = weight_bytes(source.config, load.number);
  all_do(world, [&] { shared.memory = std::make_shared<NodeMemory>(world, bytes); });
  load.place = Placer(*shared.memory);
  load.reads = world.node_rank() == 0;
  all_do(world, [&] { shared.weights = load_weights(source.folder, source.config, load); });
  return shared;
}

/// Rank 0 reads and prepares, the GPUs get copies. Collective.
SharedWeights load_on_gpus(const World& world, const WeightSource& source, LoadOptions load) {
  fix_gpu_arithmetic();
  SharedWeights shared;
  // The reader's own errors (a malformed file, NaN) must be known to all before any rank waits for a
  // broadcast.
  first_does(world, [&] { shared.weights = load_weights(source.folder, source.config, load); });
  load.reads = false;
  if (world.rank() > 0) shared.weights = load_weights(source.folder, source.config, load);
  GpuGroup group(world, load.device.index());
  for (at::Tensor& tensor : tensors_of(shared.weights)) broadcast_from_first(group, tensor);
  return shared;
}

}  // namespace

bool reads_weights(const World& world, at::Device device) {
  return device.is_cuda() ? world.rank() == 0 : world.node_rank() == 0;
}

SharedWeights share_weights(const World& world, const WeightSource& source, at::Device device) {
  LoadOptions load;
  all_do(world, [&] { load = load_options(source.precision, device); });
  load.strict = source.strict;
  return device.is_cuda() ? load_on_gpus(world, source, load) : load_on_hosts(world, source, load);
}

std::vector<HeadTable> run_localiser(const World& world, const JobSpec& job, const Texts& texts,
                                     const Weights& weights) {
  std::vector<HeadTable> tables;
  for (std::size_t fold = 0; fold < texts.splits.size(); ++fold) {
    const bool same = texts.sigma.empty();
    const std::vector<ProbeText>&probe = texts.probe[fold], &sigma = same ? probe : texts.sigma[fold];
    const at::Tensor outputs = capture_all(world, weights, probe, job.probe.batch);
    const at::Tensor others = same ? outputs : capture_all(world, weights, sigma, job.probe.batch);
    first_does(world, [&] {
      tables.push_back(locate({.texts = probe, .outputs = outputs}, {.texts = sigma, .outputs = others},
                              texts.splits[fold], weights.config, job.probe.c));
    });
  }
  return tables;
}

HeadRows rows_of(const HeadTable& table) {
  return {.score = to_floats(table.score),
          .train_accuracy = to_floats(table.train_accuracy),
          .auc = to_floats(table.auc),
          .log_loss = to_floats(table.log_loss),
          .sigma = to_floats(table.sigma),
          .direction = to_floats(table.direction)};
}

HeadTable table_of(const HeadRows& rows, const ModelConfig& config) {
  HeadTable table;
  table.score = at::tensor(rows.score);
  table.train_accuracy = at::tensor(rows.train_accuracy);
  table.auc = at::tensor(rows.auc);
  table.log_loss = at::tensor(rows.log_loss);
  table.sigma = at::tensor(rows.sigma);
  table.direction = at::tensor(rows.direction).view({config.layers * config.heads, config.head_dim});
  return table;
}

SweepHeader make_header(const HeaderInputs& in, const std::vector<HeadTable>& tables,
                        std::vector<Reference> references) {
  SweepHeader header;
  header.identity = in.identity;
  header.job_text = in.job.text;
  header.resolved_job = resolved_job(in.job);
  header.command_line = in.options.command_line;
  header.started_utc = utc_text(now_seconds());
  header.device = in.weights.device().str();
  Ranking ranking;
  for (const HeadTable& table : tables) {
    ranking.push_back(table.ranking(in.weights.config.heads));
    header.localiser.push_back(rows_of(table));
  }
  header.plan = make_plan(in.job, shape_of(in.weights.config), size_of_data(in.job, in.texts), &ranking);
  header.questions = question_rows(in.job, in.texts);
  header.references = std::move(references);
  header.baseline = measure_unedited(in.ground, header.plan.folds);
  return header;
}

}  // namespace headsweep
