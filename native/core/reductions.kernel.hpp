// Block kernels of reductions.hpp: a warp reduces one chunk of 4096 elements in the CPU kernels' order (lane t and,
// for float32, lane t + 32), one block joins the chunks' results by the same tree. 256 threads: eight chunks a block.
#pragma once

#include "core/block.hpp"

namespace dd {

inline constexpr unsigned reduction_block_threads = 256;
inline constexpr unsigned reduction_chunks_per_block = reduction_block_threads / warp_lanes;
inline constexpr std::size_t reduction_block_chunk = 4096;

struct AddStep {
  template <class T>
  DD_DEVICE static T map(T value) {
    return value;
  }
  template <class T>
  DD_DEVICE T operator()(T a, T b) const {
    return a + b;
  }
};

/// NaN wins, so that one NaN anywhere gives NaN.
struct MaxAbsStep {
  template <class T>
  DD_DEVICE static T map(T value) {
    return value < 0 ? -value : value;
  }
  template <class T>
  DD_DEVICE T operator()(T a, T b) const {
    return b > a || b != b ? b : a;
  }
};

/// results[c] = reduction of values[4096 c ... 4096 c + 4095].
template <class T, class Step>
struct ReduceChunks {
  static constexpr BlockShape shape{reduction_block_threads};
  template <class B>
  using Shared = NoShared;

  const T* values;
  T* results;
  std::size_t count;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    constexpr unsigned lanes_per_thread = 256 / sizeof(T) / warp_lanes;
    typename B::template Priv<T> partial(b);
    b.each([&](unsigned t) {
      const std::size_t chunk = std::size_t{b.block_x()} * reduction_chunks_per_block + t / warp_lanes;
      const std::size_t first = chunk * reduction_block_chunk;
      const std::size_t end = first + reduction_block_chunk < count ? first + reduction_block_chunk : count;
      T lanes[lanes_per_thread] = {};
      for (std::size_t i = first + t % warp_lanes; i < end; i += warp_lanes * lanes_per_thread) {
        for (unsigned lane = 0; lane < lanes_per_thread; ++lane) {
          const std::size_t element = i + lane * warp_lanes;
          if (element < end) lanes[lane] = Step()(lanes[lane], Step::map(values[element]));
        }
      }
      for (unsigned half = lanes_per_thread / 2; half > 0; half /= 2) {
        for (unsigned lane = 0; lane < half; ++lane) lanes[lane] = Step()(lanes[lane], lanes[lane + half]);
      }
      partial[t] = lanes[0];
    });
    b.warp_reduce(partial, Step());
    b.each([&](unsigned t) {
      const std::size_t chunk = std::size_t{b.block_x()} * reduction_chunks_per_block + t / warp_lanes;
      if (t % warp_lanes == 0 && chunk * reduction_block_chunk < count) results[chunk] = partial[t];
    });
  }
};

/// results[c] = inner product of the two chunks c, in float64.
template <class T>
struct DotChunks {
  static constexpr BlockShape shape{reduction_block_threads};
  template <class B>
  using Shared = NoShared;

  const T* a;
  const T* b;
  double* results;
  std::size_t count;

  template <class B>
  DD_DEVICE void operator()(B& block, Shared<B>&) const {
    typename B::template Priv<double> partial(block);
    block.each([&](unsigned t) {
      const std::size_t chunk = std::size_t{block.block_x()} * reduction_chunks_per_block + t / warp_lanes;
      const std::size_t first = chunk * reduction_block_chunk;
      const std::size_t end = first + reduction_block_chunk < count ? first + reduction_block_chunk : count;
      double lane = 0;
      for (std::size_t i = first + t % warp_lanes; i < end; i += warp_lanes) {
        lane = lane + static_cast<double>(a[i]) * static_cast<double>(b[i]);
      }
      partial[t] = lane;
    });
    block.warp_reduce(partial, AddStep());
    block.each([&](unsigned t) {
      const std::size_t chunk = std::size_t{block.block_x()} * reduction_chunks_per_block + t / warp_lanes;
      if (t % warp_lanes == 0 && chunk * reduction_block_chunk < count) results[chunk] = partial[t];
    });
  }
};

/// *result = tree over results[0 ... chunks - 1], which is overwritten; 0 when there are none. One block.
template <class T, class Step>
struct JoinChunks {
  static constexpr BlockShape shape{reduction_block_threads};
  template <class B>
  using Shared = NoShared;

  T* results;
  T* result;
  std::size_t chunks;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    for (std::size_t step = 1; step < chunks; step *= 2) {
      b.each([&](unsigned t) {
        for (std::size_t i = std::size_t{t} * 2 * step; i + step < chunks; i += std::size_t{B::threads} * 2 * step) {
          results[i] = Step()(results[i], results[i + step]);
        }
      });
    }
    b.each([&](unsigned t) {
      if (t == 0) *result = chunks == 0 ? T(0) : results[0];
    });
  }
};

/// *result = count, before FirstNonFinite lowers it.
struct SetIndex {
  static constexpr BlockShape shape{warp_lanes};
  template <class B>
  using Shared = NoShared;

  std::uint64_t* result;
  std::uint64_t value;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    b.each([&](unsigned t) {
      if (t == 0) *result = value;
    });
  }
};

/// *result = min(*result, index of the first NaN or infinity); 8 elements a thread.
template <class T>
struct FirstNonFinite {
  static constexpr BlockShape shape{reduction_block_threads};
  static constexpr unsigned per_thread = 8;
  template <class B>
  using Shared = NoShared;

  const T* values;
  std::uint64_t* result;
  std::size_t count;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    typename B::template Priv<std::uint64_t> first(b);
    b.each([&](unsigned t) {
      std::uint64_t found = count;
      const std::size_t begin = std::size_t{b.block_x()} * B::threads * per_thread + t;
      for (unsigned turn = per_thread; turn > 0; --turn) {
        const std::size_t i = begin + std::size_t{turn - 1} * B::threads;
        if (i < count && !(values[i] - values[i] == 0)) found = i;
      }
      first[t] = found;
    });
    b.warp_reduce(first, [](std::uint64_t a, std::uint64_t b2) { return a < b2 ? a : b2; });
    b.each([&](unsigned t) {
      const std::uint64_t found = first[t];
      if (t % warp_lanes == 0 && found < count) b.atomic_min(*result, found);
    });
  }
};

}  // namespace dd

DD_BLOCK_KERNEL(sum_chunks_float32, dd::ReduceChunks<float, dd::AddStep>)
DD_BLOCK_KERNEL(sum_chunks_float64, dd::ReduceChunks<double, dd::AddStep>)
DD_BLOCK_KERNEL(sum_join_float32, dd::JoinChunks<float, dd::AddStep>)
DD_BLOCK_KERNEL(sum_join_float64, dd::JoinChunks<double, dd::AddStep>)
DD_BLOCK_KERNEL(dot_chunks_float32, dd::DotChunks<float>)
DD_BLOCK_KERNEL(dot_chunks_float64, dd::DotChunks<double>)
DD_BLOCK_KERNEL(max_abs_chunks_float32, dd::ReduceChunks<float, dd::MaxAbsStep>)
DD_BLOCK_KERNEL(max_abs_chunks_float64, dd::ReduceChunks<double, dd::MaxAbsStep>)
DD_BLOCK_KERNEL(max_abs_join_float32, dd::JoinChunks<float, dd::MaxAbsStep>)
DD_BLOCK_KERNEL(max_abs_join_float64, dd::JoinChunks<double, dd::MaxAbsStep>)
DD_BLOCK_KERNEL(set_index, dd::SetIndex)
DD_BLOCK_KERNEL(first_non_finite_float32, dd::FirstNonFinite<float>)
DD_BLOCK_KERNEL(first_non_finite_float64, dd::FirstNonFinite<double>)
