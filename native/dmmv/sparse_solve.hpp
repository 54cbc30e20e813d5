// The portfolio of sparse problems.
#pragma once

#include "core/run_control.hpp"
#include "dmmv/problem.hpp"
#include "dmmv/solve.hpp"

namespace dd::dmmv {

/// As `solve` (solve.hpp) for a problem that is worth it (sparse_rows.hpp): single changes only, nothing densified, no
/// relaxation. Deterministic in the same sense. Memory: 24 bytes an entry, 40 a row and chain.
SolveResult solve_sparse(const Problem& problem, const SolveOptions& options, RunControl& control);

}  // namespace dd::dmmv
