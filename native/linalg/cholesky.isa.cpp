// Factorisation kernels: solve X := X L^-T in place, Cholesky of a diagonal block, inverse of a small triangle,
// transposing copies. Lanes are rows of X. A group of columns takes off what the solved columns give (the k loop of
// the product, straight from memory), then solves inside itself in registers; nothing is packed: a strip of X stays
// in L1 and L in L2. Groups of 8 columns with 32 registers, of 4 with 16; element chains do not depend on it.
#include "linalg/isa_kernels.hpp"
#include "linalg/pack.hpp"

namespace dd::linalg {
namespace {

using std::ptrdiff_t;
using std::size_t;

#if defined(__AVX512F__)
constexpr int solve_vectors = 3, solve_columns = 8;
#elif defined(__AVX2__)
constexpr int solve_vectors = 3, solve_columns = 4;
#elif defined(__aarch64__)
constexpr int solve_vectors = 4, solve_columns = 4;
#else
constexpr int solve_vectors = 2, solve_columns = 4;
#endif

/// Columns [first, first + Columns) of one strip of rows.
template <int Vectors, int Columns, bool Partial, class T>
DD_INLINE void solve_group(T* x, ptrdiff_t x_stride, size_t first, const T* l, ptrdiff_t l_stride, const T* reciprocal,
                           Tail<T> tail) {
  Accumulators<T, Vectors, Columns> rest;
  T* group = x + static_cast<ptrdiff_t>(first) * x_stride;
  DD_UNROLL for (int j = 0; j < Columns; ++j) {
    DD_UNROLL for (int v = 0; v < Vectors; ++v) {
      rest.value[v][j] = load_part<Vectors, Partial>(static_cast<const T*>(group + j * x_stride), v, tail);
    }
  }
  subtract<Partial>(first, x, x_stride, l + first, l_stride, tail, rest);
  const T* diagonal = l + first + static_cast<ptrdiff_t>(first) * l_stride;
  DD_UNROLL for (int j = 0; j < Columns; ++j) {
    const Vector<T> scale = broadcast(reciprocal[first + j]);
    DD_UNROLL for (int v = 0; v < Vectors; ++v) {
      rest.value[v][j] *= scale;
      store_part<Vectors, Partial>(group + j * x_stride, v, rest.value[v][j], tail);
    }
    DD_UNROLL for (int t = 1; t < Columns; ++t) {
      if (t <= j) continue;
      const Vector<T> factor = broadcast(diagonal[t + j * l_stride]);
      DD_UNROLL for (int v = 0; v < Vectors; ++v) {
        rest.value[v][t] = negated_multiply_add(rest.value[v][j], factor, rest.value[v][t]);
      }
    }
  }
}

template <int Vectors, bool Partial, class T>
DD_INLINE void solve_columns_of_strip(T* x, ptrdiff_t x_stride, size_t first, size_t last, const T* l,
                                      ptrdiff_t l_stride, const T* reciprocal, Tail<T> tail) {
  size_t j = first;
  for (; j + solve_columns <= last; j += solve_columns) {
    solve_group<Vectors, solve_columns, Partial>(x, x_stride, j, l, l_stride, reciprocal, tail);
  }
  if (solve_columns > 4 && j + 4 <= last) {
    solve_group<Vectors, 4, Partial>(x, x_stride, j, l, l_stride, reciprocal, tail);
    j += 4;
  }
  if (j + 2 <= last) {
    solve_group<Vectors, 2, Partial>(x, x_stride, j, l, l_stride, reciprocal, tail);
    j += 2;
  }
  if (j < last) solve_group<Vectors, 1, Partial>(x, x_stride, j, l, l_stride, reciprocal, tail);
}

/// Columns [first, last) of X, the columns before being solved.
template <class T>
__attribute__((noinline)) void solve_rows(size_t rows, T* x, ptrdiff_t x_stride, size_t first, size_t last, const T* l,
                                          ptrdiff_t l_stride, const T* reciprocal) {
  constexpr size_t strip = solve_vectors * lanes<T>;
  const Tail<T> tail(rows % lanes<T>);
  size_t i = 0;
  for (; i + strip <= rows; i += strip) {
    solve_columns_of_strip<solve_vectors, false>(x + i, x_stride, first, last, l, l_stride, reciprocal, tail);
  }
  for (; i + lanes<T> <= rows; i += lanes<T>) {
    solve_columns_of_strip<1, false>(x + i, x_stride, first, last, l, l_stride, reciprocal, tail);
  }
  if (i < rows) solve_columns_of_strip<1, true>(x + i, x_stride, first, last, l, l_stride, reciprocal, tail);
}

template <class T>
DD_INLINE T square_root(T value) {
  return sizeof(T) == 8 ? static_cast<T>(__builtin_sqrt(static_cast<double>(value)))
                        : static_cast<T>(__builtin_sqrtf(static_cast<float>(value)));
}

/// Left-looking in groups of columns; square root and division of the group's own block are scalar.
template <class T>
size_t factor_panel(size_t n, T* a, ptrdiff_t stride, T* reciprocal) {
  constexpr size_t group = solve_columns;
  constexpr size_t padded = padded_rows<T>(group);
  for (size_t first = 0; first < n; first += group) {
    const size_t width = n - first < group ? n - first : group;
    T* diagonal = a + first + static_cast<ptrdiff_t>(first) * stride;
    alignas(64) T block[group][padded];
    if (width == group) {
      Accumulators<T, padded / lanes<T>, group> rest;
      const Tail<T> tail(group % lanes<T>);
      DD_UNROLL for (int j = 0; j < static_cast<int>(group); ++j) {
        DD_UNROLL for (int v = 0; v < static_cast<int>(padded) / lanes<T>; ++v) {
          rest.value[v][j] =
              load_part<padded / lanes<T>, padded != group>(static_cast<const T*>(diagonal + j * stride), v, tail);
        }
      }
      subtract<padded != group>(first, a + first, stride, a + first, stride, tail, rest);
      DD_UNROLL for (int j = 0; j < static_cast<int>(group); ++j) {
        DD_UNROLL for (int v = 0; v < static_cast<int>(padded) / lanes<T>; ++v)
            store(block[j] + v * lanes<T>, rest.value[v][j]);
      }
    } else {
      for (size_t j = 0; j < width; ++j) {
        for (size_t i = j; i < width; ++i) {
          T value = diagonal[i + static_cast<size_t>(stride) * j];
          for (size_t p = 0; p < first; ++p) {
            const T* column = a + first + static_cast<ptrdiff_t>(p) * stride;
            value = negated_multiply_add(column[i], column[j], value);
          }
          block[j][i] = value;
        }
      }
    }
    for (size_t j = 0; j < width; ++j) {
      const T pivot = block[j][j];
      if (!(pivot > T(0)) || pivot - pivot != T(0)) return first + j + 1;  // not positive, NaN or infinite
      const T root = square_root(pivot);
      const T scale = T(1) / root;
      reciprocal[first + j] = scale;
      diagonal[j + static_cast<size_t>(stride) * j] = root;
      for (size_t i = j + 1; i < width; ++i) {
        block[j][i] *= scale;
        diagonal[i + static_cast<size_t>(stride) * j] = block[j][i];
      }
      for (size_t t = j + 1; t < width; ++t) {
        for (size_t i = t; i < width; ++i) block[t][i] = negated_multiply_add(block[j][i], block[j][t], block[t][i]);
      }
    }
    const size_t below = first + width;
    if (below < n) solve_rows(n - below, a + below, stride, first, below, a, stride, reciprocal);
  }
  return 0;
}

/// The solve applied to the identity gives L^-T row strip by row strip; leading zeros of a strip are skipped.
template <class T>
void invert_leaf(size_t n, T* l, ptrdiff_t stride, T* scratch) {
  alignas(64) T reciprocal[inverse_leaf];
  for (size_t j = 0; j < inverse_leaf; ++j) reciprocal[j] = j < n ? l[j + static_cast<size_t>(stride) * j] : T(1);
  for (size_t j = 0; j < inverse_leaf; j += lanes<T>) {
    store(reciprocal + j, T(1) / load(static_cast<const T*>(reciprocal + j)));
  }
  const size_t rows = padded_rows<T>(n);
  for (size_t first = 0; first < n; first += lanes<T>) {
    const size_t width = n - first;
    const size_t height = width < lanes<T> ? width : lanes<T>;
    T* strip = scratch + first + first * rows;
    for (size_t j = 0; j < width; ++j) store(strip + j * rows, Vector<T>{});
    for (size_t j = 0; j < height; ++j) strip[j + j * rows] = T(1);
    solve_columns_of_strip<1, false>(strip, static_cast<ptrdiff_t>(rows), size_t{0}, width,
                                     l + first + static_cast<ptrdiff_t>(first) * stride, stride, reciprocal + first,
                                     Tail<T>(0));
  }
  // scratch holds U = L^-T in its upper triangle; the triangle of L is overwritten, the other one left alone.
  constexpr size_t side = transpose_side<T>;
  for (size_t j = 0; j < n; j += side) {
    const size_t columns = n - j < side ? n - j : side;
    for (size_t c = j; c < j + columns; ++c) {
      for (size_t i = c; i < j + columns; ++i) l[i + static_cast<size_t>(stride) * c] = scratch[c + i * rows];
    }
    const size_t below = j + columns;
    transpose_block(n - below, columns, scratch + j + below * rows, static_cast<ptrdiff_t>(rows),
                    l + below + static_cast<size_t>(stride) * j, stride);
  }
}

template <class T>
void transpose(const TransposeArguments<T>& arguments) {
  constexpr size_t side = 32;  // a tile of the source and one of the destination stay in L1
  for (size_t j = 0; j < arguments.columns; j += side) {
    const size_t columns = arguments.columns - j < side ? arguments.columns - j : side;
    for (size_t i = 0; i < arguments.rows; i += side) {
      const size_t rows = arguments.rows - i < side ? arguments.rows - i : side;
      transpose_block(rows, columns, arguments.from + static_cast<ptrdiff_t>(i) * arguments.from_stride + j,
                      arguments.from_stride, arguments.to + static_cast<ptrdiff_t>(j) * arguments.to_stride + i,
                      arguments.to_stride);
    }
  }
}

template <class T>
DD_INLINE void solve(const SolveArguments<T>& arguments) {
  solve_rows(arguments.rows, arguments.x, arguments.x_stride, size_t{0}, arguments.columns, arguments.l,
             arguments.l_stride, arguments.reciprocal);
}

}  // namespace
}  // namespace dd::linalg

namespace linalg = dd::linalg;

DD_ISA_ENTRY(void, linalg_solve_float32)(const linalg::SolveArguments<float>* arguments) { linalg::solve(*arguments); }
DD_ISA_ENTRY(void, linalg_solve_float64)(const linalg::SolveArguments<double>* arguments) { linalg::solve(*arguments); }
DD_ISA_ENTRY(std::size_t, linalg_cholesky_panel_float32)(const linalg::CholeskyPanelArguments<float>* arguments) {
  return linalg::factor_panel(arguments->n, arguments->a, arguments->a_stride, arguments->reciprocal);
}
DD_ISA_ENTRY(std::size_t, linalg_cholesky_panel_float64)(const linalg::CholeskyPanelArguments<double>* arguments) {
  return linalg::factor_panel(arguments->n, arguments->a, arguments->a_stride, arguments->reciprocal);
}
DD_ISA_ENTRY(void, linalg_invert_leaf_float32)(const linalg::InvertLeafArguments<float>* arguments) {
  linalg::invert_leaf(arguments->n, arguments->l, arguments->l_stride, arguments->scratch);
}
DD_ISA_ENTRY(void, linalg_invert_leaf_float64)(const linalg::InvertLeafArguments<double>* arguments) {
  linalg::invert_leaf(arguments->n, arguments->l, arguments->l_stride, arguments->scratch);
}
DD_ISA_ENTRY(void, linalg_transpose_float32)(const linalg::TransposeArguments<float>* arguments) {
  linalg::transpose(*arguments);
}
DD_ISA_ENTRY(void, linalg_transpose_float64)(const linalg::TransposeArguments<double>* arguments) {
  linalg::transpose(*arguments);
}
