// What follows from the displacements of a step: the new point, what is remembered of the way, radii, reasons to stop.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/infinity.hpp"
#include "polystep/engine_workspace.hpp"

namespace dd::polystep {
namespace {

template <class Values>
bool every_finite(const Values& values) {
  return std::all_of(values.begin(), values.end(), [](auto value) { return std::isfinite(value); });
}

}  // namespace

template <class Scalar>
void Engine<Scalar>::coast() {
  const auto share = static_cast<Scalar>(1 - static_cast<double>(amortize_counter_ % options_.amortize) /
                                                 static_cast<double>(options_.amortize));
  for (std::size_t i = 0; i < x_.size(); ++i) transport_[i] = share * average_[i];
  for (std::size_t p = 0; p < particles_; ++p) add_within_bounds(p);
}

template <class Scalar>
void Engine<Scalar>::update_radii(const PassStats& stats) {
  if (!options_.adaptive_radius || stats.rows == 0) return;
  const double loss = options_.adaptive_by_mean ? stats.cost_sum / stats.cost_count : stats.row_min_sum / stats.rows;
  const double before = radius_.previous_loss;
  const bool same = std::abs(loss - before) / (std::abs(before) + 1e-10) < options_.adaptive.threshold;
  stagnation_ = same ? stagnation_ + 1 : 0;
  radius_.update(loss, options_.adaptive);
  for (std::size_t p = 0; p < particle_radii_.size(); ++p) particle_radii_[p].update(row_minima_[p], options_.adaptive);
}

/// Variances of the coordinates from where this step went and could have gone, as shares of its radius.
template <class Scalar>
void Engine<Scalar>::learn_variances() {
  if (!(step_radius_ > 0)) return;
  std::vector<double> displacements(layout_.coordinates());
  for (std::size_t p = 0; p < particles_; ++p) {
    const double unit = std::sqrt(static_cast<double>(d_)) / (step_radius_ * multiplier(p));
    for (std::size_t j = 0; j < layout_.width(p); ++j) {
      displacements[layout_.first(p) + j] = unit * static_cast<double>(transport_[p * d_ + j]);
    }
  }
  covariance_.update(displacements, squares_);
}

/// What the rows with the most concentrated weights did, as directions of the whole point.
template <class Scalar>
void Engine<Scalar>::remember_transport() {
  const std::size_t m = options_.dimension;
  std::vector<std::size_t> order(particles_);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return confidence_[a] > confidence_[b]; });
  order.resize(std::min(order.size(), leading_count(options_.leading, layout_.coordinates(), step_)));
  history_.clear();
  for (const std::size_t p : order) {
    if (!(confidence_[p] > 0)) break;
    std::vector<double> direction(m);
    for (std::size_t j = 0; j < layout_.width(p); ++j) {
      subspace_->add(layout_.first(p) + j, static_cast<double>(transport_[p * d_ + j]), direction);
    }
    double squares = 0;
    for (const double component : direction) squares += component * component;
    if (!(squares > 0) || !std::isfinite(squares)) continue;
    for (const double component : direction) history_.push_back(component / std::sqrt(squares));
  }
}

/// Keeps the last displacements of the whole point.
template <class Scalar>
void Engine<Scalar>::remember_displacement(const LargeVector<Scalar>& origin) {
  refresh_point();
  const std::size_t m = options_.dimension;
  std::vector<double> displacement(m);
  double squares = 0;
  for (std::size_t i = 0; i < m; ++i) {
    displacement[i] = static_cast<double>(point_[i]) - static_cast<double>(origin[i]);
    squares += displacement[i] * displacement[i];
  }
  if (!(squares > 0) || !std::isfinite(squares)) return;
  history_.insert(history_.end(), displacement.begin(), displacement.end());
  if (history_.size() > options_.leading.history * m) {
    history_.erase(history_.begin(), history_.begin() + static_cast<std::ptrdiff_t>(m));
  }
}

/// Applies the displacements of the pass and everything that follows from them.
template <class Scalar>
StepMetrics Engine<Scalar>::settle(const PassStats& stats) {
  StepMetrics metrics;
  const bool coasted = coasting();
  const auto rows = static_cast<double>(particles_);
  StepOutcome outcome = coasted ? StepOutcome::coasted : StepOutcome::moved;
  if (!coasted && stats.infeasible) outcome = StepOutcome::infeasible;
  const bool led = options_.leading.kind != LeadingKind::none;
  const LargeVector<Scalar> origin = led ? point_ : LargeVector<Scalar>();
  if (outcome == StepOutcome::moved && !options_.sequential) {
    const LargeVector<Scalar> before = x_;
    const auto reject = [&] {
      x_ = before;
      outcome = StepOutcome::reverted;
      forget();
    };
    if (!every_finite(transport_)) {
      reject();
    } else {
      if (options_.amortize > 1) {
        const auto kept = static_cast<Scalar>(options_.amortize_average);
        for (std::size_t i = 0; i < x_.size(); ++i) {
          average_[i] = has_average_ ? kept * average_[i] + (1 - kept) * transport_[i] : transport_[i];
        }
        has_average_ = true;
      }
      if (options_.adapt_covariance) learn_variances();
      if (options_.leading.kind == LeadingKind::transport) remember_transport();
      if (options_.biased_rotation) {
        direction_ = transport_;
        has_direction_ = true;
      }
      if (options_.momentum) {
        const auto beta = static_cast<Scalar>(
            momentum_coefficient(step_, options_.momentum_horizon, options_.momentum_initial, options_.momentum_final));
        for (std::size_t i = 0; i < x_.size(); ++i) {
          velocity_[i] = beta * velocity_[i] + transport_[i];
          transport_[i] = static_cast<Scalar>(options_.momentum_rate) * velocity_[i];
        }
      }
      for (std::size_t p = 0; p < particles_; ++p) add_within_bounds(p);
      if (!every_finite(x_)) reject();
    }
  }
  if (outcome == StepOutcome::moved || outcome == StepOutcome::reverted) {
    last_mean_ = stats.cost_sum / stats.cost_count;
    last_min_ = stats.min_cost;
    metrics.mean_squared_displacement = stats.squared_displacement / rows;
    metrics.relative_displacement = stats.relative_displacement / rows;
    metrics.effective_samples = stats.effective_samples / rows;
    metrics.frozen_rows = stats.frozen / rows;
  }
  if (outcome == StepOutcome::infeasible) {
    metrics.frozen_rows = 1;
    last_mean_ = last_min_ = infinity;
  }
  metrics.multiplier = radius_.multiplier;
  metrics.trust_multiplier = trust_;
  predicted_ = options_.mode == SearchMode::block ? stats.predicted : stats.predicted / rows;
  if (outcome == StepOutcome::moved && options_.leading.kind == LeadingKind::displacements) {
    remember_displacement(origin);
  }
  if (outcome == StepOutcome::moved) update_radii(stats);
  if (outcome == StepOutcome::moved && options_.absorb_every > 0 && (step_ + 1) % options_.absorb_every == 0) absorb();
  if (options_.adaptive_radius && subspace_ != nullptr && stagnation_ >= 20) absorb();
  if (options_.amortize > 1) amortize_counter_ = coasted ? amortize_counter_ + 1 : has_average_ ? 1 : 0;
  refresh_point();
  metrics.step = static_cast<double>(step_);
  metrics.evaluations = evaluations_;
  metrics.mean_cost = last_mean_;
  metrics.min_cost = last_min_;
  metrics.epsilon = parameters_.epsilon;
  metrics.step_radius = step_radius_;
  metrics.probe_radius = options_.at_vertices ? step_radius_ : probe_radius_;
  metrics.outcome = static_cast<double>(outcome);
  metrics.best = best_value_;
  metrics.transport_iterations = static_cast<double>(stats.transport_iterations);
  metrics.transport_converged = stats.transport_converged ? 1 : 0;
  metrics.transport_objective = stats.transport_objective;
  metrics.kl_violation = stats.kl_violation;
  metrics.absorbed = static_cast<double>(absorbed_);
  metrics.silent_outputs = stats.silent_outputs;
  if (outcome == StepOutcome::moved) look_at_stopping(metrics.mean_squared_displacement);
  ++step_;
  return metrics;
}

template <class Scalar>
void Engine<Scalar>::look_at_stopping(double displacement) {
  stop_ = RunStop::steps;
  patience_.look_at(best_value_, options_.min_delta);
  if (patience_.ended(options_.patience)) stop_ = RunStop::patience;
  peak_displacement_ = std::max(peak_displacement_, displacement);
  // Successive displacements may agree by accident while the iterate still runs: it must have slowed down as well.
  const bool alike = std::abs(displacement - last_displacement_) / (std::abs(last_displacement_) + 1e-10) <
                     options_.convergence_threshold;
  if (step_ >= 5 && alike && displacement <= options_.convergence_peak * peak_displacement_) {
    stop_ = RunStop::converged;
  }
  last_displacement_ = displacement;
}

/// What was learned along a path that ends here.
template <class Scalar>
void Engine<Scalar>::forget() {
  std::fill(velocity_.begin(), velocity_.end(), Scalar{0});
  has_average_ = has_direction_ = false;
  amortize_counter_ = 0;
  f_.clear();
  g_.clear();
  covariance_.forget_paths();
  stagnation_ = 0;
}

template void Engine<float>::coast();
template void Engine<float>::update_radii(const PassStats&);
template void Engine<float>::look_at_stopping(double);
template void Engine<float>::learn_variances();
template void Engine<float>::remember_transport();
template void Engine<float>::remember_displacement(const LargeVector<float>&);
template StepMetrics Engine<float>::settle(const PassStats&);
template void Engine<float>::forget();
template void Engine<double>::coast();
template void Engine<double>::update_radii(const PassStats&);
template void Engine<double>::look_at_stopping(double);
template void Engine<double>::learn_variances();
template void Engine<double>::remember_transport();
template void Engine<double>::remember_displacement(const LargeVector<double>&);
template StepMetrics Engine<double>::settle(const PassStats&);
template void Engine<double>::forget();

}  // namespace dd::polystep
