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

namespace {

/// Columns W A step U of the reduced basis over the hard rows times their factors; `height` rows each.
std::vector<double> reduced_columns(const Problem& problem, const SearchRows& rows, const SearchLattice& lattice,
                                    std::span<const double> row_factors, std::size_t height) {
  const std::size_t size = lattice.variables.size();
  std::vector<double> matrix(height * size, 0.0);
  std::vector<double> column(rows.stride);
  for (std::size_t i = 0; i < size; ++i) {
    search_column(problem, rows, lattice.variables[i], column);
    const double step = problem.levels().step(lattice.variables[i]);
    for (std::size_t k = 0; k < size; ++k) {
      const double amount = step * static_cast<double>(lattice.transform[i + k * size]);
      if (amount == 0) continue;
      double* out = matrix.data() + k * height;
      for (std::size_t row = 0; row < rows.hard; ++row) out[row] += amount * column[row];
    }
  }
  if (!row_factors.empty()) {
    for (std::size_t k = 0; k < size; ++k) {
      for (std::size_t row = 0; row < rows.hard; ++row) matrix[row + k * height] *= row_factors[row];
    }
  }
  return matrix;
}

}  // namespace

std::vector<double> design_factors(const Problem& problem, const SearchRows& rows, const SearchLattice& lattice,
                                   int rounds) {
  const std::size_t size = lattice.variables.size();
  const std::size_t m = rows.hard;
  if (m < size) return {};
  const std::vector<double> plain = reduced_columns(problem, rows, lattice, {}, m);
  std::vector<double> shares(m, 1.0 / static_cast<double>(m)), weighted(plain.size()), solved(size);
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t k = 0; k < size; ++k) {
      for (std::size_t i = 0; i < m; ++i) weighted[i + k * m] = plain[i + k * m] * std::sqrt(shares[i]);
    }
    const std::vector<double> r =
        linalg::triangle_factor(MatrixView<const double>::column_major(weighted.data(), m, size));
    for (std::size_t k = 0; k < size; ++k) {
      if (!(r[k + k * size] > 0)) return {};
    }
    for (std::size_t i = 0; i < m; ++i) {
      // Leverage |R^-T a_i|^2: its mean under the shares is `size`, and it is nowhere larger at the optimum.
      double leverage = 0;
      for (std::size_t k = 0; k < size; ++k) {
        double value = plain[i + k * m];
        for (std::size_t l = 0; l < k; ++l) value -= r[l + k * size] * solved[l];
        solved[k] = value / r[k + k * size];
        leverage += solved[k] * solved[k];
      }
      shares[i] *= leverage / static_cast<double>(size);
    }
  }
  for (double& share : shares) share = std::sqrt(share * static_cast<double>(m));
  return shares;
}

NearestPlane::NearestPlane(const Problem& problem, const SearchRows& rows, const SearchLattice& lattice,
                           std::span<const double> row_factors, std::span<const double> point)
    : problem_(problem),
      variables_(lattice.variables),
      transform_(lattice.transform),
      rounded_(nearest_levels(problem, point)) {
  const std::size_t size = variables_.size();
  const std::size_t height = std::max(rows.hard, size + 1);
  std::vector<double> matrix = reduced_columns(problem, rows, lattice, row_factors, height);
  // The last column is where the point lies as seen from the rounded point: small numbers keep their digits.
  matrix.resize(height * (size + 1), 0.0);
  std::vector<double> column(rows.stride);
  for (const std::size_t j : variables_) {
    search_column(problem, rows, j, column);
    const double rest = point[j] - problem.levels().value(j, rounded_[j]);
    for (std::size_t row = 0; row < rows.hard; ++row) {
      matrix[row + size * height] += rest * column[row] * (row_factors.empty() ? 1.0 : row_factors[row]);
    }
  }
  const std::vector<double> all =
      linalg::triangle_factor(MatrixView<const double>::column_major(matrix.data(), height, size + 1));
  triangle_.assign(size * size, 0.0);
  target_.resize(size);
  usable_ = true;
  double logarithms = 0;
  for (std::size_t k = 0; k < size; ++k) {
    for (std::size_t i = 0; i <= k; ++i) triangle_[i + k * size] = all[i + k * (size + 1)];
    target_[k] = all[k + size * (size + 1)];
    usable_ = usable_ && triangle_[k + k * size] > 0;
    logarithms += std::log(std::max(triangle_[k + k * size], 1e-300));
  }
  mean_distance_ = std::exp(logarithms / static_cast<double>(std::max<std::size_t>(size, 1)));
}

std::vector<std::int64_t> NearestPlane::round(PhiloxStream* random, double spread, double& square) const {
  const std::size_t size = variables_.size();
  square = 0;
  if (random == nullptr) return linalg::nearest_plane(triangle_, size, target_);
  std::vector<std::int64_t> z(size);
  std::vector<double> rest = target_;
  for (std::size_t k = size; k-- > 0;) {
    const double distance = triangle_[k + k * size];
    const double noise = spread * mean_distance_ / distance * (random->next_uniform() + random->next_uniform() - 1);
    const double rounded = std::ceil(rest[k] / distance + noise - 0.5);
    z[k] = static_cast<std::int64_t>(rounded);
    const double* column = triangle_.data() + k * size;
    for (std::size_t i = 0; i <= k; ++i) rest[i] -= rounded * column[i];
    square += rest[k] * rest[k];
  }
  return z;
}

std::vector<std::int32_t> NearestPlane::levels(const std::vector<std::int64_t>& coordinates) const {
  const std::size_t size = variables_.size();
  std::vector<std::int64_t> sums(size, 0);
  for (std::size_t k = 0; k < size; ++k) {
    const std::int64_t factor = coordinates[k];
    if (factor == 0) continue;
    for (std::size_t i = 0; i < size; ++i) sums[i] += factor * transform_[i + k * size];
  }
  std::vector<std::int32_t> indices = rounded_;
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t j = variables_[i];
    const std::int64_t last = problem_.levels().count(j) - 1;
    indices[j] = static_cast<std::int32_t>(std::clamp<std::int64_t>(indices[j] + sums[i], 0, last));
  }
  return indices;
}

std::vector<std::vector<std::int32_t>> make_starts(const Problem& problem, const SearchRows& rows,
                                                   const SearchLattice& lattice, std::span<const double> point,
                                                   FunctionRef<bool()> should_stop) {
  std::vector<std::vector<std::int32_t>> starts{nearest_levels(problem, point)};
  if (lattice.available) {
    const NearestPlane plain(problem, rows, lattice, {}, point);
    if (plain.usable()) starts.push_back(plain.nearest());
    std::vector<double> factors(rows.hard, 1.0);
    for (int round = 0; round < 5 && !should_stop(); ++round) {
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
      const NearestPlane plane(problem, rows, reweighted, factors, point);
      if (!plane.usable()) break;
      starts.push_back(plane.nearest());
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
