// Orders of elimination that keep the factor of a symmetric matrix sparse. An order never decides whether a
// factorisation is right, only what it costs.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "linalg/sparse/matrix.hpp"

namespace dd::linalg {

inline constexpr std::size_t most_grid_axes = 4;

/// Unknowns that are fields on one grid: the fields one after the other, each row-major over its own extents (1 for an
/// axis it does not have). Point i of an axis lies beside point i of the same axis of every other field, so cell and
/// node fields may be mixed.
struct GridLayout {
  std::size_t axes = 0;
  std::vector<std::array<std::size_t, most_grid_axes>> fields;
  std::array<bool, most_grid_axes> periodic{};
  std::size_t unknowns() const noexcept;
};

/// order[k] is the unknown eliminated k-th. `upper`: the upper triangle of the symmetric pattern, see SparsePattern.
///
/// Nested dissection: regions are cut by planes across an axis or a diagonal of two axes, as many planes as the matrix
/// couples, where the separator is smallest for its balance (a periodic axis is cut twice at first), down to regions of
/// about `leaf` unknowns, which are ordered by minimum degree with their surroundings in view.
/// Throws ERR_SHAPE_MISMATCH (fields against the pattern) and ERR_OUT_OF_RANGE.
/// Cost: about n log n steps per direction. Source: George, SIAM J. Numer. Anal. 10(2), 1973.
std::vector<Index> nested_dissection(const SparsePattern& upper, const GridLayout& grid, std::size_t leaf = 64);

/// Approximate minimum degree for any symmetric pattern, with supervariables, element absorption and mass elimination.
/// Rows that are nearly full (more than 10 sqrt(n) entries, at least 16) come last.
/// Source: Amestoy, Davis and Duff, SIAM J. Matrix Anal. Appl. 17(4), 1996.
std::vector<Index> minimum_degree(const SparsePattern& upper);

/// Both triangles of a symmetric pattern without its diagonal, rows ascending.
SparsePattern symmetric_neighbours(const SparsePattern& upper);

}  // namespace dd::linalg
