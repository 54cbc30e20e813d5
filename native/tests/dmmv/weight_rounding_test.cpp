// Weight rounding under the sanitizers: starts, moves and rounds agree with the formula and with each other.
#include "dmmv/weight_rounding.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "dmmv/rounding_starts.hpp"

namespace dd::dmmv {
namespace {

struct Layer {
  std::size_t tokens, rows, columns;
  std::vector<double> activations, weights;

  Layer(std::size_t t, std::size_t r, std::size_t c)
      : tokens(t), rows(r), columns(c), activations(t * c), weights(r * c) {
    PhiloxStream random(11, 0);
    for (double& x : activations) x = random.next_uniform() + random.next_uniform() - 1;
    for (double& w : weights) w = random.next_uniform() - 0.5;
  }
  WeightRounding problem(std::int32_t levels) const {
    WeightRounding given;
    given.activations = MatrixView<const double>::row_major(activations.data(), tokens, columns);
    given.weights = MatrixView<const double>::row_major(weights.data(), rows, columns);
    given.levels = levels;
    return given;
  }
  double error(const WeightRoundingResult& found, std::size_t row) const {
    double largest = 0;
    for (std::size_t t = 0; t < tokens; ++t) {
      double sum = 0;
      for (std::size_t j = 0; j < columns; ++j) {
        const std::size_t k = row * columns + j;
        sum += activations[t * columns + j] * (found.offsets[row] + found.steps[row] * found.codes[k] - weights[k]);
      }
      largest = std::max(largest, std::abs(sum));
    }
    return largest;
  }
};

}  // namespace

TEST_CASE("rounded layers are worth what they say, wide and tall, and whatever the threads") {
  for (const std::array<std::size_t, 3>& shape :
       {std::array<std::size_t, 3>{60, 3, 9}, {9, 4, 17}, {700, 2, 20}, {5, 1, 1}}) {
    const std::size_t tokens = shape[0], rows = shape[1], columns = shape[2];
    CAPTURE(tokens);
    const Layer layer(tokens, rows, columns);
    WeightRoundingOptions options;
    options.sweeps = 8;
    RunControl one(1), three(3);
    const WeightRoundingResult found = round_weights(layer.problem(8), options, one);
    for (std::size_t i = 0; i < rows; ++i) {
      CHECK(found.errors[i] == doctest::Approx(layer.error(found, i)).epsilon(1e-12));
      CHECK(found.errors[i] <= found.gptq_errors[i]);
      CHECK(found.errors[i] <= found.nearest_errors[i]);
    }
    CHECK(round_weights(layer.problem(8), options, three).codes == found.codes);
  }
}

TEST_CASE("lattice moves change outputs by what their directions say") {
  const Layer layer(50, 1, 12);
  std::vector<double> columns(50 * 12);
  for (std::size_t j = 0; j < 12; ++j) {
    for (std::size_t t = 0; t < 50; ++t) columns[t + j * 50] = layer.activations[t * 12 + j];
  }
  const auto x = MatrixView<const double>::column_major(columns.data(), 50, 12);
  const std::vector<double> damped = damped_moment(x, 0.01, 1);
  const RunControl control(1);
  const RoundingMoves moves = make_rounding_moves(x, damped, RoundingMoveKinds::lattice, true, control);
  REQUIRE(moves.pairs >= 12);
  for (std::size_t p = 0; p < moves.pairs; ++p) {
    double square = 0;
    for (std::size_t t = 0; t < 50; ++t) {
      double sum = 0;
      for (std::size_t k = moves.starts[p]; k < moves.starts[p + 1]; ++k) {
        sum += moves.amounts[k] * x(t, static_cast<std::size_t>(moves.variables[k]));
      }
      square += sum * sum;
      CHECK(moves.effects[t + p * 50] == doctest::Approx(sum).epsilon(1e-6));
    }
    CHECK(moves.gram[p * (moves.pairs + 1)] == doctest::Approx(square).epsilon(1e-5));
  }
}

TEST_CASE("annealing never leaves worse codes than it was given, and a stop keeps them") {
  const Layer layer(600, 1, 16);
  WeightRoundingOptions options;
  options.moves = RoundingMoveKinds::unit;
  RunControl stopped(1);
  stopped.cancel();
  const WeightRoundingResult start = round_weights(layer.problem(4), options, stopped);
  CHECK(start.status == WeightRoundingResult::Status::cancelled);
  CHECK(start.errors[0] <= std::min(start.gptq_errors[0], start.nearest_errors[0]));
  WeightRounding again = layer.problem(4);
  again.initial = start.codes;
  options.sweeps = 16;
  RunControl control(1);
  CHECK(round_weights(again, options, control).errors[0] <= start.errors[0]);
}

TEST_CASE("weight rounding refuses what it cannot use") {
  const Layer layer(4, 1, 2);
  RunControl control(1);
  WeightRounding given = layer.problem(1);
  CHECK_THROWS_AS(round_weights(given, {}, control), Error);
  given = layer.problem(4);
  const std::vector<double> infinite{1, std::numeric_limits<double>::infinity()};
  given.weights = MatrixView<const double>::row_major(infinite.data(), 1, 2);
  CHECK_THROWS_AS(round_weights(given, {}, control), Error);
  control.limit_memory(8);
  CHECK_THROWS_AS(round_weights(layer.problem(4), {}, control), Error);
}

}  // namespace dd::dmmv
