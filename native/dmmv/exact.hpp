// Proofs of optimality: a search through all assignments that could beat the best one known, in a reduced basis.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "core/run_control.hpp"
#include "dmmv/problem.hpp"
#include "dmmv/solve.hpp"

namespace dd::dmmv {

struct ExactOptions {
  std::span<const std::int32_t> initial;  ///< an assignment to beat; empty: the solver's own search finds one
  std::uint64_t seed = 1;
  std::uint64_t search_iterations = 0;  ///< of that search; 0: until it stagnates, or a tenth of the time limit
  double gap = 1e-9;                    ///< relative: nothing better than (1 - gap) times the result is left
};

struct ExactResult {
  std::vector<std::int32_t> indices;
  double objective = 0;                                           ///< recomputed from scratch
  double lower_bound = -std::numeric_limits<double>::infinity();  ///< proven; objective (1 - gap) when `proven`, else
                                                                  ///< that of the linear relaxation
  bool proven = false;
  std::vector<double> multipliers;  ///< the certificate of the relaxation's bound; empty where it has none
  std::uint64_t nodes = 0;          ///< partial assignments looked at
  std::uint64_t relaxations = 0;    ///< of them, those that needed a linear relaxation
  std::uint64_t cuts = 0;           ///< multipliers kept, each of which excluded others of the rest
  enum class Status : std::uint8_t { optimal, time_limit, cancelled } status = Status::optimal;
  struct {
    double search = 0, reduction = 0, proof = 0;
  } seconds;
};

/// The optimum of a problem with few variables, with proof.
///
/// With equally spaced levels, coordinates of a BKZ-reduced basis of rows and boxes are fixed one after another, from
/// the last; what remains is a Chebyshev approximation problem, and multipliers that exclude one node exclude others of
/// its depth at the cost of a product of as many numbers as are fixed. With unequal levels the variables themselves
/// are fixed. Multipliers are used with an allowance for rounding that covers the whole box.
///
/// Soft rows play no part. Throws dd::Error: out_of_range or shape_mismatch (`initial`), invalid_argument_value (gap),
/// out_of_memory (more than 2^26 entries). Cost: exponential; some 25 variables with tight rows are practical.
ExactResult solve_exact(const Problem& problem, const ExactOptions& options, RunControl& control);

/// The proof alone, from any assignment: better ones are found on the way. Leaves `proven` false where `control`
/// stopped it, or rounding would not let it decide.
void enumerate_from(const Problem& problem, std::span<const std::int32_t> incumbent, double gap, ExactResult& result,
                    RunControl& control);

}  // namespace dd::dmmv
