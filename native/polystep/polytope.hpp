// The polytopes whose vertices are the directions of a step, as unit templates centred at the origin.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace dd::polystep {

enum class PolytopeKind : std::uint8_t { orthoplex, simplex, cube };

/// Vertices of norm 1 that sum to zero. Orthoplex: e_0 ... e_{d-1}, then their negatives, so that vertices i and i + d
/// are antithetic; it keeps no table. Simplex: d + 1 vertices. Cube: 2^d, bit j of the number of a vertex is the sign
/// of coordinate j. Source: arXiv 2605.01928, section 3.
class Polytope {
 public:
  /// dimension >= 1; a cube has at most 16. Throws ERR_OUT_OF_RANGE.
  Polytope(PolytopeKind kind, std::size_t dimension);

  PolytopeKind kind() const noexcept { return kind_; }
  std::size_t dimension() const noexcept { return dimension_; }
  std::size_t vertices() const noexcept { return vertices_; }
  bool antithetic() const noexcept { return kind_ == PolytopeKind::orthoplex; }

  /// Coordinates of vertex n, `dimension` numbers.
  void vertex(std::size_t n, std::span<double> out) const;
  /// sum_n weights_n v_n, `dimension` numbers: for the orthoplex u_i = w_i - w_{i+d}, without its vertices.
  void combine(std::span<const double> weights, std::span<double> out) const;
  /// R v_n for every vertex, row by row: vertices x dimension. `rotation`: d x d, row-major.
  void directions(std::span<const double> rotation, std::span<double> out) const;

 private:
  PolytopeKind kind_;
  std::size_t dimension_, vertices_;
  std::vector<double> table_;  // vertices x dimension; empty for the orthoplex
};

}  // namespace dd::polystep
