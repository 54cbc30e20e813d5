// What may be wrong with a problem of RCO, with its options and with answers.
#pragma once

#include <cstddef>
#include <span>

#include "quantize/rco.hpp"

namespace dd::quantize {

/// @throws Error shape_mismatch naming `name`
void check_length(std::size_t length, std::size_t expected, const char* name);
/// @throws Error not_finite naming `name` and the place
void check_finite(std::span<const double> values, const char* name);
/// @throws Error naming what is wrong
void check_rco(const RcoProblem& problem, const RcoOptions& options);

}  // namespace dd::quantize
