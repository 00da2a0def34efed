// eval: how far edits move the model's predictions along given tokens. In: packed texts, edits; out: nats per
// token.
#pragma once

#include <headsweep/model.hpp>
#include <vector>

namespace headsweep {

/// [K][A], each a mean over the tokens of one answer (of one document, where the batch keeps all tokens).
struct Drift {
  std::vector<std::vector<double>> kl;  ///< KL(pi0 || edited) of the whole next-token distributions
  std::vector<std::vector<double>> cross_entropy;  ///< of the tokens that follow
};
/// `unedited` [1, R, E]: the final normed states of the unedited model.
Drift measure_drift(const Weights& weights, const TokenBatch& batch, const at::Tensor& unedited,
                    const at::Tensor& edited);

}  // namespace headsweep
