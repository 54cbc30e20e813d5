// Builds search rows, the reduced basis and the move dictionary.
#include "dmmv/moves.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/error.hpp"
#include "dmmv/residual_form.hpp"
#include "linalg/lattice.hpp"

namespace dd::dmmv {
namespace {

constexpr std::size_t vector_rows = 16;
constexpr double largest_dictionary = 0x1p29;  // entries: 4 GiB

double column_step(const Problem& problem, std::size_t j) { return problem.levels().step(j); }

}  // namespace

SearchRows search_rows(const Problem& problem) {
  SearchRows rows;
  const RowOffsets hard = row_offsets(problem);
  rows.hard = problem.rows();
  rows.centre = hard.centre;
  rows.weight.assign(problem.weights().begin(), problem.weights().end());
  rows.pure = hard.pure;
  RowOffsets soft_offsets;
  if (const SoftRows* soft = problem.soft_rows()) {
    // The multiplier is the search weight of a soft row, so its violation is counted unweighted.
    const std::vector<double> ones(soft->multipliers.size(), 1.0);
    soft_offsets = row_offsets(soft->lower, soft->upper, ones);
    rows.centre.insert(rows.centre.end(), soft_offsets.centre.begin(), soft_offsets.centre.end());
    rows.weight.insert(rows.weight.end(), ones.begin(), ones.end());
    rows.soft_multipliers = soft->multipliers;
    rows.pure = false;
  }
  rows.count = rows.centre.size();
  rows.stride = (rows.count + vector_rows - 1) / vector_rows * vector_rows;
  if (!rows.pure) {
    rows.upper = AlignedBuffer<double>(rows.stride, 0.0);
    rows.lower = AlignedBuffer<double>(rows.stride, 0.0);
    std::copy(hard.upper.begin(), hard.upper.end(), rows.upper.begin());
    std::copy(hard.lower.begin(), hard.lower.end(), rows.lower.begin());
    std::copy(soft_offsets.upper.begin(), soft_offsets.upper.end(), rows.upper.begin() + rows.hard);
    std::copy(soft_offsets.lower.begin(), soft_offsets.lower.end(), rows.lower.begin() + rows.hard);
  }
  return rows;
}

std::vector<std::size_t> free_variables(const Problem& problem) {
  std::vector<std::size_t> free;
  for (std::size_t j = 0; j < problem.variables(); ++j) {
    if (problem.levels().count(j) < 2) continue;
    bool noticed = false;
    const auto look = [&](std::size_t, double entry) { noticed = noticed || entry != 0; };
    problem.matrix().for_each(j, look);
    if (const SoftRows* soft = problem.soft_rows()) soft->matrix.for_each(j, look);
    if (noticed) free.push_back(j);
  }
  return free;
}

void search_residual(const Problem& problem, const SearchRows& rows, std::span<const std::int32_t> indices,
                     std::span<double> out) {
  std::fill(out.begin(), out.end(), 0.0);
  const std::vector<double> hard = activities(problem.matrix(), problem.levels(), indices);
  std::copy(hard.begin(), hard.end(), out.begin());
  if (const SoftRows* soft = problem.soft_rows()) {
    const std::vector<double> sums = activities(soft->matrix, problem.levels(), indices);
    std::copy(sums.begin(), sums.end(), out.begin() + static_cast<std::ptrdiff_t>(rows.hard));
  }
  for (std::size_t i = 0; i < rows.count; ++i) out[i] = rows.weight[i] * (out[i] - rows.centre[i]);
}

double squares(const SearchRows& rows, std::span<const double> residual) noexcept {
  double sum = 0;
  for (std::size_t i = 0; i < rows.hard; ++i) sum += residual[i] * residual[i];
  return sum;
}

void search_column(const Problem& problem, const SearchRows& rows, std::size_t j, std::span<double> out) {
  std::fill(out.begin(), out.end(), 0.0);
  problem.matrix().for_each(j, [&](std::size_t i, double entry) { out[i] = rows.weight[i] * entry; });
  if (const SoftRows* soft = problem.soft_rows()) {
    soft->matrix.for_each(j, [&](std::size_t k, double entry) { out[rows.hard + k] = entry; });
  }
}

SearchLattice search_lattice(const Problem& problem, const SearchRows& rows, std::span<const double> row_factors,
                             const RunControl& control) {
  SearchLattice lattice;
  if (!problem.levels().equally_spaced()) return lattice;
  const auto all_rows = static_cast<double>(rows.hard), all_columns = static_cast<double>(problem.variables());
  control.require_memory(8 * all_columns * (3 * all_rows + 4 * all_columns), "the lattice of all columns");
  std::vector<double> column(rows.stride);
  std::vector<double> matrix;
  for (std::size_t j = 0; j < problem.variables(); ++j) {
    if (problem.levels().count(j) < 2) continue;
    search_column(problem, rows, j, column);
    double largest = 0;
    for (std::size_t i = 0; i < rows.hard; ++i) largest = std::max(largest, std::abs(column[i]));
    if (largest == 0) continue;
    lattice.variables.push_back(j);
    for (std::size_t i = 0; i < rows.hard; ++i) {
      matrix.push_back(column[i] * column_step(problem, j) * (row_factors.empty() ? 1.0 : row_factors[i]));
    }
  }
  const std::size_t size = lattice.variables.size();
  if (size < 2) return lattice;
  for (const bool damped : {false, true}) {
    std::size_t height = rows.hard;
    if (damped) {
      // A multiple of the identity below makes the columns independent and keeps the integers small.
      double square = 0;
      for (const double value : matrix) square += value * value;
      const double damping = 0.1 * std::sqrt(square / static_cast<double>(size));
      height = rows.hard + size;
      std::vector<double> taller(height * size, 0.0);
      for (std::size_t k = 0; k < size; ++k) {
        std::copy_n(matrix.begin() + static_cast<std::ptrdiff_t>(k * rows.hard), rows.hard,
                    taller.begin() + static_cast<std::ptrdiff_t>(k * height));
        taller[rows.hard + k + k * height] = damping;
      }
      matrix = std::move(taller);
    } else if (height < size) {
      continue;
    }
    try {
      linalg::LatticeReductionOptions options;
      options.block_size = size <= 128 ? 20 : 0;
      options.control = &control;
      linalg::ReducedBasis basis =
          linalg::reduce_lattice(MatrixView<const double>::column_major(matrix.data(), height, size), options);
      if (!linalg::is_unimodular(basis.transform, size)) {
        throw Error(ErrorCode::internal, "matrix", "lattice reduction produced a transform that is not unimodular");
      }
      lattice.transform = std::move(basis.transform);
      lattice.available = true;
      return lattice;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::singular && error.code() != ErrorCode::not_converged) throw;
    }
  }
  return lattice;
}

MoveDictionary make_moves(const Problem& problem, const SearchRows& rows, const SearchLattice& lattice, Moves kinds,
                          const RunControl& control) {
  const LevelSets& levels = problem.levels();
  MoveDictionary moves;
  moves.starts.push_back(0);
  const std::vector<std::size_t> free = free_variables(problem);
  // Pairs, the bytes of one beside its effects, and how many searches have effects of their own, at least.
  const auto require = [&](double pairs, double beside, double copies) {
    const auto stride = static_cast<double>(rows.stride);
    control.require_memory(pairs * (copies * (sizeof(double) + sizeof(float)) * stride + beside),
                           "the effects of all moves");
    if (pairs * stride > largest_dictionary) {
      throw Error(ErrorCode::out_of_memory, "problem", "`problem` is too large for a dense move dictionary");
    }
  };
  const auto reserve = [&](std::size_t pairs) {
    moves.effects = AlignedBuffer<double>(pairs * rows.stride, 0.0);
    moves.single_effects = AlignedBuffer<float>(pairs * rows.stride, 0.0f);
  };

  if (!levels.equally_spaced()) {
    require(2 * static_cast<double>(free.size()), 32, 3);
    moves.follows_levels = true;
    for (const std::size_t j : free) {
      for (int side = 0; side < 2; ++side) {
        moves.variables.push_back(static_cast<std::int32_t>(j));
        moves.amounts.push_back(1);
        moves.starts.push_back(moves.variables.size());
      }
    }
    moves.pairs = 2 * free.size();
    moves.unit_pairs = moves.pairs;
    reserve(moves.pairs);
    return moves;  // the search fills in the effects, which depend on the levels
  }

  {
    const auto count = static_cast<double>(free.size());
    require(
        count + static_cast<double>(lattice.variables.size()) + (has(kinds, Moves::pair) ? count * (count - 1) : 0.0),
        has(kinds, Moves::pair) ? 400 : 32, 1);
  }
  // A direction and its negative are one pair: its first entry is made positive. The map drops repetitions.
  std::map<std::vector<std::pair<std::int32_t, std::int32_t>>, std::size_t> known;
  std::vector<std::vector<std::pair<std::int32_t, std::int32_t>>> directions;
  const auto add = [&](std::vector<std::pair<std::int32_t, std::int32_t>> direction) {
    if (direction.empty()) return;
    if (direction.front().second < 0) {
      for (auto& entry : direction) entry.second = -entry.second;
    }
    if (known.emplace(direction, directions.size()).second) directions.push_back(std::move(direction));
  };
  // A whole lattice basis reaches everything that unit moves reach.
  const bool complete = lattice.available && has(kinds, Moves::lattice);
  if (has(kinds, Moves::unit) || !(complete || has(kinds, Moves::pair))) {
    for (const std::size_t j : free) add({{static_cast<std::int32_t>(j), 1}});
  }
  moves.unit_pairs = directions.size();
  if (has(kinds, Moves::pair)) {
    for (std::size_t a = 0; a < free.size(); ++a) {
      for (std::size_t b = a + 1; b < free.size(); ++b) {
        add({{static_cast<std::int32_t>(free[a]), 1}, {static_cast<std::int32_t>(free[b]), -1}});
        add({{static_cast<std::int32_t>(free[a]), 1}, {static_cast<std::int32_t>(free[b]), 1}});
      }
    }
  }
  if (has(kinds, Moves::lattice) && lattice.available) {
    const std::size_t size = lattice.variables.size();
    for (std::size_t k = 0; k < size; ++k) {
      std::vector<std::pair<std::int32_t, std::int32_t>> direction;
      for (std::size_t i = 0; i < size; ++i) {
        const std::int64_t amount = lattice.transform[i + k * size];
        if (amount != 0) {
          direction.emplace_back(static_cast<std::int32_t>(lattice.variables[i]), static_cast<std::int32_t>(amount));
        }
      }
      add(std::move(direction));
    }
  }

  moves.pairs = directions.size();
  reserve(moves.pairs);
  for (const auto& direction : directions) {
    for (const auto& [variable, amount] : direction) {
      moves.variables.push_back(variable);
      moves.amounts.push_back(amount);
    }
    moves.starts.push_back(moves.variables.size());
  }
  std::vector<double> column(rows.stride);
  // Column after column, so that a sparse matrix is walked once.
  std::vector<std::vector<std::pair<std::size_t, double>>> users(problem.variables());
  for (std::size_t p = 0; p < moves.pairs; ++p) {
    for (std::size_t k = moves.starts[p]; k < moves.starts[p + 1]; ++k) {
      users[static_cast<std::size_t>(moves.variables[k])].emplace_back(p, moves.amounts[k]);
    }
  }
  for (std::size_t j = 0; j < problem.variables(); ++j) {
    if (users[j].empty()) continue;
    search_column(problem, rows, j, column);
    for (const auto& [p, amount] : users[j]) {
      const double factor = amount * column_step(problem, j);
      double* effect = moves.effects.data() + p * rows.stride;
      for (std::size_t i = 0; i < rows.count; ++i) effect[i] += factor * column[i];
    }
  }
  for (std::size_t k = 0; k < moves.effects.size(); ++k) moves.single_effects[k] = static_cast<float>(moves.effects[k]);
  return moves;
}

}  // namespace dd::dmmv
