// Whole steps of native objectives against the same steps with losses from outside; threads, sweeps, budgets, stops.
#include "polystep/engine.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "core/error.hpp"

namespace {

using namespace dd;
using namespace dd::polystep;

/// A chain: sum_i floor(4 |x_i|) + |x_i - x_{i+1}| rounded down to quarters, infeasible where x_0 is large. Neighbours
/// meet in terms, so blocks have two colours.
template <class Scalar>
class ChainEvaluator final : public Evaluator<Scalar> {
 public:
  ChainEvaluator(std::size_t dimension, double wall, bool local = false)
      : base_(dimension), wall_(wall), local_(local) {}

  void evaluate(MatrixView<const Scalar> points, std::span<double> values) const override {
    std::vector<double> point(base_.size());
    for (std::size_t i = 0; i < points.rows; ++i) {
      for (std::size_t j = 0; j < point.size(); ++j) {
        point[j] = static_cast<double>(points.data[i * points.row_stride + j * points.column_stride]);
      }
      values[i] = loss(point);
    }
  }
  double set_base(std::span<const Scalar> base, std::size_t) override {
    std::copy(base.begin(), base.end(), base_.begin());
    return loss(base_);
  }
  void evaluate_replacements(std::size_t first, MatrixView<const Scalar> replacements,
                             std::span<double> values) const override {
    // Sweeps of several threads may read only what their blocks meet, up to a constant.
    const std::size_t from = !local_ || first == 0 ? 0 : first - 1;
    const std::size_t to = local_ ? std::min(base_.size(), first + replacements.columns + 1) : base_.size();
    for (std::size_t i = 0; i < replacements.rows; ++i) {
      std::vector<double> own(replacements.columns);
      for (std::size_t j = 0; j < own.size(); ++j) {
        own[j] = static_cast<double>(replacements.data[i * replacements.row_stride + j * replacements.column_stride]);
      }
      values[i] = part(base_, from, to, first, own);
    }
  }
  void replace(std::size_t first, std::span<const Scalar> values) override {
    for (std::size_t j = 0; j < values.size() && first + j < base_.size(); ++j) {
      base_[first + j] = static_cast<double>(values[j]);
    }
  }
  double base_loss() const override { return loss(base_); }
  std::vector<std::vector<std::uint32_t>> blocks_by_colour(std::size_t width) const override {
    std::vector<std::vector<std::uint32_t>> colours(2);
    for (std::uint32_t b = 0; b * width < base_.size(); ++b) colours[b % 2].push_back(b);
    return colours;
  }

 private:
  double term(double x, double next) const {
    if (x > wall_) return std::numeric_limits<double>::quiet_NaN();
    return std::floor(4 * std::abs(x)) + std::floor(4 * std::abs(x - next)) / 4;
  }
  double part(const std::vector<double>& base, std::size_t from, std::size_t to, std::size_t first,
              const std::vector<double>& own) const {
    const auto at = [&](std::size_t i) {
      if (i >= base.size()) return 0.0;
      return i >= first && i < first + own.size() ? own[i - first] : base[i];
    };
    double sum = 0;
    for (std::size_t i = from; i < to; ++i) sum += term(at(i), at(i + 1));
    return sum;
  }
  double loss(const std::vector<double>& point) const { return part(point, 0, point.size(), 0, {}); }

  std::vector<double> base_;
  double wall_;
  bool local_;
};

template <class Scalar>
std::vector<Scalar> start(std::size_t count) {
  std::vector<Scalar> x(count);
  for (std::size_t i = 0; i < count; ++i)
    x[i] = static_cast<Scalar>(1.1 * std::sin(1.0 + 0.7 * static_cast<double>(i)));
  return x;
}

EngineOptions block_options(std::size_t dimension) {
  EngineOptions options;
  options.dimension = dimension;
  options.seed = 42;
  return options;
}

template <class Scalar>
std::vector<Scalar> iterate(const Engine<Scalar>& engine) {
  std::vector<Scalar> x(engine.points() * engine.options().dimension);
  engine.current(x.data());
  return x;
}

template <class Scalar>
std::unique_ptr<Subspace<Scalar>> subspace_of(std::size_t rows, std::size_t columns) {
  SubspaceEntry matrix{.rows = rows, .columns = columns, .coordinates = rows + columns, .projected = true};
  SubspaceEntry bias{.rows = rows, .coordinates = rows};
  return std::make_unique<Subspace<Scalar>>(SubspaceKind::hybrid, std::vector{matrix, bias}, 7, 0,
                                            std::vector<std::vector<double>>{}, 1);
}

constexpr std::size_t steps = 12;
const std::vector<StepParameters> schedule(steps, StepParameters{0.5, 0.4, 0.8});

/// Steps whose losses come from outside, all through whole candidates.
template <class Scalar>
void drive(Engine<Scalar>& engine, const Evaluator<Scalar>& evaluator) {
  const std::size_t n = engine.options().dimension;
  for (const StepParameters& parameters : schedule) {
    const std::size_t count = engine.next_evaluations();
    engine.begin(parameters, {}, 1);
    std::vector<Scalar> view(count * n);
    std::vector<double> losses(count);
    engine.candidates(0, count, view.data(), 2);
    evaluator.evaluate(MatrixView<const Scalar>::row_major(view.data(), count, n), losses);
    RunControl control(1);
    engine.finish(losses, {}, control);
  }
}

template <class Scalar>
void compare(const EngineOptions& options, bool with_subspace, double wall) {
  const std::size_t n = options.dimension;
  const std::size_t rows = options.mode == SearchMode::population ? options.particles : 1;
  const auto made = [&] {
    return Engine<Scalar>(options, start<Scalar>(rows * n), with_subspace ? subspace_of<Scalar>(4, 5) : nullptr);
  };
  Engine<Scalar> outside = made();
  ChainEvaluator<Scalar> evaluator(n, wall);
  drive(outside, evaluator);
  for (const std::size_t threads : {1, 3}) {
    Engine<Scalar> inside = made();
    ChainEvaluator<Scalar> own(n, wall);
    std::vector<StepMetrics> metrics;
    RunControl control(threads);
    CHECK(inside.run(own, schedule, 1e9, metrics, control) == RunStop::steps);
    CHECK(metrics.size() == steps);
    CHECK(inside.evaluations() == outside.evaluations());
    CHECK(inside.best_value() == doctest::Approx(outside.best_value()));
    const std::vector<Scalar> a = iterate(inside), b = iterate(outside);
    for (std::size_t i = 0; i < a.size(); ++i) {
      CHECK(static_cast<double>(a[i]) == doctest::Approx(static_cast<double>(b[i])).epsilon(1e-5));
    }
    for (const StepMetrics& one : metrics) CHECK(std::isfinite(one.mean_cost));
  }
}

}  // namespace

TEST_CASE("polystep: a native objective takes the steps that losses from outside take") {
  for (const double wall : {100.0, 1.2}) {
    for (const Rule rule : {Rule::softmax, Rule::greedy, Rule::sample, Rule::sinkhorn}) {
      for (const CostScale scale : {CostScale::row_std, CostScale::number, CostScale::mean, CostScale::rank}) {
        EngineOptions options = block_options(19);
        options.rule = rule;
        options.scale = scale;
        compare<float>(options, false, wall);
        compare<double>(options, false, wall);
      }
    }
    EngineOptions options = block_options(24);
    options.particle_dimension = 3;
    options.probes = 2;
    options.momentum = true;
    compare<double>(options, true, wall);
    compare<float>(options, true, wall);
    options.momentum = false;
    options.newton_refinement = true;
    options.probes = 1;
    compare<double>(options, false, wall);
    options = block_options(5);
    options.mode = SearchMode::population;
    options.particles = 7;
    compare<double>(options, false, wall);
    options.polytope = PolytopeKind::simplex;
    options.lower.assign(5, -1.0);
    options.upper.assign(5, 1.0);
    compare<double>(options, false, wall);
  }
}

TEST_CASE("polystep: sweeps do not depend on threads, stay in their box and go down") {
  constexpr std::size_t n = 2001;
  std::vector<float> before;
  double least = 0;
  for (const std::size_t threads : {1, 2, 3}) {
    EngineOptions options = block_options(n);
    options.sequential = true;
    options.rule = Rule::sample;
    options.scale = CostScale::number;
    options.lower.assign(n, -0.7);
    options.upper.assign(n, 0.7);
    std::vector<float> x0 = start<float>(n);
    for (float& x : x0) x = std::clamp(x, -0.7f, 0.7f);
    Engine<float> engine(options, x0, nullptr);
    ChainEvaluator<float> evaluator(n, 100, true);
    const double first = evaluator.set_base(x0, 1);
    std::vector<StepMetrics> metrics;
    RunControl control(threads);
    CHECK(engine.run(evaluator, schedule, 1e9, metrics, control) == RunStop::steps);
    const std::vector<float> x = iterate(engine);
    const double last = evaluator.set_base(x, 1);
    CHECK(last < 0.7 * first);
    for (const float value : x) CHECK(std::abs(value) <= 0.7f);
    if (threads == 1) {
      before = x;
      least = last;
    }
    CHECK(x == before);
    CHECK(last == least);
    CHECK(engine.evaluations() == static_cast<double>(steps * ((n + 1) / 2 * 4 + 1)));
  }
}

TEST_CASE("polystep: the budget holds, and a run that is cancelled stands at its last step") {
  EngineOptions options = block_options(10);
  options.adaptive_radius = true;
  Engine<double> engine(options, start<double>(10), nullptr);
  ChainEvaluator<double> evaluator(10, 100);
  std::vector<StepMetrics> metrics;
  RunControl control(1);
  CHECK(engine.run(evaluator, schedule, 65, metrics, control) == RunStop::budget);
  CHECK(metrics.size() == 3);
  CHECK(engine.evaluations() == 60);
  const EngineState<double> state = engine.save();
  control.cancel();
  CHECK(engine.run(evaluator, schedule, 1e9, metrics, control) == RunStop::cancelled);
  CHECK(engine.save().x == state.x);
  CHECK(engine.step() == 3);

  Engine<double> other(options, start<double>(10), nullptr);
  other.load(state);
  RunControl again(1);
  std::vector<StepMetrics> one, two;
  CHECK(other.run(evaluator, schedule, 1e9, one, again) == RunStop::steps);
  CHECK(engine.run(evaluator, schedule, 1e9, two, again) == RunStop::steps);
  CHECK(other.save().x == engine.save().x);
  CHECK(other.save().counters == engine.save().counters);
  EngineState<double> broken = state;
  broken.x.pop_back();
  CHECK_THROWS_AS(other.load(broken), Error);
}

TEST_CASE("polystep: a step whose losses are all infeasible holds every particle") {
  Engine<double> engine(block_options(6), start<double>(6), nullptr);
  ChainEvaluator<double> evaluator(6, -100);
  std::vector<StepMetrics> metrics;
  RunControl control(1);
  CHECK(engine.run(evaluator, schedule, 1e9, metrics, control) == RunStop::steps);
  CHECK(iterate(engine) == start<double>(6));
  CHECK(engine.evaluations() == static_cast<double>(12 * steps));
  CHECK(std::isinf(engine.best_value()));
  for (const StepMetrics& one : metrics) CHECK(one.outcome == static_cast<double>(StepOutcome::infeasible));
}
