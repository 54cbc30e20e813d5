// Rank-revealing QR, block-tridiagonal Cholesky and bordered systems against dense elimination.
#include "core/error.hpp"
#include "linalg/block_tridiagonal.hpp"
#include "linalg/bordered.hpp"
#include "linalg/qr.hpp"
#include "tests/linalg/sparse/problems.hpp"

namespace dd::test {
namespace {

using namespace linalg;

std::vector<double> product(const std::vector<double>& a, const std::vector<double>& b, std::size_t m, std::size_t k,
                            std::size_t n) {
  std::vector<double> c(m * n, 0);
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t p = 0; p < k; ++p) {
      for (std::size_t j = 0; j < n; ++j) c[i * n + j] += a[i * k + p] * b[p * n + j];
    }
  }
  return c;
}

}  // namespace

TEST_CASE("rank-revealing QR: rank, normal equations and smallest norm") {
  PhiloxStream random(1, 3);
  for (int repeat = 0; repeat < 80; ++repeat) {
    const std::size_t m = 1 + random.next_below(25), n = 1 + random.next_below(25);
    const std::size_t rank = std::min({m, n, std::size_t{random.next_below(26)}});
    const std::vector<double> left = random_vector(m * rank, random), right = random_vector(rank * n, random);
    const std::vector<double> a = product(left, right, m, rank, n), b = random_vector(m, random);
    const RankRevealingQr qr(MatrixView<const double>::row_major(a.data(), m, n), 1e-10);
    REQUIRE(qr.rank() == rank);
    const std::vector<double> x = qr.solve(b);
    // The gradient vanishes, and x lies in the row space: x = A^T w has no component that A maps to zero. With
    // A = L R that is x = R^T (R R^T)^-1 R x.
    std::vector<double> residual = product(a, x, m, n, 1);
    for (std::size_t i = 0; i < m; ++i) residual[i] -= b[i];
    const double size = 1 + largest_size(x);
    for (std::size_t j = 0; j < n; ++j) {
      double gradient = 0;
      for (std::size_t i = 0; i < m; ++i) gradient += a[i * n + j] * residual[i];
      CHECK(std::fabs(gradient) < 1e-8 * size);
    }
    std::vector<double> gram(rank * rank, 0), projected(n, 0);
    for (std::size_t i = 0; i < rank; ++i) {
      for (std::size_t j = 0; j < rank; ++j) {
        for (std::size_t k = 0; k < n; ++k) gram[i * rank + j] += right[i * n + k] * right[j * n + k];
      }
    }
    const std::vector<double> weights = dense_solve(gram, product(right, x, rank, n, 1), rank);
    for (std::size_t i = 0; i < rank; ++i) {
      for (std::size_t k = 0; k < n; ++k) projected[k] += right[i * n + k] * weights[i];
    }
    CHECK(largest_difference(x, projected) < 1e-6 * size);
  }
  const std::vector<double> bad{1, 2, NAN, 4};
  CHECK_THROWS_AS(RankRevealingQr(MatrixView<const double>::row_major(bad.data(), 2, 2)), Error);
  const RankRevealingQr empty(MatrixView<const double>::row_major(bad.data(), 0, 3));
  CHECK(empty.rank() == 0);
  CHECK(empty.solve({}) == std::vector<double>(3, 0));
}

TEST_CASE("block-tridiagonal Cholesky") {
  PhiloxStream random(2, 3);
  for (const std::size_t order : {1, 3, 17}) {
    for (const std::size_t blocks : {1, 2, 5}) {
      const std::size_t n = blocks * order;
      BlockTridiagonalCholesky solver(blocks, order);
      std::vector<double> a(n * n, 0);
      for (std::size_t t = 0; t < blocks; ++t) {
        for (std::size_t i = 0; i < order; ++i) {
          for (std::size_t j = 0; j <= i; ++j) {
            const double value = symmetric_uniform(random) + (i == j ? 4.0 * static_cast<double>(order) : 0);
            solver.diagonal(t)(i, j) = value;
            a[(t * order + i) * n + t * order + j] = a[(t * order + j) * n + t * order + i] = value;
          }
          for (std::size_t j = 0; t + 1 < blocks && j < order; ++j) {
            const double value = symmetric_uniform(random);
            solver.below(t)(i, j) = value;
            a[((t + 1) * order + i) * n + t * order + j] = a[(t * order + j) * n + (t + 1) * order + i] = value;
          }
        }
      }
      RunControl control(2);
      REQUIRE(solver.factor(control).status == BlockTridiagonalCholesky::Status::factored);
      const std::vector<double> b = random_vector(n, random);
      std::vector<double> x = b;
      solver.solve(x);
      CHECK(largest_difference(x, dense_solve(a, b, n)) < 1e-13);
      CHECK(std::isfinite(solver.log_determinant()));
    }
  }
  BlockTridiagonalCholesky bad(2, 2);
  for (const std::size_t i : {0, 1}) bad.diagonal(0)(i, i) = bad.diagonal(1)(i, i) = 1;
  bad.below(0)(1, 0) = 2;
  RunControl control(1);
  const auto result = bad.factor(control);
  CHECK(result.status == BlockTridiagonalCholesky::Status::not_positive_definite);
  CHECK(result.unknown == 3);
  std::vector<double> b(4);
  CHECK_THROWS_AS(bad.solve(b), Error);
}

TEST_CASE("bordered systems") {
  PhiloxStream random(3, 3);
  for (int repeat = 0; repeat < 20; ++repeat) {
    const std::size_t n = 1 + random.next_below(30), p = random.next_below(6), all = n + p;
    const std::vector<double> root = random_vector(all * all, random);
    std::vector<double> a(all * all, 0);
    for (std::size_t i = 0; i < all; ++i) {
      a[i * all + i] = 1;
      for (std::size_t j = 0; j < all; ++j) {
        for (std::size_t k = 0; k < all; ++k) a[i * all + j] += root[i * all + k] * root[j * all + k];
      }
    }
    std::vector<double> grid(n * n);
    for (std::size_t i = 0; i < n; ++i) std::copy_n(a.data() + i * all, n, grid.data() + i * n);
    const auto solve_grid = [&](MatrixView<double> b) {
      for (std::size_t c = 0; c < b.columns; ++c) {
        std::vector<double> column(n);
        for (std::size_t i = 0; i < n; ++i) column[i] = b(i, c);
        column = dense_solve(grid, column, n);
        for (std::size_t i = 0; i < n; ++i) b(i, c) = column[i];
      }
    };
    const auto whole = MatrixView<const double>::row_major(a.data(), all, all);
    const BorderedSystem system(solve_grid, whole.block(0, n, n, p), whole.block(n, n, p, p));
    REQUIRE(system.bad_pivot() == 0);
    const std::vector<double> b = random_vector(all, random);
    std::vector<double> f(b.begin(), b.begin() + static_cast<std::ptrdiff_t>(n)),
        g(b.begin() + static_cast<std::ptrdiff_t>(n), b.end());
    system.solve(solve_grid, f, g);
    f.insert(f.end(), g.begin(), g.end());
    const std::vector<double> expected = dense_solve(a, b, all);
    CHECK(largest_difference(f, expected) < 1e-9 * (1 + largest_size(expected)));
  }
  const double one = 1, zero = 0;
  const auto keep = [](MatrixView<double>) {};
  const BorderedSystem free_border(keep, MatrixView<const double>::row_major(&zero, 1, 1),
                                   MatrixView<const double>::row_major(&zero, 1, 1));
  CHECK(free_border.bad_pivot() == 1);
  std::vector<double> f{1}, g{1};
  CHECK_THROWS_AS(free_border.solve(keep, f, g), Error);
  CHECK_THROWS_AS(BorderedSystem(keep, MatrixView<const double>::row_major(&one, 1, 1),
                                 MatrixView<const double>::row_major(&one, 1, 0)),
                  Error);
}

}  // namespace dd::test
