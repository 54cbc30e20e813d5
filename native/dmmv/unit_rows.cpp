#include "dmmv/unit_rows.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.hpp"
#include "linalg/cholesky.hpp"
#include "linalg/lattice.hpp"

namespace dd::dmmv {
namespace {

constexpr double most_entries = 0x1p26;

/// Coordinates of a reduced basis where variables step by integers; else the variables, largest columns last.
void reduce(const Problem& problem, std::size_t hard, const std::vector<double>& matrix, UnitRows& unit,
            const RunControl& control) {
  const std::size_t n = unit.columns, m = unit.rows;
  unit.transform.assign(n * n, 0);
  unit.matrix = matrix;
  if (unit.integer && n > 1) {
    linalg::LatticeReductionOptions options;
    options.block_size = n > 2 ? std::min<std::size_t>(n, 20) : 0;
    options.control = &control;
    try {
      const linalg::ReducedBasis basis =
          linalg::reduce_lattice(MatrixView<const double>::column_major(matrix.data(), m, n), options);
      unit.transform = basis.transform;
      for (std::size_t k = 0; k < n; ++k) {
        double* const out = unit.matrix.data() + k * m;
        std::fill(out, out + m, 0.0);
        for (std::size_t j = 0; j < n; ++j) {
          const auto amount = static_cast<double>(unit.transform[j + k * n]);
          for (std::size_t i = 0; i < m && amount != 0; ++i) out[i] += amount * matrix[i + j * m];
        }
      }
      return;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::singular && error.code() != ErrorCode::not_converged) throw;
    }
  }
  std::vector<std::pair<double, std::size_t>> order;
  for (std::size_t k = 0; k < n; ++k) {
    double largest = 0;
    for (std::size_t i = 0; i < hard; ++i) largest = std::max(largest, std::abs(matrix[i + k * m]));
    const double span = unit.integer
                            ? problem.levels().count(unit.variables[k]) - 1.0
                            : problem.levels().maximum(unit.variables[k]) - problem.levels().minimum(unit.variables[k]);
    order.emplace_back(largest * span, k);
  }
  std::sort(order.begin(), order.end());
  for (std::size_t k = 0; k < n; ++k) {
    unit.transform[order[k].second + k * n] = 1;
    std::copy_n(matrix.begin() + static_cast<std::ptrdiff_t>(order[k].second * m), m,
                unit.matrix.begin() + static_cast<std::ptrdiff_t>(k * m));
  }
}

/// |coordinate| <= |B^+| (1 + |start|), twice for its rounding.
bool bound_coordinates(UnitRows& unit) {
  const std::size_t n = unit.columns, m = unit.rows;
  std::vector<double> gram(n * n, 0.0), inverse(n * m);
  for (std::size_t a = 0; a < n; ++a) {
    for (std::size_t b = 0; b < n; ++b) {
      for (std::size_t i = 0; i < m; ++i) gram[a + b * n] += unit.matrix[i + a * m] * unit.matrix[i + b * m];
    }
  }
  const auto view = MatrixView<double>::column_major(gram.data(), n, n);
  if (linalg::cholesky<double>(view) != 0) return false;
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t a = 0; a < n; ++a) inverse[a + i * n] = unit.matrix[i + a * m];
  }
  if (linalg::cholesky_solve<double>(view, MatrixView<double>::column_major(inverse.data(), n, m)) != 0) return false;
  unit.reach.assign(n, 0.0);
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t a = 0; a < n; ++a) {
      unit.reach[a] += 2 * std::abs(inverse[a + i * n]) * (1 + std::abs(unit.start[i]));
    }
  }
  return true;
}

}  // namespace

void require_proof_memory(const Problem& problem, const RunControl& control) {
  double n = 0;
  for (std::size_t j = 0; j < problem.variables(); ++j) n += problem.levels().count(j) > 1 ? 1 : 0;
  const double m = static_cast<double>(problem.rows()) + n;
  if (m * n > most_entries) {
    throw Error(ErrorCode::out_of_memory, "problem", "`problem` is too large to be solved exactly");
  }
  control.require_memory(8 * (5 * m * n + n * n * n / 3), "the proof");
}

UnitRows unit_rows(const Problem& problem, const SearchRows& rows, std::span<const std::int32_t> base, double threshold,
                   const RunControl& control) {
  UnitRows unit;
  for (std::size_t j = 0; j < problem.variables(); ++j) {
    if (problem.levels().count(j) > 1) unit.variables.push_back(j);
  }
  unit.integer = problem.levels().equally_spaced();
  const LevelSets& levels = problem.levels();
  const std::size_t n = unit.variables.size(), m = rows.hard + n;
  unit.rows = m;
  unit.columns = n;
  std::vector<double> matrix(m * n, 0.0), column(rows.stride);
  std::vector<double> residual(rows.stride), below(rows.hard), above(rows.hard);
  search_residual(problem, rows, base, residual);
  // What the boxes allow each row to be: the side a one-sided row does not have.
  for (std::size_t i = 0; i < rows.hard; ++i) below[i] = above[i] = residual[i];
  for (std::size_t k = 0; k < n; ++k) {
    const std::size_t j = unit.variables[k];
    search_column(problem, rows, j, column);
    const double down = levels.minimum(j) - levels.value(j, base[j]), up = levels.maximum(j) - levels.value(j, base[j]);
    for (std::size_t i = 0; i < rows.hard; ++i) {
      below[i] += std::min(column[i] * down, column[i] * up);
      above[i] += std::max(column[i] * down, column[i] * up);
      matrix[i + k * m] = column[i] * (unit.integer ? levels.step(j) : 1.0);
    }
    matrix[rows.hard + k + k * m] = 1;
  }
  unit.start.assign(m, 0.0);
  std::vector<double> scale(m, 0.0);
  for (std::size_t i = 0; i < m; ++i) {
    double low = 0, high = 0, at = 0;
    if (i < rows.hard) {
      // Sides that no assignment reaches are drawn in to a little outside of what is reached: not close, for a row
      // without room would be scaled beyond all measure.
      const double slack = 0.25 * (above[i] - below[i]);
      at = residual[i];
      low = std::max(-((rows.pure ? 0.0 : rows.lower[i]) + threshold), below[i] - slack);
      high = std::min((rows.pure ? 0.0 : rows.upper[i]) + threshold, above[i] + slack);
    } else {
      const std::size_t j = unit.variables[i - rows.hard];
      // Half a level of room: integers, or levels, within are the same.
      const double room = unit.integer ? 0.25 : 1e-6 * (levels.maximum(j) - levels.minimum(j));
      at = unit.integer ? base[j] : levels.value(j, base[j]);
      low = (unit.integer ? 0.0 : levels.minimum(j)) - room;
      high = (unit.integer ? levels.count(j) - 1.0 : levels.maximum(j)) + room;
    }
    if (high < low) {
      unit.empty = true;
      return unit;
    }
    if (high == low) {
      // A row without room that may still be met: a little room, which makes the search look at more, never less.
      const double little = 1e-12 * std::max(std::abs(low), 1e-300);
      low -= little;
      high += little;
    }
    scale[i] = 2 / (high - low);
    unit.start[i] = (at - (0.5 * low + 0.5 * high)) * scale[i];
  }
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t i = 0; i < m; ++i) matrix[i + k * m] *= scale[i];
  }
  if (n == 0) {
    unit.usable = true;
    return unit;
  }
  reduce(problem, rows.hard, matrix, unit, control);
  unit.usable = bound_coordinates(unit);
  return unit;
}

}  // namespace dd::dmmv
