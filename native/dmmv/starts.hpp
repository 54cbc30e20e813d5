// Cheap assignments to begin with (specs/dmmv.md 6.1): rounding, nearest plane, nearest plane in a metric whose row
// weights were re-estimated by Lawson's rule.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/function_ref.hpp"
#include "core/philox.hpp"
#include "dmmv/moves.hpp"
#include "dmmv/problem.hpp"

namespace dd::dmmv {

/// The level in the middle of each set.
std::vector<std::int32_t> middle_levels(const Problem& problem);

/// Factors sqrt(m p_i) of the D-optimal design p on the hard rows. For any probabilities p the ellipsoid
/// sum_i p_i r_i^2 <= t^2 holds every assignment of violation t; these p make it smallest, so lattice points that are
/// near in this metric are the ones worth trying. Multiplicative algorithm (Silvey, Titterington, Torsney, Comm. Stat.
/// A7, 1978), `rounds` times 3 m k^2 operations. Empty when rows are dependent.
std::vector<double> design_factors(const Problem& problem, const SearchRows& rows, const SearchLattice& lattice,
                                   int rounds = 12);

/// Babai's nearest plane towards a point, in the metric of the rows times `row_factors` (empty: 1) and the reduced
/// basis of a lattice; levels left of the box are clipped.
class NearestPlane {
 public:
  /// Needs lattice.available. Cost: 2 rows k^2.
  NearestPlane(const Problem& problem, const SearchRows& rows, const SearchLattice& lattice,
               std::span<const double> row_factors, std::span<const double> point);
  /// False when the rows are dependent in float64.
  bool usable() const noexcept { return usable_; }
  std::vector<std::int32_t> nearest() const {
    double square = 0;
    return levels(round(nullptr, 0, square));
  }
  /// Every coordinate rounded after adding noise of `spread` (in units of the geometric mean of the plane distances):
  /// far planes are kept, near ones vary (after Klein, SODA 2000). Lattice coordinates; `square` is the squared
  /// distance to the point in the metric, less a constant. Cost: k^2.
  std::vector<std::int64_t> sample(PhiloxStream& random, double spread, double& square) const {
    return round(&random, spread, square);
  }
  /// Levels of lattice coordinates. Cost: k^2.
  std::vector<std::int32_t> levels(const std::vector<std::int64_t>& coordinates) const;

 private:
  std::vector<std::int64_t> round(PhiloxStream* random, double spread, double& square) const;

  const Problem& problem_;
  std::vector<std::size_t> variables_;
  std::vector<std::int64_t> transform_;
  std::vector<std::int32_t> rounded_;
  std::vector<double> triangle_, target_;
  double mean_distance_ = 0;
  bool usable_ = false;
};

/// Starts for one continuous point, best first, none twice: nearest levels, nearest plane, five rounds of reweighting
/// with the basis reduced anew, as long as `should_stop()` does not say so.
std::vector<std::vector<std::int32_t>> make_starts(const Problem& problem, const SearchRows& rows,
                                                   const SearchLattice& lattice, std::span<const double> point,
                                                   FunctionRef<bool()> should_stop);

}  // namespace dd::dmmv
