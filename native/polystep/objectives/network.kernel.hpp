// Layers of hard models on blocks: a thread a unit and sample, sums in the order of the CPU.
#pragma once

#include "core/block.hpp"

namespace dd::polystep {

/// As DenseRows. Grid: rows x columns over the width.
template <class T>
struct DenseRowsBlock {
  static constexpr BlockShape shape{128};
  template <class B>
  using Shared = NoShared;

  std::size_t rows;
  std::size_t columns;
  std::size_t terms;
  const T* weights;
  std::size_t weight_stride;
  const std::uint32_t* weight_columns;
  const T* inputs;
  const std::uint32_t* input_rows;
  const T* bias;
  const T* start;
  T* out;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    const std::size_t first = std::size_t{b.block_x()} * B::threads;
    b.each([&](unsigned t) {
      const std::size_t i = first + t;
      if (i >= rows * columns) return;
      const std::size_t row = i / columns, column = i % columns;
      T sum = start == nullptr ? T(0) : start[i];
      if (bias != nullptr) sum += bias[row];
      for (std::size_t k = 0; k < terms; ++k) {
        const std::size_t at = weight_columns == nullptr ? k : weight_columns[k];
        const std::size_t from = input_rows == nullptr ? k : input_rows[k];
        sum += weights[row * weight_stride + at] * inputs[from * columns + column];
      }
      out[i] = sum;
    });
  }
};

/// As Activate. Grid: count over the width.
template <class T>
struct ActivateBlock {
  static constexpr BlockShape shape{128};
  template <class B>
  using Shared = NoShared;

  unsigned kind;
  T levels;
  const T* in;
  T* out;
  std::size_t count;

  DD_DEVICE T value(T x) const {
    switch (kind) {
      case 1:
        return x < T(0) ? T(0) : x;
      case 2:
        return x > T(0) ? T(1) : x < T(0) ? T(-1) : x - x;
      case 3:
        return std::floor(levels * (T(1) / (T(1) + std::exp(-x)))) / levels;
      case 4:
        return std::tanh(x);
      case 5:
        return x > T(0) ? T(1) : T(0);
      default:
        return x;
    }
  }

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    const std::size_t first = std::size_t{b.block_x()} * B::threads;
    b.each([&](unsigned t) {
      if (first + t < count) out[first + t] = value(in[first + t]);
    });
  }
};

/// As LifRows. Grid: rows x 16 over the width.
template <class T>
struct LifRowsBlock {
  static constexpr BlockShape shape{128};
  template <class B>
  using Shared = NoShared;

  std::size_t rows;
  std::size_t ticks;
  std::size_t current_ticks;
  T beta;
  T threshold;
  bool counts;
  const T* currents;
  T* out;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    const std::size_t first = std::size_t{b.block_x()} * B::threads;
    b.each([&](unsigned t) {
      const std::size_t i = first + t;
      if (i >= rows * 16) return;
      const std::size_t row = i / 16, lane = i % 16;
      T v = 0, spikes = 0;
      for (std::size_t tick = 0; tick < ticks; ++tick) {
        v = beta * v + currents[(row * current_ticks + (current_ticks == 1 ? 0 : tick)) * 16 + lane];
        const T spike = v >= threshold ? T(1) : T(0);
        if (v >= threshold) v = 0;
        spikes += spike;
        if (!counts) out[(row * ticks + tick) * 16 + lane] = spike;
      }
      if (counts) out[i] = spikes;
    });
  }
};

/// As CrossEntropy, for groups one after another. Grid: groups.
template <class T>
struct CrossEntropyBlock {
  static constexpr BlockShape shape{16};
  template <class B>
  using Shared = NoShared;

  std::size_t classes;
  const T* logits;
  const std::int32_t* labels;
  T* losses;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    const std::size_t group = b.block_x();
    b.each([&](unsigned lane) {
      const T* const z = logits + group * classes * 16 + lane;
      const std::int32_t label = labels[group * 16 + lane];
      T largest = z[0];
      if (classes == 1 && largest < T(0)) largest = 0;
      for (std::size_t r = 1; r < classes; ++r) largest = z[r * 16] > largest ? z[r * 16] : largest;
      T sum = classes == 1 ? std::exp(-largest) : T(0);
      for (std::size_t r = 0; r < classes; ++r) sum += std::exp(z[r * 16] - largest);
      const T own = classes == 1 ? (label == 0 ? T(0) : z[0]) : z[static_cast<std::size_t>(label) * 16];
      losses[group * 16 + lane] = std::log(sum) + (largest - own);
    });
  }
};

/// As ResponseSums, a thread a candidate. Grid: candidates over the width.
template <class T>
struct ResponseSumsBlock {
  static constexpr BlockShape shape{64};
  template <class B>
  using Shared = NoShared;

  std::size_t candidates;
  std::size_t terms;
  const T* differences;
  const T* inputs;
  const std::uint32_t* input_rows;
  const T* pre;
  ActivateBlock<T> activation;
  std::size_t steps;
  const T* step;
  const T* losses;
  std::size_t valid;
  double* sums;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    const std::size_t first = std::size_t{b.block_x()} * B::threads;
    b.each([&](unsigned t) {
      const std::size_t i = first + t;
      if (i >= candidates) return;
      double total = 0;
      for (std::size_t c = 0; c < valid; ++c) {
        T sum = pre[c];
        for (std::size_t k = 0; k < terms; ++k) {
          sum += differences[i * terms + k] * inputs[std::size_t{input_rows[k]} * 16 + c];
        }
        const T value = activation.value(sum);
        std::size_t row = 0;
        for (std::size_t j = 0; j < steps; ++j) row += value >= step[j] ? 1 : 0;
        if (!(value == value)) row = steps + 1;
        total += static_cast<double>(losses[row * 16 + c]);
      }
      sums[i] += total;
    });
  }
};

}  // namespace dd::polystep

DD_BLOCK_KERNEL(dense_rows_float32, dd::polystep::DenseRowsBlock<float>)
DD_BLOCK_KERNEL(dense_rows_float64, dd::polystep::DenseRowsBlock<double>)
DD_BLOCK_KERNEL(activate_float32, dd::polystep::ActivateBlock<float>)
DD_BLOCK_KERNEL(activate_float64, dd::polystep::ActivateBlock<double>)
DD_BLOCK_KERNEL(lif_rows_float32, dd::polystep::LifRowsBlock<float>)
DD_BLOCK_KERNEL(lif_rows_float64, dd::polystep::LifRowsBlock<double>)
DD_BLOCK_KERNEL(cross_entropy_float32, dd::polystep::CrossEntropyBlock<float>)
DD_BLOCK_KERNEL(cross_entropy_float64, dd::polystep::CrossEntropyBlock<double>)
DD_BLOCK_KERNEL(response_sums_float32, dd::polystep::ResponseSumsBlock<float>)
DD_BLOCK_KERNEL(response_sums_float64, dd::polystep::ResponseSumsBlock<double>)
