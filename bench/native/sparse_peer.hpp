// CHOLMOD as the sparse benchmark sees it, behind functions of plain pointers: its headers stay in one file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace dd::bench::cholmod {

struct Seconds {
  double form = 0, analyse = 0, factor = 0, solve = 0;
  double total() const noexcept { return form + analyse + factor + solve; }
};

struct Result {
  Seconds seconds;
  double factor_entries = 0;
};

/// J in compressed rows (n x n): forms J^T J, analyses (its own choice among AMD and METIS), factors by supernodes and
/// solves J^T J x = J^T b in place.
Result solve(std::size_t n, std::span<const std::size_t> starts, std::span<const std::uint32_t> columns,
             std::span<const double> values, std::span<double> b, int threads);

}  // namespace dd::bench::cholmod
