// Block triangular form and sparse LU against dense elimination.
#include "linalg/sparse/lu.hpp"

#include <numeric>

#include "core/error.hpp"
#include "tests/linalg/sparse/problems.hpp"

namespace dd::test {
namespace {

using namespace linalg;

/// Nonsingular with a zero-free transversal in a random place and `blocks` of random structure below each other.
SparseMatrix shuffled(std::size_t n, PhiloxStream& random) {
  std::vector<Index> row(n), column(n);
  std::iota(row.begin(), row.end(), Index{0});
  std::iota(column.begin(), column.end(), Index{0});
  for (std::size_t k = n; k > 1; --k) {
    std::swap(row[k - 1], row[random.next_below(static_cast<std::uint32_t>(k))]);
    std::swap(column[k - 1], column[random.next_below(static_cast<std::uint32_t>(k))]);
  }
  std::vector<Triplet> triplets;
  for (Index i = 0; i < n; ++i) {
    triplets.push_back({row[i], column[i], 1 + random.next_uniform()});
    for (int k = 0; k < 3; ++k) {
      Index j = random.next_below(static_cast<std::uint32_t>(n));
      if (random.next_below(4) != 0) j = std::min(i, j);  // mostly below the diagonal
      if (j != i) triplets.push_back({row[i], column[j], symmetric_uniform(random) / 2});
    }
  }
  return from_triplets(n, n, triplets);
}

}  // namespace

TEST_SUITE("sparse lu") {
  TEST_CASE("what factors will take is known before: exactly where pivots are diagonal") {
    PhiloxStream random(3, 4);
    for (const Index n : {Index{2}, Index{7}, Index{20}}) {
      // Five points on n x n cells, one diagonal more than dominant, unsymmetric numbers.
      std::vector<Triplet> triplets;
      const auto add = [&](Index row, Index column) {
        triplets.push_back({row, column, row == column ? 8 : -random.next_uniform()});
      };
      for (Index i = 0; i < n * n; ++i) {
        add(i, i);
        if (i % n > 0) add(i, i - 1);
        if (i % n + 1 < n) add(i, i + 1);
        if (i >= n) add(i, i - n);
        if (i + n < n * n) add(i, i + n);
      }
      const SparseMatrix a = from_triplets(n * n, n * n, triplets);
      SparseLu lu(a.pattern);
      RunControl control;
      const std::size_t expected = lu.expected_factor_bytes();
      REQUIRE(lu.factor(a, control).status == FactorStatus::factored);
      CHECK(expected == lu.factor_entries() * (sizeof(double) + sizeof(Index)));
    }
  }

  TEST_CASE("block triangular form: a permutation, nothing right of the blocks, blocks irreducible") {
    PhiloxStream random(1, 2);
    for (int repeat = 0; repeat < 60; ++repeat) {
      const std::size_t n = 1 + random.next_below(40);
      const SparseMatrix a = shuffled(n, random);
      const BlockTriangularForm form = block_triangular_form(a.pattern);
      const std::vector<double> full = dense(a);
      std::vector<Index> block_of_column(n, no_index);
      std::vector<bool> row_seen(n, false);
      for (std::size_t b = 0; b < form.blocks(); ++b) {
        for (Index k = form.starts[b]; k < form.starts[b + 1]; ++k) {
          REQUIRE(block_of_column[form.columns[k]] == no_index);
          block_of_column[form.columns[k]] = static_cast<Index>(b);
          REQUIRE_FALSE(row_seen[form.rows[k]]);
          row_seen[form.rows[k]] = true;
          CHECK(full[form.rows[k] * n + form.columns[k]] != 0);
        }
      }
      // Reachability inside a block: from its first row every other one and back, by repeated sweeps.
      for (std::size_t b = 0; b < form.blocks(); ++b) {
        const std::size_t first = form.starts[b], size = form.starts[b + 1] - first;
        std::vector<std::vector<bool>> reach(size, std::vector<bool>(size, false));
        for (std::size_t i = 0; i < size; ++i) {
          for (std::size_t j = 0; j < n; ++j) {
            if (full[form.rows[first + i] * n + j] != 0) CHECK(block_of_column[j] <= b);
          }
          for (std::size_t j = 0; j < size; ++j) {
            reach[i][j] = i == j || full[form.rows[first + i] * n + form.columns[first + j]] != 0;
          }
        }
        for (std::size_t k = 0; k < size; ++k) {
          for (std::size_t i = 0; i < size; ++i) {
            for (std::size_t j = 0; j < size; ++j) {
              if (reach[i][k] && reach[k][j]) reach[i][j] = true;
            }
          }
        }
        for (const auto& row : reach) CHECK(std::find(row.begin(), row.end(), false) == row.end());
      }
    }
  }

  TEST_CASE("solve and transposed solve") {
    PhiloxStream random(2, 2);
    for (int repeat = 0; repeat < 80; ++repeat) {
      const std::size_t n = 1 + random.next_below(60);
      const SparseMatrix a = repeat % 2 == 0 ? shuffled(n, random) : random_full_rank(n, n, 3, random);
      SparseLu lu(a.pattern);
      RunControl control(1);
      REQUIRE(lu.factor(a, control).status == FactorStatus::factored);
      const std::vector<double> b = random_vector(n, random), full = dense(a), full_transposed = dense(transpose(a));
      std::vector<double> x = b, y = b;
      lu.solve(x);
      lu.solve_transposed(y);
      const std::vector<double> expected = dense_solve(full, b, n), turned = dense_solve(full_transposed, b, n);
      CHECK(largest_difference(x, expected) < 1e-9 * (1 + largest_size(expected)));
      CHECK(largest_difference(y, turned) < 1e-9 * (1 + largest_size(turned)));
    }
  }

  TEST_CASE("pivots: a zero or tiny diagonal in an irreducible block") {
    // Without row exchanges the first pivot would be zero.
    const SparseMatrix a = from_triplets(
        3, 3, std::vector<Triplet>{{0, 0, 0}, {0, 1, 2}, {1, 0, 1}, {1, 1, 1}, {1, 2, 1}, {2, 0, 3}, {2, 2, 1e-30}});
    SparseLu lu(a.pattern);
    RunControl control(1);
    REQUIRE(lu.factor(a, control).status == FactorStatus::factored);
    std::vector<double> x{2, 4, 3};
    lu.solve(x);
    CHECK(largest_difference(x, std::vector<double>{1, 1, 2}) < 1e-14);
  }

  TEST_CASE("the wave equation marches: blocks of one unknown") {
    const SparseMatrix a = wave(48, 32);
    SparseLu lu(a.pattern);
    CHECK(lu.blocks() == 48 * 32);
    CHECK(lu.factor_entries() == 48 * 32);
    RunControl control(1);
    REQUIRE(lu.factor(a, control).status == FactorStatus::factored);
    PhiloxStream random(3, 2);
    std::vector<double> x = random_vector(48 * 32, random), b(x.size());
    multiply(a, x, b);
    lu.solve(b);
    CHECK(largest_difference(x, b) < 1e-8);
    const SparseMatrix turned = transpose(a);
    multiply(turned, x, b);
    lu.solve_transposed(b);
    CHECK(largest_difference(x, b) < 1e-8);
  }

  TEST_CASE("Poisson is one block, solved to rounding") {
    const SparseMatrix a = poisson({24, 20});
    SparseLu lu(a.pattern);
    CHECK(lu.blocks() == 1);
    RunControl control(1);
    REQUIRE(lu.factor(a, control).status == FactorStatus::factored);
    PhiloxStream random(4, 2);
    std::vector<double> x = random_vector(480, random), b(480);
    multiply(a, x, b);
    lu.solve(b);
    CHECK(largest_difference(x, b) < 1e-12);
  }

  TEST_CASE("singular, not finite, cancelled, not square") {
    RunControl control(1);
    const SparseMatrix gap = from_triplets(3, 3, std::vector<Triplet>{{0, 0, 1}, {1, 0, 1}, {2, 1, 1}, {2, 2, 1}});
    try {
      const SparseLu lu(gap.pattern);
      FAIL("no error");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::singular);
      CHECK(std::string(error.what()).find("row") != std::string::npos);
    }
    const SparseMatrix twice = from_triplets(2, 2, std::vector<Triplet>{{0, 0, 1}, {0, 1, 2}, {1, 0, 2}, {1, 1, 4}});
    SparseLu lu(twice.pattern);
    CHECK(lu.factor(twice, control).status == FactorStatus::singular);
    std::vector<double> b(2);
    CHECK_THROWS_AS(lu.solve(b), Error);
    SparseMatrix bad = twice;
    bad.values[2] = INFINITY;
    CHECK_THROWS_AS((void)lu.factor(bad, control), Error);
    const SparseMatrix zero = from_triplets(1, 1, std::vector<Triplet>{{0, 0, 0}});
    SparseLu single(zero.pattern);
    const FactorResult result = single.factor(zero, control);
    CHECK(result.status == FactorStatus::singular);
    CHECK(result.unknown == 0);
    RunControl cancelled(1);
    cancelled.cancel();
    const SparseMatrix grid = poisson({8, 8});
    SparseLu stopped(grid.pattern);
    CHECK(stopped.factor(grid, cancelled).status == FactorStatus::stopped);
    CHECK_THROWS_AS(SparseLu(from_triplets(2, 3, {}).pattern), Error);
  }
}

}  // namespace dd::test
