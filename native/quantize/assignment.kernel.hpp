// Block kernels of budgeted assignment: a thread does a group of logits, or one budget of a knapsack row. Every element
// is computed as on the CPU, so that only the exponential may differ.
#pragma once

#include "core/block.hpp"

namespace dd::quantize {

DD_DEVICE inline double exponential(double x) {
#ifdef __CUDACC__
  return ::exp(x);
#else
  return std::exp(x);
#endif
}

/// Moments of the costs under softmax(alpha + shift c), and their gradient where `normal` is not null.
struct RcoMomentsBlock {
  static constexpr BlockShape shape{128};
  template <class B>
  using Shared = NoShared;

  std::size_t groups, options;
  const double* alpha;
  const double* weights;
  const double* costs;
  double shift;
  double* mean;
  double* variance;
  double* normal;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    b.each([&](unsigned t) {
      const std::size_t i = std::size_t{b.block_x()} * B::threads + t;
      if (i >= groups) return;
      const double* const row = alpha + i * options;
      double largest = row[0] + shift * costs[0];
      for (std::size_t k = 1; k < options; ++k) {
        const double logit = row[k] + shift * costs[k];
        largest = logit > largest ? logit : largest;
      }
      double sum = 0, first = 0;
      for (std::size_t k = 0; k < options; ++k) {
        const double p = exponential(row[k] + shift * costs[k] - largest);
        sum += p;
        first += p * costs[k];
      }
      const double centre = first / sum;
      double second = 0;
      for (std::size_t k = 0; k < options; ++k) {
        const double p = exponential(row[k] + shift * costs[k] - largest) / sum;
        const double above = costs[k] - centre;
        second += p * above * above;
        if (normal != nullptr) normal[i * options + k] = weights[i] * p * above;
      }
      mean[i] = weights[i] * centre;
      variance[i] = weights[i] * second;
    });
  }
};

/// out_ik += s_ik (g_ik - sum_l s_il g_il) scale / tau with s = softmax(z / tau).
struct RcoGradientBlock {
  static constexpr BlockShape shape{128};
  template <class B>
  using Shared = NoShared;

  std::size_t groups, options;
  const double* z;
  const double* gradient;
  double tau, scale;
  double* out;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    b.each([&](unsigned t) {
      const std::size_t i = std::size_t{b.block_x()} * B::threads + t;
      if (i >= groups) return;
      const double* const row = z + i * options;
      const double* const g = gradient + i * options;
      double largest = row[0];
      for (std::size_t k = 1; k < options; ++k) largest = row[k] > largest ? row[k] : largest;
      double sum = 0, along = 0;
      for (std::size_t k = 0; k < options; ++k) {
        const double s = exponential((row[k] - largest) / tau);
        sum += s;
        along += s * g[k];
      }
      along /= sum;
      for (std::size_t k = 0; k < options; ++k) {
        const double s = exponential((row[k] - largest) / tau) / sum;
        out[i * options + k] += s * (g[k] - along) * (scale / tau);
      }
    });
  }
};

/// next_b = min_k previous_{b - cost_k} + value_k for b < width, and the k.
struct KnapsackRowBlock {
  static constexpr BlockShape shape{256};
  template <class B>
  using Shared = NoShared;

  std::size_t options;
  const double* values;
  const std::int64_t* costs;
  const double* previous;
  double* next;
  std::uint8_t* pointers;
  std::size_t width;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    b.each([&](unsigned t) {
      const std::size_t budget = std::size_t{b.block_x()} * B::threads + t;
      if (budget >= width) return;
      double best = infinity();
      std::uint8_t position = 0;
      for (std::size_t k = 0; k < options; ++k) {
        const auto cost = static_cast<std::size_t>(costs[k]);
        if (cost > budget) continue;
        const double candidate = previous[budget - cost] + values[k];
        if (candidate < best) {
          best = candidate;
          position = static_cast<std::uint8_t>(k);
        }
      }
      next[budget] = best;
      if (pointers != nullptr) pointers[budget] = position;
    });
  }

 private:
  DD_DEVICE static double infinity() { return static_cast<double>(INFINITY); }
};

}  // namespace dd::quantize

DD_BLOCK_KERNEL(rco_moments_block, dd::quantize::RcoMomentsBlock)
DD_BLOCK_KERNEL(rco_gradient_block, dd::quantize::RcoGradientBlock)
DD_BLOCK_KERNEL(knapsack_row_block, dd::quantize::KnapsackRowBlock)
