// Probes of an orthoplex on blocks: a thread writes one coordinate of a vertex and of its antipode for all probes.
#pragma once

#include "core/block.hpp"

namespace dd::polystep {

/// As Probes (polystep/probes_isa.hpp). Grid: ceil(rows d d / 128).
template <class Scalar>
struct ProbesBlock {
  static constexpr BlockShape shape{128};
  template <class B>
  using Shared = NoShared;

  std::size_t rows, dimension, probes;
  const Scalar* x;
  const double* rotations;
  const double* distances;
  Scalar* points;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    b.each([&](unsigned t) {
      const std::size_t index = std::size_t{b.block_x()} * B::threads + t, d = dimension;
      if (index >= rows * d * d) return;
      const std::size_t j = index % d, n = index / d % d, row = index / (d * d);
      const double at = static_cast<double>(x[row * d + j]), component = rotations[(row * d + j) * d + n];
      for (std::size_t k = 0; k < probes; ++k) {
        const double along = distances[k] * component;
        points[((row * 2 * d + n) * probes + k) * d + j] = static_cast<Scalar>(at + along);
        points[((row * 2 * d + n + d) * probes + k) * d + j] = static_cast<Scalar>(at - along);
      }
    });
  }
};

}  // namespace dd::polystep

DD_BLOCK_KERNEL(polystep_probes_float32_block, dd::polystep::ProbesBlock<float>)
DD_BLOCK_KERNEL(polystep_probes_float64_block, dd::polystep::ProbesBlock<double>)
