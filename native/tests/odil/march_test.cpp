// Marches against what they invert: J M x = x, <M x, y> = <x, M^T y>, and states whose residuals are 0, for equations
// that need every kind of row solver.
#include "odil/march.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "core/reductions.hpp"
#include "evolution_problems.hpp"

using namespace dd::odil;

namespace {

std::vector<double> random_vector(std::size_t count, std::uint64_t seed) {
  dd::PhiloxStream stream(seed, 0);
  std::vector<double> values(count);
  for (double& value : values) value = 2 * stream.next_uniform() - 1;
  return values;
}

template <class T>
double inner(std::span<const T> a, std::span<const T> b) {
  return dd::dot(a, b, 1);
}

/// Marches of one problem at one state, in precision T.
template <class T>
struct Marches {
  Problem& problem;
  Evolution evolution;
  EvolutionPrograms programs;
  LinearMarch<T> linear;
  StateVector<T> state;
  std::vector<double> parameters;
  dd::RunControl control;

  Marches(Problem& of, double tolerance, std::size_t threads = 1)
      : problem(of),
        evolution(*find_evolution(of, std::nullopt).evolution),
        programs(of, evolution),
        linear(of, evolution, programs),
        state(of.grid_unknowns(), programs.reach()),
        parameters(of.description().parameters, 0.7),
        control(threads) {
    const std::vector<double> start = random_vector(of.grid_unknowns(), 5);
    for (std::size_t i = 0; i < start.size(); ++i) state.data()[i] = static_cast<T>(0.5 + 0.3 * start[i]);
    linear.linearise(of.sources<T>(state.span(), parameters), tolerance, control);
  }
  StateVector<T> vector(std::uint64_t seed) const {
    StateVector<T> result(problem.grid_unknowns(), programs.reach());
    const std::vector<double> values = random_vector(problem.grid_unknowns(), seed);
    for (std::size_t i = 0; i < values.size(); ++i) result.data()[i] = static_cast<T>(values[i]);
    return result;
  }
  StateVector<T> forward(const StateVector<T>& right_side) {
    StateVector<T> result(problem.grid_unknowns(), programs.reach());
    const RowStore<T> states[] = {{result.data()}};
    const std::size_t points = evolution.row_points;
    const bool finished = linear.forward(
        states, evolution.rows, [](std::size_t) {},
        [&](std::size_t, std::size_t row, T* to) {
          std::copy(right_side.data() + row * points, right_side.data() + (row + 1) * points, to);
        },
        control);
    CHECK(finished);
    return result;
  }
  StateVector<T> adjoint(const StateVector<T>& of) {
    StateVector<T> result(problem.grid_unknowns(), programs.reach());
    std::copy(of.span().begin(), of.span().end(), result.span().begin());
    T* const states[] = {result.data()};
    CHECK(linear.adjoint(states, control));
    return result;
  }
};

}  // namespace

TEST_SUITE_BEGIN("odil");

TEST_CASE("marches forwards and backwards are transposes of each other and invert the derivative") {
  for (const EvolutionCase& one : evolution_cases()) {
    CAPTURE(one.name);
    const auto problem = one.make();
    Marches<double> marches(*problem, 1e-15);
    const auto x = marches.vector(1), y = marches.vector(2);
    const auto mx = marches.forward(x), mty = marches.adjoint(y);
    CHECK(inner(mx.span(), y.span()) == doctest::Approx(inner(x.span(), mty.span())).epsilon(1e-11));
    // J (M x) = x for the equations, which the problem's own product knows.
    std::vector<double> unknowns(problem->unknowns()), direction(problem->unknowns(), 0);
    std::copy(marches.state.span().begin(), marches.state.span().end(), unknowns.begin());
    std::copy(marches.parameters.begin(), marches.parameters.end(),
              unknowns.begin() + static_cast<std::ptrdiff_t>(problem->grid_unknowns()));
    std::copy(mx.span().begin(), mx.span().end(), direction.begin());
    std::vector<double> product(problem->residuals());
    problem->product<double>(unknowns, direction, product, 1);
    const std::size_t points = marches.evolution.row_points;
    double worst = 0;
    for (std::size_t row = 0; row < marches.evolution.rows; ++row) {
      const auto& at = marches.evolution.equations[row];
      if (!at) continue;
      const double* const from = product.data() + problem->block_offset(at->block) + at->row * points;
      for (std::size_t i = 0; i < points; ++i) worst = std::max(worst, std::fabs(from[i] - x.data()[row * points + i]));
    }
    CHECK(worst < 1e-9);

    // A fixed number of sweeps that leaves visible errors is still a pair of transposes.
    Marches<double> loose(*problem, 1e-2);
    const auto loose_mx = loose.forward(x), loose_mty = loose.adjoint(y);
    CHECK(inner(loose_mx.span(), y.span()) == doctest::Approx(inner(x.span(), loose_mty.span())).epsilon(1e-11));

    Marches<float> single(*problem, 1e-6, 3);
    const auto single_mx = single.forward(single.vector(1));
    double difference = 0;
    for (std::size_t i = 0; i < problem->grid_unknowns(); ++i) {
      difference = std::max(difference, std::fabs(static_cast<double>(single_mx.data()[i]) - mx.data()[i]));
    }
    CHECK(difference < 1e-3 * dd::max_abs(mx.span(), 1));
  }
}

TEST_CASE("a march that keeps a few rows only gives the same values there") {
  for (const EvolutionCase& one : evolution_cases()) {
    CAPTURE(one.name);
    const auto problem = one.make();
    Marches<double> marches(*problem, 1e-12);
    const std::size_t points = marches.evolution.row_points, rows = marches.evolution.rows;
    const auto right_side = marches.vector(1), whole = marches.forward(right_side);
    const std::size_t guard = row_guard<double>(marches.programs.reach());
    const std::size_t slots = marches.linear.depth() + 1, stride = points + 2 * guard;
    for (const std::size_t first : {std::size_t{0}, rows / 2, rows - 1}) {
      const std::size_t end = std::min(rows, first + 2);
      StateVector<double> kept((end - first) * points, marches.programs.reach());
      dd::AlignedBuffer<double> recent(slots * stride, 0.0);
      const RowStore<double> states[] = {{kept.data(), first, recent.data() + guard, slots, stride}};
      CHECK(marches.linear.forward(
          states, end, [](std::size_t) {},
          [&](std::size_t, std::size_t row, double* to) {
            std::copy(right_side.data() + row * points, right_side.data() + (row + 1) * points, to);
          },
          marches.control));
      CHECK(std::equal(kept.span().begin(), kept.span().end(), whole.data() + first * points));
    }
  }
}

TEST_CASE("marching finds the state at which all equations are 0, for any number of threads") {
  for (const EvolutionCase& one : evolution_cases()) {
    CAPTURE(one.name);
    const auto problem = one.make();
    const Evolution evolution = *find_evolution(*problem, std::nullopt).evolution;
    CHECK(!evolution.has_data);
    std::vector<double> first;
    for (const std::size_t threads : {1, 2, 7}) {
      std::vector<double> unknowns(problem->unknowns(), 0.7);
      const std::span<double> state = std::span(unknowns).first(problem->grid_unknowns());
      std::fill(state.begin(), state.end(), 0);
      dd::RunControl control(threads);
      march<double>(*problem, evolution, state, std::span(unknowns).subspan(problem->grid_unknowns()), 50, control);
      std::vector<double> residuals(problem->residuals());
      problem->evaluate<double>(unknowns, residuals, 1);
      CHECK(dd::max_abs(std::span<const double>(residuals), 1) < 1e-9);
      if (first.empty()) first = unknowns;
      CHECK(unknowns == first);
    }
  }
}

TEST_CASE("row solvers are chosen by the rows' structure") {
  for (const EvolutionCase& one : evolution_cases()) {
    CAPTURE(one.name);
    const auto problem = one.make();
    const Evolution evolution = *find_evolution(*problem, std::nullopt).evolution;
    const EvolutionPrograms programs(*problem, evolution);
    RowCoefficients<double> coefficients(*programs.program(evolution.block), 0);
    const std::vector<double> state(problem->grid_unknowns(), 0.5), parameters(problem->description().parameters, 0.7);
    coefficients.linearise(problem->sources<double>(state, parameters), 1);
    RowFactor<double> factor;
    dd::RunControl control;
    const auto last = static_cast<std::int32_t>(evolution.rows) - 1;
    const BlockRow at = *evolution.equations[evolution.rows - 1];
    factor.factor(coefficients.row(at.row, 1), last - at.row, evolution.row_points, coefficients.guard(), 1e-9,
                  control);
    CHECK(factor.method() == one.method);
  }
}

TEST_CASE("sweeps on two threads give the bytes of one") {
  // One row of 30 x 31 x 32 points with seven bands; on two threads its halves meet in the middle.
  constexpr std::size_t points = 30 * 31 * 32;
  constexpr std::ptrdiff_t offsets[] = {0, -1, 1, -32, 32, -31 * 32, 31 * 32};
  constexpr std::size_t guard = 31 * 32 + 64;
  dd::PhiloxStream random(7, 0);
  std::vector<std::vector<double>> coefficients(std::size(offsets), std::vector<double>(points + 2 * guard, 0));
  RowView<double> view;
  for (std::size_t k = 0; k < std::size(offsets); ++k) {
    double* const values = coefficients[k].data() + guard;
    for (std::size_t i = 0; i < points; ++i) {
      const auto neighbour = static_cast<std::ptrdiff_t>(i) + offsets[k];
      const bool inside = neighbour >= 0 && neighbour < static_cast<std::ptrdiff_t>(points);
      values[i] = k == 0 ? 8 : inside ? -random.next_uniform() : 0;
    }
    view.bands.push_back({.time = 0, .offset = offsets[k], .coefficient = values});
  }
  RowFactor<double> factor;
  dd::RunControl control;
  factor.factor(view, 0, points, guard, 1e-9, control);
  REQUIRE(factor.method() == RowMethod::sweeps);
  std::vector<double> b(points);
  for (double& value : b) value = random.next_uniform();
  for (const bool transposed : {false, true}) {
    std::vector<double> one(points), two(points);
    RowScratch<double> scratch, other;
    factor.solve(view, 0, b.data(), one.data(), transposed, 1, scratch);
    factor.solve(view, 0, b.data(), two.data(), transposed, 2, other);
    CHECK(one == two);
    // In place, as marches do.
    std::vector<double> both = b;
    factor.solve(view, 0, both.data(), both.data(), transposed, 2, other);
    CHECK(both == one);
    double worst = 0;
    for (std::size_t i = 0; i < points; ++i) {
      double product = -b[i];
      for (std::size_t k = 0; k < std::size(offsets); ++k) {
        const auto at = static_cast<std::ptrdiff_t>(i) + (transposed ? -offsets[k] : offsets[k]);
        if (at < 0 || at >= static_cast<std::ptrdiff_t>(points)) continue;
        const auto neighbour = static_cast<std::size_t>(at);
        product += coefficients[k][guard + (transposed ? neighbour : i)] * one[neighbour];
      }
      worst = std::max(worst, std::fabs(product));
    }
    CHECK(worst < 1e-7);
  }
}

TEST_CASE("what does not march says why") {
  const auto reason = [](const Problem& problem) {
    const EvolutionSearch found = find_evolution(problem, std::nullopt);
    CHECK(!found.evolution);
    return found.reason;
  };
  CHECK(reason(*steady_problem()).find("no block connects rows") != std::string::npos);
  CHECK(reason(*problem_without_initial_values()).find("no equation determines row 0") != std::string::npos);
}

TEST_CASE("marching names the residual that is not finite") {
  const auto problem = exploding_problem();
  const Evolution evolution = *find_evolution(*problem, std::nullopt).evolution;
  std::vector<double> state(problem->grid_unknowns(), 0);
  dd::RunControl control;
  try {
    march<double>(*problem, evolution, state, {}, 50, control);
    FAIL("must throw");
  } catch (const dd::Error& error) {
    CHECK(error.code() == dd::ErrorCode::not_finite);
    CHECK(error.argument() == "growth[3][0]");
  }
}

TEST_SUITE_END();
