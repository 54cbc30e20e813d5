// The array work of budgeted assignment, compiled once per ISA level. Rows of logits are short (3 to 8 options), so a
// group is done at a time; the knapsack row is where the time goes, and there the lanes are neighbouring budgets.
#include "quantize/assignment_isa.hpp"

namespace dd::quantize {
namespace {

using std::size_t;

constexpr double infinity = __builtin_inf();
/// Budgets done at a time: values and positions stay in the first cache.
constexpr size_t tile = 512;

inline double largest_of(const double* row, const double* costs, double shift, size_t options) {
  double largest = -infinity;
  for (size_t k = 0; k < options; ++k) {
    const double logit = costs == nullptr ? row[k] : row[k] + shift * costs[k];
    largest = logit > largest ? logit : largest;
  }
  return largest;
}

}  // namespace

DD_ISA_ENTRY(void, rco_moments)(const RcoMomentsArguments* arguments) {
  const RcoMomentsArguments& a = *arguments;
  for (size_t i = 0; i < a.groups; ++i) {
    const double* const row = a.alpha + i * a.options;
    const double largest = largest_of(row, a.costs, a.shift, a.options);
    double sum = 0, first = 0;
    for (size_t k = 0; k < a.options; ++k) {
      const double p = __builtin_exp(row[k] + a.shift * a.costs[k] - largest);
      sum += p;
      first += p * a.costs[k];
    }
    const double mean = first / sum;
    double second = 0;
    for (size_t k = 0; k < a.options; ++k) {
      const double p = __builtin_exp(row[k] + a.shift * a.costs[k] - largest) / sum;
      const double above = a.costs[k] - mean;
      second += p * above * above;
      if (a.normal != nullptr) a.normal[i * a.options + k] = a.weights[i] * p * above;
    }
    a.mean[i] = a.weights[i] * mean;
    a.variance[i] = a.weights[i] * second;
  }
}

DD_ISA_ENTRY(void, rco_gradient)(const RcoGradientArguments* arguments) {
  const RcoGradientArguments& a = *arguments;
  for (size_t i = 0; i < a.groups; ++i) {
    const double* const row = a.z + i * a.options;
    const double* const gradient = a.gradient + i * a.options;
    double* const out = a.out + i * a.options;
    const double largest = largest_of(row, nullptr, 0, a.options);
    double sum = 0, along = 0;
    for (size_t k = 0; k < a.options; ++k) {
      const double s = __builtin_exp((row[k] - largest) / a.tau);
      sum += s;
      along += s * gradient[k];
    }
    along /= sum;
    for (size_t k = 0; k < a.options; ++k) {
      const double s = __builtin_exp((row[k] - largest) / a.tau) / sum;
      out[k] += s * (gradient[k] - along) * (a.scale / a.tau);
    }
  }
}

DD_ISA_ENTRY(void, knapsack_row)(const KnapsackRowArguments* arguments) {
  const KnapsackRowArguments& a = *arguments;
  for (size_t begin = a.begin; begin < a.end; begin += tile) {
    const size_t count = a.end - begin < tile ? a.end - begin : tile;
    double best[tile];
    std::int64_t position[tile];
    for (size_t b = 0; b < count; ++b) {
      best[b] = infinity;
      position[b] = 0;
    }
    for (size_t k = 0; k < a.options; ++k) {
      const auto cost = static_cast<size_t>(a.costs[k]);
      if (cost >= begin + count) continue;
      const size_t first = cost > begin ? cost - begin : 0;
      const double* const previous = a.previous + (begin + first - cost);
      const double value = a.values[k];
      const auto number = static_cast<std::int64_t>(k);
      for (size_t b = first; b < count; ++b) {
        const double candidate = previous[b - first] + value;
        const bool better = candidate < best[b];
        best[b] = better ? candidate : best[b];
        position[b] = better ? number : position[b];
      }
    }
    for (size_t b = 0; b < count; ++b) a.next[begin + b] = best[b];
    if (a.pointers == nullptr) continue;
    for (size_t b = 0; b < count; ++b) a.pointers[begin + b] = static_cast<std::uint8_t>(position[b]);
  }
}

}  // namespace dd::quantize
