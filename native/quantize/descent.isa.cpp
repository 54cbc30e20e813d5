// One sweep of descent on codes: a vector of columns is judged at once, the first that gains changes, its row of H
// goes into the gradient, and the columns behind it are judged again. Rows take turns at a vector of columns, so that
// they find its rows of H in the cache.
#include "linalg/simd.hpp"
#include "quantize/descent_isa.hpp"

namespace dd::quantize {
namespace {

using std::size_t;

constexpr size_t width = static_cast<size_t>(lanes<float>);
static_assert(descent_lanes % width == 0);

DD_INLINE Float32s load_columns(const float* row, size_t first, size_t columns) {
  return first + width <= columns ? load(row + first) : load_tail(row + first, Tail<float>(columns - first));
}

/// row -= step h.
DD_INLINE void subtract(float* row, const float* h, float step, size_t columns) {
  const Float32s steps = broadcast(step);
  size_t k = 0;
  for (; k + width <= columns; k += width) store(row + k, negated_multiply_add(steps, load(h + k), load(row + k)));
  if (k == columns) return;
  const Tail<float> tail(columns - k);
  store_tail(row + k, negated_multiply_add(steps, load_tail(h + k, tail), load_tail(row + k, tail)), tail);
}

struct Candidate {
  Float32s code, value, step;
};

/// The code nearest to `target` in every lane, its value, and how far that is from the current one.
DD_INLINE Candidate judge(DescentGrid grid, Float32s first, Float32s second, Float32s largest, Float32s divisor,
                          Float32s target, Float32s current) {
  Candidate found;
  if (grid == DescentGrid::low_and_high) {
    const Float32s zero{}, one = broadcast(1.0f), two = broadcast(2.0f), half = broadcast(0.5f);
    const auto high = target > second * half, low = target < first * half;
    found.code = high ? two : low ? zero : one;
    found.value = high ? second : low ? first : zero;
  } else {
    const Float32s shift = broadcast(0x1.8p23f), most = broadcast(1e6f);
    Float32s scale = first, offset = second;
    if (grid == DescentGrid::range_and_ratio) {
      scale = first / divisor;
      offset = (between(second * largest, -most, most) + shift) - shift;
    }
    const Float32s position = (between(target / scale, -most, most) + shift) - shift;
    found.code = between(position + offset, Float32s{}, largest);
    found.value = scale * (found.code - offset);
  }
  found.step = found.value - current;
  return found;
}

/// Row `i`, columns [j, j + width); returns the number of changes.
size_t sweep_vector(const DescentArguments& a, size_t i, size_t j) {
  float* const gradient = a.gradient + i * a.columns;
  float* const quantized = a.quantized + i * a.columns;
  const float* const first = a.first + i * a.grid_stride;
  const float* const second = a.second + i * a.grid_stride;
  const Float32s grid_first = a.grid_per_column ? load(first + j) : broadcast(*first);
  const Float32s grid_second = a.grid_per_column ? load(second + j) : broadcast(*second);
  const Float32s largest = load(a.largest + j), divisor = load(a.divisor + j);
  const Float32s curvature = load(a.curvature + j), inverse = load(a.inverse + j);
  size_t changes = 0;
  for (unsigned behind = ~0u;;) {
    const Float32s g = load_columns(gradient, j, a.columns), q = load_columns(quantized, j, a.columns);
    const Candidate found = judge(a.grid, grid_first, grid_second, largest, divisor, multiply_add(g, inverse, q), q);
    // What the loss changes by, twice. Rounding must not let a sweep go round in circles.
    const Float32s change = found.step * (found.step * curvature - (g + g));
    const unsigned gains = lane_bits((change < Float32s{}) & (largest > Float32s{})) & behind;
    if (gains == 0) return changes;
    const auto lane = static_cast<size_t>(__builtin_ctz(gains));
    float code[width], value[width], step[width];
    store(code, found.code);
    store(value, found.value);
    store(step, found.step);
    quantized[j + lane] = value[lane];
    a.codes[i * a.columns + j + lane] = static_cast<std::uint8_t>(static_cast<int>(code[lane]));
    subtract(gradient, a.hessian + (j + lane) * a.columns, step[lane], a.columns);
    behind = ~1u << lane;
    ++changes;
  }
}

}  // namespace
}  // namespace dd::quantize

DD_ISA_ENTRY(std::size_t, descent_sweep)(const dd::quantize::DescentArguments* a) {
  std::size_t changes = 0;
  for (std::size_t j = 0; j < a->columns; j += dd::quantize::width) {
    for (std::size_t i = 0; i < a->rows; ++i) changes += dd::quantize::sweep_vector(*a, i, j);
  }
  return changes;
}
