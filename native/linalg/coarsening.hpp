// From an operator on a grid to the one on the next coarser grid: which axes, between which points, and R A P. Only the
// operator itself is looked at: where it couples weakly an axis stays as it is (semi-coarsening, which does for
// anisotropic problems what line relaxation does, and transposes by itself), and its rows at the ends of an axis say
// what happens at a wall.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

#include "linalg/axis_transfer.hpp"
#include "linalg/stencil.hpp"

namespace dd::linalg {

/// Where the points of an axis lie, in units of the finest grid's spacing.
struct AxisGeometry {
  bool nodes = false;
  std::vector<double> position;
  double lower = 0, upper = 0;                    ///< walls of an axis of cells; the period is upper - lower
  bool fixed_lower = false, fixed_upper = false;  ///< nodes: the equations at this end have a diagonal only
};
using GridGeometry = std::array<AxisGeometry, max_grid_axes>;

/// The finest grid; location as in specs/odil.md: 'c' or 'n' for each axis.
template <class T>
GridGeometry finest_geometry(const StencilOperator<T>& a, std::span<const char> location);

template <class T>
struct CoarseLevel {
  StencilOperator<T> a;
  GridGeometry geometry;
  GridTransfer prolongation;  ///< to_fine
  GridTransfer restriction;   ///< to_coarse
};

/// Nothing when no axis can or should be coarsened. Shifts of `a` must be -1, 0 or 1.
template <class T>
std::optional<CoarseLevel<T>> coarsen(const StencilOperator<T>& a, const GridGeometry& geometry, std::size_t threads);

}  // namespace dd::linalg
