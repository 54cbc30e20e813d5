// A search method at work on an objective: budget, box, records and stops as the optimizer of polystep keeps them, so
// that both are compared on equal terms.
#pragma once

#include <cmath>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/run_control.hpp"
#include "polystep/baselines/method.hpp"
#include "polystep/dynamics.hpp"
#include "polystep/engine_options.hpp"
#include "polystep/objective.hpp"

namespace dd::polystep {

struct SearchOptions {
  std::vector<double> lower, upper;  ///< a number per coordinate, or none at all
  std::uint64_t patience = 0;        ///< steps without a better value by min_delta; 0: never stops
  double min_delta = 1e-4;
};

/// Native objectives that can do so score candidates of few numbers (EGGROLL's) as steps from the iterate, without ever
/// forming them. Candidates are clamped to the box and rounded to Scalar before they are scored; the iterate is float64
/// and stays in the box. Metrics that a method has no meaning for (epsilon, effective samples, relative displacement)
/// are NaN.
template <class Scalar>
class Search {
 public:
  Search(SearchOptions options, std::unique_ptr<SearchMethod> method);

  std::size_t dimension() const noexcept { return method_->dimension(); }
  std::size_t candidates() const noexcept { return method_->candidates(); }
  std::uint64_t step() const noexcept { return step_; }
  double evaluations() const noexcept { return evaluations_; }
  double best_value() const noexcept { return best_value_; }
  std::span<const Scalar> best() const noexcept { return best_; }
  /// RunStop::steps, or RunStop::patience.
  RunStop stop() const noexcept { return stop_; }
  /// The iterate as a candidate.
  void current(std::span<Scalar> out) const;

  /// Candidates first ... first + count - 1 of the next step, count x dimension.
  void write_candidates(std::size_t first, std::size_t count, Scalar* out, std::size_t threads) const;
  /// Ends that step: all losses in order.
  StepMetrics finish(std::span<const double> losses, std::size_t threads);
  /// Counts and offers a loss of `current` as the best value.
  void offer(double loss);

  /// Up to `steps` steps of a native objective; a step that was not finished leaves no trace.
  RunStop run(Evaluator<Scalar>& evaluator, std::size_t steps, double max_evaluations,
              std::vector<StepMetrics>& metrics, RunControl& control);

 private:
  void write(std::size_t first, std::size_t count, Scalar* out) const;
  /// Scores candidates as steps of few numbers from the evaluator's base.
  void score_steps(const Evaluator<Scalar>& evaluator, std::size_t first, std::span<double> losses) const;
  Scalar within(double value, std::size_t coordinate) const noexcept;
  std::size_t grain() const noexcept;
  void take_best(std::span<const double> losses);
  /// Moves the method; returns what came of it.
  StepOutcome move(std::span<const double> losses, std::size_t threads, StepMetrics& metrics);

  SearchOptions options_;
  std::unique_ptr<SearchMethod> method_;
  LargeVector<Scalar> best_;
  Patience patience_;
  std::uint64_t step_ = 0;
  double evaluations_ = 0, best_value_ = std::numeric_limits<double>::infinity();
  RunStop stop_ = RunStop::steps;
};

extern template class Search<float>;
extern template class Search<double>;

}  // namespace dd::polystep
