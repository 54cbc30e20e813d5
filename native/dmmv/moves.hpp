// What the search steps along: integer directions with their effect on every row, in reverse pairs, and the rows in
// the form the kernels want.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/run_control.hpp"
#include "dmmv/problem.hpp"
#include "dmmv/solve.hpp"

namespace dd::dmmv {

/// Hard rows first, soft rows behind them, then padding rows that never count (weight 0), up to `stride`.
/// z = W (A x - c); a hard row's violation is max(z - upper, -z - lower).
struct SearchRows {
  std::size_t hard = 0;
  std::size_t count = 0;                 ///< hard + soft
  std::size_t stride = 0;                ///< count rounded up to whole vectors of 64 bytes
  bool pure = true;                      ///< no offsets and no soft rows: v = |z|
  std::vector<double> centre, weight;    ///< count
  AlignedBuffer<double> upper, lower;    ///< stride; empty when pure
  std::vector<double> soft_multipliers;  ///< count - hard
};

SearchRows search_rows(const Problem& problem);

/// Variables that have a choice and that some row notices: the others keep their start.
std::vector<std::size_t> free_variables(const Problem& problem);

/// z for level indices, from scratch: `rows.stride` values.
void search_residual(const Problem& problem, const SearchRows& rows, std::span<const std::int32_t> indices,
                     std::span<double> out);

/// Sum of the squares of the hard rows of z.
double squares(const SearchRows& rows, std::span<const double> residual) noexcept;

/// Column j of W A over all search rows, padded with zeros; for a step of one unit of the variable's value.
void search_column(const Problem& problem, const SearchRows& rows, std::size_t j, std::span<double> out);

/// Pair p: a sparse integer vector V_p on level indices and its effect W A step V_p. Where levels are not equally
/// spaced each variable has two pairs of its own, p = 2 j (up) and 2 j + 1 (down), whose effects follow its level.
struct MoveDictionary {
  std::size_t pairs = 0;
  bool follows_levels = false;
  AlignedBuffer<double> effects;        ///< pairs columns of rows.stride
  AlignedBuffer<float> single_effects;  ///< the same rounded to float32, for choosing moves
  std::vector<std::size_t> starts;      ///< pairs + 1
  std::vector<std::int32_t> variables;  ///< of each non-zero of V
  std::vector<std::int32_t> amounts;
  std::size_t unit_pairs = 0;  ///< the first of them are unit moves
};

/// The reduced basis that lattice moves and nearest-plane starts share.
struct SearchLattice {
  bool available = false;
  std::vector<std::size_t> variables;   ///< those with more than one level and a non-zero column
  std::vector<std::int64_t> transform;  ///< k x k, column-major: column = integer direction
};

/// LLL with deep insertions of the columns of W A step (damped when they are dependent). `row_factors` (one per hard
/// row, may be empty) reweights the rows. Not available: unequal levels, no free variable, or ill-conditioned. Throws
/// dd::Error: out_of_memory, by what `control` allows and before anything is allocated.
SearchLattice search_lattice(const Problem& problem, const SearchRows& rows, std::span<const double> row_factors,
                             const RunControl& control);

/// Throws dd::Error: out_of_memory, by what `control` allows and before anything is allocated; 4 GiB of effects at
/// most.
MoveDictionary make_moves(const Problem& problem, const SearchRows& rows, const SearchLattice& lattice, Moves kinds,
                          const RunControl& control);

}  // namespace dd::dmmv
