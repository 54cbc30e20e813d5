// What solving for one row of time asks of the kernels compiled once per ISA level.
#pragma once

#include <cstddef>

#include "core/isa.hpp"
#include "linalg/stencil_isa.hpp"

namespace dd::odil {

/// inverse[i] = 1 / diagonal[i], x[i] = right_side[i] inverse[i] for i in [begin, end).
template <class T>
struct ChebyshevStart {
  const T* diagonal;
  const T* right_side;
  T* inverse;
  T* x;
  std::size_t begin, end;
};

/// out[i] = previous[i] + weight ((right_side[i] - sum) inverse[i] - previous[i]); the diagonal is not in the sum.
/// `out` may be `previous` or `right_side`.
template <class T>
struct ChebyshevSweep {
  linalg::StencilRow<T> row;
  const T* right_side;
  const T* inverse;
  const T* previous;
  T* out;
  T weight;
};

/// L D U x = b with unit bidiagonal L (lower[i] beside x[i - 1]) and U (upper[i] beside x[i + 1]); x may be b.
template <class T>
struct ThomasSolve {
  const T* lower;
  const T* inverse_pivot;
  const T* upper;
  const T* right_side;
  T* x;
  std::size_t count;
};

DD_ISA_KERNEL(chebyshev_start_float64, void(const ChebyshevStart<double>*));
DD_ISA_KERNEL(chebyshev_start_float32, void(const ChebyshevStart<float>*));
DD_ISA_KERNEL(chebyshev_sweep_float64, void(const ChebyshevSweep<double>*));
DD_ISA_KERNEL(chebyshev_sweep_float32, void(const ChebyshevSweep<float>*));
DD_ISA_KERNEL(thomas_solve_float64, void(const ThomasSolve<double>*));
DD_ISA_KERNEL(thomas_solve_float32, void(const ThomasSolve<float>*));

}  // namespace dd::odil
