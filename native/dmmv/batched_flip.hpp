// Kernel K3 of specs/dmmv.md: the largest residual of many states after every move of one dictionary, a matrix product
// in the algebra of (max, |a + b|). Rows of a weight matrix share their activations, so one dictionary serves them all.
#pragma once

#include <cstddef>

#include "core/isa.hpp"

namespace dd::dmmv {

/// out[2 p + 2 pairs s] = max_i |r_is + g_ip| and out[2 p + 1 + 2 pairs s] = max_i |r_is - g_ip|; 0 without rows.
/// moves: rows x pairs, residuals: rows x states, both column-major (columns `rows` apart). A maximum has no order and
/// nothing is fused: every level and back end gives the same bits. Cost: 6 rows pairs states operations.
template <class Real>
struct BatchedFlip {
  const Real* moves;
  const Real* residuals;
  Real* out;
  std::size_t rows;
  std::size_t pairs;
  std::size_t states;
};

DD_ISA_KERNEL(batched_flip_float32, void(const BatchedFlip<float>*));
DD_ISA_KERNEL(batched_flip_float64, void(const BatchedFlip<double>*));

}  // namespace dd::dmmv
