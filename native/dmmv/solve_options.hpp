// What the search refuses.
#pragma once

#include "dmmv/problem.hpp"
#include "dmmv/solve.hpp"

namespace dd::dmmv {

/// Throws dd::Error where `options` do not fit the problem or each other, naming the option.
void check_options(const Problem& problem, const SolveOptions& options);

}  // namespace dd::dmmv
