// model: the fused loops on tensors.
#include "model/ops.hpp"

#include <ATen/Context.h>
#include <ATen/core/dispatch/Dispatcher.h>

namespace headsweep::ops {
namespace {

using Linear = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
                          std::string_view, c10::List<std::optional<at::Scalar>>,
                          std::optional<std::string_view>);

/// oneDNN's product, where this torch has it: on CPUs faster than the default at these shapes
/// (tests/bench/RESULTS.md).
const std::optional<c10::TypedOperatorHandle<Linear>>& onednn_linear() {
  static const auto found = []() -> std::optional<c10::TypedOperatorHandle<Linear>> {
    const auto handle = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
    if (!handle || !handle->hasKernelForDispatchKey(c10::DispatchKey::CPU)) return std::nullopt;
    return handle->typed<Linear>();
  }();
  return found;
}

/// oneDNN compiles and keeps a program for each number of rows: few numbers, few programs.
constexpr std::int64_t row_step = 64;
std::int64_t rows_with_room(std::int64_t rows) { return (rows + row_step - 1) / row_step * row_step; }

/// The rows of x and those that lie behind them in memory, of which nothing is used: [whole steps, width].
at::Tensor with_room(const at::Tensor& x) {
  const std::int64_t width = x.size(-1), rows = x.numel() / width, room = rows_with_room(rows);
  const auto end = static_cast<std::size_t>(x.storage_offset() + room * width) * x.element_size();
  if (x.is_contiguous() && end <= x.storage().nbytes()) return x.as_strided({room, width}, {width, 1});
  at::Tensor copy = empty_rows({rows, width}, x.options());
  copy.copy_(x.reshape({rows, width}));
  return copy.as_strided({room, width}, {width, 1});
}

/// Lets torch take its fastest ways while it lives: for what no order can change.
class AnyOrder {
 public:
  AnyOrder() { context_.setDeterministicAlgorithms(false, warns_only_); }
  ~AnyOrder() { context_.setDeterministicAlgorithms(ordered_, warns_only_); }
  AnyOrder(const AnyOrder&) = delete;

 private:
  at::Context& context_ = at::globalContext();
  bool ordered_ = context_.deterministicAlgorithms(),
       warns_only_ = context_.deterministicAlgorithmsWarnOnly();
};

}  // namespace

at::Tensor empty_rows(at::IntArrayRef shape, const at::TensorOptions& options) {
  if (options.device().is_cuda()) return at::empty(shape, options);
  const std::int64_t width = shape.back(), rows = c10::multiply_integers(shape) / width,
                     room = rows_with_room(rows);
  at::Tensor all = at::empty({room, width}, options);
  all.narrow(0, rows, room - rows).zero_();
  return all.narrow(0, 0, rows).view(shape);
}

at::Tensor product(const at::Tensor& x, const at::Tensor& matrix) {
  const auto& onednn = onednn_linear();
  if (!x.is_cpu() || !onednn) return at::linear(x, matrix);
  const std::int64_t width = x.size(-1), rows = x.numel() / width;
  auto shape = x.sizes().vec();
  shape.back() = matrix.size(0);
  const at::Tensor out =
      onednn->call(with_room(x), matrix, std::nullopt, "none", c10::List<std::optional<at::Scalar>>(), "");
  return out.narrow(0, 0, rows).view(shape);
}

at::Tensor product_backward(const at::Tensor& gradient, const at::Tensor& matrix) {
  return product(gradient, matrix.t());
}

void put_rows(const at::Tensor& target, std::int64_t axis, const at::Tensor& places, const at::Tensor& rows) {
  const AnyOrder any_order;
  target.index_copy_(axis, places, rows);
}
void add_rows(const at::Tensor& target, std::int64_t axis, const at::Tensor& places, const at::Tensor& rows) {
  const AnyOrder any_order;
  target.index_add_(axis, places, rows);
}

Normed norm(at::Tensor& x, const at::Tensor& added, at::ScalarType low, double eps) {
  const auto rows = x.sizes().slice(0, static_cast<std::size_t>(x.dim() - 1));
  Normed normed{empty_rows(x.sizes(), x.options().dtype(low)), at::empty(rows, x.options())};
  run(kernels::NormForward{.x = data<float>(x),
                           .y = data(added),
                           .h = data(normed.values),
                           .scale = data<float>(normed.scale),
                           .n = normed.scale.numel(),
                           .width = x.size(-1),
                           .eps = static_cast<float>(eps)},
      low, x.device());
  return normed;
}

at::Tensor norm_backward(const at::Tensor& gradient, const Normed& normed, at::Tensor& dx) {
  at::Tensor low = empty_rows(gradient.sizes(), gradient.options());
  run(kernels::NormBackward{.dh = data(gradient),
                            .h = data(normed.values),
                            .scale = data<float>(normed.scale),
                            .dx = data<float>(dx),
                            .low = data(low),
                            .n = normed.scale.numel(),
                            .width = dx.size(-1)},
      gradient.scalar_type(), dx.device());
  return low;
}

at::Tensor swiglu(const at::Tensor& gate_up) {
  auto shape = gate_up.sizes().vec();
  shape.back() /= 2;
  at::Tensor out = empty_rows(shape, gate_up.options());
  run(
      kernels::SwigluForward{
          .gate_up = data(gate_up), .out = data(out), .n = out.numel() / shape.back(), .width = shape.back()},
      gate_up.scalar_type(), gate_up.device());
  return out;
}

void swiglu_backward(at::Tensor& gate_up, const at::Tensor& gradient) {
  const std::int64_t width = gradient.size(-1);
  run(
      kernels::SwigluBackward{
          .gate_up = data(gate_up), .dout = data(gradient), .n = gradient.numel() / width, .width = width},
      gate_up.scalar_type(), gate_up.device());
}

at::Tensor weighted_sum(const at::Tensor& factor, const at::Tensor& rows, const at::Tensor& lanes) {
  const std::int64_t count = lanes.defined() ? lanes.size(0) : rows.size(0);
  at::Tensor out = at::empty({count, rows.size(2)}, factor.options());
  run(kernels::WeightedSum{.factor = data<float>(factor),
                           .values = data(rows),
                           .lanes = data<std::int64_t>(lanes),
                           .out = data<float>(out),
                           .n = count,
                           .tokens = rows.size(1),
                           .width = rows.size(2)},
      rows.scalar_type(), rows.device());
  return out;
}

at::Tensor log_sum_exp(const at::Tensor& logits) {
  const auto rows = logits.sizes().slice(0, static_cast<std::size_t>(logits.dim() - 1));
  at::Tensor out = at::empty(rows, logits.options().dtype(at::kFloat));
  run(
      kernels::LogSumExp{
          .x = data(logits), .out = data<float>(out), .n = out.numel(), .width = logits.size(-1)},
      logits.scalar_type(), logits.device());
  return out;
}

}  // namespace headsweep::ops
