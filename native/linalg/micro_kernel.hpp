// The register tile on which every dense product stands: `Vectors` vectors of rows times `Columns` columns of
// accumulators, each element one chain of multiply-adds over k in order. The chain does not depend on where in a tile
// the element lies, which is what makes results independent of tile shapes, edges, paths and threads.
//
// Tile shapes were swept on Zen 5 (specification of the dense kernels, section 3): AVX-512 3 x 8 (4 x 6 and 2 x 14
// within 2 %), AVX2 3 x 4 (2 x 6 -1 to -6 %), SSE2 4 x 2 (the product needs a register, wider tiles -11 % and more).
// k is never unrolled and never split over accumulators. Included by ISA files only.
#pragma once

#include "linalg/simd.hpp"

namespace dd {
namespace {

#if defined(__AVX512F__)
constexpr int tile_vectors = 3, tile_columns = 8;
#elif defined(__AVX2__)
constexpr int tile_vectors = 3, tile_columns = 4;
#elif defined(__aarch64__)
constexpr int tile_vectors = 4, tile_columns = 6;
#else
constexpr int tile_vectors = 4, tile_columns = 2;
#endif
template <class T>
constexpr int tile_rows = tile_vectors* lanes<T>;

template <class T, int Vectors, int Columns>
struct Accumulators {
  Vector<T> value[Vectors][Columns];

  DD_INLINE void clear() {
    DD_UNROLL for (int v = 0; v < Vectors; ++v) {
      DD_UNROLL for (int j = 0; j < Columns; ++j) value[v][j] = Vector<T>{};
    }
  }
};

/// sum += A B: column p of A at a + p a_step (vectors of rows, the last partial when `Partial`), element (p, j) of B
/// at b[p b_step + j b_next].
template <bool Partial, class T, int Vectors, int Columns>
DD_INLINE void accumulate(std::size_t k, const T* __restrict a, std::ptrdiff_t a_step, const T* __restrict b,
                          std::ptrdiff_t b_step, std::ptrdiff_t b_next, Tail<T> tail,
                          Accumulators<T, Vectors, Columns>& sum) {
  for (; k != 0; --k) {
    Vector<T> x[Vectors];
    DD_UNROLL for (int v = 0; v < Vectors; ++v) x[v] = load_part<Vectors, Partial>(a, v, tail);
    DD_UNROLL for (int j = 0; j < Columns; ++j) {
      const Vector<T> y = broadcast(b[j * b_next]);
      DD_UNROLL for (int v = 0; v < Vectors; ++v) sum.value[v][j] = multiply_add(x[v], y, sum.value[v][j]);
    }
    a += a_step;
    b += b_step;
  }
}

/// x -= A B, the same chain with the sign turned: what a factorisation does with the columns already solved.
template <bool Partial, class T, int Vectors, int Columns>
DD_INLINE void subtract(std::size_t k, const T* a, std::ptrdiff_t a_step, const T* b, std::ptrdiff_t b_step,
                        Tail<T> tail, Accumulators<T, Vectors, Columns>& rest) {
  for (; k != 0; --k) {
    Vector<T> x[Vectors];
    DD_UNROLL for (int v = 0; v < Vectors; ++v) x[v] = load_part<Vectors, Partial>(a, v, tail);
    DD_UNROLL for (int j = 0; j < Columns; ++j) {
      const Vector<T> y = broadcast(b[j]);
      DD_UNROLL for (int v = 0; v < Vectors; ++v) rest.value[v][j] = negated_multiply_add(x[v], y, rest.value[v][j]);
    }
    a += a_step;
    b += b_step;
  }
}

/// Columns [first, last) of the tile: c = alpha sum + beta c, C column-major. beta = 0 does not read c, which may hold
/// NaN; beta = 1 needs no case of its own, because 1 c is c.
template <bool Partial, class T, int Vectors, int Columns>
DD_INLINE void store_tile(const Accumulators<T, Vectors, Columns>& sum, T alpha, T beta, T* c, std::ptrdiff_t c_step,
                          int first, int last, Tail<T> tail) {
  const Vector<T> spread_alpha = broadcast(alpha), spread_beta = broadcast(beta);
  if (beta == T(0)) {
    DD_UNROLL for (int j = 0; j < Columns; ++j) {
      if (j < first || j >= last) continue;
      DD_UNROLL for (int v = 0; v < Vectors; ++v) {
        store_part<Vectors, Partial>(c + j * c_step, v, spread_alpha * sum.value[v][j], tail);
      }
    }
    return;
  }
  DD_UNROLL for (int j = 0; j < Columns; ++j) {
    if (j < first || j >= last) continue;
    T* column = c + j * c_step;
    DD_UNROLL for (int v = 0; v < Vectors; ++v) {
      const Vector<T> old = load_part<Vectors, Partial>(static_cast<const T*>(column), v, tail);
      store_part<Vectors, Partial>(column, v, multiply_add(spread_alpha, sum.value[v][j], spread_beta * old), tail);
    }
  }
}

}  // namespace
}  // namespace dd
