// K3 on the CPU. Lanes run along the rows; a register tile is two moves by two or four states, both signs. A block of
// rows of the dictionary stays in the second-level cache while all states pass, a block of a group of states in the
// first. Six operations an entry; a horizontal maximum once for each tile and block.
#include "dmmv/batched_flip.hpp"

#include "linalg/simd.hpp"

namespace dd::dmmv {
namespace {

using std::size_t;

constexpr size_t block_rows = 1024;
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int tile_states = 4;  // 32 registers
#else
constexpr int tile_states = 2;
#endif

template <class Real>
struct MagnitudeBits;
template <>
struct MagnitudeBits<float> {
  using Bits = VectorN<int, lanes<float>>;
  static constexpr int mask = 0x7fffffff;
};
template <>
struct MagnitudeBits<double> {
  using Bits = VectorN<long long, lanes<double>>;
  static constexpr long long mask = 0x7fffffffffffffff;
};

template <class Real>
DD_INLINE Vector<Real> magnitude(Vector<Real> value) {
  using Bits = typename MagnitudeBits<Real>::Bits;
  return (Vector<Real>)((Bits)value & (Bits{} + MagnitudeBits<Real>::mask));
}
template <class V>
DD_INLINE V larger(V a, V b) {
  return a > b ? a : b;
}
template <class Real>
DD_INLINE Real largest_lane(Vector<Real> value) {
  Real out[lanes<Real>];
  store(out, value);
  Real best = out[0];
  for (int l = 1; l < lanes<Real>; ++l) best = out[l] > best ? out[l] : best;
  return best;
}

/// out[...] = max(out[...], this block's part) for `Moves` pairs from `moves` and `States` states from `residuals`.
template <class Real, int Moves, int States>
DD_INLINE void tile(const BatchedFlip<Real>& a, const Real* moves, const Real* residuals, Real* out, size_t count) {
  using V = Vector<Real>;
  constexpr size_t width = lanes<Real>;
  V plus[Moves][States], minus[Moves][States];
  DD_UNROLL for (int p = 0; p < Moves; ++p) {
    DD_UNROLL for (int s = 0; s < States; ++s) plus[p][s] = minus[p][s] = V{};
  }
  const auto step = [&](const V(&g)[Moves], const V(&r)[States]) __attribute__((always_inline)) {
    DD_UNROLL for (int p = 0; p < Moves; ++p) {
      DD_UNROLL for (int s = 0; s < States; ++s) {
        plus[p][s] = larger(magnitude<Real>(r[s] + g[p]), plus[p][s]);
        minus[p][s] = larger(magnitude<Real>(r[s] - g[p]), minus[p][s]);
      }
    }
  };
  size_t i = 0;
  for (; i + width <= count; i += width) {
    V g[Moves], r[States];
    DD_UNROLL for (int p = 0; p < Moves; ++p) g[p] = load(moves + static_cast<size_t>(p) * a.rows + i);
    DD_UNROLL for (int s = 0; s < States; ++s) r[s] = load(residuals + static_cast<size_t>(s) * a.rows + i);
    step(g, r);
  }
  if (i < count) {
    const Tail<Real> tail(count - i);
    V g[Moves], r[States];
    DD_UNROLL for (int p = 0; p < Moves; ++p) g[p] = load_tail(moves + static_cast<size_t>(p) * a.rows + i, tail);
    DD_UNROLL for (int s = 0; s < States; ++s) r[s] = load_tail(residuals + static_cast<size_t>(s) * a.rows + i, tail);
    step(g, r);
  }
  DD_UNROLL for (int p = 0; p < Moves; ++p) {
    DD_UNROLL for (int s = 0; s < States; ++s) {
      Real* const to = out + 2 * (static_cast<size_t>(p) + static_cast<size_t>(s) * a.pairs);
      const Real up = largest_lane<Real>(plus[p][s]), down = largest_lane<Real>(minus[p][s]);
      to[0] = up > to[0] ? up : to[0];
      to[1] = down > to[1] ? down : to[1];
    }
  }
}

template <class Real, int States>
DD_INLINE void group(const BatchedFlip<Real>& a, size_t first, size_t state, size_t count) {
  const Real* const residuals = a.residuals + state * a.rows + first;
  size_t p = 0;
  for (; p + 2 <= a.pairs; p += 2) {
    tile<Real, 2, States>(a, a.moves + p * a.rows + first, residuals, a.out + 2 * (p + state * a.pairs), count);
  }
  if (p < a.pairs) {
    tile<Real, 1, States>(a, a.moves + p * a.rows + first, residuals, a.out + 2 * (p + state * a.pairs), count);
  }
}

template <class Real>
DD_INLINE void run(const BatchedFlip<Real>& a) {
  for (size_t k = 0; k < 2 * a.pairs * a.states; ++k) a.out[k] = 0;
  for (size_t first = 0; first < a.rows; first += block_rows) {
    const size_t count = a.rows - first < block_rows ? a.rows - first : block_rows;
    size_t state = 0;
    for (; state + tile_states <= a.states; state += tile_states) group<Real, tile_states>(a, first, state, count);
    for (; state < a.states; ++state) group<Real, 1>(a, first, state, count);
  }
}

}  // namespace

DD_ISA_ENTRY(void, batched_flip_float32)(const BatchedFlip<float>* arguments) { run(*arguments); }
DD_ISA_ENTRY(void, batched_flip_float64)(const BatchedFlip<double>* arguments) { run(*arguments); }

}  // namespace dd::dmmv
