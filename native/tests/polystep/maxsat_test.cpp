// MAX-SAT: changes equal recounts, colours share no clause, local search never loses the best.
#include "polystep/objectives/maxsat.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "core/philox.hpp"
#include "core/run_control.hpp"
#include "polystep/engine.hpp"
#include "polystep/objectives/maxsat_evaluator.hpp"
#include "polystep/objectives/maxsat_polish.hpp"
#include "polystep/objectives/support.hpp"
#include "tests/polystep/objective_checks.hpp"

namespace {

using dd::PhiloxStream;
using dd::polystep::MaxSat;

/// Clauses of one to `longest` literals, with repetitions and tautologies.
MaxSat random_problem(std::size_t variables, std::size_t clauses, std::uint32_t longest, bool weighted,
                      dd::polystep::MaxSatCost cost = dd::polystep::MaxSatCost::count) {
  PhiloxStream random(11, static_cast<std::uint32_t>(variables), 98);
  std::vector<std::int32_t> literals, starts{0};
  std::vector<double> weights;
  for (std::size_t c = 0; c < clauses; ++c) {
    for (std::uint32_t i = 0; i <= random.next_below(longest); ++i) {
      const auto variable = static_cast<std::int32_t>(random.next_below(static_cast<std::uint32_t>(variables)) + 1);
      literals.push_back(random.next_below(2) == 0 ? variable : -variable);
    }
    starts.push_back(static_cast<std::int32_t>(literals.size()));
    weights.push_back(random.next_uniform());
  }
  return MaxSat(
      {variables, literals, starts, weighted ? std::span<const double>(weights) : std::span<const double>{}, cost});
}

const auto around_zero = [](PhiloxStream& random) { return 2 * random.next_uniform() - 1; };

MaxSat random_3sat(std::size_t variables, std::size_t clauses) {
  std::vector<std::int32_t> literals(3 * clauses), starts(clauses + 1);
  dd::polystep::random_clauses(variables, 3, 1, 2, literals);
  for (std::size_t c = 0; c <= clauses; ++c) starts[c] = static_cast<std::int32_t>(3 * c);
  return MaxSat({variables, literals, starts, {}, dd::polystep::MaxSatCost::count});
}

}  // namespace

TEST_CASE("maxsat: a change equals a recount, to the last bit") {
  for (const bool weighted : {false, true}) {
    for (const std::size_t width : {1, 2, 7, 20, 70}) {
      CAPTURE(weighted);
      CAPTURE(width);
      const MaxSat problem = random_problem(75, 400, 4, weighted);
      CHECK(dd::polystep::test::check_replacements<float>(problem, width, around_zero, 0) > 0);
      CHECK(dd::polystep::test::check_replacements<double>(problem, width, around_zero, 0) > 0);
    }
  }
  const MaxSat ratio = random_problem(30, 100, 3, false, dd::polystep::MaxSatCost::ratio);
  CHECK(dd::polystep::test::check_replacements<double>(ratio, 2, around_zero, 0) > 0);
}

TEST_CASE("maxsat: colours partition the blocks and share no clause") {
  for (const std::size_t variables : {7, 40, 1000}) {
    // The smallest needs more than 64 colours in blocks of one if everything meets everything.
    const MaxSat problem = random_3sat(variables, variables * 4);
    const auto evaluator = problem.float32_evaluator(0);
    for (const std::size_t width : {1, 2, 8}) {
      std::vector<int> seen((variables + width - 1) / width, 0);
      for (const auto& group : evaluator->blocks_by_colour(width)) {
        std::set<std::uint32_t> clauses;
        for (const std::uint32_t block : group) {
          ++seen[block];
          std::set<std::uint32_t> own;
          for (std::size_t i = block * width; i < std::min<std::size_t>(variables, (block + 1) * width); ++i) {
            for (const std::uint32_t entry : problem.occurrences(i)) own.insert(entry >> 1);
          }
          for (const std::uint32_t clause : own) CHECK(clauses.insert(clause).second);
        }
      }
      CHECK(std::all_of(seen.begin(), seen.end(), [](int times) { return times == 1; }));
    }
  }
}

TEST_CASE("maxsat: more than 64 colours") {
  // One clause with 100 variables: no two blocks of one share a colour.
  std::vector<std::int32_t> literals(100), starts{0, 100};
  for (std::int32_t i = 0; i < 100; ++i) literals[static_cast<std::size_t>(i)] = i + 1;
  const MaxSat problem({100, literals, starts, {}, dd::polystep::MaxSatCost::count});
  const auto evaluator = problem.float64_evaluator(0);
  CHECK(evaluator->blocks_by_colour(1).size() == 100);
  CHECK(evaluator->blocks_by_colour(10).size() == 10);
}

TEST_CASE("maxsat: blocks of a colour scored side by side see the base of its beginning") {
  const MaxSat problem = random_3sat(500, 2100);
  const auto evaluator = problem.float32_evaluator(0);
  std::vector<float> base(500, -1.0f);
  const double start = evaluator->set_base(base, 1);
  const auto groups = evaluator->blocks_by_colour(1);
  evaluator->begin_colour(1);
  double total = start;
  for (const std::uint32_t block : groups[0]) {
    const float flipped = 1.0f;
    double value = 0;
    evaluator->evaluate_replacements(block, dd::MatrixView<const float>::row_major(&flipped, 1, 1), {&value, 1});
    total += value - start;
    evaluator->replace(block, {&flipped, 1});
    base[block] = flipped;
  }
  CHECK(evaluator->base_loss() == total);
  CHECK(evaluator->base_loss() == dd::polystep::test::whole(*evaluator, base));
}

TEST_CASE("maxsat: blocks together are scored as one by one") {
  for (const std::size_t width : {1, 2, 7, 70}) {
    for (const bool weighted : {false, true}) {
      CAPTURE(width);
      const MaxSat problem = random_problem(75, 400, 4, weighted);
      const auto evaluator = problem.float32_evaluator(0);
      PhiloxStream random(6, static_cast<std::uint32_t>(width), 97);
      std::vector<float> base(75);
      for (float& x : base) x = static_cast<float>(around_zero(random));
      evaluator->set_base(base, 1);
      constexpr std::size_t each = 5;
      const std::size_t blocks = (75 + width - 1) / width;
      std::vector<std::uint32_t> chosen;
      for (std::uint32_t b = 0; b < blocks; ++b) {
        if (random.next_below(3) > 0 || b + 1 == blocks) chosen.push_back(b);
      }
      std::vector<float> rows(chosen.size() * each * width);
      for (float& x : rows) x = static_cast<float>(around_zero(random));
      const auto view = dd::MatrixView<const float>::row_major(rows.data(), chosen.size() * each, width);
      std::vector<double> together(chosen.size() * each), alone(each);
      evaluator->evaluate_blocks({0, chosen.size(), chosen.data()}, view, together, 0);
      for (std::size_t i = 0; i < chosen.size(); ++i) {
        evaluator->evaluate_replacements(chosen[i] * width, view.block(i * each, 0, each, width), alone);
        for (std::size_t r = 0; r < each; ++r) CHECK(together[i * each + r] == alone[r]);
      }
    }
  }
}

TEST_CASE("maxsat: a pair's correction is what both changes together are more than their sum") {
  const MaxSat problem = random_problem(12, 90, 4, true);
  dd::polystep::MaxSatState state(problem);
  PhiloxStream random(8, 0, 97);
  int corrections = 0;
  for (int round = 0; round < 30; ++round) {
    for (std::uint8_t& truth : state.assignment()) truth = static_cast<std::uint8_t>(random.next_below(2));
    state.recount(1);
    const std::uint32_t a = random.next_below(12), b = (a + 1 + random.next_below(11)) % 12;
    const std::uint32_t both[2]{a, b};
    std::int64_t single[2]{};
    state.deltas(both, single, 0);
    const std::int64_t correction = state.pair_correction(a, b, 0);
    CHECK(single[0] + single[1] + correction == state.joint_delta(both, 0));
    corrections += correction != 0 ? 1 : 0;
  }
  CHECK(corrections > 5);
}

TEST_CASE("maxsat: lanes that catch up count as one that did everything") {
  const MaxSat problem = random_3sat(60, 250);
  dd::polystep::MaxSatState state(problem);
  state.recount(1);
  const auto groups = problem.float32_evaluator(0)->blocks_by_colour(1);
  PhiloxStream random(9, 0, 97);
  // More flips than a lane's list holds, and a third lane that comes late and misses colours.
  for (int colour = 0; colour < 400; ++colour) {
    const std::size_t lanes = colour < 100 ? 2 : 3;
    state.publish(lanes);
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      if (lane == 2 && random.next_below(4) > 0) continue;
      state.catch_up(lane);
    }
    for (const std::uint32_t variable : groups[static_cast<std::size_t>(colour) % groups.size()]) {
      const std::size_t lane = random.next_below(2);
      std::int64_t promised = 0;
      state.deltas({&variable, 1}, &promised, lane);
      const std::int64_t change = state.flip(variable, lane);
      CHECK(change == promised);
      state.add(change);
    }
  }
  state.publish(3);
  for (std::size_t lane = 0; lane < 3; ++lane) state.catch_up(lane);
  dd::polystep::MaxSatState fresh(problem);
  std::copy(state.assignment().begin(), state.assignment().end(), fresh.assignment().begin());
  fresh.recount(1);
  CHECK(state.unsatisfied() == fresh.unsatisfied());
  std::vector<std::uint32_t> all(60);
  for (std::uint32_t i = 0; i < 60; ++i) all[i] = i;
  std::vector<std::int64_t> own(60), plain(60);
  fresh.deltas(all, plain.data(), 0);
  for (std::size_t lane = 0; lane < 3; ++lane) {
    state.deltas(all, own.data(), lane);
    CHECK(own == plain);
  }
}

TEST_CASE("maxsat: sweeps give the same bytes on any number of threads") {
  const MaxSat problem = random_3sat(3001, 12800);
  std::vector<float> first;
  for (const std::size_t threads : {1, 2, 3, 8}) {
    dd::polystep::EngineOptions options;
    options.dimension = 3001;
    options.rule = dd::polystep::Rule::sample;
    options.scale = dd::polystep::CostScale::none;
    options.sequential = true;
    options.lower.assign(3001, -0.7);
    options.upper.assign(3001, 0.7);
    options.seed = 5;
    std::vector<float> x(3001);
    PhiloxStream random(10, 0, 97);
    for (float& value : x) value = static_cast<float>(0.1 * around_zero(random));
    dd::polystep::Engine<float> engine(options, x, nullptr);
    const auto evaluator = problem.float32_evaluator(0);
    const std::vector<dd::polystep::StepParameters> schedule(12, {0.4, 1, 2});
    std::vector<dd::polystep::StepMetrics> metrics;
    dd::RunControl control(threads);
    engine.run(*evaluator, schedule, 1e9, metrics, control);
    REQUIRE(metrics.size() == 12);
    engine.current(x.data());
    if (first.empty()) first = x;
    CHECK(x == first);
    CHECK(metrics.back().min_cost == problem.float32_evaluator(0)->set_base(x, 1));
  }
}

TEST_CASE("maxsat: whole points by words equal a plain count, on any number of threads") {
  const MaxSat problem = random_problem(40, 200, 3, true);
  const auto evaluator = problem.float64_evaluator(0);
  PhiloxStream random(5, 0, 97);
  constexpr std::size_t rows = 150;
  std::vector<double> points(rows * 40), one(rows), many(rows);
  for (double& x : points) x = around_zero(random);
  const auto view = dd::MatrixView<const double>::row_major(points.data(), rows, 40);
  dd::polystep::evaluate_points(*evaluator, view, std::span(one), 1);
  dd::polystep::evaluate_points(*evaluator, view, std::span(many), 4);
  CHECK(one == many);
  for (std::size_t p = 0; p < rows; ++p) CHECK(one[p] == evaluator->set_base({points.data() + p * 40, 40}, 3));
}

TEST_CASE("maxsat: local search returns the best it has seen, whenever it is cut") {
  const MaxSat problem = random_3sat(300, 1281);
  std::int64_t last = problem.total_weight();
  for (const std::uint64_t flips : {0, 1, 50, 400, 5000, 100000}) {
    dd::RunControl control;
    const auto result = dd::polystep::polish(problem, std::vector<std::uint8_t>(300, 0), {flips, 4, false}, control);
    CHECK(result.flips <= flips);
    CHECK(result.unsatisfied <= last);  // the same seed walks the same way
    last = result.unsatisfied;
    std::vector<double> point(result.assignment.begin(), result.assignment.end());
    CHECK(problem.float64_evaluator(0)->set_base(point, 1) == static_cast<double>(result.unsatisfied));
  }
  CHECK(last <= 3);
}

TEST_CASE("maxsat: annealed local search, of any length, is worth what it says and no worse than its start") {
  const MaxSat problem = random_3sat(2000, 8540);
  dd::RunControl control;
  const auto start = dd::polystep::polish(problem, std::vector<std::uint8_t>(2000, 0), {20000, 4, true}, control);
  for (const std::uint64_t flips : {0, 1, 1500, 200000}) {
    const auto result = dd::polystep::polish(problem, start.assignment, {flips, 5, true}, control);
    CHECK(result.flips <= flips);
    CHECK(result.unsatisfied <= start.unsatisfied);
    std::vector<double> point(result.assignment.begin(), result.assignment.end());
    CHECK(problem.float64_evaluator(0)->set_base(point, 1) == static_cast<double>(result.unsatisfied));
  }
  // A hundred flips a variable: the walk at one temperature is still on its way then.
  std::int64_t annealed = 0, constant = 0;
  for (const std::uint64_t seed : {1, 2, 3}) {
    const std::vector<std::uint8_t> zeros(2000, 0);
    annealed += dd::polystep::polish(problem, zeros, {200000, seed, true}, control).unsatisfied;
    constant += dd::polystep::polish(problem, zeros, {200000, seed, false}, control).unsatisfied;
  }
  CHECK(annealed < constant);
}
