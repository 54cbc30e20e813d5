// All assignments of a tiny problem.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/function_ref.hpp"
#include "core/run_control.hpp"
#include "dmmv/moves.hpp"
#include "dmmv/problem.hpp"

namespace dd::dmmv {

/// Whether rows times assignments is some 20 ms of work.
bool is_worth_enumeration(const Problem& problem, const SearchRows& rows, std::span<const std::size_t> free);

/// visit(largest violation, indices) for every assignment of the `free` variables, the others as in `indices`, one
/// level step at a time in reflected Gray order (Knuth, TAOCP 7.2.1.1, algorithm H); violations drift by some
/// roundings. Returns false when `control` stopped it before the end.
bool enumerate_assignments(const Problem& problem, const SearchRows& rows, std::span<const std::size_t> free,
                           std::vector<std::int32_t> indices, const RunControl& control,
                           FunctionRef<void(double, const std::vector<std::int32_t>&)> visit);

}  // namespace dd::dmmv
