// K5 on the CPU: gathers eight rows at a time.
#include "dmmv/sparse_flip.hpp"

namespace dd::dmmv {
namespace {

using std::size_t;

constexpr size_t width = 8;

inline double excess(double z, double upper, double lower) {
  const double above = z - upper, below = lower - z;
  const double most = above > below ? above : below;
  return most > 0 ? most : 0.0;
}

}  // namespace

DD_ISA_ENTRY(void, sparse_flip_float64)(const SparseFlip* arguments) {
  const SparseFlip& a = *arguments;
  for (size_t c = 0; c < a.count; ++c) {
    const auto begin = static_cast<size_t>(a.pointers[a.columns[c]]);
    const auto end = static_cast<size_t>(a.pointers[a.columns[c] + 1]);
    const double step = a.steps[c];
    double sums[width] = {0, 0, 0, 0, 0, 0, 0, 0};
    size_t k = begin;
    for (; k + width <= end; k += width) {
      for (size_t l = 0; l < width; ++l) {
        const std::int32_t i = a.rows[k + l];
        const double z = a.residual[i], upper = a.upper[i], lower = a.lower[i];
        const double after = excess(z + step * a.values[k + l], upper, lower);
        sums[l] += a.weight[i] * (after - excess(z, upper, lower));
      }
    }
    for (size_t l = 0; k + l < end; ++l) {
      const std::int32_t i = a.rows[k + l];
      const double z = a.residual[i], upper = a.upper[i], lower = a.lower[i];
      const double after = excess(z + step * a.values[k + l], upper, lower);
      sums[l] += a.weight[i] * (after - excess(z, upper, lower));
    }
    for (size_t half = width / 2; half > 0; half /= 2) {
      for (size_t l = 0; l < half; ++l) sums[l] += sums[l + half];
    }
    a.out[c] = sums[0];
  }
}

}  // namespace dd::dmmv
