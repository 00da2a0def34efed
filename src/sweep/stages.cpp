// sweep: the stages before the first block.
#include "sweep/stages.hpp"

#include <cstdlib>
#include <cstring>

#include "sweep/agree.hpp"

namespace headsweep {
namespace {

std::vector<float> to_floats(const at::Tensor& values) {
  const at::Tensor flat = values.to(at::kCPU, at::kFloat).contiguous();
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

/// Broadcasts each tensor from rank 0 as the weights arrive, through the GPU group or host memory.
std::function<void(at::Tensor&)> share_through(GpuGroup& group) {
  return [&group](at::Tensor& tensor) {
    if (group.path() == GpuGroup::Path::alone) return;
    const bool staged = group.path() == GpuGroup::Path::host && tensor.is_cuda();
    at::Tensor buffer = staged ? tensor.cpu() : tensor;
    group.broadcast(buffer.data_ptr(), buffer.nbytes());
    if (staged) tensor.copy_(buffer);
  };
}

/// All texts' head outputs [n, L, C], each call made by one rank. Collective.
at::Tensor capture_all(const World& world, const Weights& weights, const std::vector<ProbeText>& texts,
                       int batch) {
  const int calls = capture_calls(texts.size(), batch);
  std::string mine;
  for (int call = world.rank(); call < calls; call += world.size()) {
    const at::Tensor outputs = capture(weights, texts, batch, call).to(at::kCPU).contiguous();
    mine.append(static_cast<const char*>(outputs.data_ptr()), outputs.nbytes());
    world.tick();
  }
  const std::vector<std::string> gathered = world.all_gather(mine);
  const ModelConfig& config = weights.config;
  at::Tensor all = at::empty({static_cast<std::int64_t>(texts.size()), config.layers, config.width()});
  const std::size_t row =
      static_cast<std::size_t>(config.layers) * static_cast<std::size_t>(config.width()) * sizeof(float);
  std::vector<std::size_t> read(gathered.size(), 0);
  for (int call = 0; call < calls; ++call) {
    const auto owner = static_cast<std::size_t>(call % world.size());
    const std::size_t begin = static_cast<std::size_t>(call) * static_cast<std::size_t>(batch);
    const std::size_t bytes = std::min(texts.size() - begin, static_cast<std::size_t>(batch)) * row;
    expect(read[owner] + bytes <= gathered[owner].size(), "every rank to send the outputs of its calls");
    std::memcpy(static_cast<char*>(all.data_ptr()) + begin * row, gathered[owner].data() + read[owner],
                bytes);
    read[owner] += bytes;
  }
  return all;
}

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
  for (const Pair& pair : make_pairs(texts.tokens, texts.behaviour, all, job.training, job.seed))
    ++rows[static_cast<std::size_t>(pair.question)].pairs;
  return rows;
}

}  // namespace

at::Device choose_device(const JobSpec& job, const World& world) {
  if (job.model.device == Device::cpu) return at::kCPU;
  const int visible = GpuGroup::visible_devices();
  require(job.model.device != Device::cuda || visible > 0,
          "model.device: cuda is asked for, but no GPU is visible");
  if (visible == 0) return at::kCPU;
  require(world.node_size() <= visible, host_name(), ": ", world.node_size(), " ranks for ", visible,
          " visible GPUs; start one rank a GPU, or set model.device: cpu");
  return {at::kCUDA, static_cast<at::DeviceIndex>(world.node_rank())};
}

Weights share_weights(const World& world, const JobSpec& job, const ModelConfig& config,
                      const RunOptions& options) {
  at::Device device = at::kCPU;
  all_do(world, [&] { device = choose_device(job, world); });
  LoadOptions load{.device = device, .strict = options.strict, .share = {}, .reads = true};
  if (!device.is_cuda()) {
    Weights weights;
    all_do(world, [&] { weights = load_weights(job.model.folder, config, load); });
    return weights;
  }
  // Same bits on the same GPU: no float atomics, a fixed workspace for matrix products.
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);
  at::globalContext().setDeterministicAlgorithms(true, false);
  // The reader's own errors (a malformed file, NaN) must be known to all before any rank waits for a
  // broadcast.
  first_does(world,
             [&] { load_weights(job.model.folder, config, {.device = at::kCPU, .strict = options.strict}); });
  GpuGroup group(world, device.index());
  load.share = share_through(group);
  load.reads = world.rank() == 0;
  return load_weights(job.model.folder, config, load);
}

SweepIdentity identity_of(const JobSpec& job, const Texts& texts) {
  return {.settings = settings_of(job),
          .model_hash = hash_model(job.model.folder),
          .data_hash = texts.hash,
          .build = build_text()};
}

std::vector<HeadTable> run_localiser(const World& world, const JobSpec& job, const Texts& texts,
                                     const Weights& weights) {
  std::vector<HeadTable> tables;
  for (std::size_t fold = 0; fold < texts.splits.size(); ++fold) {
    const std::vector<ProbeText>&probe = texts.probe[fold], &sigma = texts.sigma[fold];
    const at::Tensor outputs = capture_all(world, weights, probe, job.probe.batch);
    const bool same = job.probe.suffix == job.probe.sigma_suffix;
    const at::Tensor others = same ? outputs : capture_all(world, weights, sigma, job.probe.batch);
    all_do(world, [&] {
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

SweepHeader make_header(const JobSpec& job, const RunOptions& options, const Texts& texts,
                        const Weights& weights, const std::vector<HeadTable>& tables) {
  SweepHeader header;
  header.identity = identity_of(job, texts);
  header.job_text = job.text;
  header.resolved_job = resolved_job(job);
  header.command_line = options.command_line;
  header.started_utc = utc_text(now_seconds());
  header.device = weights.device().str();
  Ranking ranking;
  for (const HeadTable& table : tables) {
    ranking.push_back(table.ranking(weights.config.heads));
    header.localiser.push_back(rows_of(table));
  }
  header.plan = make_plan(job, shape_of(weights.config), size_of_data(job, texts), &ranking);
  header.questions = question_rows(job, texts);
  for (int fold = 0; fold < header.plan.folds; ++fold) {
    FoldGround ground(job, texts, weights, fold);
    const Evaluation::Result& unedited = ground.evaluation().baseline();
    header.baseline.push_back(
        {.validation = unedited.validation, .test = unedited.test, .items = unedited.items});
  }
  return header;
}

}  // namespace headsweep
