// General and symmetric products, float32, float64 and float32 added up in float64: loop nests, packing and edges
// around the register tile. One call does one task of one product; blocking follows Goto and van de Geijn, "Anatomy of
// high-performance matrix multiplication", ACM TOMS 34(3), 2008.
//
// Direct path (operands read where they lie): 112 against 86 GFLOP/s packed at n = 64 in float64 while A stays in L2.
// It loses when A does not, or when its columns are many and 4 KiB apart; gemm.cpp chooses, from whole sizes only.
#include "linalg/isa_kernels.hpp"
#include "linalg/pack.hpp"

namespace dd::linalg {
namespace {

using std::ptrdiff_t;
using std::size_t;

ptrdiff_t signed_size(size_t value) { return static_cast<ptrdiff_t>(value); }

/// Where one tile goes: its corner in C, valid rows and columns, and whether the diagonal cuts it.
template <class Sum>
struct TileTarget {
  Sum* c;
  ptrdiff_t c_step;
  int first_column, last_column;
  Sum alpha, beta;
  ProductPart part;
  ptrdiff_t diagonal;  // of this tile: element (i, j) belongs to the part when i + diagonal >= j (lower), <= j (upper)
};

template <class Sum>
DD_INLINE bool cut_by_diagonal(const TileTarget<Sum>& target, size_t rows) {
  if (target.part == ProductPart::full) return false;
  if (target.part == ProductPart::lower) return target.diagonal < target.last_column - 1;
  return signed_size(rows) - 1 + target.diagonal > target.first_column;
}

/// The sums in memory, column by column. Functions that are not inlined get this copy, never the accumulators: one
/// whose address leaves the function is kept in memory by the compiler, through the whole k loop.
template <class T, int Vectors, int Columns>
DD_INLINE void spill(const Accumulators<T, Vectors, Columns>& sum, T (&values)[Columns][Vectors * lanes<T>]) {
  DD_UNROLL for (int j = 0; j < Columns; ++j) {
    DD_UNROLL for (int v = 0; v < Vectors; ++v) store(values[j] + v * lanes<T>, sum.value[v][j]);
  }
}

/// Element by element: tiles on the diagonal, and partial tiles whose sums are of a narrower type than C.
template <class T, class Sum>
__attribute__((noinline)) void store_elements(const T* values, size_t values_step, const TileTarget<Sum>& target,
                                              size_t rows) {
  for (int j = target.first_column; j < target.last_column; ++j) {
    const T* from = values + static_cast<size_t>(j) * values_step;
    const ptrdiff_t limit = j - target.diagonal;
    size_t begin = 0, end = rows;
    if (target.part == ProductPart::lower && limit > 0) begin = static_cast<size_t>(limit);
    if (target.part == ProductPart::upper) {
      end = limit < 0 ? 0 : (static_cast<size_t>(limit) + 1 < rows ? static_cast<size_t>(limit) + 1 : rows);
    }
    Sum* column = target.c + j * target.c_step;
    for (size_t i = begin; i < end; ++i) {
      const Sum value = static_cast<Sum>(from[i]);
      column[i] =
          target.beta == Sum(0) ? target.alpha * value : multiply_add(target.alpha, value, target.beta * column[i]);
    }
  }
}

template <int Half, int n = lanes<double>>
DD_INLINE VectorN<float, n> half_of(Float32s value) {
  constexpr int first = Half * n;
  if constexpr (n == 8) {
    return __builtin_shufflevector(value, value, first, first + 1, first + 2, first + 3, first + 4, first + 5,
                                   first + 6, first + 7);
  } else if constexpr (n == 4) {
    return __builtin_shufflevector(value, value, first, first + 1, first + 2, first + 3);
  } else {
    return __builtin_shufflevector(value, value, first, first + 1);
  }
}

template <int Half>
DD_INLINE void add_widened_half(Float32s sum, const TileTarget<double>& target, Float64s alpha, Float64s beta,
                                double* column) {
  const Float64s value = __builtin_convertvector(half_of<Half>(sum), Float64s);
  double* to = column + Half * lanes<double>;
  store(to, target.beta == 0 ? alpha * value : multiply_add(alpha, value, beta * load(static_cast<const double*>(to))));
}

/// Whole float32 tiles added to a float64 C: half a vector of floats is one vector of doubles.
template <int Vectors, int Columns>
DD_INLINE void store_widened(const Accumulators<float, Vectors, Columns>& sum, const TileTarget<double>& target) {
  const Float64s alpha = broadcast(target.alpha), beta = broadcast(target.beta);
  DD_UNROLL for (int j = 0; j < Columns; ++j) {
    if (j < target.first_column || j >= target.last_column) continue;
    double* column = target.c + j * target.c_step;
    DD_UNROLL for (int v = 0; v < Vectors; ++v) {
      add_widened_half<0>(sum.value[v][j], target, alpha, beta, column + v * lanes<float>);
      add_widened_half<1>(sum.value[v][j], target, alpha, beta, column + v * lanes<float>);
    }
  }
}

/// Sums to C, by the shortest way that is right for this tile.
template <bool Partial, class T, class Sum, int Vectors, int Columns>
DD_INLINE void finish_tile(const Accumulators<T, Vectors, Columns>& sum, const TileTarget<Sum>& target, size_t rows,
                           Tail<T> tail) {
  if (!cut_by_diagonal(target, rows)) {
    if constexpr (sizeof(T) == sizeof(Sum)) {
      return store_tile<Partial>(sum, target.alpha, target.beta, target.c, target.c_step, target.first_column,
                                 target.last_column, tail);
    } else if constexpr (!Partial) {
      return store_widened(sum, target);
    }
  }
  alignas(64) T values[Columns][Vectors * lanes<T>];
  spill(sum, values);
  store_elements(values[0], sizeof(values[0]) / sizeof(T), target, rows);
}

/// Of a C that is wider than its operands all lines: there are twice as many, and the hardware sees no stream.
template <int Vectors, int Columns, class T, class Sum>
DD_INLINE void prefetch_tile(const TileTarget<Sum>& target) {
  constexpr int step = sizeof(T) < sizeof(Sum) ? 64 / static_cast<int>(sizeof(Sum)) : Vectors * lanes<T>;
  DD_UNROLL for (int j = 0; j < Columns; ++j) {
    DD_UNROLL for (int i = 0; i < Vectors * lanes<T>; i += step)
        __builtin_prefetch(target.c + j * target.c_step + i, 1);
  }
}

template <int Vectors, int Columns, bool Partial, class T, class Sum>
DD_INLINE void multiply_tile(size_t rows, size_t k, const T* a, ptrdiff_t a_step, const T* b, ptrdiff_t b_step,
                             ptrdiff_t b_next, const TileTarget<Sum>& target) {
  const Tail<T> tail(rows % lanes<T>);
  prefetch_tile<Vectors, Columns, T>(target);
  Accumulators<T, Vectors, Columns> sum;
  sum.clear();
  accumulate<Partial>(k, a, a_step, b, b_step, b_next, tail, sum);
  finish_tile<Partial>(sum, target, rows, tail);
}

/// Rows of the next tile: a whole one while many are left; the last four vectors as two and two, because a tile of a
/// single vector waits for its loads.
template <class T>
DD_INLINE size_t next_tile_rows(size_t left) {
  constexpr size_t whole = tile_rows<T>;
  const size_t vectors = (left + lanes<T> - 1) / lanes<T>;
  if (vectors == tile_vectors + 1) return (vectors + 1) / 2 * lanes<T>;
  return left < whole ? left : whole;
}

// ---- direct ------------------------------------------------------------------------------------------------------

template <int Value>
struct Count {
  static constexpr int value = Value;
};

template <int Columns, class T, class Sum>
DD_INLINE void direct_tile(size_t rows, size_t k, const T* a, ptrdiff_t a_step, const T* b, ptrdiff_t b_step,
                           ptrdiff_t b_next, const TileTarget<Sum>& target) {
  const size_t vectors = (rows + lanes<T> - 1) / lanes<T>;
  const bool partial = rows % lanes<T> != 0;
  const auto run = [&](auto count) __attribute__((always_inline)) {
    constexpr int vectors_here = decltype(count)::value;
    if (partial) return multiply_tile<vectors_here, Columns, true>(rows, k, a, a_step, b, b_step, b_next, target);
    multiply_tile<vectors_here, Columns, false>(rows, k, a, a_step, b, b_step, b_next, target);
  };
  if (vectors == tile_vectors) return run(Count<tile_vectors>{});
  if constexpr (tile_vectors > 3) {
    if (vectors == 3) return run(Count<3>{});
  }
  if (vectors == 2) return run(Count<2>{});
  run(Count<1>{});
}

template <int Columns, class T, class Sum>
__attribute__((noinline)) void direct_columns(const ProductArguments<T, Sum>& product, size_t p, size_t depth,
                                              size_t first, int skip) {
  size_t begin = 0, end = product.m;
  const ptrdiff_t lead = signed_size(first) + skip - product.diagonal;  // row of the diagonal in the first new column
  if (product.part == ProductPart::lower && lead > 0) begin = static_cast<size_t>(lead);
  if (product.part == ProductPart::upper) {
    const ptrdiff_t rows = signed_size(first) + Columns - product.diagonal;
    end = rows < 0 ? 0 : (static_cast<size_t>(rows) < end ? static_cast<size_t>(rows) : end);
  }
  const T* b = product.b + signed_size(p) * product.b_row_stride + signed_size(first) * product.b_column_stride;
  for (size_t i = begin; i < end;) {
    const size_t rows = next_tile_rows<T>(end - i);
    const TileTarget<Sum> target{product.c + i + signed_size(first) * product.c_column_stride,
                                 product.c_column_stride,
                                 skip,
                                 Columns,
                                 product.alpha,
                                 p == 0 ? product.beta : Sum(1),
                                 product.part,
                                 product.diagonal + signed_size(i) - signed_size(first)};
    direct_tile<Columns>(rows, depth, product.a + i + signed_size(p) * product.a_column_stride, product.a_column_stride,
                         b, product.b_row_stride, product.b_column_stride, target);
    i += rows;
  }
}

template <class T, class Sum>
void multiply_direct(const ProductArguments<T, Sum>& product) {
  const size_t step = product_depth_step(product.k, product_depth_of<T, Sum>);
  constexpr size_t whole = tile_columns;
  for (size_t p = 0; p < product.k; p += step) {
    const size_t depth = product.k - p < step ? product.k - p : step;
    for (size_t j = 0; j < product.n;) {
      const size_t left = product.n - j;
      if (left >= whole) {
        direct_columns<tile_columns>(product, p, depth, j, 0);
        j += whole;
      } else if (left > 2 && product.n >= whole) {
        // A tile that ends at the last column and stores only what is new costs less than narrow tiles.
        direct_columns<tile_columns>(product, p, depth, product.n - whole, static_cast<int>(whole - left));
        j = product.n;
      } else if (tile_columns > 4 && left >= 4) {
        direct_columns<4>(product, p, depth, j, 0);
        j += 4;
      } else if (tile_columns > 2 && left >= 2) {
        direct_columns<2>(product, p, depth, j, 0);
        j += 2;
      } else {
        direct_columns<1>(product, p, depth, j, 0);
        j += 1;
      }
    }
  }
}

// ---- packed ------------------------------------------------------------------------------------------------------

template <int Vectors, class T, class Sum>
DD_INLINE void multiply_packed_tile(size_t rows, size_t k, const T* a, ptrdiff_t a_step, const T* b,
                                    const TileTarget<Sum>& target) {
  const Tail<T> tail(rows % lanes<T>);
  prefetch_tile<Vectors, tile_columns, T>(target);
  Accumulators<T, Vectors, tile_columns> sum;
  sum.clear();
  // Panels are padded to whole vectors: only the store knows of missing rows.
  accumulate<false>(k, a, a_step, b, tile_columns, 1, tail, sum);
  if (rows % lanes<T> != 0) return finish_tile<true>(sum, target, rows, tail);
  finish_tile<false>(sum, target, rows, tail);
}

template <class T, class Sum>
DD_INLINE void packed_tile(size_t rows, size_t k, const T* a, ptrdiff_t a_step, const T* b,
                           const TileTarget<Sum>& target) {
  const size_t vectors = (rows + lanes<T> - 1) / lanes<T>;
  if (vectors == tile_vectors) return multiply_packed_tile<tile_vectors>(rows, k, a, a_step, b, target);
  if constexpr (tile_vectors > 3) {
    if (vectors == 3) return multiply_packed_tile<3>(rows, k, a, a_step, b, target);
  }
  if (vectors == 2) return multiply_packed_tile<2>(rows, k, a, a_step, b, target);
  multiply_packed_tile<1>(rows, k, a, a_step, b, target);
}

template <class T>
DD_INLINE size_t whole_vectors(size_t rows) {
  return (rows + lanes<T> - 1) / lanes<T> * lanes<T>;
}

/// One packed block of rows against one packed block of columns.
template <class T, class Sum>
__attribute__((noinline)) void multiply_packed_block(const ProductArguments<T, Sum>& product, size_t row, size_t rows,
                                                     size_t column, size_t columns, size_t depth, Sum beta,
                                                     const T* packed_a, const T* packed_b) {
  for (size_t j = 0; j < columns; j += tile_columns) {
    const int width = columns - j < tile_columns ? static_cast<int>(columns - j) : tile_columns;
    for (size_t i = 0; i < rows; i += tile_rows<T>) {
      const size_t height = rows - i < tile_rows<T> ? rows - i : tile_rows<T>;
      const ptrdiff_t diagonal = product.diagonal + signed_size(row + i) - signed_size(column + j);
      if (product.part == ProductPart::lower && signed_size(height) - 1 + diagonal < 0) continue;
      if (product.part == ProductPart::upper && diagonal > width - 1) break;
      // Of a tile on the diagonal only the vectors that reach into the part: a third of such tiles is saved.
      size_t begin = 0, end = height;
      if (product.part == ProductPart::lower && diagonal < 0) {
        begin = static_cast<size_t>(-diagonal) / lanes<T> * lanes<T>;
      }
      if (product.part == ProductPart::upper && width - diagonal < signed_size(height)) {
        const size_t reach = whole_vectors<T>(static_cast<size_t>(width - diagonal));
        end = reach < height ? reach : height;
      }
      const TileTarget<Sum> target{product.c + row + i + begin + signed_size(column + j) * product.c_column_stride,
                                   product.c_column_stride,
                                   0,
                                   width,
                                   product.alpha,
                                   beta,
                                   product.part,
                                   diagonal + signed_size(begin)};
      packed_tile(end - begin, depth, packed_a + i * depth + begin, signed_size(whole_vectors<T>(height)),
                  packed_b + j * depth, target);
    }
  }
}

template <class T, class Sum>
void multiply_packed(const ProductArguments<T, Sum>& product) {
  const size_t step = product_depth_step(product.k, product_depth_of<T, Sum>);
  constexpr size_t most_rows = packed_rows<T, Sum>;
  T* const packed_a = product.workspace;
  for (size_t j = 0; j < product.n; j += packed_columns) {
    const size_t columns = product.n - j < packed_columns ? product.n - j : packed_columns;
    for (size_t p = 0; p < product.k; p += step) {
      const size_t depth = product.k - p < step ? product.k - p : step;
      const size_t block_rows = product.m < most_rows ? (product.m + 63) / 64 * 64 : most_rows;
      T* const packed_b = product.workspace + (block_rows * step + 15) / 16 * 16;
      pack_columns(depth, columns,
                   product.b + signed_size(p) * product.b_row_stride + signed_size(j) * product.b_column_stride,
                   product.b_row_stride, product.b_column_stride, packed_b);
      for (size_t i = 0; i < product.m; i += most_rows) {
        const size_t rows = product.m - i < most_rows ? product.m - i : most_rows;
        size_t used = columns;
        if (product.part == ProductPart::lower) {
          const ptrdiff_t reach = signed_size(i + rows) + product.diagonal - signed_size(j);
          if (reach <= 0) continue;
          if (static_cast<size_t>(reach) < used) used = static_cast<size_t>(reach);
        }
        pack_rows(rows, depth,
                  product.a + signed_size(i) * product.a_row_stride + signed_size(p) * product.a_column_stride,
                  product.a_row_stride, product.a_column_stride, packed_a);
        multiply_packed_block(product, i, rows, j, used, depth, p == 0 ? product.beta : Sum(1), packed_a, packed_b);
      }
    }
  }
}

template <class T, class Sum>
DD_INLINE void multiply(const ProductArguments<T, Sum>& product) {
  if (product.path == ProductPath::direct) {
    multiply_direct(product);
  } else {
    multiply_packed(product);
  }
}

}  // namespace
}  // namespace dd::linalg

using dd::linalg::ProductArguments;

DD_ISA_ENTRY(void, linalg_product_float32)(const ProductArguments<float, float>* product) {
  dd::linalg::multiply(*product);
}
DD_ISA_ENTRY(void, linalg_product_float64)(const ProductArguments<double, double>* product) {
  dd::linalg::multiply(*product);
}
DD_ISA_ENTRY(void, linalg_product_float32_float64)(const ProductArguments<float, double>* product) {
  dd::linalg::multiply(*product);
}
