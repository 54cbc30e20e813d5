// What a step asks of the kernel compiled once per ISA level: weights of rows and where they point.
#pragma once

#include <cstddef>

#include "core/isa.hpp"

namespace dd::polystep {

/// Per row of 2 d finite costs, vertex i and i + d antithetic: w = softmax((C - min C) / temperature),
/// u_i = w_i - w_{i+d}, squares = sum_n w_n^2. temperature > 0; differences may overflow it, which gives zeros.
struct SoftmaxProjection {
  std::size_t rows, dimension;
  const double* costs;
  double temperature;
  double* weights;     ///< rows x 2 dimension
  double* projection;  ///< rows x dimension
  double* squares;     ///< rows
};

DD_ISA_KERNEL(polystep_softmax_projection, void(const SoftmaxProjection*));

}  // namespace dd::polystep
