// Kernel K2 and the step of a walk on blocks. Sums run over threads by stride, then through the warp, then over the
// warps in order: fixed, but not the order of the CPU kernel.
#pragma once

#include "core/block.hpp"

namespace dd::dmmv {

template <class T>
DD_DEVICE inline T row_excess(T z, T target, const T* upper, const T* lower, std::size_t i) {
  if (upper == nullptr) return (z < 0 ? -z : z) - target;
  const T above = z - upper[i];
  const T below = lower[i] - z;
  return above > below ? above : below;
}

/// One block for each pair of moves.
template <class T>
struct DictionaryPenaltyBlock {
  static constexpr BlockShape shape{128};
  static constexpr unsigned warps = 128 / warp_lanes;
  template <class B>
  struct Shared {
    typename B::template Arr<T, 2 * warps> sums;
  };

  const T* moves;
  const T* residual;
  const T* weight;
  const T* upper;
  const T* lower;
  T* out;
  std::size_t rows;
  std::size_t stride;
  T target;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>& s) const {
    const std::size_t pair = b.block_x();
    const auto add = [](T a, T c) { return a + c; };
    typename B::template Priv<T> plus(b), minus(b);
    b.each([&](unsigned t) {
      T forward = 0, backward = 0;
      for (std::size_t i = t; i < rows; i += B::threads) {
        const T effect = moves[i + stride * pair];
        const T up = row_excess(residual[i] + effect, target, upper, lower, i);
        const T down = row_excess(residual[i] - effect, target, upper, lower, i);
        forward += weight[i] * (up > 0 ? up : T(0));
        backward += weight[i] * (down > 0 ? down : T(0));
      }
      plus[t] = forward;
      minus[t] = backward;
    });
    b.warp_reduce(plus, add);
    b.warp_reduce(minus, add);
    b.each([&](unsigned t) {
      if (t % warp_lanes != 0) return;
      s.sums[t / warp_lanes] = plus[t];
      s.sums[warps + t / warp_lanes] = minus[t];
    });
    b.each([&](unsigned t) {
      if (t > 1) return;
      T sum = s.sums[t * warps];
      for (unsigned w = 1; w < warps; ++w) {
        const T other = s.sums[t * warps + w];
        sum += other;
      }
      out[2 * pair + t] = sum;
    });
  }
};

/// One block does all rows; result[0] = largest excess, result[1] = penalty.
struct WalkStepBlock {
  static constexpr BlockShape shape{256};
  static constexpr unsigned warps = 256 / warp_lanes;
  template <class B>
  struct Shared {
    typename B::template Arr<double, 2 * warps> parts;
  };

  const double* effect;
  double* residual;
  double* weight;
  const double* upper;
  const double* lower;
  double* result;
  std::size_t rows;
  double target;
  double sign;
  double increment;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>& s) const {
    typename B::template Priv<double> largest(b), penalty(b);
    b.each([&](unsigned t) {
      double top = -static_cast<double>(INFINITY);
      double sum = 0;
      for (std::size_t i = t; i < rows; i += B::threads) {
        const double before = residual[i];
        double w = weight[i];
        if (w > 0 && row_excess(before, target, upper, lower, i) > 0) w += increment;
        const double after = before + sign * effect[i];
        const double excess = row_excess(after, target, upper, lower, i);
        if (w > 0 && excess > top) top = excess;
        sum += w * (excess > 0 ? excess : 0.0);
        residual[i] = after;
        weight[i] = w;
      }
      largest[t] = top;
      penalty[t] = sum;
    });
    b.warp_reduce(largest, [](double a, double c) { return a > c ? a : c; });
    b.warp_reduce(penalty, [](double a, double c) { return a + c; });
    b.each([&](unsigned t) {
      if (t % warp_lanes != 0) return;
      s.parts[t / warp_lanes] = largest[t];
      s.parts[warps + t / warp_lanes] = penalty[t];
    });
    b.each([&](unsigned t) {
      if (t > 0) return;
      double top = s.parts[0];
      double sum = s.parts[warps];
      for (unsigned w = 1; w < warps; ++w) {
        const double other = s.parts[w];
        const double more = s.parts[warps + w];
        top = other > top ? other : top;
        sum += more;
      }
      result[0] = top;
      result[1] = sum;
    });
  }
};

}  // namespace dd::dmmv

DD_BLOCK_KERNEL(dmmv_dictionary_penalty_float32, dd::dmmv::DictionaryPenaltyBlock<float>)
DD_BLOCK_KERNEL(dmmv_dictionary_penalty_float64, dd::dmmv::DictionaryPenaltyBlock<double>)
DD_BLOCK_KERNEL(dmmv_walk_step_float64, dd::dmmv::WalkStepBlock)
