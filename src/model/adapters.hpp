// model, private: adapters of any rank at the linear layers, of all lanes at once, on rows of packed texts or
// of the decoder.
#pragma once

#include <headsweep/model.hpp>
#include <map>

namespace headsweep::llama {

/// What adapters leave for their backward: the gates active * x A^T [K, n, rank], by target.
using Gates = std::map<EditTarget, at::Tensor>;

/// The rows that adapters act on.
struct AdaptedRows {
  at::Tensor active, active_asking;  ///< [T], and of the Q tokens whose states are wanted; undefined: 1
  /// int64 [n]: the place of each row among `slots`, which stand lane by lane; undefined: rows are [K, n].
  at::Tensor slot = {};
  std::int64_t slots = 0;
};

/// The adapters of one layer on some rows.
class LayerAdapters {
 public:
  LayerAdapters() = default;  ///< none
  LayerAdapters(const LaneEdits& edits, int layer, const AdaptedRows& rows);
  /// out [.., n, outputs] += (x A^T) B of the target, if it has an adapter; `gates` may be null.
  void add(EditTarget target, const at::Tensor& x, const at::Tensor& out, Gates* gates) const;
  [[nodiscard]] bool has(EditTarget target) const {
    return adapters_ != nullptr && adapters_->contains(target);
  }

 private:
  const std::map<EditTarget, Adapter>* adapters_ = nullptr;
  AdaptedRows rows_;
};

/// The gradients of one layer's adapters, target by target, on packed texts.
class AdapterGradients {
 public:
  AdapterGradients(const LaneEdits& edits, int layer, const AdaptedRows& rows, const Gates& gates);
  [[nodiscard]] bool has(EditTarget target) const {
    return adapters_ != nullptr && adapters_->contains(target);
  }
  /// From x [K, n, inputs] and the gradient of the output [K, n, outputs]; that of x takes its share, if
  /// given.
  void take(EditTarget target, const at::Tensor& x, const at::Tensor& out_gradient,
            const at::Tensor& x_gradient);
  [[nodiscard]] std::map<EditTarget, Adapter>& found() { return found_; }

 private:
  const std::map<EditTarget, Adapter>* adapters_ = nullptr;
  const AdaptedRows& rows_;
  const Gates& gates_;
  std::map<EditTarget, Adapter> found_;
};

}  // namespace headsweep::llama
