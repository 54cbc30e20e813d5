// Long vectors cut into pieces for the pool.
#include "linalg/vectors.hpp"

#include <vector>

#include "core/thread_pool.hpp"

namespace dd::linalg {
namespace {

constexpr std::size_t elements_per_task = std::size_t{1} << 16;

}  // namespace

template <class T>
void combine(std::span<const T* const> vectors, std::span<const T> weights, std::span<const T> addend, std::span<T> out,
             std::size_t threads) {
  parallel_for(threads, out.size(), elements_per_task, [&](std::size_t begin, std::size_t end) {
    std::vector<const T*> from(vectors.begin(), vectors.end());
    for (const T*& vector : from) vector += begin;
    combine_vectors(CombineVectors<T>{from.data(), weights.data(), from.size(),
                                      addend.empty() ? nullptr : addend.data() + begin, out.data() + begin,
                                      end - begin});
  });
}

template <class T>
void add_scaled(T a, std::span<const T> x, std::span<T> y, std::size_t threads) {
  const T* const vectors[] = {x.data()};
  const T weights[] = {a};
  combine<T>(vectors, weights, y, y, threads);
}

template <class T>
void scale_and_add(T a, std::span<const T> x, std::span<T> y, std::size_t threads) {
  const T* const vectors[] = {y.data()};
  const T weights[] = {a};
  combine<T>(vectors, weights, x, y, threads);
}

template void combine(std::span<const float* const>, std::span<const float>, std::span<const float>, std::span<float>,
                      std::size_t);
template void combine(std::span<const double* const>, std::span<const double>, std::span<const double>,
                      std::span<double>, std::size_t);
template void add_scaled(float, std::span<const float>, std::span<float>, std::size_t);
template void add_scaled(double, std::span<const double>, std::span<double>, std::size_t);
template void scale_and_add(float, std::span<const float>, std::span<float>, std::size_t);
template void scale_and_add(double, std::span<const double>, std::span<double>, std::size_t);

}  // namespace dd::linalg
