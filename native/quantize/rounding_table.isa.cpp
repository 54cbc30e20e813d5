// Rounding tables: each weight of a panel is rounded on every option's grid, two vectors of columns at a time so that
// the chain of one hides behind the other.
#include "linalg/simd.hpp"
#include "quantize/rounding_table_isa.hpp"

namespace dd::quantize {
namespace {

using std::size_t;

constexpr size_t vectors = 2;
static_assert(rounding_panel_columns % (vectors * lanes<float>) == 0);

void sum_squares(const RoundingTableArguments& panel, size_t option, size_t first) {
  const Float32s shift = broadcast(0x1.8p23f), largest = broadcast(panel.largest[option]);
  Float32s sum[vectors]{};
  const RoundingGrid* grid = panel.grids + option;
  for (size_t i = 0; i < panel.rows; ++i, grid += panel.options) {
    const Float32s scale = broadcast(grid->scale), reciprocal = broadcast(grid->reciprocal);
    const Float32s zero = broadcast(grid->zero);
    DD_UNROLL for (size_t v = 0; v < vectors; ++v) {
      const Float32s w = load(panel.panel + i * rounding_panel_columns + first + v * lanes<float>);
      // Beyond 2^22 the shift rounds coarsely, and the clamp makes up for it.
      const Float32s code = between(((w * reciprocal + shift) - shift) + zero, Float32s{}, largest);
      const Float32s error = w - scale * (code - zero);
      sum[v] = multiply_add(error, error, sum[v]);
    }
  }
  DD_UNROLL for (size_t v = 0; v < vectors; ++v) {
    store(panel.sums + option * rounding_panel_columns + first + v * lanes<float>, sum[v]);
  }
}

}  // namespace
}  // namespace dd::quantize

DD_ISA_ENTRY(void, rounding_table_panel)(const dd::quantize::RoundingTableArguments* panel) {
  using namespace dd::quantize;
  for (size_t first = 0; first < rounding_panel_columns; first += vectors * dd::lanes<float>) {
    for (size_t option = 0; option < panel->options; ++option) sum_squares(*panel, option, first);
  }
}
