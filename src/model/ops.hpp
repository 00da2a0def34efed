// model, private: the fused loops of module kernels on tensors, on the tensors' device. Operands of products
// are of the weights' number type ("low"), all else is float32.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <headsweep/kernels.hpp>

namespace headsweep::ops {

inline kernels::Number number_of(at::ScalarType type) {
  return type == at::kBFloat16 ? kernels::Number::bf16 : kernels::Number::f32;
}

/// All rows of an operation, in the threads of this process (at least `least` rows each) or on the GPU's
/// default stream.
template <class Operation>
void run(const Operation& operation, at::ScalarType number, at::Device device, std::int64_t least = 16) {
  if (device.is_cuda()) return kernels::launch(operation, number_of(number), nullptr);
  at::parallel_for(0, operation.rows(), least, [&](std::int64_t begin, std::int64_t end) {
    kernels::run(operation, number_of(number), begin, end);
  });
}

/// The same for operations that the CPU alone has.
template <class Operation>
void run_on_cpu(const Operation& operation, at::ScalarType number) {
  at::parallel_for(0, operation.rows(), 1, [&](std::int64_t begin, std::int64_t end) {
    kernels::run(operation, number_of(number), begin, end);
  });
}

/// Where a tensor's numbers lie; null for an undefined tensor.
template <class T = void>
T* data(const at::Tensor& tensor) {
  return tensor.defined() ? static_cast<T*>(tensor.data_ptr()) : nullptr;
}

/// An unfilled tensor whose rows `product` takes without a copy: the memory behind them is readable.
at::Tensor empty_rows(at::IntArrayRef shape, const at::TensorOptions& options);
/// The product with a frozen matrix: x [.., in] -> [.., out] by W [out, in], and its gradient [.., out] ->
/// [.., in].
at::Tensor product(const at::Tensor& x, const at::Tensor& matrix);
at::Tensor product_backward(const at::Tensor& gradient, const at::Tensor& matrix);

/// Writes rows to places [n] (int64) along an axis, or adds them there. The places differ, so that torch's
/// ordered way, which sorts them, is not needed.
void put_rows(const at::Tensor& target, std::int64_t axis, const at::Tensor& places, const at::Tensor& rows);
void add_rows(const at::Tensor& target, std::int64_t axis, const at::Tensor& places, const at::Tensor& rows);

/// x / rms(x) without gain, and 1 / rms(x).
struct Normed {
  at::Tensor values;  ///< low [.., E]
  at::Tensor scale;   ///< [..]
};
/// x += added (if defined; low), then the norm of x. x [.., E] float32.
Normed norm(at::Tensor& x, const at::Tensor& added, at::ScalarType low, double eps);
/// dx += the gradient through the norm; returns a low copy of dx.
at::Tensor norm_backward(const at::Tensor& gradient, const Normed& normed, at::Tensor& dx);

/// silu(gate) * up of [.., 2F]: low [.., F].
at::Tensor swiglu(const at::Tensor& gate_up);
/// Turns gate_up into its gradient.
void swiglu_backward(at::Tensor& gate_up, const at::Tensor& gradient);

/// sum_t factor[k, t] * rows[k, t]: [n, width] of the named lanes (int64 [n]; undefined: all) from [K, T] and
/// [K, T, width].
at::Tensor weighted_sum(const at::Tensor& factor, const at::Tensor& rows, const at::Tensor& lanes);

/// log(sum(exp)) over the last axis: float32.
at::Tensor log_sum_exp(const at::Tensor& logits);

}  // namespace headsweep::ops
