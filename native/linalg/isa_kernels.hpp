// What the plain side of dense linear algebra asks of the kernels compiled once per ISA level: argument records and
// tables of entries. Pointers and strides only; shapes were checked before, threads and scratch memory stay outside.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/isa.hpp"
#include "linalg/blocking.hpp"

namespace dd::linalg {

enum class ProductPath : std::uint8_t { direct, packed };
enum class ProductPart : std::uint8_t { full, lower, upper };

/// C = alpha A B + beta C, C column-major; with `part` only elements with row + diagonal >= column (lower) or <= column
/// (upper) are touched. `direct` wants a_row_stride = 1. `workspace`: product_workspace(m, n, k) elements for `packed`.
template <class T, class Sum>
struct ProductArguments {
  std::size_t m, n, k;
  const T* a;
  std::ptrdiff_t a_row_stride, a_column_stride;
  const T* b;
  std::ptrdiff_t b_row_stride, b_column_stride;
  Sum alpha, beta;
  Sum* c;
  std::ptrdiff_t c_column_stride;
  ProductPath path;
  ProductPart part;
  std::ptrdiff_t diagonal;
  T* workspace;
};

/// Rows of A, columns of B that are packed at a time, and the room they need; both are multiples of every tile side.
template <class T, class Sum>
inline constexpr std::size_t packed_rows = 192 * 8 / sizeof(T) * product_depth
                                           / product_depth_of<T, Sum>;  // 384 KiB at full depth
inline constexpr std::size_t packed_columns = 4080;
template <class T, class Sum>
constexpr std::size_t product_workspace(std::size_t m, std::size_t n, std::size_t k) noexcept {
  constexpr std::size_t most_rows = packed_rows<T, Sum>;
  const std::size_t depth = product_depth_step(k, product_depth_of<T, Sum>);
  const std::size_t rows = m < most_rows ? (m + 63) / 64 * 64 : most_rows;
  const std::size_t columns = n < packed_columns ? (n + 23) / 24 * 24 : packed_columns;
  return depth * (rows + columns) + 64;
}

/// y = alpha A x + beta y (x and y contiguous): `by_columns` with A column-major, `by_rows` with A row-major.
template <class T>
struct MatrixVectorArguments {
  std::size_t m, k;
  const T* a;
  std::ptrdiff_t a_stride;
  const T* x;
  T alpha, beta;
  T* y;
};

/// X (rows x columns, unit row stride, any column stride) = X L^-T in place; reciprocal[j] = 1 / L_jj.
template <class T>
struct SolveArguments {
  std::size_t rows, columns;
  T* x;
  std::ptrdiff_t x_stride;
  const T* l;
  std::ptrdiff_t l_stride;
  const T* reciprocal;
};

/// Lower Cholesky factor in place, order up to panel_columns; writes 1 / L_jj; returns 0 or the 1-based bad pivot.
template <class T>
struct CholeskyPanelArguments {
  std::size_t n;
  T* a;
  std::ptrdiff_t a_stride;
  T* reciprocal;
};

/// L = L^-1 in place for n <= inverse_leaf; scratch: inverse_leaf * (inverse_leaf + 2 * 16) elements.
template <class T>
struct InvertLeafArguments {
  std::size_t n;
  T* l;
  std::ptrdiff_t l_stride;
  T* scratch;
};
inline constexpr std::size_t invert_leaf_scratch = inverse_leaf * (inverse_leaf + 32);

/// to[j to_stride + i] = from[i from_stride + j], i < rows, j < columns.
template <class T>
struct TransposeArguments {
  std::size_t rows, columns;
  const T* from;
  std::ptrdiff_t from_stride;
  T* to;
  std::ptrdiff_t to_stride;
};

/// Element (i, j) of the batch_lanes matrices of group g is the cache line at (g n^2 + j n + i) batch_lanes.
template <class T>
struct BatchArguments {
  std::size_t groups, n, right_hand_sides;
  T* a;
  T* b;                  // right-hand sides: n x right_hand_sides per matrix, interleaved in the same way
  std::int32_t* status;  // groups * batch_lanes: 0 or a 1-based pivot
  std::int32_t* pivots;  // LU: groups * n * batch_lanes
};

/// Batches of products of interleaved matrices: C = alpha A B + beta C.
template <class T>
struct BatchProductArguments {
  std::size_t groups, m, n, k;
  const T* a;
  const T* b;
  T alpha, beta;
  T* c;
};

DD_ISA_KERNEL(linalg_product_float32, void(const ProductArguments<float, float>*));
DD_ISA_KERNEL(linalg_product_float64, void(const ProductArguments<double, double>*));
DD_ISA_KERNEL(linalg_product_float32_float64, void(const ProductArguments<float, double>*));
DD_ISA_KERNEL(linalg_matrix_vector_by_columns_float32, void(const MatrixVectorArguments<float>*));
DD_ISA_KERNEL(linalg_matrix_vector_by_columns_float64, void(const MatrixVectorArguments<double>*));
DD_ISA_KERNEL(linalg_matrix_vector_by_rows_float32, void(const MatrixVectorArguments<float>*));
DD_ISA_KERNEL(linalg_matrix_vector_by_rows_float64, void(const MatrixVectorArguments<double>*));
DD_ISA_KERNEL(linalg_solve_float32, void(const SolveArguments<float>*));
DD_ISA_KERNEL(linalg_solve_float64, void(const SolveArguments<double>*));
DD_ISA_KERNEL(linalg_cholesky_panel_float32, std::size_t(const CholeskyPanelArguments<float>*));
DD_ISA_KERNEL(linalg_cholesky_panel_float64, std::size_t(const CholeskyPanelArguments<double>*));
DD_ISA_KERNEL(linalg_invert_leaf_float32, void(const InvertLeafArguments<float>*));
DD_ISA_KERNEL(linalg_invert_leaf_float64, void(const InvertLeafArguments<double>*));
DD_ISA_KERNEL(linalg_transpose_float32, void(const TransposeArguments<float>*));
DD_ISA_KERNEL(linalg_transpose_float64, void(const TransposeArguments<double>*));
DD_ISA_KERNEL(linalg_batched_cholesky_float32, void(const BatchArguments<float>*));
DD_ISA_KERNEL(linalg_batched_cholesky_float64, void(const BatchArguments<double>*));
DD_ISA_KERNEL(linalg_batched_solve_lower_float32, void(const BatchArguments<float>*));
DD_ISA_KERNEL(linalg_batched_solve_lower_float64, void(const BatchArguments<double>*));
DD_ISA_KERNEL(linalg_batched_solve_lower_transposed_float32, void(const BatchArguments<float>*));
DD_ISA_KERNEL(linalg_batched_solve_lower_transposed_float64, void(const BatchArguments<double>*));
DD_ISA_KERNEL(linalg_batched_lu_float32, void(const BatchArguments<float>*));
DD_ISA_KERNEL(linalg_batched_lu_float64, void(const BatchArguments<double>*));
DD_ISA_KERNEL(linalg_batched_lu_solve_float32, void(const BatchArguments<float>*));
DD_ISA_KERNEL(linalg_batched_lu_solve_float64, void(const BatchArguments<double>*));
DD_ISA_KERNEL(linalg_batched_product_float32, void(const BatchProductArguments<float>*));
DD_ISA_KERNEL(linalg_batched_product_float64, void(const BatchProductArguments<double>*));

/// The tables by element type.
template <class T>
struct Kernels;
template <>
struct Kernels<float> {
  static constexpr auto product = linalg_product_float32;
  static constexpr auto matrix_vector_by_columns = linalg_matrix_vector_by_columns_float32;
  static constexpr auto matrix_vector_by_rows = linalg_matrix_vector_by_rows_float32;
  static constexpr auto solve = linalg_solve_float32;
  static constexpr auto cholesky_panel = linalg_cholesky_panel_float32;
  static constexpr auto invert_leaf = linalg_invert_leaf_float32;
  static constexpr auto transpose = linalg_transpose_float32;
  static constexpr auto batched_cholesky = linalg_batched_cholesky_float32;
  static constexpr auto batched_solve_lower = linalg_batched_solve_lower_float32;
  static constexpr auto batched_solve_lower_transposed = linalg_batched_solve_lower_transposed_float32;
  static constexpr auto batched_lu = linalg_batched_lu_float32;
  static constexpr auto batched_lu_solve = linalg_batched_lu_solve_float32;
  static constexpr auto batched_product = linalg_batched_product_float32;
};
template <>
struct Kernels<double> {
  static constexpr auto product = linalg_product_float64;
  static constexpr auto matrix_vector_by_columns = linalg_matrix_vector_by_columns_float64;
  static constexpr auto matrix_vector_by_rows = linalg_matrix_vector_by_rows_float64;
  static constexpr auto solve = linalg_solve_float64;
  static constexpr auto cholesky_panel = linalg_cholesky_panel_float64;
  static constexpr auto invert_leaf = linalg_invert_leaf_float64;
  static constexpr auto transpose = linalg_transpose_float64;
  static constexpr auto batched_cholesky = linalg_batched_cholesky_float64;
  static constexpr auto batched_solve_lower = linalg_batched_solve_lower_float64;
  static constexpr auto batched_solve_lower_transposed = linalg_batched_solve_lower_transposed_float64;
  static constexpr auto batched_lu = linalg_batched_lu_float64;
  static constexpr auto batched_lu_solve = linalg_batched_lu_solve_float64;
  static constexpr auto batched_product = linalg_batched_product_float64;
};

}  // namespace dd::linalg
