// Local search that takes a MAX-SAT assignment further: probSAT (Balint and Schoening, SAT 2012), annealed, with break
// weights kept up to date, so that a flip costs its own clauses and a choice one table entry per literal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/run_control.hpp"
#include "polystep/objectives/maxsat.hpp"

namespace dd::polystep {

struct PolishOptions {
  std::uint64_t max_flips = 0;
  std::uint64_t seed = 0;
  bool annealed = true;  ///< else probSAT as published: the same choice from the first flip to the last
};

struct PolishResult {
  std::vector<std::uint8_t> assignment;  ///< the best one seen
  std::int64_t unsatisfied = 0;          ///< its weight, recounted from scratch
  std::size_t unsatisfied_clauses = 0;
  std::uint64_t flips = 0;
  StopReason stopped = StopReason::none;
};

/// From `assignment` (0 or 1 each variable) on: picks an unsatisfied clause, flips one of its variables with
/// probability proportional to f(b)^-s, f(b) = (0.9 + b)^2.06, for clauses of more than three literals 2.5^b (four),
/// 3.7^b (five), 5.4^b (more), b being the weight that the flip breaks in units of the mean weight. s is 1 in probSAT;
/// annealed it rises from 0.87 to 1.7 during a round of flips: of max_flips or 200 a variable, whichever is less, then
/// of twice as many as the round before. A walk at s = 1 is far from its equilibrium after a few hundred flips a
/// variable, and farther where the start is a deep one; annealed it gets there. Ends when all is
/// satisfied, after max_flips, or when `control` says so; the result is never worse than the start. Progress carries no
/// state.
PolishResult polish(const MaxSat& problem, std::vector<std::uint8_t> assignment, const PolishOptions& options,
                    RunControl& control);

}  // namespace dd::polystep
