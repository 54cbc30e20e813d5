// Sparse search: the tournament, the merged rows, and that what a chain says of itself is true.
#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "dmmv/evaluate.hpp"
#include "dmmv/sparse_rows.hpp"
#include "dmmv/sparse_search.hpp"
#include "dmmv/sparse_solve.hpp"
#include "dmmv/tournament.hpp"

namespace dd::dmmv {
namespace {

/// Random sparse rows with a hidden assignment that meets every one of them exactly; levels unequally spaced.
struct Hidden {
  std::vector<std::int32_t> pointers{0}, rows;
  std::vector<double> values, b;
  std::vector<double> levels{-1, 0, 1, 3};
  std::vector<std::int32_t> answer;
  std::vector<std::int32_t> soft_pointers{0}, soft_rows;
  std::vector<double> soft_values, zeros, multipliers;

  Hidden(std::size_t m, std::size_t n, std::uint64_t seed) : b(m, 0.0) {
    PhiloxStream random(seed, 0);
    for (std::size_t j = 0; j < n; ++j) {
      answer.push_back(static_cast<std::int32_t>(random.next_below(4)));
      for (std::size_t i = 0; i < m; ++i) {
        if (random.next_below(12) != 0) continue;
        rows.push_back(static_cast<std::int32_t>(i));
        values.push_back(random.next_uniform() + 0.5);
        b[i] += values.back() * levels[static_cast<std::size_t>(answer.back())];
      }
      pointers.push_back(static_cast<std::int32_t>(rows.size()));
      if (j > 0) soft_rows.push_back(static_cast<std::int32_t>(j - 1)), soft_values.push_back(-1);
      if (j + 1 < n) soft_rows.push_back(static_cast<std::int32_t>(j)), soft_values.push_back(1);
      soft_pointers.push_back(static_cast<std::int32_t>(soft_rows.size()));
    }
    zeros.assign(n - 1, 0.0);
    multipliers.assign(n - 1, 0.1);
  }
  Problem problem(bool soft) const {
    ProblemDescription description;
    description.matrix = SparseColumns{b.size(), answer.size(), pointers, rows, values};
    description.lower = b;
    description.upper = b;
    description.levels = SharedLevels{levels};
    if (soft) {
      description.soft_rows = SoftRowsDescription{
          SparseColumns{zeros.size(), answer.size(), soft_pointers, soft_rows, soft_values}, zeros, zeros, multipliers};
    }
    return Problem::create(description);
  }
};

}  // namespace

TEST_CASE("a tournament knows the largest value and its lowest place after every change") {
  for (const std::size_t count : {1u, 2u, 3u, 8u, 13u}) {
    PhiloxStream random(3, static_cast<std::uint32_t>(count));
    std::vector<double> values(count);
    for (double& value : values) value = random.next_below(5);
    Tournament tournament(count);
    tournament.set_all(values);
    for (int change = 0; change < 200; ++change) {
      const auto largest = std::max_element(values.begin(), values.end());
      REQUIRE(tournament.largest() == *largest);
      REQUIRE(tournament.winner() == static_cast<std::size_t>(largest - values.begin()));
      const std::size_t i = random.next_below(static_cast<std::uint32_t>(count));
      values[i] = random.next_below(5);
      tournament.set(i, values[i]);
    }
  }
}

TEST_CASE("rows of a sparse problem are its columns turned") {
  const Hidden hidden(40, 60, 1);
  const Problem problem = hidden.problem(true);
  const SearchRows rows = search_rows(problem);
  const SparseRows sparse = sparse_rows(problem, rows, RunControl(1));
  REQUIRE(sparse.columns.size() == sparse.rows.size());
  for (std::size_t i = 0; i < rows.count; ++i) {
    for (const std::int32_t j : sparse.columns_of(i)) {
      const auto begin = sparse.rows.begin() + sparse.pointers[static_cast<std::size_t>(j)];
      const auto end = sparse.rows.begin() + sparse.pointers[static_cast<std::size_t>(j) + 1];
      CHECK(std::binary_search(begin, end, static_cast<std::int32_t>(i)));
    }
  }
}

TEST_CASE("the one-flip table of sparse columns has the bits of the dense one") {
  for (const std::size_t m : {1u, 4u, 60u}) {
    const Hidden hidden(m, 30, 5);
    const Problem sparse = hidden.problem(false);
    std::vector<double> dense(m * 30, 0.0);
    for (std::size_t j = 0; j < 30; ++j) {
      sparse.matrix().for_each(j, [&](std::size_t i, double entry) { dense[i + j * m] = entry; });
    }
    ProblemDescription description;
    description.matrix = MatrixView<const double>::column_major(dense.data(), m, 30);
    description.lower = hidden.b;
    description.upper = hidden.b;
    description.levels = SharedLevels{hidden.levels};
    const Problem full = Problem::create(description);
    std::vector<double> one(30 * 4), other(30 * 4), third(30 * 4);
    std::vector<std::int32_t> indices(30, 1);
    one_flip_table(sparse, indices, 1, one);
    one_flip_table(full, indices, 1, other);
    one_flip_table(sparse, indices, 3, third);
    CHECK(one == other);
    CHECK(one == third);
  }
}

TEST_CASE("the best of a chain is worth what it says, with soft rows and without") {
  for (const bool soft : {false, true}) {
    CAPTURE(soft);
    const Hidden hidden(50, 80, 2);
    const Problem problem = hidden.problem(soft);
    const SearchRows rows = search_rows(problem);
    const SparseRows sparse = sparse_rows(problem, rows, RunControl(1));
    SparseSearchParameters parameters;
    parameters.feasible = 1.0;
    SparseSearch search(problem, rows, sparse, parameters, 7, 0);
    search.start(std::vector<std::int32_t>(80, 0));
    double before = search.best().objective;
    for (int round = 0; round < 20; ++round) {
      search.run(500, 0, [] { return false; });
      const Evaluation evaluation = evaluate(problem, search.best().indices);
      CHECK(search.best().objective == doctest::Approx(evaluation.objective).epsilon(1e-9));
      if (soft) CHECK(search.best().soft == doctest::Approx(evaluation.soft_penalty).epsilon(1e-9));
      if (!soft) CHECK(search.best().objective <= before);
      before = search.best().objective;
    }
    CHECK(before < 3.0);
  }
}

TEST_CASE("solve keeps to the entries of a large sparse problem, whatever the threads") {
  const Hidden hidden(300, 200, 3);
  const Problem problem = hidden.problem(false);
  REQUIRE(is_worth_sparse(problem));
  SolveOptions options;
  options.iteration_limit = 40'000;
  options.target = 0.5;
  std::vector<std::int32_t> near = hidden.answer;
  for (std::size_t j = 0; j < near.size(); j += 10) near[j] = (near[j] + 1) % 4;
  options.initial = near;
  RunControl one(1), three(3);
  const SolveResult found = solve(problem, options, one);
  CHECK(found.objective == evaluate(problem, found.indices).objective);
  CHECK(found.objective <= evaluate(problem, near).objective);
  CHECK(solve(problem, options, three).indices == found.indices);
  CHECK(found.multipliers.empty());
}

TEST_CASE("a sparse problem that needs more memory than there is says so before it takes it") {
  const Hidden hidden(300, 200, 4);
  const Problem problem = hidden.problem(false);
  RunControl control(1);
  control.limit_memory(100);
  CHECK_THROWS_AS(solve(problem, {}, control), Error);
}

}  // namespace dd::dmmv
