// What operators on grids ask of the kernels compiled once per ISA level: one row of points at a time.
#pragma once

#include <cstddef>

#include "core/isa.hpp"

namespace dd::linalg {

/// Points [begin, end) of a row: sum = sum over k of coefficients[k][i] sources[k][i].
template <class T>
struct StencilRow {
  const T* const* coefficients;
  const T* const* sources;  // rows that are shifted already
  std::size_t terms;
  std::size_t begin, end;
  bool uniform = false;  // each coefficient has one value in [begin, end)
};

/// out = sum, or right_side - sum where a right side is given.
template <class T>
struct StencilApply {
  StencilRow<T> row;
  const T* right_side;
  T* out;
};

/// x[i] = (right_side[i] - sum) inverse_diagonal[i] for the i of one parity, or of both (parity 2); the diagonal is not
/// among the terms.
template <class T>
struct StencilRelax {
  StencilRow<T> row;
  const T* right_side;
  const T* inverse_diagonal;
  T* x;
  unsigned parity;
};

DD_ISA_KERNEL(stencil_apply_float64, void(const StencilApply<double>*));
DD_ISA_KERNEL(stencil_apply_float32, void(const StencilApply<float>*));
DD_ISA_KERNEL(stencil_relax_float64, void(const StencilRelax<double>*));
DD_ISA_KERNEL(stencil_relax_float32, void(const StencilRelax<float>*));

}  // namespace dd::linalg
