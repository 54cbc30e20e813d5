// Softmax over the vertices of an orthoplex on blocks: a thread does a row.
#pragma once

#include "core/block.hpp"

namespace dd::polystep {

/// As SoftmaxProjection (polystep/softmax_projection_isa.hpp). Grid: ceil(rows / 128).
struct SoftmaxProjectionBlock {
  static constexpr BlockShape shape{128};
  template <class B>
  using Shared = NoShared;

  std::size_t rows, dimension;
  const double* costs;
  double temperature;
  double* weights;
  double* projection;
  double* squares;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    b.each([&](unsigned t) {
      const std::size_t row = std::size_t{b.block_x()} * B::threads + t;
      if (row >= rows) return;
      const std::size_t vertices = 2 * dimension;
      const double* const own = costs + row * vertices;
      double* const w = weights + row * vertices;
      double least = own[0];
      for (std::size_t n = 1; n < vertices; ++n) least = own[n] < least ? own[n] : least;
      double sum = 0;
      for (std::size_t n = 0; n < vertices; ++n) {
        const double weight = exponential_of((least - own[n]) / temperature);
        w[n] = weight;
        sum += weight;
      }
      double total = 0;
      for (std::size_t n = 0; n < vertices; ++n) {
        const double weight = w[n] / sum;
        w[n] = weight;
        total += weight * weight;
      }
      for (std::size_t i = 0; i < dimension; ++i) projection[row * dimension + i] = w[i] - w[i + dimension];
      squares[row] = total;
    });
  }

 private:
  DD_DEVICE static double exponential_of(double x) {
#ifdef __CUDACC__
    return ::exp(x);
#else
    return std::exp(x);
#endif
  }
};

}  // namespace dd::polystep

DD_BLOCK_KERNEL(polystep_softmax_projection_block, dd::polystep::SoftmaxProjectionBlock)
