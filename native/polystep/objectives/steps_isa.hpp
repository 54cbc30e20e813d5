// Layers of candidates that differ from a base by a few directions or by products of thin matrices, over columns of
// samples. As in network_isa.hpp: every column by itself, products and sums rounded one by one, the same bits at all
// levels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/isa.hpp"

namespace dd::polystep {

/// What sparse changes of a layer's weights do to its rows before the activation: out_jrc = sum over the entries e of
/// direction j with row r, in their order, of value_e input_(column_e)c. Direction j has the entries starts_j ...
/// starts_(j+1) - 1.
template <class T>
struct SparseRows {
  std::size_t directions;
  std::size_t rows;
  std::size_t columns;  ///< a multiple of 16
  const std::uint32_t* starts;
  const std::uint32_t* entry_rows;
  const std::uint32_t* entry_columns;
  const T* values;
  const T* inputs;  ///< rows of `columns`
  T* out;           ///< directions x rows x columns
};
DD_ISA_KERNEL(sparse_rows_float64, void(const SparseRows<double>*));
DD_ISA_KERNEL(sparse_rows_float32, void(const SparseRows<float>*));
inline void sparse_rows(const SparseRows<double>& arguments) { sparse_rows_float64(&arguments); }
inline void sparse_rows(const SparseRows<float>& arguments) { sparse_rows_float32(&arguments); }

/// Layers whose weights differ from a common matrix by a product of thin ones: y_nrc = s_rc + sum_k f_n a_nrk u_nkc
/// with u_nkc = sum_i b_nik x_ic, both sums in order. The layer with the common weights is `start`.
template <class T>
struct ProductRows {
  std::size_t candidates;
  std::size_t rows;
  std::size_t columns;  ///< a multiple of 16
  std::size_t terms;
  std::size_t rank;
  const T* factors;        ///< f, of each candidate
  const T* const* lefts;   ///< a of each candidate: rows x rank
  const T* const* rights;  ///< b of each candidate: terms x rank
  const T* inputs;         ///< x: terms x columns
  const T* start;          ///< s: rows x columns
  T* out;                  ///< candidates x rows x columns
};
DD_ISA_KERNEL(product_rows_float64, void(const ProductRows<double>*));
DD_ISA_KERNEL(product_rows_float32, void(const ProductRows<float>*));
inline void product_rows(const ProductRows<double>& arguments) { product_rows_float64(&arguments); }
inline void product_rows(const ProductRows<float>& arguments) { product_rows_float32(&arguments); }

}  // namespace dd::polystep
