// What the tests of sparse solvers share: random matrices and dense oracles.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "core/philox.hpp"
#include "linalg/sparse/matrix.hpp"
#include "tests/linalg/sparse/grids.hpp"

namespace dd::test {

using linalg::SparsePattern;
using linalg::SparseView;

inline double symmetric_uniform(PhiloxStream& random) { return random.next_uniform() * 2 - 1; }

inline std::vector<double> random_vector(std::size_t count, PhiloxStream& random) {
  std::vector<double> values(count);
  for (double& value : values) value = symmetric_uniform(random);
  return values;
}

/// About `per_row` entries a row anywhere; rows and columns may stay empty.
inline SparseMatrix random_sparse(std::size_t rows, std::size_t columns, double per_row, PhiloxStream& random) {
  std::vector<Triplet> triplets;
  for (std::size_t i = 0; i < rows && columns > 0; ++i) {
    const auto count = static_cast<std::size_t>(2 * per_row * random.next_uniform());
    for (std::size_t k = 0; k < count; ++k) {
      triplets.push_back(
          {static_cast<Index>(i), random.next_below(static_cast<std::uint32_t>(columns)), symmetric_uniform(random)});
    }
  }
  return linalg::from_triplets(rows, columns, triplets);
}

/// The same with a dominant diagonal in front: full column rank when rows >= columns.
inline SparseMatrix random_full_rank(std::size_t rows, std::size_t columns, double per_row, PhiloxStream& random) {
  const SparseMatrix rest = random_sparse(rows, columns, per_row, random);
  std::vector<Triplet> triplets;
  for (std::size_t i = 0; i < rows; ++i) {
    if (i < columns) triplets.push_back({static_cast<Index>(i), static_cast<Index>(i), 3 + random.next_uniform()});
    for (std::size_t e = rest.pattern.starts[i]; e < rest.pattern.starts[i + 1]; ++e) {
      triplets.push_back({static_cast<Index>(i), rest.pattern.indices[e], rest.values[e]});
    }
  }
  return linalg::from_triplets(rows, columns, triplets);
}

/// Row-major.
inline std::vector<double> dense(SparseView a) {
  std::vector<double> values(a.pattern.rows * a.pattern.columns, 0);
  for (std::size_t i = 0; i < a.pattern.rows; ++i) {
    for (std::size_t e = a.pattern.starts[i]; e < a.pattern.starts[i + 1]; ++e) {
      values[i * a.pattern.columns + a.pattern.indices[e]] = a.values[e];
    }
  }
  return values;
}

/// J^T J as a full row-major matrix.
inline std::vector<double> dense_normal(SparseView j) {
  const std::size_t n = j.pattern.columns;
  std::vector<double> a(n * n, 0);
  for (std::size_t i = 0; i < j.pattern.rows; ++i) {
    for (std::size_t e = j.pattern.starts[i]; e < j.pattern.starts[i + 1]; ++e) {
      for (std::size_t f = j.pattern.starts[i]; f < j.pattern.starts[i + 1]; ++f) {
        a[j.pattern.indices[e] * n + j.pattern.indices[f]] += j.values[e] * j.values[f];
      }
    }
  }
  return a;
}

/// Solves A X = B (n x n, n x m, row-major) by elimination with partial pivoting: the oracle.
inline std::vector<double> dense_solve(std::vector<double> a, std::vector<double> b, std::size_t n) {
  const std::size_t m = n == 0 ? 0 : b.size() / n;
  for (std::size_t k = 0; k < n; ++k) {
    std::size_t pivot = k;
    for (std::size_t i = k; i < n; ++i) {
      if (std::fabs(a[i * n + k]) > std::fabs(a[pivot * n + k])) pivot = i;
    }
    for (std::size_t j = 0; j < n; ++j) std::swap(a[k * n + j], a[pivot * n + j]);
    for (std::size_t j = 0; j < m; ++j) std::swap(b[k * m + j], b[pivot * m + j]);
    for (std::size_t i = 0; i < n; ++i) {
      const double factor = i == k ? 0 : a[i * n + k] / a[k * n + k];
      if (factor == 0) continue;
      for (std::size_t j = k; j < n; ++j) a[i * n + j] -= factor * a[k * n + j];
      for (std::size_t j = 0; j < m; ++j) b[i * m + j] -= factor * b[k * m + j];
    }
  }
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t j = 0; j < m; ++j) b[k * m + j] /= a[k * n + k];
  }
  return b;
}

inline std::vector<double> dense_inverse(const std::vector<double>& a, std::size_t n) {
  std::vector<double> identity(n * n, 0);
  for (std::size_t i = 0; i < n; ++i) identity[i * n + i] = 1;
  return dense_solve(a, identity, n);
}

inline double largest_difference(std::span<const double> a, std::span<const double> b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::fabs(a[i] - b[i]);
    largest = std::isnan(difference) ? INFINITY : std::max(largest, difference);
  }
  return largest;
}
inline double largest_size(std::span<const double> a) {
  double largest = 0;
  for (const double value : a) largest = std::max(largest, std::fabs(value));
  return largest;
}

}  // namespace dd::test
