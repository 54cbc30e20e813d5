// Everything an optimizer remembers, out to flat arrays and back, bit by bit.
#include <algorithm>
#include <string>

#include "core/error.hpp"
#include "polystep/engine.hpp"

namespace dd::polystep {
namespace {

template <class Values, class From>
void take(Values& to, const From& from, const char* name) {
  if (from.size() != to.size()) {
    throw Error(ErrorCode::shape_mismatch, std::string("checkpoint.state.") + name,
                "`checkpoint.state." + std::string(name) + "` must have length " + std::to_string(to.size()) +
                    ", got " + std::to_string(from.size()));
  }
  std::copy(from.begin(), from.end(), to.begin());
}

}  // namespace

/// Calls visit(number) for every scalar of the state, in the order of checkpoints.
template <class Scalar>
template <class Self, class Visit>
void Engine<Scalar>::visit_counters(Self& self, Visit&& visit) {
  visit(self.step_);
  visit(self.evaluations_);
  visit(self.patience_.since);
  visit(self.stagnation_);
  visit(self.absorbed_);
  visit(self.amortize_counter_);
  visit(self.last_mean_);
  visit(self.last_min_);
  visit(self.best_value_);
  visit(self.patience_.value);
  visit(self.last_displacement_);
  visit(self.peak_displacement_);
  visit(self.dual_epsilon_);
  visit(self.radius_.previous_loss);
  visit(self.radius_.stagnation);
  visit(self.radius_.multiplier);
  visit(self.trust_);
  visit(self.has_average_);
  visit(self.has_direction_);
  visit(self.covariance_.mean_norm);
  visit(self.covariance_.generation);
}

template <class Scalar>
EngineState<Scalar> Engine<Scalar>::save() const {
  EngineState<Scalar> state;
  state.x = x_;
  state.base = base_;
  state.velocity = velocity_;
  state.average = average_;
  state.direction = direction_;
  state.best = best_;
  state.history = history_;
  state.leading = leading_;
  for (const auto* part : {&covariance_.variances, &covariance_.path, &covariance_.rank_one_path}) {
    state.covariance.insert(state.covariance.end(), part->begin(), part->end());
  }
  state.f = f_;
  state.g = g_;
  for (const AdaptiveRadius& own : particle_radii_) {
    state.particle_radii.insert(state.particle_radii.end(),
                                {own.previous_loss, static_cast<double>(own.stagnation), own.multiplier});
  }
  visit_counters(*this, [&](const auto& value) { state.counters.push_back(static_cast<double>(value)); });
  state.counters.push_back(static_cast<double>(stop_));
  state.counters.push_back(subspace_ == nullptr ? 0 : static_cast<double>(subspace_->epoch()));
  return state;
}

template <class Scalar>
void Engine<Scalar>::load(const EngineState<Scalar>& state) {
  std::size_t count = 2;
  visit_counters(*this, [&](const auto&) { ++count; });
  std::vector<double> counters(count);
  take(counters, state.counters, "counters");
  std::vector<double> radii(3 * particle_radii_.size());
  take(radii, state.particle_radii, "particleRadii");
  // All shapes are looked at before anything changes.
  LargeVector<Scalar> x = x_, base = base_, velocity = velocity_, average = average_, direction = direction_;
  take(x, state.x, "x");
  take(base, state.base, "base");
  take(velocity, state.velocity, "velocity");
  take(average, state.average, "average");
  take(direction, state.direction, "direction");
  LargeVector<Scalar> best(state.best.empty() ? 0 : options_.dimension);
  take(best, state.best, "best");
  // Directions come in whole points, as many as there were steps to remember.
  const auto directions = [&](const std::vector<double>& from, const char* name) {
    const std::size_t most =
        options_.leading.kind == LeadingKind::none ? 0 : std::max(layout_.coordinates(), options_.leading.history);
    const std::size_t kept = std::min(from.size() / options_.dimension, most);
    std::vector<double> to(kept * options_.dimension);
    take(to, from, name);
    return to;
  };
  std::vector<double> history = directions(state.history, "history"), leading = directions(state.leading, "leading");
  const std::size_t n = covariance_.variances.size();
  std::vector<double> covariance(3 * n);
  take(covariance, state.covariance, "covariance");
  std::vector<double> f(state.f.empty() ? 0 : particles_);
  std::vector<double> g(state.g.empty() ? 0 : vertices() * std::max<std::size_t>(1, layout_.groups().size()));
  take(f, state.f, "f");
  take(g, state.g, "g");
  x_ = std::move(x);
  base_ = std::move(base);
  velocity_ = std::move(velocity);
  average_ = std::move(average);
  direction_ = std::move(direction);
  best_ = std::move(best);
  history_ = std::move(history);
  leading_ = std::move(leading);
  for (std::size_t i = 0; i < n; ++i) {
    covariance_.variances[i] = covariance[i];
    covariance_.path[i] = covariance[n + i];
    covariance_.rank_one_path[i] = covariance[2 * n + i];
  }
  f_ = std::move(f);
  g_ = std::move(g);
  for (std::size_t p = 0; p < particle_radii_.size(); ++p) {
    particle_radii_[p] = {radii[3 * p], static_cast<std::uint64_t>(radii[3 * p + 1]), radii[3 * p + 2]};
  }
  std::size_t i = 0;
  visit_counters(*this,
                 [&](auto& value) { value = static_cast<std::remove_reference_t<decltype(value)>>(counters[i++]); });
  stop_ = static_cast<RunStop>(counters[i++]);
  if (subspace_ != nullptr && (static_cast<double>(subspace_->epoch()) != counters[i] || !leading_.empty())) {
    subspace_->redraw(static_cast<std::uint32_t>(counters[i]), leading_, 0);
  }
  begun_ = confirm_ = false;
  refresh_point();
}

template EngineState<float> Engine<float>::save() const;
template void Engine<float>::load(const EngineState<float>&);
template EngineState<double> Engine<double>::save() const;
template void Engine<double>::load(const EngineState<double>&);

}  // namespace dd::polystep
