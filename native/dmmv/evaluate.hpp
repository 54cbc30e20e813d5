// What an assignment is worth, and what every single change of it would be worth.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dmmv/problem.hpp"

namespace dd::dmmv {

struct Evaluation {
  double objective = 0;            ///< t(x) = max violation, signed, in the unit of the weighted rows
  std::size_t worst_row = 0;       ///< the lowest row that attains it
  std::vector<double> activities;  ///< s = A x, m
  std::vector<double> violations;  ///< v, m
  double soft_penalty = 0;         ///< sum over the soft rows; not part of the objective
};

/// Everything recomputed from scratch in float64, columns in order. indices: level index of each variable, length n.
/// Throws shape_mismatch, out_of_range. Cost: one pass over the matrix.
Evaluation evaluate(const Problem& problem, std::span<const std::int32_t> indices);

/// The objective alone.
double objective(const Problem& problem, std::span<const std::int32_t> indices);

/// Violation after every single change: entry (j, q), variables first to last and the levels of each in order, is
/// max_i v_i(x) with variable j moved to level q and all others kept; the current level holds the current objective.
/// out: problem.levels().total() entries. threads: 0 means the size of the shared pool; the bits do not depend on it.
/// Throws shape_mismatch, out_of_range. Cost: the matrix is read once for every two levels of a column, by kernel K1 of
/// specs/dmmv.md; the entries of a sparse one once for every level.
void one_flip_table(const Problem& problem, std::span<const std::int32_t> indices, std::size_t threads,
                    std::span<double> out);

}  // namespace dd::dmmv
