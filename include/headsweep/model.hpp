// model: config.json + safetensors -> frozen weights; the LLaMA forward of K lanes over packed texts. Level 1. Knows
// nothing of questions, trials or ranks. Letters: K lanes, T tokens, L layers, H heads, D head width, C = H*D, E hidden, V words.
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

/// What config.json says of a LLaMA model.
struct ModelConfig {
  int layers = 0, heads = 0, kv_heads = 0, head_dim = 0;  ///< L, H, key-value heads, D
  int hidden = 0, intermediate = 0, vocab = 0;            ///< E, F, V
  int max_tokens = 0;                                     ///< longest text
  double rope_theta = 10000.0, norm_eps = 1e-5;
  bool tied = false;                                      ///< the output matrix is the embedding
  int bos = -1, eos = -1;                                 ///< -1: none
  [[nodiscard]] int width() const { return heads * head_dim; }  ///< C
};
/// Reads FOLDER/config.json; BadInput for every value out of range, conflicts, and what is not supported (by name).
ModelConfig read_config(const std::filesystem::path& folder);

struct LayerWeights {
  at::Tensor norm_attention, norm_mlp;  ///< [E]
  at::Tensor q, k, v;                   ///< [H*D, E], [KV*D, E], [KV*D, E]
  at::Tensor o;                         ///< [E, C]
  at::Tensor gate, up, down;            ///< [F, E], [F, E], [E, F]
};
/// Frozen and shared by all lanes.
struct Weights {
  ModelConfig config;
  std::vector<LayerWeights> layers;
  at::Tensor embedding, norm_final, output;  ///< [V, E], [E], [V, E]
  at::Tensor rope_cos, rope_sin;             ///< [max_tokens, D]
  std::string hash;                          ///< hash_model of its folder; empty where LoadOptions::reads is false
  [[nodiscard]] at::Device device() const { return embedding.device(); }
};
struct LoadOptions {
  at::Device device = at::kCPU;
  bool strict = false;  ///< refuse unused extra tensors instead of one warning
  /// Called with every tensor in one fixed order when it stands on the device; on ranks that do not read (see
  /// `reads`), it fills the tensor. How several GPUs share one reader; empty: this process reads all.
  std::function<void(at::Tensor&)> share;
  bool reads = true;
};
/// Reads the safetensors of a folder (one file or a sharded index; F32, F16, BF16) as float32. BadInput for every
/// malformed file, missing tensor, wrong shape, NaN or Inf. Float32 tensors on the CPU are the mapped file itself: shared
/// by the ranks of a node, and not to be written to.
Weights load_weights(const std::filesystem::path& folder, const ModelConfig& config, const LoadOptions& options);
/// xxh64 of the folder's config.json and weight files, without loading.
std::string hash_model(const std::filesystem::path& folder);
/// xxh64 of the weights' bytes in memory: equal before and after a block, or something wrote to them.
std::string hash_memory(const Weights& weights);

// ---- packed texts ------------------------------------------------------------------------------------------------

/// A prompt and the answers that continue it. Each answer sees the prompt and itself only, so the prompt is computed once.
struct TokenTree {
  std::vector<int> prompt;
  std::vector<std::vector<int>> answers;
  int edit_start = 0;  ///< position from which edits act (0: everywhere); position = index in prompt + answer
};
enum class Keep {
  answers,   ///< logits that predict the answers' tokens; the last token of each answer is not computed
  last,      ///< the last token of the prompt (answers must be empty): probes, first generated token
  all        ///< every token of the prompt but the last predicts the next one (answers must be empty): running text
};
/// Trees packed into one row of T tokens without padding; attention unpacks them to [trees, S].
struct TokenBatch {
  int trees = 0, tokens = 0, longest = 0;  ///< number of trees, T, S
  at::Tensor ids, positions;               ///< int64 [T]
  at::Tensor slot;     ///< int64 [T]: index of each token in the padded [trees * S] layout
  at::Tensor token_at; ///< int64 [trees * S]: the token of each slot; padding points to token 0 and is masked
  at::Tensor mask;     ///< float [trees, 1, S, S]: 0 where a token sees another, else -inf (a padding row sees itself)
  at::Tensor active;   ///< float [T]: 1 where edits act, else 0
  at::Tensor kept;     ///< int64 [R]: the tokens whose final states are needed, ascending
  // What is predicted where: entry n says that kept[entry_row[n]] predicts entry_id[n] as part of answer entry_answer[n].
  at::Tensor entry_row, entry_id, entry_answer;  ///< int64 [N]
  at::Tensor answer_tokens;                      ///< float [A]: tokens of each answer
  int answers = 0;                               ///< A, over all trees, tree by tree
};
TokenBatch pack(const std::vector<TokenTree>& trees, Keep keep, at::Device device);

// ---- edits as the forward sees them ------------------------------------------------------------------------------

/// One layer's edit of some lanes: r_out[lane] += active * gate * write, gate = <read, o> or 1.
struct LayerEdit {
  at::Tensor lanes;  ///< int64 [K']: which lanes; undefined: all, in order
  at::Tensor read;   ///< [K', C]; undefined: the gate is 1
  at::Tensor write;  ///< [K', E]
};
struct LaneEdits {
  int lanes = 1;                     ///< K
  std::map<int, LayerEdit> layers;   ///< by layer
  /// First edited layer, or L where nothing is edited.
  [[nodiscard]] int first_layer(int model_layers) const {
    return layers.empty() ? model_layers : layers.begin()->first;
  }
};

// ---- forward -----------------------------------------------------------------------------------------------------

/// The states of a batch where the first edited layer's o_proj begins; the same for all lanes.
struct Prefix {
  int layer = 0;        ///< L: the whole model was run, `residual` is the final state
  at::Tensor outputs;   ///< o [T, C], the input of o_proj; undefined at L
  at::Tensor residual;  ///< x + W_o o [T, E]; at L the final residual
};
/// Runs the layers below `layer` and the attention of `layer`, unedited, without gradients.
Prefix run_prefix(const Weights& weights, const TokenBatch& batch, int layer);

/// Final normed states [K, R, E] of the kept tokens of K lanes, from the prefix on. Differentiable in `edits`.
/// `prefix.layer` must not lie above the first edited layer.
at::Tensor run_lanes(const Weights& weights, const TokenBatch& batch, const Prefix& prefix, const LaneEdits& edits);
/// Logits [.., V] of normed states [.., E].
at::Tensor logits_of(const Weights& weights, const at::Tensor& states);
/// log p of each answer, summed over its tokens: [K, A] from normed states [K, R, E]. Nats.
at::Tensor answer_log_probs(const Weights& weights, const TokenBatch& batch, const at::Tensor& states);
/// log p of each entry (predicted token): [K, N].
at::Tensor entry_log_probs(const Weights& weights, const TokenBatch& batch, const at::Tensor& states);

/// Head outputs (input of o_proj) of every layer at the kept tokens: [R, L, C]. What probes read.
at::Tensor head_outputs(const Weights& weights, const TokenBatch& batch);

/// Token by token generation of K lanes x N prompts with a key-value cache; prompts may differ in length.
class Decoder {
 public:
  /// Runs the prompts (batch made with Keep::last, one tree a prompt, no answers), layers below the first edited
  /// layer once for all lanes. `room`: most tokens that `step` will append; longest prompt + room <= max_tokens.
  /// `weights` must outlive the decoder.
  Decoder(const Weights& weights, const TokenBatch& prompts, const LaneEdits& edits, int room);
  ~Decoder();
  Decoder(const Decoder&) = delete;
  /// Logits of the next token [K, N, V].
  [[nodiscard]] at::Tensor logits() const;
  /// Appends one token a lane and prompt, int64 [K, N]; edits act on it (every generated token lies at or after the
  /// last prompt token).
  void step(const at::Tensor& ids);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace headsweep
