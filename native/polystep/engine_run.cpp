// Losses in: steps that end with losses from outside, and whole steps of a native objective.
#include <algorithm>
#include <cmath>

#include "polystep/engine_workspace.hpp"
#include "polystep/rotation.hpp"
#include "polystep/run_report.hpp"

namespace dd::polystep {

template <class Scalar>
StepMetrics Engine<Scalar>::finish(std::span<const double> losses, std::span<const Scalar> points,
                                   RunControl& control) {
  begun_ = false;
  PassStats stats;
  if (coasting()) {
    coast();
    return settle(stats);
  }
  const std::size_t all = particles_ * candidates_per_particle();
  const std::span<const double> centre_losses = losses.subspan(all);
  for (const double loss : centre_losses) centre_mean_ += loss / static_cast<double>(centre_losses.size());
  evaluations_ += static_cast<double>(losses.size());
  if (!points.empty()) {
    towards(losses.first(all), points, stats);
  } else {
    move_matrix(losses.first(all), centre_losses, control, stats);
  }
  take_best(stats, points);
  const StepMetrics metrics = settle(stats);
  confirm_ = options_.trust_region && metrics.outcome == static_cast<double>(StepOutcome::moved);
  return metrics;
}

template <class Scalar>
void Engine<Scalar>::towards(std::span<const double> losses, std::span<const Scalar> points, PassStats& stats) {
  // The weights are those of the losses; vertices and rotations play no further part.
  const std::size_t V = vertices(), n = options_.dimension;
  std::vector<double> costs(losses.begin(), losses.end());
  stats.add_losses(losses, 0);
  const double largest = largest_finite(costs);
  if (largest < 0) {
    stats.infeasible = true;
    return;
  }
  replace_infeasible(costs, infeasible_cost(largest));
  const std::vector<double> raw = costs;
  if (!is_row_scale(options_.scale)) scale_costs(costs, V, options_.scale, options_.divisor);
  std::vector<double> weights(V);
  for (std::size_t p = 0; p < particles_; ++p) {
    const std::span<double> own = std::span(costs).subspan(p * V, V);
    const std::span<const double> given = std::span(raw).subspan(p * V, V);
    const RowCosts seen = survey(given);
    note_costs(p, seen, stats);
    Scalar* const out = row(transport_, p);
    std::fill_n(out, d_, Scalar{0});
    if (seen.constant) {
      stats.frozen += 1;
      stats.effective_samples += 1;
      continue;
    }
    if (is_row_scale(options_.scale)) scale_row(own, options_.scale, options_.divisor);
    double uniform = 0.5;
    philox_uniforms(options_.seed, static_cast<std::uint32_t>(p), static_cast<std::uint32_t>(step_),
                    RandomStream::sampling, {&uniform, 1});
    row_weights({options_.rule, temperature(p), options_.k}, own, uniform, weights);
    stats.effective_samples += options_.rule == Rule::linear ? 1 : effective_sample_size(weights);
    double squares = 0;
    for (std::size_t j = 0; j < d_; ++j) {
      const std::size_t at = coordinate(p, j);
      if (at >= n) continue;
      const auto x = static_cast<double>(x_[p * d_ + j]);
      double component = 0;
      for (std::size_t v = 0; v < V; ++v) {
        component += weights[v] * (static_cast<double>(points[(p * V + v) * n + at]) - x);
      }
      out[j] = static_cast<Scalar>(component);
      squares += component * component;
    }
    stats.squared_displacement += squares;
    if (step_radius_ > 0) stats.relative_displacement += std::sqrt(squares) / step_radius_;
  }
}

/// Remembers the best candidate of a step: made again, not kept.
template <class Scalar>
void Engine<Scalar>::take_best(const PassStats& stats, std::span<const Scalar> points) {
  if (!(stats.best_value < best_value_)) return;
  best_value_ = stats.best_value;
  best_.resize(options_.dimension);
  if (!points.empty()) {
    std::copy_n(points.begin() + static_cast<std::ptrdiff_t>(stats.best_candidate * options_.dimension),
                options_.dimension, best_.begin());
    return;
  }
  const std::size_t each = candidates_per_particle(), p = stats.best_candidate / each;
  Workspace work(*this);
  draw_rotations({p, 1}, work);
  write_candidates(p, stats.best_candidate % each, 1, best_.data(), work);
}

template <class Scalar>
void Engine<Scalar>::confirm(std::span<const double> losses) {
  confirm_ = false;
  evaluations_ += static_cast<double>(losses.size());
  double mean = 0;
  for (const double loss : losses) mean += loss / static_cast<double>(losses.size());
  offer(losses);
  if (std::isfinite(mean) && std::isfinite(centre_mean_)) {
    trust_ = trust_region_multiplier(predicted_, mean - centre_mean_, trust_);
  }
}

template <class Scalar>
RunStop Engine<Scalar>::run(Evaluator<Scalar>& evaluator, std::span<const StepParameters> parameters,
                            double max_evaluations, std::vector<StepMetrics>& metrics, RunControl& control) {
  for (const StepParameters& next : parameters) {
    if (control.should_stop()) return stop_of(control);
    const std::size_t cost = next_evaluations();
    if (evaluations_ + static_cast<double>(cost) > max_evaluations) return RunStop::budget;
    PassStats stats;
    begin_step(next);
    if (coasting()) {
      coast();
      metrics.push_back(settle(stats));
      continue;
    }
    evaluator.begin_step(step_, control.threads());
    const bool done = options_.sequential ? sweep(evaluator, control, stats) : pass(evaluator, control, stats);
    if (!done) return stop_of(control);
    const bool trusted = options_.trust_region && !stats.infeasible;
    evaluations_ += static_cast<double>(cost) - (options_.trust_region ? static_cast<double>(points()) : 0);
    if (options_.sequential) {
      const double value = evaluator.base_loss();
      stats.cost_sum = value * stats.cost_count;
      stats.min_cost = value;
      stats.row_min_sum = value * stats.rows;
      if (stats.rows == 0) stats.infeasible = true;
      refresh_point();
      offer({&value, 1});
    } else {
      take_best(stats, {});
    }
    metrics.push_back(settle(stats));
    if (trusted) {
      std::vector<double> values(points());
      LargeVector<Scalar> moved(points() * options_.dimension);
      current(moved.data());
      evaluator.evaluate(MatrixView<const Scalar>::row_major(moved.data(), points(), options_.dimension), values);
      confirm(values);
    }
    report_step(control, step_, best_value_, std::span<const Scalar>(best_));
    if (stop_ != RunStop::steps) return stop_;
  }
  return RunStop::steps;
}

template <class Scalar>
void Engine<Scalar>::offer(std::span<const double> losses) {
  for (std::size_t p = 0; p < losses.size(); ++p) {
    if (!(losses[p] < best_value_) || !std::isfinite(losses[p])) continue;
    best_value_ = losses[p];
    const LargeVector<Scalar>& from = options_.mode == SearchMode::block ? point_ : x_;
    const std::size_t n = options_.dimension;
    best_.assign(from.begin() + static_cast<std::ptrdiff_t>(p * n),
                 from.begin() + static_cast<std::ptrdiff_t>((p + 1) * n));
  }
}

template StepMetrics Engine<float>::finish(std::span<const double>, std::span<const float>, RunControl&);
template void Engine<float>::towards(std::span<const double>, std::span<const float>, PassStats&);
template void Engine<float>::take_best(const PassStats&, std::span<const float>);
template void Engine<float>::confirm(std::span<const double>);
template void Engine<float>::offer(std::span<const double>);
template RunStop Engine<float>::run(Evaluator<float>&, std::span<const StepParameters>, double,
                                    std::vector<StepMetrics>&, RunControl&);
template StepMetrics Engine<double>::finish(std::span<const double>, std::span<const double>, RunControl&);
template void Engine<double>::towards(std::span<const double>, std::span<const double>, PassStats&);
template void Engine<double>::take_best(const PassStats&, std::span<const double>);
template void Engine<double>::confirm(std::span<const double>);
template void Engine<double>::offer(std::span<const double>);
template RunStop Engine<double>::run(Evaluator<double>&, std::span<const StepParameters>, double,
                                     std::vector<StepMetrics>&, RunControl&);

}  // namespace dd::polystep
