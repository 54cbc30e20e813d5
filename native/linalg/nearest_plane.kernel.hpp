// Kernel K6 on blocks: one block for each target; threads run along the columns of the triangle.
#pragma once

#include "core/block.hpp"

namespace dd::linalg {

/// coordinates as in nearest_plane.hpp. Grid: one block for each target.
struct NearestPlaneBlock {
  static constexpr BlockShape shape{64};
  template <class B>
  struct Shared {};

  const double* triangle;
  const double* targets;
  double* coordinates;
  std::size_t columns;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    const double* const target = targets + b.block_x() * columns;
    double* const rest = coordinates + b.block_x() * columns;
    b.each([&](unsigned t) {
      for (std::size_t i = t; i < columns; i += B::threads) rest[i] = target[i];
    });
    for (std::size_t k = columns; k-- > 0;) {
      const double* const column = triangle + k * columns;
      b.each([&](unsigned t) {
        if (t == 0) rest[k] = ceil(rest[k] / column[k] - 0.5);
      });
      b.each([&](unsigned t) {
        const double z = rest[k];
        for (std::size_t i = t; i < k; i += B::threads) {
          const double product = z * column[i];
          rest[i] = rest[i] - product;
        }
      });
    }
  }
};

}  // namespace dd::linalg

DD_BLOCK_KERNEL(linalg_nearest_plane_float64, dd::linalg::NearestPlaneBlock)
