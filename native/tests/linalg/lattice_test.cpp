// The reduced basis spans the same lattice, meets its conditions and is rounded to by the nearest plane.
#include "linalg/lattice.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "core/error.hpp"
#include "core/philox.hpp"

namespace {

using namespace dd;
using namespace dd::linalg;

std::vector<double> random_matrix(std::uint64_t seed, std::size_t rows, std::size_t columns, double skew) {
  PhiloxStream random(seed, 3);
  std::vector<double> matrix(rows * columns);
  for (double& value : matrix) value = 2 * random.next_uniform() - 1;
  // Columns that nearly repeat the first one need large integers.
  for (std::size_t j = 1; j < columns; ++j) {
    for (std::size_t i = 0; i < rows; ++i) matrix[i + j * rows] += skew * matrix[i] * static_cast<double>(j);
  }
  return matrix;
}

void check_reduced(const std::vector<double>& matrix, std::size_t rows, std::size_t n,
                   const LatticeReductionOptions& options) {
  const ReducedBasis basis = reduce_lattice(MatrixView<const double>::column_major(matrix.data(), rows, n), options);
  CHECK(is_unimodular(basis.transform, n));
  const auto r = [&](std::size_t i, std::size_t j) { return basis.triangle[i + j * n]; };
  for (std::size_t j = 0; j < n; ++j) {
    CHECK(r(j, j) > 0);
    for (std::size_t i = 0; i < j; ++i) CHECK(std::abs(r(i, j)) <= 0.5 * r(i, i) * (1 + 1e-9));
    for (std::size_t i = j + 1; i < n; ++i) CHECK(r(i, j) == 0);
  }
  for (std::size_t k = 1; k < n; ++k) {
    CHECK(options.delta * r(k - 1, k - 1) * r(k - 1, k - 1) <=
          (r(k - 1, k) * r(k - 1, k) + r(k, k) * r(k, k)) * (1 + 1e-9));
  }
  // The Gram matrix of A U, from A and U, is that of R.
  std::vector<double> product(rows * n, 0.0);
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t k = 0; k < n; ++k) {
      for (std::size_t i = 0; i < rows; ++i) {
        product[i + j * rows] += static_cast<double>(basis.transform[k + j * n]) * matrix[i + k * rows];
      }
    }
  }
  for (std::size_t a = 0; a < n; ++a) {
    for (std::size_t b = 0; b < n; ++b) {
      double direct = 0, factored = 0;
      for (std::size_t i = 0; i < rows; ++i) direct += product[i + a * rows] * product[i + b * rows];
      for (std::size_t i = 0; i < n; ++i) factored += r(i, a) * r(i, b);
      CHECK(std::abs(direct - factored) <= 1e-9 * (1 + std::abs(direct)));
    }
  }
}

}  // namespace

TEST_CASE("LLL, deep insertions and BKZ keep the lattice and meet the conditions") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const std::size_t n = 1 + 3 * seed, rows = n + 5;
    const std::vector<double> matrix = random_matrix(seed, rows, n, seed % 2 == 0 ? 1000.0 : 0.0);
    for (const bool deep : {false, true}) {
      for (const std::size_t block : {std::size_t{0}, std::size_t{8}}) {
        check_reduced(matrix, rows, n, {.delta = 0.99, .deep_insertions = deep, .block_size = block});
      }
    }
  }
}

TEST_CASE("a shortest vector of a small lattice is found by BKZ") {
  // Columns (1, 0, 0), (0, 1, 0) and (1/2, 1/2, 1/100) times 100, mixed up.
  const std::vector<double> matrix{100, 0, 0, 700, 100, 0, 50 + 900, 50 + 300, 1};
  const ReducedBasis basis =
      reduce_lattice(MatrixView<const double>::column_major(matrix.data(), 3, 3), {.block_size = 3});
  CHECK(std::abs(basis.triangle[0] - 2) <= 1e-9);  // twice the third less the first two
}

TEST_CASE("dependent columns and too few rows are refused") {
  const std::vector<double> matrix{1, 2, 3, 2, 4, 6};
  CHECK_THROWS_AS(reduce_lattice(MatrixView<const double>::column_major(matrix.data(), 3, 2)), Error);
  CHECK_THROWS_AS(reduce_lattice(MatrixView<const double>::column_major(matrix.data(), 2, 3)), Error);
}

TEST_CASE("unimodular means determinant one or minus one") {
  CHECK(is_unimodular({1, 0, 7, 1}, 2));
  CHECK(is_unimodular({0, 1, 1, 0}, 2));
  CHECK_FALSE(is_unimodular({2, 0, 0, 1}, 2));
  CHECK_FALSE(is_unimodular({1, 1, 1, 1}, 2));
  CHECK(is_unimodular({}, 0));
}

TEST_CASE("the nearest plane leaves at most half of each plane distance, and ties go down") {
  const std::vector<double> triangle{2, 0, 0, 0.7, 3, 0, -0.4, 1.1, 1};
  PhiloxStream random(4, 4);
  for (int trial = 0; trial < 50; ++trial) {
    std::vector<double> target(3);
    for (double& value : target) value = 40 * random.next_uniform() - 20;
    const std::vector<std::int64_t> z = nearest_plane(triangle, 3, target);
    for (std::size_t i = 0; i < 3; ++i) {
      double rest = target[i];
      for (std::size_t k = i; k < 3; ++k) rest -= static_cast<double>(z[k]) * triangle[i + 3 * k];
      CHECK(std::abs(rest) <= 0.5 * triangle[i + 3 * i] + 1e-12);
    }
  }
  CHECK(nearest_plane({2}, 1, {3})[0] == 1);
}
