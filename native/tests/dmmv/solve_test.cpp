// What the solver promises beside quality: determinism, limits, invariances, soft rows, every kind of level.
#include "dmmv/solve.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <string>

#include "core/error.hpp"
#include "core/isa.hpp"
#include "dmmv/bound.hpp"
#include "dmmv/elite_pool.hpp"
#include "dmmv/evaluate.hpp"
#include "dmmv/fir.hpp"
#include "tests/dmmv/problems.hpp"

namespace {

using namespace dd;
using namespace dd::dmmv;

SolveResult run(const Problem& problem, SolveOptions options, std::size_t threads = 1) {
  RunControl control(threads);
  return solve(problem, options, control);
}

/// The optimum by trying everything.
double exhaustive(const Problem& problem) {
  std::vector<std::int32_t> indices(problem.variables(), 0);
  double best = std::numeric_limits<double>::infinity();
  for (;;) {
    best = std::min(best, objective(problem, indices));
    std::size_t j = 0;
    while (j < indices.size() && ++indices[j] == problem.levels().count(j)) indices[j++] = 0;
    if (j == indices.size()) return best;
  }
}

FirSpecification small_filter() {
  FirSpecification specification;
  specification.taps = 31;
  specification.word_length = 7;
  specification.bands = {{0, 0.3, 1, 1}, {0.42, 1, 0, 3}};
  return specification;
}

}  // namespace

TEST_CASE("the same result for any number of threads and any CPU level, another seed may differ") {
  const Problem filter = make_fir_problem(small_filter());
  const Problem balance = test::hadamard_problem(5).create();
  for (const Problem* problem : {&filter, &balance}) {
    SolveOptions options;
    options.iteration_limit = 9'001;
    const SolveResult first = run(*problem, options);
    CHECK(first.iterations <= 9'001);
    for (const std::size_t threads : {2, 5}) {
      const SolveResult other = run(*problem, options, threads);
      CHECK(other.indices == first.indices);
      CHECK(other.iterations == first.iterations);
      CHECK(other.trace.size() == first.trace.size());
    }
    const IsaLevel before = active_isa();
    for (const IsaLevel level : available_isa_levels()) {
      set_active_isa(level);
      CHECK(run(*problem, options).indices == first.indices);
    }
    set_active_isa(before);
    CHECK(first.objective == objective(*problem, first.indices));
  }
}

TEST_CASE("small random problems of every kind are solved to the optimum") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    test::ProblemData data = test::random_problem(seed, 3 + seed % 10, 5, true);
    if (seed % 3 == 1) data.levels = {-2, -1.5, 0, 0.25, 3};  // unequal
    if (seed % 3 == 2) data.levels = {-1, 1};
    const Problem problem = data.create();
    const double optimum = exhaustive(problem);
    SolveOptions options;
    const SolveResult proven = run(problem, options);
    CHECK(proven.status == SolveStatus::optimal);
    CHECK(std::abs(proven.objective - optimum) <= 1e-12);
    CHECK(proven.gap == 0);
    // And by the search alone.
    options.engine = Engine::target_search;
    options.iteration_limit = 40'000;
    options.seed = seed;
    const SolveResult result = run(problem, options);
    CHECK(std::abs(result.objective - optimum) <= 1e-12);
    CHECK(result.lower_bound <= optimum + 1e-12);
    CHECK(result.gap == result.objective - result.lower_bound);
    if (!result.multipliers.empty()) {
      CHECK(check_certificate(problem, result.multipliers) <= optimum + 1e-12);
    }
    for (std::size_t k = 1; k < result.trace.size(); ++k) {
      CHECK(result.trace[k].objective < result.trace[k - 1].objective);
    }
  }
}

TEST_CASE("enumeration passes over fixed variables") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    test::ProblemData data = test::random_problem(seed, 7, 5, true);
    data.starts = {0, 1, 4, 5, 7, 11};
    data.levels = {0.5, -1, 0, 2, 1, -1, 1, -2, -1, 0.5, 3};
    const Problem problem = data.create();
    const SolveResult result = run(problem, {});
    CHECK(result.status == SolveStatus::optimal);
    CHECK(result.evaluations == 3 * 2 * 4);
    CHECK(std::abs(result.objective - exhaustive(problem)) <= 1e-12);
  }
}

TEST_CASE("engines and moves can be chosen") {
  const Problem problem = make_fir_problem(small_filter());
  SolveOptions options;
  options.iteration_limit = 3'000;
  const double automatic = run(problem, options).objective;
  for (const Engine engine : {Engine::target_search, Engine::norm_annealing}) {
    for (const Moves moves : {Moves::unit, Moves::pair, Moves::lattice, Moves::unit | Moves::lattice}) {
      options.engine = engine;
      options.moves = moves;
      const SolveResult result = run(problem, options);
      CHECK(result.objective == objective(problem, result.indices));
      CHECK(result.objective <= 2 * automatic);
      CHECK(result.evaluations > 0);
    }
  }
}

TEST_CASE("row scaling, slack rows and level offsets do not change what is found") {
  test::ProblemData data = test::random_problem(21, 12, 6, false);
  SolveOptions options;
  options.iteration_limit = 20'000;
  const SolveResult plain = run(data.create(), options);

  test::ProblemData scaled = data;
  for (std::size_t i = 0; i < data.rows; ++i) {
    const double factor = std::ldexp(1.0, static_cast<int>(i) - 6);
    for (std::size_t j = 0; j < data.columns; ++j) scaled.matrix[i + j * data.rows] *= factor;
    scaled.lower[i] *= factor;
    scaled.upper[i] *= factor;
    scaled.weights[i] /= factor;
  }
  CHECK(run(scaled.create(), options).objective == plain.objective);

  test::ProblemData taller = data;
  taller.rows += 1;
  taller.matrix.clear();
  for (std::size_t j = 0; j < data.columns; ++j) {
    for (std::size_t i = 0; i < data.rows; ++i) taller.matrix.push_back(data.matrix[i + j * data.rows]);
    taller.matrix.push_back(1);
  }
  taller.lower.push_back(-1000);
  taller.upper.push_back(1000);
  taller.weights.push_back(1);
  CHECK(std::abs(run(taller.create(), options).objective - plain.objective) <= 1e-12);

  test::ProblemData shifted = data;
  for (double& level : shifted.levels) level += 7;
  for (std::size_t i = 0; i < data.rows; ++i) {
    double sum = 0;
    for (std::size_t j = 0; j < data.columns; ++j) sum += 7 * data.matrix[i + j * data.rows];
    shifted.lower[i] += sum;
    shifted.upper[i] += sum;
  }
  CHECK(std::abs(run(shifted.create(), options).objective - plain.objective) <= 1e-12);
}

TEST_CASE("a negative optimum and its proof") {
  test::ProblemData data = test::random_problem(2, 3, 2, false);
  for (std::size_t i = 0; i < data.rows; ++i) {
    data.lower[i] = -50;
    data.upper[i] = 50;
  }
  const Problem problem = data.create();
  SolveOptions options;
  options.iteration_limit = 2'000;
  const SolveResult result = run(problem, options);
  CHECK(result.objective < 0);
  CHECK(std::abs(result.objective - exhaustive(problem)) <= 1e-12);
  CHECK(result.status == SolveStatus::optimal);  // the centre of every interval is reached: t = -half width
}

TEST_CASE("everything fixed, and no variables, return at once with proof") {
  test::ProblemData data = test::random_problem(4, 5, 3, true);
  data.levels = {1};
  const SolveResult fixed = run(data.create(), {});
  CHECK(fixed.status == SolveStatus::optimal);
  CHECK(fixed.gap == 0);
  CHECK(fixed.indices == std::vector<std::int32_t>{0, 0, 0});
  const SolveResult none = run(test::random_problem(4, 5, 0, false).create(), {});
  CHECK(none.status == SolveStatus::optimal);
  CHECK(none.indices.empty());
}

TEST_CASE("zero columns keep working and all-zero problems are finished") {
  test::ProblemData data = test::random_problem(4, 5, 3, false);
  std::fill(data.matrix.begin(), data.matrix.end(), 0.0);
  SolveOptions options;
  options.iteration_limit = 100;
  const SolveResult result = run(data.create(), options);
  CHECK(result.status == SolveStatus::optimal);
}

TEST_CASE("limits: target, iterations, time, cancellation, stagnation") {
  const Problem problem = make_fir_problem(small_filter());
  SolveOptions options;
  options.target = 1;
  CHECK(run(problem, options).status == SolveStatus::target);

  options = {};
  options.iteration_limit = 77;
  const SolveResult short_run = run(problem, options);
  CHECK(short_run.status == SolveStatus::iteration_limit);
  CHECK(short_run.iterations == 77);

  options = {};
  {
    RunControl control(1, 0.05);
    const SolveResult timed = solve(problem, options, control);
    CHECK(timed.status == SolveStatus::time_limit);
    CHECK(timed.objective == objective(problem, timed.indices));
    CHECK(control.seconds() < 5);
  }
  {
    RunControl control(1, 0.0);
    const SolveResult none = solve(problem, options, control);
    CHECK(none.status == SolveStatus::time_limit);
    CHECK(none.indices.size() == problem.variables());
  }
  {
    RunControl control(1);
    int reports = 0;
    std::vector<std::int32_t> seen(problem.variables());
    control.on_progress(
        [&](const Progress& progress) {
          if (progress.best.size() == seen.size() * sizeof(std::int32_t)) {
            std::memcpy(seen.data(), progress.best.data(), progress.best.size());
            CHECK(std::abs(objective(problem, seen) - progress.objective) <= 1e-12);
          }
          if (++reports == 3) control.cancel();
        },
        0.0);
    const SolveResult cancelled = solve(problem, options, control);
    CHECK(cancelled.status == SolveStatus::cancelled);
    CHECK(reports >= 3);
    CHECK(cancelled.objective <= objective(problem, seen));
  }
  const Problem small = test::random_problem(5, 8, 4, false).create();
  options = {};
  options.engine = Engine::target_search;
  const SolveResult rested = run(small, options);
  CHECK(rested.status == SolveStatus::stagnation);
  CHECK(rested.iterations >= 200'000);
  CHECK(std::string(solve_status_name(rested.status)) == "stagnation");
}

TEST_CASE("a start is used, and never made worse") {
  const Problem problem = make_fir_problem(small_filter());
  SolveOptions options;
  options.iteration_limit = 30'000;
  const SolveResult good = run(problem, options);
  options.initial = good.indices;
  options.iteration_limit = 1;
  options.seed = 9;
  CHECK(run(problem, options).objective <= good.objective);
}

TEST_CASE("soft rows: the least soft sum among what is feasible") {
  test::ProblemData data = test::random_problem(6, 4, 4, false);
  const std::vector<double> identity{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
  const std::vector<double> zeros(4, 0.0), multipliers{0.5, 0.5, 0.5, 0.5};
  ProblemDescription description = data.description();
  description.soft_rows =
      SoftRowsDescription{MatrixView<const double>::column_major(identity.data(), 4, 4), zeros, zeros, multipliers};
  const Problem problem = Problem::create(description);
  const Problem hard = data.create();
  std::vector<double> values;
  std::vector<std::int32_t> indices(4, 0);
  const double noise = exhaustive(hard) * 1.5;
  double best = std::numeric_limits<double>::infinity();
  for (int code = 0; code < 625; ++code) {
    for (std::size_t j = 0, rest = static_cast<std::size_t>(code); j < 4; ++j, rest /= 5) {
      indices[j] = static_cast<std::int32_t>(rest % 5);
    }
    const Evaluation evaluation = evaluate(problem, indices);
    CHECK(evaluation.objective == objective(hard, indices));
    if (evaluation.objective <= noise) best = std::min(best, evaluation.soft_penalty);
  }
  SolveOptions options;
  options.target = noise;
  options.iteration_limit = 20'000;
  const SolveResult result = run(problem, options);
  CHECK(result.objective <= noise);
  CHECK(std::abs(result.soft_penalty - best) <= 1e-12);
  options.target = -std::numeric_limits<double>::infinity();
  CHECK_THROWS_AS(run(problem, options), Error);
}

TEST_CASE("elites are apart, the better of two near ones stays, eight at most") {
  const Problem problem = test::random_problem(3, 4, 250, false).create();  // one in a hundred: 3 variables
  const SearchRows rows = search_rows(problem);
  ElitePool pool(rows, 0);
  const auto with = [](std::size_t changed, double objective) {
    SearchBest best;
    best.indices.assign(250, 0);
    for (std::size_t j = 0; j < changed; ++j) best.indices[j] = 1;
    best.objective = objective;
    return best;
  };
  pool.add(with(0, 5));
  pool.add(with(2, 6));  // near and worse
  CHECK(pool.size() == 1);
  pool.add(with(2, 4));  // near and better
  CHECK(pool.size() == 1);
  CHECK(pool[0].objective == 4);
  pool.add(with(5, 3));  // far enough
  CHECK(pool.size() == 2);
  CHECK(pool[0].objective == 3);
  for (std::size_t k = 1; k < 12; ++k) pool.add(with(5 + 3 * k, 3 + static_cast<double>(k)));
  CHECK(pool.size() == 8);
  for (std::size_t k = 1; k < pool.size(); ++k) CHECK(pool[k - 1].objective <= pool[k].objective);
}

TEST_CASE("the guard keeps the Euclidean norm, and costs nothing where it is wide") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    test::ProblemData data = test::random_problem(seed, 60, 12, seed % 2 == 0);
    if (seed % 3 == 0) data.levels = {-2, -0.5, 0.25, 1, 3};
    const Problem problem = data.create();
    const SearchRows rows = search_rows(problem);
    const auto norm = [&](const std::vector<std::int32_t>& indices) {
      std::vector<double> residual(rows.stride);
      search_residual(problem, rows, indices, residual);
      return std::sqrt(squares(rows, residual));
    };
    SolveOptions options;
    options.iteration_limit = 4'000;
    const std::vector<std::int32_t> initial(12, 2);
    options.initial = initial;
    const double free = run(problem, options).objective;
    for (const double guard : {0.0, 0.1, 1e6}) {
      options.l2_guard = guard;
      const SolveResult found = run(problem, options);
      CHECK(norm(found.indices) <= (1 + guard) * norm(initial) * (1 + 1e-12));
      CHECK(found.objective <= objective(problem, initial));
      if (guard == 1e6) CHECK(found.objective <= free * (1 + 1e-9));
    }
    options.moves = Moves::unit | Moves::swap;
    CHECK_THROWS_AS(run(problem, options), Error);
  }
}
