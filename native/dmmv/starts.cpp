// Starts for the search.
#include "dmmv/starts.hpp"

#include <algorithm>
#include <cmath>

#include "dmmv/evaluate.hpp"
#include "linalg/lattice.hpp"

namespace dd::dmmv {

std::vector<std::int32_t> middle_levels(const Problem& problem) {
  std::vector<std::int32_t> indices(problem.variables());
  for (std::size_t j = 0; j < indices.size(); ++j) indices[j] = (problem.levels().count(j) - 1) / 2;
  return indices;
}

std::vector<std::int32_t> nearest_plane_levels(const Problem& problem, const SearchRows& rows,
                                               const SearchLattice& lattice, std::span<const double> row_factors,
                                               std::span<const double> point) {
  const LevelSets& levels = problem.levels();
  const std::size_t size = lattice.variables.size();
  std::vector<std::int32_t> indices = nearest_levels(problem, point);
  // Rows of the reduced basis, and as a last column where the point lies, both from the rounded point: its distance is
  // what has to be removed, and small numbers keep their digits.
  const std::size_t height = std::max(rows.hard, size + 1);
  std::vector<double> matrix(height * (size + 1), 0.0);
  std::vector<double> column(rows.stride);
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t j = lattice.variables[i];
    search_column(problem, rows, j, column);
    const double rest = point[j] - levels.value(j, indices[j]);
    for (std::size_t row = 0; row < rows.hard; ++row) {
      const double entry = column[row] * (row_factors.empty() ? 1.0 : row_factors[row]);
      matrix[row + size * height] += rest * entry;
      const double stepped = entry * levels.step(j);
      for (std::size_t k = 0; k < size; ++k) {
        const std::int64_t amount = lattice.transform[i + k * size];
        if (amount != 0) matrix[row + k * height] += static_cast<double>(amount) * stepped;
      }
    }
  }
  const std::vector<double> triangle =
      linalg::triangle_factor(MatrixView<const double>::column_major(matrix.data(), height, size + 1));
  std::vector<double> basis(size * size), target(size);
  for (std::size_t k = 0; k < size; ++k) {
    for (std::size_t i = 0; i <= k; ++i) basis[i + k * size] = triangle[i + k * (size + 1)];
    target[k] = triangle[k + size * (size + 1)];
    if (!(basis[k + k * size] > 0)) return indices;  // dependent rows: rounding has to do
  }
  const std::vector<std::int64_t> z = linalg::nearest_plane(basis, size, target);
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t j = lattice.variables[i];
    std::int64_t index = indices[j];
    for (std::size_t k = 0; k < size; ++k) index += lattice.transform[i + k * size] * z[k];
    indices[j] = static_cast<std::int32_t>(std::clamp<std::int64_t>(index, 0, levels.count(j) - 1));
  }
  return indices;
}

std::vector<std::vector<std::int32_t>> make_starts(const Problem& problem, const SearchRows& rows,
                                                   const SearchLattice& lattice, std::span<const double> point) {
  std::vector<std::vector<std::int32_t>> starts{nearest_levels(problem, point)};
  if (lattice.available) {
    starts.push_back(nearest_plane_levels(problem, rows, lattice, {}, point));
    std::vector<double> factors(rows.hard, 1.0);
    for (int round = 0; round < 5; ++round) {
      const Evaluation evaluation = evaluate(problem, starts.back());
      double mean = 0;
      for (const double violation : evaluation.violations) mean += std::abs(violation);
      mean /= static_cast<double>(rows.hard);
      if (!(mean > 0)) break;
      for (std::size_t i = 0; i < rows.hard; ++i) {
        // The square root damps Lawson's rule, which on one discrete point would overshoot.
        factors[i] *= std::sqrt(std::clamp(std::abs(evaluation.violations[i]) / mean, 0.1, 10.0));
      }
      const SearchLattice reweighted = search_lattice(problem, rows, factors);
      if (!reweighted.available) break;
      starts.push_back(nearest_plane_levels(problem, rows, reweighted, factors, point));
    }
  }
  std::vector<std::pair<double, std::size_t>> order;
  for (std::size_t k = 0; k < starts.size(); ++k) order.emplace_back(objective(problem, starts[k]), k);
  std::sort(order.begin(), order.end());
  std::vector<std::vector<std::int32_t>> sorted;
  for (const auto& [value, k] : order) {
    if (std::find(sorted.begin(), sorted.end(), starts[k]) == sorted.end()) sorted.push_back(starts[k]);
  }
  return sorted;
}

}  // namespace dd::dmmv
