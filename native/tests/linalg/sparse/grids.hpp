// Residuals on grids for tests and benchmarks: Poisson in any number of axes, a wave that marches in time.
#pragma once

#include <cstddef>
#include <vector>

#include "linalg/sparse/matrix.hpp"

namespace dd::test {

using linalg::Index;
using linalg::SparseMatrix;
using linalg::Triplet;

/// Residual of specs/odil.md 6.1 without its right-hand side: second differences on [0, 1]^axes, quadratic halos with
/// wall value zero, or a periodic axis.
inline SparseMatrix poisson(const std::vector<std::size_t>& cells, bool periodic = false) {
  std::size_t n = 1;
  for (const std::size_t extent : cells) n *= extent;
  std::vector<Triplet> triplets;
  for (std::size_t u = 0; u < n; ++u) {
    std::size_t stride = n, rest = u;
    for (const std::size_t extent : cells) {
      stride /= extent;
      const std::size_t at = rest / stride;
      rest %= stride;
      const double scale = static_cast<double>(extent * extent);
      const auto add = [&](std::size_t place, double value) {
        triplets.push_back({static_cast<Index>(u), static_cast<Index>(u + (place - at) * stride), value * scale});
      };
      add(at, -2);
      for (const bool up : {false, true}) {
        const bool wall = up ? at + 1 == extent : at == 0;
        if (!wall) {
          add(up ? at + 1 : at - 1, 1);
        } else if (periodic) {
          add(up ? 0 : extent - 1, 1);
        } else {  // (inner - 6 edge + 8 wall) / 3
          add(up ? at - 1 : at + 1, 1.0 / 3);
          add(at, -2);
        }
      }
    }
  }
  return linalg::from_triplets(n, n, triplets);
}

/// Residual of specs/odil.md 6.2: block lower triangular in time.
inline SparseMatrix wave(std::size_t times, std::size_t cells) {
  const double dt = 1.0 / static_cast<double>(times), dx = 2.0 / static_cast<double>(cells);
  std::vector<Triplet> triplets;
  for (std::size_t t = 0; t < times; ++t) {
    for (std::size_t x = 0; x < cells; ++x) {
      const auto row = static_cast<Index>(t * cells + x);
      const auto add = [&](std::size_t back, std::size_t place, double value) {
        triplets.push_back({row, static_cast<Index>((t - back) * cells + place), value});
      };
      if (t == 0) {
        add(0, x, 1);
        continue;
      }
      add(0, x, 1 / (dt * dt));
      add(1, x, (t == 1 ? -1 : -2) / (dt * dt) + 2 / (dx * dx));
      if (t > 1) add(2, x, 1 / (dt * dt));
      for (const bool up : {false, true}) {
        if (up ? x + 1 < cells : x > 0) {
          add(1, up ? x + 1 : x - 1, -1 / (dx * dx));
        } else {
          add(1, up ? x - 1 : x + 1, -1 / (3 * dx * dx));
          add(1, x, 2 / (dx * dx));
        }
      }
    }
  }
  return linalg::from_triplets(times * cells, times * cells, triplets);
}

}  // namespace dd::test
