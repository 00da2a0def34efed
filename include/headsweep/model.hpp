// model: config.json + safetensors -> frozen weights; the LLaMA forward of K lanes over packed texts.
// Level 1. Knows nothing of questions, trials or ranks. Letters: K lanes, T tokens, L layers, H heads, D head
// width, C = H*D, E hidden, V words.
#pragma once

#include <ATen/ATen.h>

#include <filesystem>
#include <functional>
#include <headsweep/base.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace headsweep {

/// How rotary frequencies are slowed down for texts longer than those of the first training, as transformers
/// computes them.
struct RopeScaling {
  enum class Kind { none, linear, llama3 } kind = Kind::none;
  double factor = 1, low_frequency = 1,
         high_frequency = 4;  ///< the latter two and `original` of llama3 alone
  int original = 8192;        ///< tokens of the first training
};

/// What config.json says of a model of the LLaMA family: llama, mistral, qwen2, qwen3.
struct ModelConfig {
  int layers = 0, heads = 0, kv_heads = 0, head_dim = 0;  ///< L, H, key-value heads, D
  int hidden = 0, intermediate = 0, vocab = 0;            ///< E, F, V
  int max_tokens = 0;  ///< longest text; of a model with a sliding window no more than that
  double rope_theta = 10000.0, norm_eps = 1e-5;
  RopeScaling rope_scaling;
  bool qkv_bias = false;    ///< queries, keys and values have biases (qwen2)
  bool head_norms = false;  ///< each query and key head has a norm with a gain before it is turned (qwen3)
  bool tied = false;        ///< the output matrix is the embedding
  int bos = -1, eos = -1;   ///< -1: none; of several end tokens the first
  std::vector<int> ends;    ///< all end tokens
  [[nodiscard]] int width() const { return heads * head_dim; }        ///< C
  [[nodiscard]] int kv_width() const { return kv_heads * head_dim; }  ///< of keys, and of values
};
/// What a linear layer reads and writes.
std::int64_t inputs_of(const ModelConfig& config, EditTarget target);
std::int64_t outputs_of(const ModelConfig& config, EditTarget target);
/// Reads FOLDER/config.json; BadInput for every value out of range, conflicts, and what is not supported (by
/// name).
ModelConfig read_config(const std::filesystem::path& folder);
/// BadInput for a folder whose only weights are pickles: they are never loaded. None at all are let pass, for
/// a plan needs none.
void refuse_pickles(const std::filesystem::path& folder);

/// One layer as the products take it: the norms' gains are multiplied into the matrices that follow them.
struct LayerWeights {
  at::Tensor qkv;                   ///< [(H + 2 KV) * D, E] queries, keys, values
  at::Tensor o;                     ///< [E, C]
  at::Tensor gate_up;               ///< [2F, E]
  at::Tensor down;                  ///< [E, F]
  at::Tensor qkv_bias;              ///< [(H + 2 KV) * D], undefined without
  at::Tensor query_gain, key_gain;  ///< [D] float32: of the norms of heads, undefined without
  at::Tensor heads_gain, mlp_gain;  ///< [E] float32: those multiplied into qkv, and into gate_up
};
/// Frozen and shared by all lanes, as operands of matrix products: float32 or bfloat16.
struct Weights {
  ModelConfig config;
  at::ScalarType number = at::kFloat;
  std::vector<LayerWeights> layers;
  at::Tensor embedding, output;   ///< [V, E]; one tensor where the model is tied
  at::Tensor norm_final;          ///< [E] float32
  at::Tensor rope_cos, rope_sin;  ///< [max_tokens, D] float32, of scaled frequencies
  [[nodiscard]] at::Device device() const { return embedding.device(); }
};
struct LoadOptions {
  at::ScalarType number = at::kFloat;  ///< kFloat or kBFloat16
  at::Device device = at::kCPU;
  bool strict = false;  ///< refuse unused extra tensors instead of one warning
  bool reads = true;    ///< false: tensors are only placed, another fills them (see tensors_of)
  /// Where a tensor lies, called in one fixed order; empty: a new tensor on the device. How ranks of a node
  /// share one copy.
  std::function<at::Tensor(at::IntArrayRef, at::ScalarType)> place;
};
/// Reads the safetensors of a folder (one file or a sharded index; F32, F16, BF16) and prepares them: joined,
/// gains multiplied in, converted. BadInput for every malformed file, missing tensor, wrong shape, NaN or
/// Inf.
Weights load_weights(const std::filesystem::path& folder, const ModelConfig& config,
                     const LoadOptions& options);
/// What a tensor takes where several lie behind each other: whole cache lines.
constexpr std::size_t placed_bytes(std::size_t bytes) { return (bytes + 63) / 64 * 64; }
/// Bytes of all tensors that `place` is asked for, each as placed_bytes.
std::size_t weight_bytes(const ModelConfig& config, at::ScalarType number);
/// The tensors that `place` is asked for, in that order.
std::vector<at::Tensor> tensors_of(const Weights& weights);
/// xxh64 of the folder's config.json and weight files, without loading.
std::string hash_model(const std::filesystem::path& folder);
/// xxh64 of the weights' bytes in memory, on a GPU of the sums of each matrix's columns as integers: equal
/// before and after a block, or something wrote to them.
std::string hash_memory(const Weights& weights);

/// All tensors of one safetensors file, float32 on the CPU. BadInput for a malformed file, NaN or Inf.
std::map<std::string, at::Tensor> read_tensors(const std::filesystem::path& file);
/// The bytes of a safetensors file that holds these as float32.
std::string encode_tensors(const std::map<std::string, at::Tensor>& tensors);
/// W_o of one layer as a model's folder holds it, without the rest of the model: [E, C] float32 on the CPU.
at::Tensor read_output_matrix(const std::filesystem::path& folder, const ModelConfig& config, int layer);

// ---- packed texts
// ------------------------------------------------------------------------------------------------

/// A prompt and the answers that continue it. Each answer sees the prompt and itself only, so the prompt is
/// computed once.
struct TokenTree {
  std::vector<int> prompt;
  std::vector<std::vector<int>> answers;
  int edit_start = 0;  ///< position from which edits act (0: everywhere); position = index in prompt + answer
};
enum class Keep {
  answers,  ///< logits that predict the answers' tokens; the last token of each answer is not computed
  last,     ///< the last token of the prompt (answers must be empty): probes, first generated token
  all  ///< every token of the prompt but the last predicts the next one (answers must be empty): running text
};
/// Whether the tokens that all prompts of a batch begin with (instruction, primer) stand once, before the
/// rest of the trees.
enum class Starts { apart, joined };
/// Trees packed into one row of T tokens, tree by tree, without padding.
struct TokenBatch {
  int trees = 0, tokens = 0;        ///< number of trees, T
  int shared = 0;                   ///< tokens that stand once for all prompts, in front
  at::Tensor ids, positions, tree;  ///< int64 [T]; shared tokens are those of tree 0
  at::Tensor active;                ///< float [T]: 1 where edits act, else 0
  at::Tensor kept;                  ///< int64 [R]: the tokens whose final states are needed, ascending
  // Who sees whom, on the host. A clump is a tree or, with shared tokens, all trees. Token i of a clump sees
  // the clump's first start[i] tokens, those from middle[i] to middle_end[i] (not included), and those from
  // own[i] on, up to itself; all count within the clump.
  int longest = 0;                        ///< tokens of the largest clump
  std::vector<std::int32_t> clump_begin;  ///< [clumps + 1]
  [[nodiscard]] int clumps() const { return static_cast<int>(clump_begin.size()) - 1; }
  std::vector<std::int32_t> start, middle, middle_end, own;  ///< [T]
  std::vector<std::int32_t> kept_rows, kept_begin;           ///< [R] as `kept`; [clumps + 1]
  /// [trees] where each prompt's own tokens begin, and how many they are.
  std::vector<std::int32_t> prompt_begin, prompt_tokens;
  // What is predicted where: entry n says that kept[entry_row[n]] predicts entry_id[n] as part of answer
  // entry_answer[n].
  at::Tensor entry_row, entry_id, entry_answer;  ///< int64 [N]
  at::Tensor answer_tokens;                      ///< float [A]: tokens of each answer
  int answers = 0;                               ///< A, over all trees, tree by tree
};
TokenBatch pack(const std::vector<TokenTree>& trees, Keep keep, at::Device device,
                Starts starts = Starts::apart);
/// How many tokens Starts::joined would let stand once: those that all prompts begin with, but for each
/// prompt's last one; 0 where they are too few to gain by it, or edits act from a token among them.
int shared_start(const std::vector<TokenTree>& trees);

// ---- edits as the forward sees them
// ------------------------------------------------------------------------------

/// One layer's edit of some lanes: r_out[lane] += active * gate * write, gate = <read, o> or 1.
struct LayerEdit {
  at::Tensor lanes;  ///< int64 [K']: which lanes; undefined: all, in order
  at::Tensor read;   ///< [K', C]; undefined: the gate is 1
  at::Tensor write;  ///< [K', E]
};
/// Adapters of any rank at one linear layer of all lanes: out[lane] += active * (x A^T) B, x what the product
/// reads: for qkv and gate_up the normed rows without gain, which is multiplied into A. Operands of products.
struct Adapter {
  at::Tensor a;  ///< [K, rank, inputs]
  at::Tensor b;  ///< [K, rank, outputs]
};
/// Either edits of layers, or adapters.
struct LaneEdits {
  int lanes = 1;                                               ///< K
  std::map<int, LayerEdit> layers = {};                        ///< by layer
  std::map<int, std::map<EditTarget, Adapter>> adapters = {};  ///< by layer
  /// Where the lanes part, and a prefix ends: the first edited layer, or L where nothing is edited; -1 with
  /// adapters, whose lanes share the embedding only.
  [[nodiscard]] int first_layer(int model_layers) const {
    if (!adapters.empty()) return -1;
    return layers.empty() ? model_layers : layers.begin()->first;
  }
};

// ---- forward and backward
// --------------------------------------------------------------------------------------

/// The states of a batch where the first edited layer's o_proj begins; the same for all lanes.
struct Prefix {
  int layer = 0;        ///< L: the whole model was run, `residual` is the final state; -1: nothing was run
  at::Tensor outputs;   ///< o [T, C], the input of o_proj; undefined at L
  at::Tensor residual;  ///< x + W_o o [T, E] float32; at L the final residual; undefined at -1
};
/// Runs the layers below `layer` and the attention of `layer`, unedited; nothing for layer -1.
Prefix run_prefix(const Weights& weights, const TokenBatch& batch, int layer);

/// Remembers the prefixes of batches that stay where they are, of one layer at a time: blocks come by first
/// edited layer.
class PrefixMemo {
 public:
  /// `remembers`: false to run each prefix anew, where memory is dearer than time; the bits are the same.
  explicit PrefixMemo(const Weights& weights, bool remembers = true)
      : weights_(weights), remembers_(remembers) {}
  /// `batch` must outlive the memo.
  Prefix at(const TokenBatch& batch, int layer);
  [[nodiscard]] const Weights& weights() const { return weights_; }

 private:
  const Weights& weights_;
  bool remembers_;
  int layer_ = -1;
  std::map<const TokenBatch*, Prefix> known_;
};

/// What a forward leaves for its backward.
class Tape {
 public:
  Tape();
  ~Tape();
  Tape(const Tape&) = delete;
  struct State;
  [[nodiscard]] State& state() { return *state_; }

 private:
  std::unique_ptr<State> state_;
};
/// Final normed states [K, R, E] of the kept tokens of K lanes, from the prefix on. `prefix.layer` must not
/// lie above the first edited layer. With a tape, `prefix.layer` is the first edited layer.
at::Tensor run_lanes(const Weights& weights, const TokenBatch& batch, const Prefix& prefix,
                     const LaneEdits& edits, Tape* tape = nullptr);
/// Final normed states [1, R, E] of the kept tokens without edits.
at::Tensor unedited_states(const Weights& weights, const TokenBatch& batch);
/// The gradients with respect to each layer's read and write, or to the adapters (float32), in the shape of
/// `edits`, from the gradient of the final normed states [K, R, E]. Activation gradients only: the weights
/// are frozen. Uses the tape up.
LaneEdits run_backward(const Weights& weights, const TokenBatch& batch, const LaneEdits& edits, Tape& tape,
                       const at::Tensor& states_gradient);

/// Logits [.., V] of normed states [.., E].
at::Tensor logits_of(const Weights& weights, const at::Tensor& states);
/// log p of each answer, summed over its tokens: [K, A] from normed states [K, R, E]. Nats.
at::Tensor answer_log_probs(const Weights& weights, const TokenBatch& batch, const at::Tensor& states);
/// log p of each entry (predicted token): [K, N].
at::Tensor entry_log_probs(const Weights& weights, const TokenBatch& batch, const at::Tensor& states);
/// Given lanes' answer log-probabilities [k, A] and the number of the first of these lanes, the gradient of a
/// loss with respect to them [k, A]. A lane's gradient must depend on its own log-probabilities only.
using AnswerObjective = std::function<at::Tensor(const at::Tensor& log_probs, std::int64_t first_lane)>;
/// The gradient of the loss with respect to the normed states: [K, R, E]. Logits never stand for all lanes at
/// once.
at::Tensor answer_gradient(const Weights& weights, const TokenBatch& batch, const at::Tensor& states,
                           const AnswerObjective& objective);
/// KL(p || q) of the next-token distributions at each entry, nats: [K, N]; `unedited` [1, R, E] gives p,
/// `edited` [K, R, E] gives q, whose log p of the entries comes beside.
struct Divergence {
  at::Tensor kl, log_probs;  ///< [K, N]
};
Divergence entry_divergence(const Weights& weights, const TokenBatch& batch, const at::Tensor& unedited,
                            const at::Tensor& edited);

/// Head outputs (input of o_proj) of every layer at the kept tokens: [R, L, C] float32. What probes read.
at::Tensor head_outputs(const Weights& weights, const TokenBatch& batch);

/// Token by token generation of K lanes x N prompts with a key-value cache; prompts may differ in length. A
/// row is a lane and a prompt; rows that have ended are dropped.
class Decoder {
 public:
  /// Runs the prompts (batch made with Keep::last, one tree a prompt, no answers), layers below the first
  /// edited layer once for all lanes. `room`: most tokens that `step` will append; longest prompt + room <=
  /// max_tokens. `weights` must outlive the decoder.
  Decoder(const Weights& weights, const TokenBatch& prompts, const LaneEdits& edits, int room);
  ~Decoder();
  Decoder(const Decoder&) = delete;
  /// Logits of the next token of each row [n, V]; at first n = K * N, row = lane * N + prompt.
  [[nodiscard]] at::Tensor logits() const;
  /// Goes on with these rows only (ascending indices into the present ones).
  void keep(const std::vector<std::int64_t>& rows);
  /// Appends one token a row, int64 [n]; edits act on it (every generated token lies at or after the last
  /// prompt token).
  void step(const at::Tensor& ids);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace headsweep
