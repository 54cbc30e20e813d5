// Rows of few weights are small problems of their own: the portfolio of solve.hpp finds more in them than annealing.
#pragma once

#include <cstdint>
#include <span>

#include "core/matrix_view.hpp"
#include "core/run_control.hpp"
#include "dmmv/row_annealing.hpp"

namespace dd::dmmv {

/// Whether a row of this shape is searched in that way: up to 128 columns, and moves that fit the caches.
bool is_narrow(std::size_t tokens, std::size_t columns) noexcept;

/// Searches one row for `iteration_limit` steps (0: until `control` stops it) from `codes`, which become the best codes
/// found, never worse ones. Runs on the calling thread. Memory: 12 tokens moves bytes, 2 columns moves.
void search_narrow_row(MatrixView<const double> activations, const RoundingRow& row, std::uint64_t iteration_limit,
                       std::uint64_t seed, const RunControl& control, std::span<std::int32_t> codes);

}  // namespace dd::dmmv
