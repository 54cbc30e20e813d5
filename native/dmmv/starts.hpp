// Cheap assignments to begin with (specs/dmmv.md 6.1): rounding, nearest plane, nearest plane in a metric whose row
// weights were re-estimated by Lawson's rule.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "dmmv/moves.hpp"
#include "dmmv/problem.hpp"

namespace dd::dmmv {

/// The level in the middle of each set.
std::vector<std::int32_t> middle_levels(const Problem& problem);

/// Babai's nearest plane towards `point` in the metric of the rows times `row_factors` (empty: 1), in the reduced basis
/// of `lattice`; levels left of the box are clipped. Needs lattice.available. Cost: rows k^2.
std::vector<std::int32_t> nearest_plane_levels(const Problem& problem, const SearchRows& rows,
                                               const SearchLattice& lattice, std::span<const double> row_factors,
                                               std::span<const double> point);

/// All of the above for one continuous point, best first, none twice: nearest levels, nearest plane, five rounds of
/// reweighting with the basis reduced anew.
std::vector<std::vector<std::int32_t>> make_starts(const Problem& problem, const SearchRows& rows,
                                                   const SearchLattice& lattice, std::span<const double> point);

}  // namespace dd::dmmv
