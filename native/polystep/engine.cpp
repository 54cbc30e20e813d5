// The state of an optimizer and what happens around the losses of a step; the passes are in engine_pass.cpp.
#include "polystep/engine.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "polystep/engine_workspace.hpp"
#include "polystep/rotation.hpp"

namespace dd::polystep {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
/// Rotations of a step whose losses come from outside are needed twice; below this many numbers they are kept.
constexpr std::size_t kept_rotation_numbers = std::size_t{1} << 21;

std::vector<double> probe_scales(const EngineOptions& options) {
  if (options.at_vertices) return {1.0};
  std::vector<double> scales;
  for (std::size_t k = 1; k <= options.probes; ++k) {
    scales.push_back(static_cast<double>(k) / static_cast<double>(options.probes + 1));
  }
  return scales;
}

std::size_t row_dimension(const EngineOptions& options) {
  return options.mode == SearchMode::population ? options.dimension : options.particle_dimension;
}

template <class Values>
bool all_finite(const Values& values) {
  return std::all_of(values.begin(), values.end(), [](auto value) { return std::isfinite(value); });
}

}  // namespace

template <class Scalar>
Engine<Scalar>::Engine(EngineOptions options, std::span<const Scalar> x0, std::unique_ptr<Subspace<Scalar>> subspace)
    : options_(std::move(options)),
      subspace_(std::move(subspace)),
      particles_(options_.particles),
      d_(row_dimension(options_)),
      polytope_(options_.polytope, d_),
      scales_(probe_scales(options_)) {
  if (options_.mode == SearchMode::population) {
    x_.assign(x0.begin(), x0.end());
  } else {
    base_.assign(x0.begin(), x0.end());
  }
  make_layout();
}

/// Sizes everything for the current subspace; block mode starts at base_.
template <class Scalar>
void Engine<Scalar>::make_layout() {
  if (options_.mode == SearchMode::block) {
    const std::size_t count = subspace_ != nullptr ? subspace_->coordinates() : options_.dimension;
    particles_ = (count + d_ - 1) / d_;
    x_.assign(particles_ * d_, Scalar{0});
    if (subspace_ == nullptr) std::copy(base_.begin(), base_.end(), x_.begin());
    if (subspace_ == nullptr) base_.clear();
    point_.assign(options_.dimension, Scalar{0});
  }
  transport_.assign(particles_ * d_, Scalar{0});
  if (options_.momentum) velocity_.assign(particles_ * d_, Scalar{0});
  if (options_.amortize > 1) average_.assign(particles_ * d_, Scalar{0});
  if (options_.biased_rotation) direction_.assign(particles_ * d_, Scalar{0});
  if (options_.adaptive_per_particle) {
    particle_radii_.assign(particles_, {});
    row_minima_.assign(particles_, infinity);
  }
  forget();
  refresh_point();
}

template <class Scalar>
std::size_t Engine<Scalar>::bytes() const noexcept {
  return (x_.size() + base_.size() + point_.size() + transport_.size() + direction_.size() + velocity_.size() +
          average_.size() + best_.size()) *
             sizeof(Scalar) +
         (subspace_ != nullptr ? subspace_->bytes() : 0);
}

template <class Scalar>
double Engine<Scalar>::multiplier(std::size_t p) const {
  return options_.adaptive_per_particle ? particle_radii_[p].multiplier : 1;
}

template <class Scalar>
double Engine<Scalar>::lower_bound(std::size_t p, std::size_t j) const {
  const std::size_t at = options_.mode == SearchMode::block ? p * d_ + j : j;
  return at < options_.lower.size() ? options_.lower[at] : -infinity;
}

template <class Scalar>
double Engine<Scalar>::upper_bound(std::size_t p, std::size_t j) const {
  const std::size_t at = options_.mode == SearchMode::block ? p * d_ + j : j;
  return at < options_.upper.size() ? options_.upper[at] : infinity;
}

template <class Scalar>
void Engine<Scalar>::add_within_bounds(std::size_t p) {
  Scalar* const x = row(x_, p);
  const Scalar* const change = row(transport_, p);
  for (std::size_t j = 0; j < d_; ++j) {
    x[j] += change[j];
    if (!bounded()) continue;
    x[j] = std::clamp(x[j], static_cast<Scalar>(lower_bound(p, j)), static_cast<Scalar>(upper_bound(p, j)));
  }
}

template <class Scalar>
std::size_t Engine<Scalar>::centres() const noexcept {
  const bool curvature = options_.newton_refinement && scales_.size() == 1;
  return curvature || options_.trust_region ? points() : 0;
}

template <class Scalar>
bool Engine<Scalar>::coasting() const noexcept {
  return options_.amortize > 1 && has_average_ && amortize_counter_ % options_.amortize != 0;
}

template <class Scalar>
std::size_t Engine<Scalar>::next_evaluations() const noexcept {
  if (coasting()) return 0;
  return particles_ * candidates_per_particle() + centres() + (options_.trust_region ? points() : 0) +
         (options_.sequential ? 1 : 0);
}

template <class Scalar>
void Engine<Scalar>::begin_step(const StepParameters& parameters) {
  parameters_ = parameters;
  const double radius = options_.adaptive_per_particle ? 1 : radius_.multiplier;
  step_radius_ = parameters.step_radius * radius * trust_;
  probe_radius_ = parameters.probe_radius * radius;
  if (options_.jitter > 0) {
    double uniform = 0;
    philox_uniforms(options_.seed, 0, static_cast<std::uint32_t>(step_), RandomStream::jitter, {&uniform, 1});
    probe_radius_ *= 1 + options_.jitter * (2 * uniform - 1);
  }
  centre_mean_ = 0;
  has_rotations_ = false;
  if (options_.redraw_every_step && subspace_ != nullptr && !coasting()) {
    absorb();
    subspace_->redraw(static_cast<std::uint32_t>(step_), 0);
  }
}

template <class Scalar>
void Engine<Scalar>::begin(const StepParameters& parameters, std::span<const double> rotations) {
  begin_step(parameters);
  begun_ = true;
  const std::size_t numbers = particles_ * d_ * d_;
  if (!rotations.empty()) {
    if (rotations.size() != numbers) {
      throw Error(ErrorCode::shape_mismatch, "rotations",
                  "`rotations` must give particles x d x d numbers, " + std::to_string(numbers) + ", got " +
                      std::to_string(rotations.size()));
    }
    rotations_.assign(rotations.begin(), rotations.end());
    has_rotations_ = true;
  } else if (d_ > 2 && numbers <= kept_rotation_numbers && !coasting()) {
    rotations_.resize(numbers);
    std::vector<double> normals(d_ * d_);
    for (std::size_t p = 0; p < particles_; ++p) {
      haar_rotation(options_.seed, static_cast<std::uint32_t>(p), static_cast<std::uint32_t>(step_), d_,
                    std::span(rotations_).subspan(p * d_ * d_, d_ * d_), normals);
    }
    has_rotations_ = true;
  }
}

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
    note_costs(p, given, stats);
    Scalar* const out = row(transport_, p);
    std::fill_n(out, d_, Scalar{0});
    if (std::all_of(given.begin(), given.end(), [&](double cost) { return cost == given[0]; })) {
      stats.frozen += 1;
      stats.effective_samples += 1;
      continue;
    }
    if (is_row_scale(options_.scale)) scale_row(own, options_.scale, options_.divisor);
    double uniform = 0.5;
    philox_uniforms(options_.seed, static_cast<std::uint32_t>(p), static_cast<std::uint32_t>(step_),
                    RandomStream::sampling, {&uniform, 1});
    const double temperature = options_.rule == Rule::tempered_softmax ? options_.tau : parameters_.epsilon;
    row_weights({options_.rule, temperature, options_.k}, own, uniform, weights);
    stats.effective_samples += options_.rule == Rule::linear ? 1 : effective_sample_size(weights);
    double squares = 0;
    for (std::size_t j = 0; j < d_; ++j) {
      const std::size_t at = options_.mode == SearchMode::block ? p * d_ + j : j;
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
  rotation(p, work);
  write_candidates(p, stats.best_candidate % each, 1, best_.data(), work);
}

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

/// Applies the displacements of the pass and everything that follows from them.
template <class Scalar>
StepMetrics Engine<Scalar>::settle(const PassStats& stats) {
  StepMetrics metrics;
  const bool coasted = coasting();
  const auto rows = static_cast<double>(particles_);
  StepOutcome outcome = coasted ? StepOutcome::coasted : StepOutcome::moved;
  if (!coasted && stats.infeasible) outcome = StepOutcome::infeasible;
  if (outcome == StepOutcome::moved && !options_.sequential) {
    const LargeVector<Scalar> before = x_;
    const auto reject = [&] {
      x_ = before;
      outcome = StepOutcome::reverted;
      forget();
    };
    if (!all_finite(transport_)) {
      reject();
    } else {
      if (options_.amortize > 1) {
        const auto kept = static_cast<Scalar>(options_.amortize_average);
        for (std::size_t i = 0; i < x_.size(); ++i) {
          average_[i] = has_average_ ? kept * average_[i] + (1 - kept) * transport_[i] : transport_[i];
        }
        has_average_ = true;
      }
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
      if (!all_finite(x_)) reject();
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
  if (best_value_ < patience_value_ - options_.min_delta || !std::isfinite(patience_value_)) {
    patience_value_ = best_value_;
    since_better_ = 0;
  } else {
    ++since_better_;
  }
  if (options_.patience > 0 && since_better_ >= options_.patience) stop_ = RunStop::patience;
  peak_displacement_ = std::max(peak_displacement_, displacement);
  // Successive displacements may agree by accident while the iterate still runs: it must have slowed down as well.
  const bool alike = std::abs(displacement - last_displacement_) / (std::abs(last_displacement_) + 1e-10) <
                     options_.convergence_threshold;
  if (step_ >= 5 && alike && displacement <= options_.convergence_peak * peak_displacement_) {
    stop_ = RunStop::converged;
  }
  last_displacement_ = displacement;
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
  const auto stopped = [&] {
    return control.stop_reason() == StopReason::cancelled ? RunStop::cancelled : RunStop::time_limit;
  };
  for (const StepParameters& next : parameters) {
    if (control.should_stop()) return stopped();
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
    if (!done) return stopped();
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
    if (control.wants_progress()) {
      control.report({.phase = "steps",
                      .iterations = step_,
                      .objective = best_value_,
                      .best = std::as_bytes(std::span<const Scalar>(best_))});
    }
    if (stop_ != RunStop::steps) return stop_;
  }
  return RunStop::steps;
}

template <class Scalar>
void Engine<Scalar>::current(Scalar* out) const {
  const LargeVector<Scalar>& from = options_.mode == SearchMode::block ? point_ : x_;
  std::copy(from.begin(), from.end(), out);
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

template <class Scalar>
void Engine<Scalar>::refresh_point() {
  if (options_.mode != SearchMode::block) return;
  if (subspace_ != nullptr) {
    subspace_->expand(base_, std::span<const Scalar>(x_).first(subspace_->coordinates()), point_);
  } else {
    std::copy_n(x_.begin(), options_.dimension, point_.begin());
  }
}

/// What was learned along a path that ends here.
template <class Scalar>
void Engine<Scalar>::forget() {
  std::fill(velocity_.begin(), velocity_.end(), Scalar{0});
  has_average_ = has_direction_ = false;
  amortize_counter_ = 0;
  f_.clear();
  g_.clear();
  stagnation_ = 0;
}

template <class Scalar>
void Engine<Scalar>::absorb() {
  if (subspace_ == nullptr) return;
  refresh_point();
  base_ = point_;
  std::fill(x_.begin(), x_.end(), Scalar{0});
  forget();
  ++absorbed_;
  if (subspace_->kind() == SubspaceKind::factored) subspace_->redraw(static_cast<std::uint32_t>(absorbed_), 0);
}

template <class Scalar>
void Engine<Scalar>::change_subspace(std::unique_ptr<Subspace<Scalar>> subspace) {
  absorb();
  subspace_ = std::move(subspace);
  const LargeVector<Scalar> base = base_;
  make_layout();
  base_ = base;
  refresh_point();
}

template <class Scalar>
void Engine<Scalar>::restart(std::uint32_t number, std::span<const double> lower, std::span<const double> upper) {
  const std::size_t n = options_.dimension;
  std::vector<double> uniforms(points() * n);
  philox_uniforms(options_.seed, 0, number, RandomStream::initialisation, uniforms);
  LargeVector<Scalar>& to = subspace_ != nullptr ? base_ : x_;
  if (subspace_ != nullptr) std::fill(x_.begin(), x_.end(), Scalar{0});
  for (std::size_t i = 0; i < uniforms.size(); ++i) {
    to[i] = static_cast<Scalar>(lower[i % n] + uniforms[i] * (upper[i % n] - lower[i % n]));
  }
  forget();
  radius_ = {};
  std::fill(particle_radii_.begin(), particle_radii_.end(), AdaptiveRadius{});
  trust_ = 1;
  since_better_ = 0;
  patience_value_ = infinity;
  last_displacement_ = peak_displacement_ = 0;
  stop_ = RunStop::steps;
  refresh_point();
}

template class Engine<float>;
template class Engine<double>;

}  // namespace dd::polystep
