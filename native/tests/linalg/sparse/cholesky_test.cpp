// Normal equations, orders of elimination, sparse Cholesky, least squares and selected inversion against dense algebra.
#include <cstring>
#include <limits>
#include <memory>
#include <numeric>

#include "core/error.hpp"
#include "linalg/sparse/least_squares.hpp"
#include "linalg/sparse/selected_inverse.hpp"
#include "tests/json.hpp"
#include "tests/linalg/sparse/problems.hpp"

namespace dd::test {
namespace {

using namespace linalg;

GridLayout layout(const std::vector<std::size_t>& cells, bool periodic = false) {
  GridLayout grid;
  grid.axes = cells.size();
  grid.fields.push_back({1, 1, 1, 1});
  for (std::size_t a = 0; a < cells.size(); ++a) {
    grid.fields[0][a] = cells[a];
    grid.periodic[a] = periodic;
  }
  return grid;
}

void check_permutation(std::vector<Index> order, std::size_t n) {
  REQUIRE(order.size() == n);
  std::sort(order.begin(), order.end());
  for (std::size_t k = 0; k < n; ++k) REQUIRE(order[k] == k);
}

/// Entries of the factor by eliminating the graph: the oracle of the symbolic analysis.
std::size_t eliminated_entries(const SparsePattern& upper, const std::vector<Index>& order) {
  const std::size_t n = order.size();
  std::vector<std::vector<bool>> linked(n, std::vector<bool>(n, false));
  std::vector<std::size_t> place(n);
  for (std::size_t k = 0; k < n; ++k) place[order[k]] = k;
  for (std::size_t i = 0; i < n; ++i) {
    for (const Index j : upper.row(i)) linked[place[i]][place[j]] = linked[place[j]][place[i]] = true;
  }
  std::size_t entries = n;
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t i = k + 1; i < n; ++i) {
      if (!linked[k][i]) continue;
      ++entries;
      for (std::size_t j = k + 1; j < n; ++j) {
        if (linked[k][j]) linked[i][j] = true;
      }
    }
  }
  return entries;
}

struct Factored {
  NormalEquations normal;
  std::shared_ptr<const SparseCholeskyAnalysis> analysis;
  SparseCholesky cholesky;

  Factored(SparseView j, const DiagonalTerms& terms, const std::vector<Index>* order = nullptr)
      : normal(j.pattern),
        analysis(std::make_shared<const SparseCholeskyAnalysis>(
            normal.pattern(), order != nullptr ? *order : minimum_degree(normal.pattern()))),
        cholesky(analysis) {
    normal.compute(j, terms);
    RunControl control(1);
    REQUIRE(cholesky.factor(normal.values(), control).status == FactorStatus::factored);
  }
};

template <class Body>
Error expect_error(Body body) {
  try {
    body();
  } catch (const Error& error) {
    return error;
  }
  FAIL("no error");
  throw std::logic_error("unreachable");
}

}  // namespace

TEST_SUITE("sparse cholesky") {
  TEST_CASE("products and transposes agree with dense ones, for any number of threads") {
    PhiloxStream random(1, 1);
    for (int repeat = 0; repeat < 60; ++repeat) {
      const std::size_t m = random.next_below(40), n = random.next_below(40);
      const SparseMatrix a = random_sparse(m, n, 3, random);
      check_pattern(a.pattern, "a");
      const std::vector<double> full = dense(a), x = random_vector(n, random), z = random_vector(m, random);
      std::vector<double> y(m), w(n), w2(n), expected_y(m, 0), expected_w(n, 0);
      for (std::size_t i = 0; i < m; ++i) {
        for (std::size_t j = 0; j < n; ++j) {
          expected_y[i] += full[i * n + j] * x[j];
          expected_w[j] += full[i * n + j] * z[i];
        }
      }
      multiply(a, x, y);
      multiply_transposed(a, z, w);
      multiply_transposed(a, transpose(a.pattern), z, w2, 2);
      CHECK(largest_difference(y, expected_y) < 1e-14);
      CHECK(largest_difference(w, expected_w) < 1e-14);
      CHECK(w == w2);
      const SparseMatrix back = transpose(transpose(a));
      CHECK(back.pattern.starts == a.pattern.starts);
      CHECK(back.pattern.indices == a.pattern.indices);
      CHECK(back.values == a.values);
    }
  }

  TEST_CASE("normal equations: values, diagonal terms, threads") {
    PhiloxStream random(2, 1);
    for (int repeat = 0; repeat < 60; ++repeat) {
      const std::size_t m = random.next_below(50), n = 1 + random.next_below(40);
      const SparseMatrix j = random_sparse(m, n, 3, random);
      NormalEquations normal(j.pattern);
      check_pattern(normal.pattern(), "a");
      std::vector<double> scale(n);
      for (double& value : scale) value = random.next_uniform();
      const DiagonalTerms terms{0.3, 0.2, 0.7, scale};
      normal.compute(j, terms);
      std::vector<double> expected = dense_normal(j), got(n * n, 0);
      for (std::size_t u = 0; u < n; ++u) {
        double& diagonal = expected[u * n + u];
        diagonal += 0.09;
        diagonal += 0.04 * diagonal;
        diagonal += 0.7 * scale[u] * scale[u];
        REQUIRE(normal.pattern().row(u).front() == u);
        for (std::size_t e = normal.pattern().starts[u]; e < normal.pattern().starts[u + 1]; ++e) {
          const std::size_t v = normal.pattern().indices[e];
          got[u * n + v] = got[v * n + u] = normal.values()[e];
        }
      }
      CHECK(largest_difference(got, expected) < 1e-13);
      const std::vector<double> one(normal.values().begin(), normal.values().end());
      NormalEquations threaded(j.pattern, 2);
      threaded.compute(j, terms, 2);
      CHECK(std::equal(one.begin(), one.end(), threaded.values().begin()));
    }
  }

  TEST_CASE("orders are permutations and the analysis stores no less than the factor") {
    PhiloxStream random(3, 1);
    for (int repeat = 0; repeat < 80; ++repeat) {
      const std::size_t n = 1 + random.next_below(60);
      const NormalEquations normal(random_sparse(random.next_below(80), n, 2, random).pattern);
      const std::vector<Index> order = minimum_degree(normal.pattern());
      check_permutation(order, n);
      const SparseCholeskyAnalysis analysis(normal.pattern(), order);
      check_permutation(analysis.tree().order, n);
      const std::size_t exact = eliminated_entries(normal.pattern(), order);
      CHECK(eliminated_entries(normal.pattern(), analysis.tree().order) == exact);
      CHECK(analysis.factor_entries() >= exact);
    }
    // An arrow must be eliminated from its feathers: no fill.
    std::vector<Triplet> arrow;
    for (Index i = 0; i < 30; ++i) {
      arrow.push_back({i, i, 1});
      arrow.push_back({0, i, 1});
    }
    const SparsePattern upper = from_triplets(30, 30, arrow).pattern;
    CHECK(eliminated_entries(upper, minimum_degree(upper)) == 59);
  }

  TEST_CASE("nested dissection on grids of 1 to 4 axes, periodic or not, several fields") {
    const std::vector<std::vector<std::size_t>> shapes{{1}, {2}, {300}, {17, 23}, {40, 3}, {7, 8, 9}, {4, 5, 3, 6}};
    for (const auto& cells : shapes) {
      for (const bool periodic : {false, true}) {
        if (*std::min_element(cells.begin(), cells.end()) < 3) {
          check_permutation(nested_dissection(NormalEquations(SparsePattern{0, cells[0], {0}, {}}).pattern(),
                                              layout(cells, periodic), 4),
                            cells[0]);
          continue;
        }
        const NormalEquations normal(poisson(cells, periodic).pattern);
        const std::vector<Index> order = nested_dissection(normal.pattern(), layout(cells, periodic), 16);
        check_permutation(order, normal.unknowns());
        if (normal.unknowns() > 400) continue;
        const SparseCholeskyAnalysis analysis(normal.pattern(), order);
        CHECK(analysis.factor_entries() >= eliminated_entries(normal.pattern(), order));
      }
    }
    GridLayout mixed = layout({12, 9});
    mixed.fields.push_back({13, 9, 1, 1});
    mixed.fields.push_back({1, 10, 1, 1});
    const std::size_t n = 12 * 9 + 13 * 9 + 10;
    CHECK(mixed.unknowns() == n);
    check_permutation(nested_dissection(NormalEquations(SparsePattern{0, n, {0}, {}}).pattern(), mixed, 8), n);
  }

  TEST_CASE("a grid's factor is sparse: fill of Poisson 64 x 64 under both orders") {
    const NormalEquations normal(poisson({64, 64}).pattern);
    const SparseCholeskyAnalysis dissected(normal.pattern(), nested_dissection(normal.pattern(), layout({64, 64})));
    const SparseCholeskyAnalysis smallest(normal.pattern(), minimum_degree(normal.pattern()));
    CHECK(dissected.factor_entries() < 330'000);
    CHECK(smallest.factor_entries() < 330'000);
  }

  TEST_CASE("solves, halves and the determinant agree with dense elimination") {
    PhiloxStream random(4, 1);
    for (int repeat = 0; repeat < 60; ++repeat) {
      const std::size_t n = 1 + random.next_below(70), m = n + random.next_below(20);
      const SparseMatrix j = random_full_rank(m, n, 2, random);
      const Factored one(j, {});
      const std::vector<double> a = dense_normal(j), b = random_vector(n * 3, random);
      // Three right-hand sides, stored row by row.
      std::vector<double> x = b;
      one.cholesky.solve(MatrixView<double>::row_major(x.data(), n, 3));
      const std::vector<double> expected = dense_solve(a, b, n);
      CHECK(largest_difference(x, expected) < 1e-11 * (1 + largest_size(expected)));
      std::vector<double> single(n), halves(n);
      for (std::size_t i = 0; i < n; ++i) single[i] = halves[i] = b[i * 3];
      one.cholesky.solve(single);
      one.cholesky.solve_factor(halves);
      double energy = 0, product = 0;
      for (std::size_t i = 0; i < n; ++i) {
        energy += halves[i] * halves[i];
        product += single[i] * b[i * 3];
        CHECK(std::fabs(single[i] - expected[i * 3]) < 1e-11 * (1 + largest_size(expected)));
      }
      CHECK(energy == doctest::Approx(product).epsilon(1e-10));  // b^T A^-1 b = |L^-1 P b|^2
      one.cholesky.solve_factor_transposed(halves);
      CHECK(largest_difference(halves, single) < 1e-12 * (1 + largest_size(single)));
      // det by elimination: the sum of log pivots of Cholesky without pivoting.
      std::vector<double> work = a;
      double log_determinant = 0;
      for (std::size_t k = 0; k < n; ++k) {
        log_determinant += std::log(work[k * n + k]);
        for (std::size_t i = k + 1; i < n; ++i) {
          const double factor = work[i * n + k] / work[k * n + k];
          for (std::size_t c = k; c < n; ++c) work[i * n + c] -= factor * work[k * n + c];
        }
      }
      CHECK(one.cholesky.log_determinant() == doctest::Approx(log_determinant).epsilon(1e-11));
    }
  }

  TEST_CASE("the same bytes for any number of threads, and new values in an old analysis") {
    for (const auto& cells : {std::vector<std::size_t>{96, 80}, std::vector<std::size_t>{14, 13, 12}}) {
      const SparseMatrix j = poisson(cells);
      const GridLayout grid = layout(cells);
      PhiloxStream random(5, 1);
      const std::vector<double> v = random_vector(j.pattern.rows, random);
      std::vector<double> first;
      for (const std::size_t threads : {1, 2, 3}) {
        SparseLeastSquares solver(j.pattern, &grid, threads);
        REQUIRE(solver.analysis().tree().tasks.size() > 1);
        for (const double lambda : {0.5, 0.0}) {
          RunControl control(threads);
          const DiagonalTerms terms{0, 0, lambda, {}};
          REQUIRE(solver.factor(j, terms, control).status == FactorStatus::factored);
          CHECK(solver.cholesky().bytes() <= solver.analysis().factor_bytes(threads));
        }
        std::vector<double> d(j.pattern.columns), check(j.pattern.rows);
        solver.solve(j, v, d, 1, threads);
        multiply(j, d, check);
        for (std::size_t i = 0; i < check.size(); ++i) check[i] += v[i];
        CHECK(largest_size(check) < 1e-11);
        if (first.empty()) first = d;
        CHECK(std::memcmp(first.data(), d.data(), d.size() * sizeof(double)) == 0);
      }
    }
  }

  TEST_CASE("one correction reaches the accuracy of J") {
    const SparseMatrix j = poisson({64, 64});
    PhiloxStream random(6, 1);
    SparseLeastSquares solver(j.pattern);
    RunControl control(1);
    REQUIRE(solver.factor(j, {}, control).status == FactorStatus::factored);
    std::vector<double> z = random_vector(j.pattern.columns, random), v(j.pattern.rows), d(z.size());
    multiply(j, z, v);
    for (double& value : v) value = -value;
    solver.solve(j, v, d, 0);
    const double plain = largest_difference(d, z);
    solver.solve(j, v, d, 1);
    const double corrected = largest_difference(d, z);
    CHECK(corrected < 1e-11);
    CHECK(corrected < plain / 10);
  }

  TEST_CASE("empty columns stay where they are, empty rows and single unknowns are nothing special") {
    // Unknown 1 appears nowhere, unknown 3 only with zeros, row 2 is empty.
    const SparseMatrix j =
        from_triplets(4, 5, std::vector<Triplet>{{0, 0, 2}, {1, 2, 3}, {3, 4, 1}, {0, 3, 0}, {3, 0, 1}});
    SparseLeastSquares solver(j.pattern);
    RunControl control(1);
    REQUIRE(solver.factor(j, {}, control).status == FactorStatus::factored);
    CHECK(solver.cholesky().empty_unknowns() == std::vector<Index>{1, 3});
    const std::vector<double> v{-4, 6, 5, 1};
    std::vector<double> d(5, 7);
    solver.solve(j, v, d);
    CHECK(largest_difference(d, std::vector<double>{2, 0, -2, 0, -3}) < 1e-14);
    std::vector<double> sample{1, 1, 1, 1, 1};
    solver.cholesky().solve_factor_transposed(sample);
    CHECK(sample[1] == 0);
    CHECK(sample[3] == 0);
    const SelectedInverse inverse = selected_inverse(solver.cholesky(), {}, control);
    CHECK(std::isinf(inverse.diagonal[1]));
    CHECK(inverse.diagonal[2] == doctest::Approx(1.0 / 9));

    for (const std::size_t n : {0, 1}) {
      const SparseMatrix small = from_triplets(n, n, std::vector<Triplet>(n, Triplet{0, 0, 2}));
      SparseLeastSquares tiny(small.pattern);
      REQUIRE(tiny.factor(small, {}, control).status == FactorStatus::factored);
      std::vector<double> residual(n, 1), step(n);
      tiny.solve(small, residual, step);
      if (n == 1) CHECK(step[0] == -0.5);
    }
  }

  TEST_CASE("what is not positive definite, not finite or cancelled is told") {
    const auto order = [](std::size_t n) {
      std::vector<Index> all(n);
      std::iota(all.begin(), all.end(), Index{0});
      return all;
    };
    const SparseMatrix a = from_triplets(3, 3, std::vector<Triplet>{{0, 0, 1}, {0, 1, 2}, {1, 1, 1}, {2, 2, 1}});
    SparseCholesky cholesky(std::make_shared<const SparseCholeskyAnalysis>(a.pattern, order(3)));
    RunControl control(1);
    const FactorResult result = cholesky.factor({a.values.data(), a.values.size()}, control);
    CHECK(result.status == FactorStatus::not_positive_definite);
    CHECK(result.unknown == 1);
    std::vector<double> b(3);
    CHECK(expect_error([&] { cholesky.solve(b); }).code() == ErrorCode::invalid_argument_value);
    // A zero on the diagonal of a row that is not zero is no empty unknown.
    const std::vector<double> saddle{1, 1, 0, 1};
    CHECK(cholesky.factor(saddle, control).status == FactorStatus::not_positive_definite);

    SparseMatrix j = poisson({5, 4});
    NormalEquations normal(j.pattern);
    j.values[j.pattern.starts[6] + 1] = std::numeric_limits<double>::quiet_NaN();
    const Error error = expect_error([&] { normal.compute(j); });
    CHECK(error.code() == ErrorCode::not_finite);
    CHECK(std::string(error.what()).find("row 6, column " + std::to_string(j.pattern.row(6)[1])) != std::string::npos);
    const std::vector<double> bad{1, 0, INFINITY, 1};
    const Error place = expect_error([&] { (void)cholesky.factor(bad, control); });
    CHECK(place.code() == ErrorCode::not_finite);
    CHECK(std::string(place.what()).find("unknowns 1 and 1") != std::string::npos);
    CHECK(expect_error([&] { normal.compute(j, {-1, 0, 0, {}}); }).argument() == "damp");
    CHECK(expect_error([&] { SparseCholeskyAnalysis(a.pattern, std::vector<Index>{0, 0, 1}); }).argument() == "order");
    SparsePattern wrong = a.pattern;
    wrong.indices[0] = 9;
    CHECK(expect_error([&] { check_pattern(wrong, "j"); }).code() == ErrorCode::out_of_range);

    for (const std::size_t threads : {1, 2}) {
      RunControl cancelled(threads);
      cancelled.cancel();
      const SparseMatrix grid = poisson({30, 30});
      SparseLeastSquares solver(grid.pattern);
      CHECK(solver.factor(grid, {}, cancelled).status == FactorStatus::stopped);
      CHECK_FALSE(solver.cholesky().factored());
    }
  }

  TEST_CASE("selected inversion: the diagonal and every entry of the matrix") {
    PhiloxStream random(7, 1);
    for (int repeat = 0; repeat < 40; ++repeat) {
      const std::size_t n = 1 + random.next_below(60);
      const SparseMatrix j = random_full_rank(n + 5, n, 2, random);
      const Factored one(j, {0.1, 0, 0, {}});
      std::vector<EntryPlace> places;
      for (std::size_t i = 0; i < n; ++i) {
        for (const Index k : one.normal.pattern().row(i)) places.push_back({k, static_cast<Index>(i)});
      }
      RunControl control(1 + repeat % 2);
      const SelectedInverse got = selected_inverse(one.cholesky, places, control);
      std::vector<double> a = dense_normal(j);
      for (std::size_t i = 0; i < n; ++i) a[i * n + i] += one.normal.added_diagonal()[i];
      const std::vector<double> inverse = dense_inverse(a, n);
      double worst = 0;
      for (std::size_t i = 0; i < n; ++i) worst = std::max(worst, std::fabs(got.diagonal[i] - inverse[i * n + i]));
      for (std::size_t k = 0; k < places.size(); ++k) {
        worst = std::max(worst, std::fabs(got.entries[k] - inverse[places[k].row * n + places[k].column]));
      }
      CHECK(worst < 1e-11 * (1 + largest_size(inverse)));
      CHECK(expect_error([&] {
              const std::vector<EntryPlace> outside{{static_cast<Index>(n), 0}};
              (void)selected_inverse(one.cholesky, outside, control);
            }).code() == ErrorCode::out_of_range);
    }
  }

  TEST_CASE("linsolve_damped.json: the official direct step") {
    const Json file = read_vectors("odil/linsolve_damped.json");
    const double tolerance = file["tolerance"].number;
    REQUIRE(file["cases"].items.size() > 0);
    for (const Json& one : file["cases"].items) {
      const std::vector<double> shape = one["J"]["shape"].numbers(), values = one["J"]["vals"].numbers();
      const std::vector<std::int32_t> rows = one["J"]["rows"].integers(), columns = one["J"]["cols"].integers();
      std::vector<Triplet> triplets;
      for (std::size_t e = 0; e < values.size(); ++e) {
        triplets.push_back({static_cast<Index>(rows[e]), static_cast<Index>(columns[e]), values[e]});
      }
      const SparseMatrix j =
          from_triplets(static_cast<std::size_t>(shape[0]), static_cast<std::size_t>(shape[1]), triplets);
      std::vector<double> v = one["rhs"]["data"].numbers(), d(j.pattern.columns);
      for (double& value : v) value = -value;
      SparseLeastSquares solver(j.pattern);
      RunControl control(1);
      REQUIRE(solver.factor(j, {one["damp"].number, one["dampdiag"].number, 0, {}}, control).status ==
              FactorStatus::factored);
      solver.solve(j, v, d);
      const std::vector<double> expected = one["x"]["data"].numbers();
      CHECK(largest_difference(d, expected) < tolerance * (1 + largest_size(expected)));
    }
  }
}

}  // namespace dd::test
