// Presolve changes neither the objective nor certificates, and takes out what it can.
#include "dmmv/presolve.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "core/infinity.hpp"
#include "dmmv/bound.hpp"
#include "dmmv/evaluate.hpp"
#include "dmmv/solve.hpp"
#include "tests/dmmv/problems.hpp"

namespace {

using namespace dd;
using namespace dd::dmmv;

/// Random rows, some of them multiples of earlier ones with other intervals, as dense or sparse columns.
struct Repeated {
  explicit Repeated(std::uint64_t seed) {
    PhiloxStream random(seed, 3);
    data.rows = 4 + random.next_below(8);
    data.columns = 2 + random.next_below(4);
    data.matrix.resize(data.rows * data.columns);
    for (std::size_t i = 0; i < data.rows; ++i) {
      const bool repeat = i > 0 && random.next_below(2) == 0;
      const std::size_t from = repeat ? random.next_below(static_cast<std::uint32_t>(i)) : i;
      const double scale =
          std::ldexp(random.next_below(2) == 0 ? 1.0 : -1.0, static_cast<int>(random.next_below(4)) - 2);
      for (std::size_t j = 0; j < data.columns; ++j) {
        const double fresh = static_cast<double>(random.next_below(7)) - 3;
        data.matrix[i + j * data.rows] = repeat ? scale * data.matrix[from + j * data.rows] : fresh;
      }
      const double middle = 4 * random.next_uniform() - 2, half = random.next_uniform();
      data.lower.push_back(random.next_below(4) == 0 ? -infinity : middle - half);
      data.upper.push_back(data.lower.back() != -infinity && random.next_below(4) == 0 ? infinity : middle + half);
      // Mostly the weight that makes a multiple the same row.
      data.weights.push_back(repeat && random.next_below(4) != 0 ? data.weights[from] / std::abs(scale)
                                                                 : 0.5 + random.next_uniform());
    }
    data.levels = {-1, 0, 0.5, 2};
  }
  test::ProblemData data;
};

}  // namespace

TEST_SUITE("dmmv presolve") {
  TEST_CASE("the objective is that of the original, for random assignments") {
    std::size_t smaller = 0;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
      CAPTURE(seed);
      const Repeated repeated(seed);
      const Problem problem = repeated.data.create();
      const Presolved presolved = presolve(problem, -infinity);
      smaller += presolved.problem().rows() < problem.rows() ? 1 : 0;
      PhiloxStream random(seed, 4);
      for (int trial = 0; trial < 20; ++trial) {
        std::vector<std::int32_t> indices(problem.variables());
        for (auto& index : indices) index = static_cast<std::int32_t>(random.next_below(4));
        CHECK(objective(presolved.problem(), indices) == doctest::Approx(objective(problem, indices)).epsilon(1e-12));
      }
    }
    CHECK(smaller > 200);
  }

  TEST_CASE("multipliers mean the same in the original") {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
      CAPTURE(seed);
      const Repeated repeated(seed);
      const Problem problem = repeated.data.create();
      const Presolved presolved = presolve(problem, -infinity);
      RunControl control(1);
      const LinearRelaxation relaxation = linear_relaxation(presolved.problem(), {}, control);
      const std::vector<double> y = presolved.original_multipliers(relaxation.multipliers);
      CHECK(check_certificate(problem, y) ==
            doctest::Approx(check_certificate(presolved.problem(), relaxation.multipliers)).epsilon(1e-9));
    }
  }

  TEST_CASE("equal rows become one with the intersection, also across sign and scale; unequal weights stay") {
    test::ProblemData data;
    data.rows = 4;
    data.columns = 2;
    data.matrix = {1, -2, 1, 1, 3, -6, 3, 3};
    data.lower = {-1, -8, -infinity, -1};
    data.upper = {5, infinity, 3, 5};
    data.weights = {1, 0.5, 1, 2};
    data.levels = {-1, 0, 1};
    const Problem problem = data.create();
    const Presolved presolved = presolve(problem, -infinity);
    REQUIRE(presolved.problem().rows() == 2);
    CHECK(presolved.problem().lower()[0] == -1);  // of row 0; row 1 says <= 4, row 2 says <= 3
    CHECK(presolved.problem().upper()[0] == 3);
    const std::vector<double> y = presolved.original_multipliers(std::vector<double>{0.75, -0.25});
    CHECK(y == std::vector<double>{0, 0, 0.75, -0.25});
  }

  TEST_CASE("a tighter side that belongs to a negative multiple carries its sign") {
    test::ProblemData data;
    data.rows = 2;
    data.columns = 1;
    data.matrix = {1, -1};
    data.lower = {-2, -1};
    data.upper = {2, 3};
    data.weights = {1, 1};
    data.levels = {-4, 4};
    const Problem problem = data.create();
    const Presolved presolved = presolve(problem, -infinity);
    REQUIRE(presolved.problem().rows() == 1);
    CHECK(presolved.problem().upper()[0] == 1);
    CHECK(presolved.original_multipliers(std::vector<double>{1}) == std::vector<double>{0, -1});
    CHECK(presolved.original_multipliers(std::vector<double>{-1}) == std::vector<double>{-1, 0});
  }

  TEST_CASE("rows that cannot pass a threshold or what another row always has are left out") {
    test::ProblemData data;
    data.rows = 3;
    data.columns = 1;
    data.matrix = {1, 2, 0};
    data.lower = {10, -4, -1};
    data.upper = {20, 4, 1};
    data.weights = {1, 1, 1};
    data.levels = {-2.5, 0, 2.5};
    const Problem problem = data.create();  // row 0 is violated by 7.5 at least, row 1 by 1 at most, row 2 never
    CHECK(presolve(problem, -infinity).problem().rows() == 1);
    data.lower[0] = -10;
    const Problem slack = data.create();  // row 0 cannot exceed -7.5, row 2 is at -1 always
    CHECK(presolve(slack, -infinity).problem().rows() == 2);
    CHECK(&presolve(slack, 2).problem() == &slack);  // nothing would be left
    CHECK(presolve(slack, 0.5).problem().rows() == 1);
  }

  TEST_CASE("a sparse problem is reduced like a dense one") {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      CAPTURE(seed);
      const Repeated repeated(seed);
      const Problem dense = repeated.data.create();
      std::vector<std::int32_t> pointers{0}, rows;
      std::vector<double> values;
      for (std::size_t j = 0; j < dense.variables(); ++j) {
        dense.matrix().for_each(j, [&](std::size_t i, double entry) {
          if (entry == 0) return;
          rows.push_back(static_cast<std::int32_t>(i));
          values.push_back(entry);
        });
        pointers.push_back(static_cast<std::int32_t>(rows.size()));
      }
      ProblemDescription description = repeated.data.description();
      description.matrix = SparseColumns{dense.rows(), dense.variables(), pointers, rows, values};
      const Problem sparse = Problem::create(description);
      const Presolved a = presolve(dense, -infinity), b = presolve(sparse, -infinity);
      REQUIRE(a.problem().rows() == b.problem().rows());
      std::vector<std::int32_t> indices(dense.variables(), 1);
      CHECK(objective(a.problem(), indices) == objective(b.problem(), indices));
    }
  }

  TEST_CASE("columns that no row notices keep their start") {
    test::ProblemData data;
    data.rows = 2;
    data.columns = 3;
    data.matrix = {1, 2, 0, 0, 3, -1};
    data.lower = data.upper = {0.3, 0.7};
    data.weights = {1, 1};
    data.levels = {-1, 0, 1, 2, 3, 4, 5, 6};
    const Problem problem = data.create();
    for (const Engine engine : {Engine::automatic, Engine::target_search}) {
      const std::vector<std::int32_t> initial{7, 5, 7};
      SolveOptions options;
      options.initial = initial;
      options.engine = engine;
      options.iteration_limit = 2000;
      RunControl control(1);
      const SolveResult result = solve(problem, options, control);
      CHECK(result.indices[1] == 5);
      CHECK(result.objective == doctest::Approx(0.7));
    }
  }
}
