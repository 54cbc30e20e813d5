// Operators on grids for tests: diffusion with walls, reaction, random coefficients.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/philox.hpp"
#include "linalg/stencil.hpp"

namespace dd::test {

using linalg::GridShift;
using linalg::PointGrid;
using linalg::StencilOperator;

template <class T>
std::vector<T> random_vector(std::size_t count, std::uint32_t stream) {
  PhiloxStream random(5, stream);
  std::vector<T> values(count);
  for (T& value : values) value = static_cast<T>(2 * random.next_uniform() - 1);
  return values;
}

inline std::vector<GridShift> star(std::size_t axes) {
  std::vector<GridShift> shifts{{}};
  for (std::size_t axis = 0; axis < axes; ++axis) {
    for (const int step : {-1, 1}) {
      GridShift shift{};
      shift[axis] = step;
      shifts.push_back(shift);
    }
  }
  return shifts;
}

inline std::vector<GridShift> box(std::size_t axes) {
  std::vector<GridShift> shifts;
  std::size_t count = 1;
  for (std::size_t axis = 0; axis < axes; ++axis) count *= 3;
  for (std::size_t k = 0; k < count; ++k) {
    GridShift shift{};
    std::size_t rest = k;
    for (std::size_t axis = 0; axis < axes; ++axis, rest /= 3) shift[axis] = static_cast<int>(rest % 3) - 1;
    shifts.push_back(shift);
  }
  return shifts;
}

/// Whether the neighbour at `shift` of point i is on the grid.
inline bool inside(const PointGrid& grid, std::size_t i, const GridShift& shift) {
  const auto strides = grid.strides();
  for (std::size_t axis = 0; axis < grid.axes; ++axis) {
    const auto at = static_cast<std::ptrdiff_t>(i / strides[axis] % grid.count[axis]) + shift[axis];
    if (!grid.periodic[axis] && (at < 0 || at >= static_cast<std::ptrdiff_t>(grid.count[axis]))) return false;
  }
  return true;
}

/// Only the shifts that fit a grid with short axes.
inline std::vector<GridShift> fitting(const PointGrid& grid, std::vector<GridShift> shifts) {
  std::erase_if(shifts, [&](const GridShift& shift) {
    for (std::size_t axis = 0; axis < grid.axes; ++axis) {
      if (static_cast<std::size_t>(std::abs(shift[axis])) >= grid.count[axis]) return true;
    }
    return false;
  });
  return shifts;
}

/// Random, with a dominant diagonal.
template <class T>
StencilOperator<T> random_operator(const PointGrid& grid, const std::vector<GridShift>& shifts, std::uint32_t stream) {
  StencilOperator<T> a(grid, fitting(grid, shifts));
  for (std::size_t k = 0; k < a.shifts().size(); ++k) {
    const std::vector<T> values = random_vector<T>(grid.points(), stream + static_cast<std::uint32_t>(k));
    for (std::size_t i = 0; i < grid.points(); ++i) {
      if (!inside(grid, i, a.shifts()[k])) continue;
      a.coefficients(k)[i] = a.shifts()[k] == GridShift{} ? static_cast<T>(a.shifts().size()) + values[i] : values[i];
    }
  }
  return a;
}

enum class Wall { value, slope, value_quadratic };

/// - sum over axes of d_a u'' with cells, (h = 1), walls of one kind, plus `reaction`. A wall value is the mean of the
/// cell and its mirror image, or the quadratic halo of odil.md 1.2.
template <class T>
StencilOperator<T> diffusion_cells(const PointGrid& grid, const std::vector<double>& d, Wall wall,
                                   double reaction = 0) {
  StencilOperator<T> a(grid, star(grid.axes));
  const auto strides = grid.strides();
  for (std::size_t i = 0; i < grid.points(); ++i) {
    double diagonal = reaction;
    for (std::size_t axis = 0; axis < grid.axes; ++axis) {
      double low = -d[axis], high = -d[axis], centre = 2 * d[axis];
      const std::size_t at = i / strides[axis] % grid.count[axis], last = grid.count[axis] - 1;
      if (!grid.periodic[axis] && (at == 0 || at == last)) {
        (at == 0 ? low : high) = 0;
        if (wall == Wall::slope) centre -= d[axis];
        if (wall == Wall::value) centre += d[axis];
        if (wall == Wall::value_quadratic) {
          centre += 2 * d[axis];
          (at == 0 ? high : low) -= d[axis] / 3;
        }
      }
      a.coefficients(1 + 2 * axis)[i] = static_cast<T>(low);
      a.coefficients(2 + 2 * axis)[i] = static_cast<T>(high);
      diagonal += centre;
    }
    a.coefficients(0)[i] = static_cast<T>(diagonal);
  }
  return a;
}

/// The same at nodes: identity rows at all walls.
template <class T>
StencilOperator<T> diffusion_nodes(const PointGrid& grid, const std::vector<double>& d) {
  StencilOperator<T> a(grid, star(grid.axes));
  const auto strides = grid.strides();
  for (std::size_t i = 0; i < grid.points(); ++i) {
    bool wall = false;
    for (std::size_t axis = 0; axis < grid.axes; ++axis) {
      const std::size_t at = i / strides[axis] % grid.count[axis];
      wall = wall || (!grid.periodic[axis] && (at == 0 || at + 1 == grid.count[axis]));
    }
    double diagonal = 0;
    for (std::size_t axis = 0; axis < grid.axes && !wall; ++axis) {
      a.coefficients(1 + 2 * axis)[i] = a.coefficients(2 + 2 * axis)[i] = static_cast<T>(-d[axis]);
      diagonal += 2 * d[axis];
    }
    a.coefficients(0)[i] = wall ? T(1) : static_cast<T>(diagonal);
  }
  return a;
}

template <class T>
double inner(const std::vector<T>& a, const std::vector<T>& b) {
  double total = 0;
  for (std::size_t i = 0; i < a.size(); ++i) total += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return total;
}

}  // namespace dd::test
