// All assignments that are better than a threshold as the lattice points of a polytope: rows and boxes scaled to |z| <=
// 1, in a reduced basis.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/run_control.hpp"
#include "dmmv/moves.hpp"
#include "dmmv/problem.hpp"

namespace dd::dmmv {

/// z = sum_k matrix_k coordinate_k + start, |z_i| <= 1, for every assignment with t <= threshold.
struct UnitRows {
  std::size_t rows = 0, columns = 0;
  std::vector<double> matrix, start;   ///< rows x columns, column-major; rows
  std::vector<double> reach;           ///< bound on |coordinate_k| wherever every row is within one
  std::vector<std::size_t> variables;  ///< those with more than one level
  std::vector<std::int64_t>
      transform;         ///< variables from coordinates, columns x columns, column-major, of determinant +-1
  bool integer = false;  ///< coordinates are integers; else distances from the base value of one variable
  bool empty = false;    ///< some row cannot be met at all
  bool usable = false;   ///< false where the columns are dependent to working precision
};

/// Throws dd::Error (out_of_memory) where a proof is too large: more than 2^26 entries, or more than `control` allows
/// for rows, residuals of every depth and its relaxation.
void require_proof_memory(const Problem& problem, const RunControl& control);

/// The rows around the assignment `base`, whose coordinates are all 0. Cost: a lattice reduction, and 2 rows columns^2.
UnitRows unit_rows(const Problem& problem, const SearchRows& rows, std::span<const std::int32_t> base, double threshold,
                   const RunControl& control);

}  // namespace dd::dmmv
