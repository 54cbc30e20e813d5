// The search of dense problems: starts, then chains in rounds.
#pragma once

#include "core/run_control.hpp"
#include "dmmv/problem.hpp"
#include "dmmv/solve.hpp"

namespace dd::dmmv {

/// `solve` for a problem whose rows are all wanted, with options that were checked.
SolveResult solve_dense(const Problem& problem, const SolveOptions& options, RunControl& control);

}  // namespace dd::dmmv
