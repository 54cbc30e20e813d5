// Which residuals march: a field whose rows of time are determined one after the other, each by residuals that read it
// and earlier rows only. What is left of the residuals are data.
//
// Source: specs/odil-engine.md, section 3.7.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "odil/problem.hpp"

namespace dd::odil {

/// Row `row` of residual block `block`: all residuals with that index along the first axis.
struct BlockRow {
  std::size_t block = 0;
  std::int32_t row = 0;
};

/// What one row of a grid block reads of the state.
struct ResidualRow {
  std::int32_t last_read = -1;  ///< the latest row of the state; -1 where it reads none
  bool zero = false;            ///< 0 at all points, whatever the unknowns are
  bool equation = false;        ///< determines a row of the state
};

/// A state of `rows` rows of `row_points` points: field 0, whose first axis is time.
struct Evolution {
  std::size_t block = 0;  ///< determines most rows
  std::size_t rows = 0, row_points = 0;
  std::vector<std::optional<BlockRow>> equations;   ///< by row of the state; none for rows that nothing reads
  std::vector<std::vector<ResidualRow>> residuals;  ///< by grid block and row; empty for scalar blocks
  bool has_data = false;                            ///< some residuals are no equations
  /// A block of data whose rows of time have other points than the field's.
  std::optional<std::size_t> other_points;
};

struct EvolutionSearch {
  std::optional<Evolution> evolution;
  std::string reason;  ///< why there is none
};

/// Looks for the evolution in `problem`. `block` names the block that determines most rows; default: of those that
/// connect rows of time, the one that determines most, the first of equals. Rows that it leaves (initial values) are
/// taken from blocks that are 0 everywhere else. Cost: as compiling derivatives.
EvolutionSearch find_evolution(const Problem& problem, std::optional<std::size_t> block);

}  // namespace dd::odil
