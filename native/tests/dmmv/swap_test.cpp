// Swaps: what the kernel says of the vectors' moves, and where the descent ends.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "dmmv/evaluate.hpp"
#include "dmmv/solve.hpp"
#include "dmmv/swap_descent.hpp"
#include "dmmv/swap_table.hpp"
#include "tests/dmmv/problems.hpp"

namespace {

using namespace dd;
using namespace dd::dmmv;

/// The least t within one level of one variable or one swap of `indices`.
double least_neighbour(const Problem& problem, const std::vector<std::int32_t>& indices) {
  double least = std::numeric_limits<double>::infinity();
  std::vector<std::int32_t> other = indices;
  for (std::size_t j = 0; j < indices.size(); ++j) {
    for (std::int32_t q = 0; q < problem.levels().count(j); ++q) {
      other[j] = q;
      least = std::min(least, objective(problem, other));
    }
    other[j] = indices[j];
    for (std::size_t k = 0; k < indices.size(); ++k) {
      if (k == j || indices[j] + 1 == problem.levels().count(j) || indices[k] == 0) continue;
      ++other[j];
      --other[k];
      least = std::min(least, objective(problem, other));
      --other[j];
      ++other[k];
    }
  }
  return least;
}

}  // namespace

TEST_CASE("descent ends where no level and no swap helps, never above its start") {
  int moved = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    test::ProblemData data = test::random_problem(seed, 3 + 5 * (seed % 30), 2 + seed % 9, seed % 2 == 0);
    if (seed % 3 != 0) data.levels = {-3, -1, -0.25, 0, 0.125, 2};
    const Problem problem = data.create();
    const SearchRows rows = search_rows(problem);
    SwapDescent descent(problem, rows);
    PhiloxStream random(seed, 3);
    std::vector<std::int32_t> indices(data.columns);
    for (std::int32_t& index : indices) {
      index = static_cast<std::int32_t>(random.next_below(static_cast<std::uint32_t>(data.levels.size())));
    }
    const double before = objective(problem, indices);
    const bool improved = descent.run(indices, [] { return false; });
    const double after = objective(problem, indices);
    CHECK(improved == (after < before));
    CHECK(after >= least_neighbour(problem, indices));
    CHECK(after <= least_neighbour(problem, indices) * (1 + 1e-9) + 1e-12);
    moved += improved ? 1 : 0;
    // What is asked to stop leaves the start as it is.
    std::vector<std::int32_t> same = indices;
    CHECK_FALSE(descent.run(same, [] { return true; }));
    CHECK(same == indices);
  }
  CHECK(moved >= 35);
}

TEST_CASE("rows that can never decide do not change what swaps find") {
  test::ProblemData data = test::random_problem(11, 300, 8, false);
  data.levels = {-1, 1};
  for (std::size_t i = 0; i < data.rows; i += 2) data.lower[i] -= 100, data.upper[i] += 100;
  const Problem wide = data.create();
  std::vector<std::int32_t> indices(8, 0);
  const SearchRows rows = search_rows(wide);
  SwapDescent(wide, rows).run(indices, [] { return false; });
  CHECK(objective(wide, indices) <= least_neighbour(wide, indices) * (1 + 1e-12));
}

TEST_CASE("swaps that are asked for are used, the same for any number of threads") {
  test::ProblemData data = test::random_problem(21, 120, 40, false);
  data.levels = {-1, 1};
  const Problem problem = data.create();
  SolveOptions options;
  options.iteration_limit = 20'000;
  options.engine = Engine::target_search;
  options.moves = Moves::unit | Moves::swap;
  RunControl one(1), three(3);
  const SolveResult first = solve(problem, options, one);
  CHECK(first.indices == solve(problem, options, three).indices);
  CHECK(first.objective == objective(problem, first.indices));

  test::ProblemData small = test::random_problem(5, 7, 4, false);
  const std::vector<double> side{0, 0, 0, 0}, ones{1, 1, 1, 1};
  ProblemDescription description = small.description();
  description.soft_rows =
      SoftRowsDescription{MatrixView<const double>::column_major(small.matrix.data(), 4, 4), side, side, ones};
  options.target = 1;
  CHECK_THROWS_AS(solve(Problem::create(description), options, one), Error);
}
