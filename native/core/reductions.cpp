// Chunks of the reductions dealt over the pool and joined by a tree that depends on the number of chunks only.
#include "core/reductions.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "core/reductions_isa.hpp"
#include "core/thread_pool.hpp"

namespace dd {
namespace {

// Work smaller than this is not worth waking a thread for.
constexpr std::size_t chunks_per_task = 16;

/// chunk_kernel(first, count) reduces the elements [first, first + count).
template <class Result, class ChunkKernel, class Join>
Result reduce_chunks(std::size_t count, std::size_t threads, ChunkKernel chunk_kernel, Join join) {
  const std::size_t chunks = (count + reduction_chunk - 1) / reduction_chunk;
  if (chunks == 0) return Result(0);
  if (chunks == 1) return chunk_kernel(std::size_t{0}, count);
  std::vector<Result> results(chunks);
  parallel_for(threads, chunks, chunks_per_task, [&](std::size_t begin, std::size_t end) {
    for (std::size_t chunk = begin; chunk < end; ++chunk) {
      const std::size_t first = chunk * reduction_chunk;
      results[chunk] = chunk_kernel(first, std::min(reduction_chunk, count - first));
    }
  });
  for (std::size_t step = 1; step < chunks; step *= 2) {
    for (std::size_t i = 0; i + step < chunks; i += 2 * step) results[i] = join(results[i], results[i + step]);
  }
  return results[0];
}

template <class T, class ChunkKernel, class Join>
T reduce(std::span<const T> values, std::size_t threads, ChunkKernel chunk_kernel, Join join) {
  return reduce_chunks<T>(
      values.size(), threads,
      [&](std::size_t first, std::size_t count) { return chunk_kernel(values.data() + first, count); }, join);
}

template <class T, class ChunkKernel>
double dot_product(std::span<const T> a, std::span<const T> b, std::size_t threads, ChunkKernel chunk_kernel) {
  return reduce_chunks<double>(
      a.size(), threads,
      [&](std::size_t first, std::size_t count) { return chunk_kernel(a.data() + first, b.data() + first, count); },
      [](double left, double right) { return left + right; });
}

template <class T>
T join_max(T a, T b) noexcept {
  return b > a || std::isnan(b) ? b : a;
}

template <class T, class ChunkKernel>
std::size_t find_first(std::span<const T> values, std::size_t threads, ChunkKernel chunk_kernel) {
  const std::size_t chunks = (values.size() + reduction_chunk - 1) / reduction_chunk;
  std::atomic<std::size_t> found{values.size()};
  parallel_for(threads, chunks, chunks_per_task, [&](std::size_t begin, std::size_t end) {
    for (std::size_t chunk = begin; chunk < end; ++chunk) {
      const std::size_t first = chunk * reduction_chunk;
      if (first >= found.load(std::memory_order_relaxed)) return;
      const std::size_t count = std::min(reduction_chunk, values.size() - first);
      const std::size_t hit = chunk_kernel(values.data() + first, count);
      if (hit == count) continue;
      std::size_t best = found.load(std::memory_order_relaxed);
      while (first + hit < best && !found.compare_exchange_weak(best, first + hit, std::memory_order_relaxed)) {
      }
      return;
    }
  });
  return found.load();
}

}  // namespace

float sum(std::span<const float> values, std::size_t threads) {
  return reduce(values, threads, sum_chunk_float32, [](float a, float b) { return a + b; });
}
double sum(std::span<const double> values, std::size_t threads) {
  return reduce(values, threads, sum_chunk_float64, [](double a, double b) { return a + b; });
}
double dot(std::span<const float> a, std::span<const float> b, std::size_t threads) {
  return dot_product(a, b, threads, dot_chunk_float32);
}
double dot(std::span<const double> a, std::span<const double> b, std::size_t threads) {
  return dot_product(a, b, threads, dot_chunk_float64);
}
float max_abs(std::span<const float> values, std::size_t threads) {
  return reduce(values, threads, max_abs_chunk_float32, join_max<float>);
}
double max_abs(std::span<const double> values, std::size_t threads) {
  return reduce(values, threads, max_abs_chunk_float64, join_max<double>);
}
std::size_t first_non_finite(std::span<const float> values, std::size_t threads) {
  return find_first(values, threads, first_non_finite_chunk_float32);
}
std::size_t first_non_finite(std::span<const double> values, std::size_t threads) {
  return find_first(values, threads, first_non_finite_chunk_float64);
}

}  // namespace dd
