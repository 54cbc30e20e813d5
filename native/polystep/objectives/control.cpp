// Physics in float64, policies in the optimizer's precision, 16 episodes side by side.
#include "polystep/objectives/control.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/philox.hpp"
#include "polystep/objectives/support.hpp"

namespace dd::polystep {
namespace {

using std::numbers::pi;

constexpr double gravity = 9.8;
/// The optimizer's streams are 0 to 5.
constexpr std::uint32_t start_purpose = 19;

/// Derivative of the acrobot's state under a torque: masses, lengths and moments of inertia are 1, centres at 1/2.
ControlState acrobot_derivative(const ControlState& s, double torque) noexcept {
  constexpr double centre = 0.5;
  const double theta1 = s[0], theta2 = s[1], speed1 = s[2], speed2 = s[3];
  const double d1 = centre * centre + (1 + centre * centre + 2 * centre * std::cos(theta2)) + 2;
  const double d2 = centre * centre + centre * std::cos(theta2) + 1;
  const double phi2 = centre * gravity * std::cos(theta1 + theta2 - pi / 2);
  const double phi1 = -centre * speed2 * speed2 * std::sin(theta2) - 2 * centre * speed2 * speed1 * std::sin(theta2) +
                      (centre + 1) * gravity * std::cos(theta1 - pi / 2) + phi2;
  const double acceleration2 = (torque + d2 / d1 * phi1 - centre * speed1 * speed1 * std::sin(theta2) - phi2) /
                               (centre * centre + 1 - d2 * d2 / d1);
  const double acceleration1 = -(d2 * acceleration2 + phi1) / d1;
  return {speed1, speed2, acceleration1, acceleration2};
}

ControlState along(const ControlState& s, const ControlState& slope, double step) noexcept {
  ControlState moved;
  for (std::size_t i = 0; i < 4; ++i) moved[i] = s[i] + step * slope[i];
  return moved;
}

/// To [-pi, pi].
double wrapped(double angle) noexcept {
  while (angle > pi) angle -= 2 * pi;
  while (angle < -pi) angle += 2 * pi;
  return angle;
}

template <class Scalar>
void observe(Environment environment, const ControlState& state, Scalar* lane) noexcept {
  const auto put = [&](std::size_t i, double value) { lane[i * group_samples] = static_cast<Scalar>(value); };
  if (environment == Environment::cart_pole) {
    for (std::size_t i = 0; i < 4; ++i) put(i, state[i]);
    return;
  }
  put(0, std::cos(state[0]));
  put(1, std::sin(state[0]));
  put(2, std::cos(state[1]));
  put(3, std::sin(state[1]));
  put(4, state[2]);
  put(5, state[3]);
}

std::vector<ControlState> starting_states(const ControlDescription& description, std::uint64_t seed,
                                          std::uint64_t step) {
  const double reach = description.environment == Environment::cart_pole ? 0.05 : 0.1;
  std::vector<ControlState> states(description.episodes);
  PhiloxStream random(seed, static_cast<std::uint32_t>(step), start_purpose);
  for (ControlState& state : states) {
    for (double& value : state) value = reach * (2 * random.next_uniform() - 1);
  }
  return states;
}

template <class Scalar>
class ControlLoss {
 public:
  ControlLoss(const Control& control, std::uint64_t seed) : control_(&control), seed_(seed) { set_step(0); }

  void set_step(std::uint64_t step) { starts_ = starting_states(control_->description(), seed_, step); }

  double operator()(const Scalar* point) const {
    const Graph& policy = control_->description().policy;
    std::vector<Scalar> effective(policy.effective);
    effective_weights(policy, point, effective.data());
    AlignedBuffer<Scalar> state(control_->layout().size);
    AlignedBuffer<Scalar> seen(policy.nodes.front().units * group_samples, Scalar{0});
    double total = 0;
    for (std::size_t first = 0; first < starts_.size(); first += group_samples) {
      total += play(first, effective.data(), seen.data(), state.data());
    }
    return -total / static_cast<double>(starts_.size());
  }

 private:
  /// Return of up to 16 episodes.
  double play(std::size_t first, const Scalar* effective, Scalar* seen, Scalar* state) const {
    const ControlDescription& description = control_->description();
    const bool balancing = description.environment == Environment::cart_pole;
    const std::size_t count = std::min(group_samples, starts_.size() - first);
    std::array<ControlState, group_samples> states;
    std::array<bool, group_samples> over{};
    std::copy_n(starts_.begin() + static_cast<std::ptrdiff_t>(first), count, states.begin());
    double total = 0;
    std::size_t left = count;
    for (std::size_t t = 0; t < description.horizon && left > 0; ++t) {
      for (std::size_t lane = 0; lane < count; ++lane) observe(description.environment, states[lane], seen + lane);
      forward_group(description.policy, control_->layout(), effective, seen, state);
      const Scalar* const outputs = state + control_->layout().post.back();
      for (std::size_t lane = 0; lane < count; ++lane) {
        if (over[lane]) continue;
        const int action = best_action(outputs + lane);
        over[lane] = balancing ? cart_pole_step(states[lane], action) : acrobot_step(states[lane], action);
        // A step of balancing is worth 1, the last one too; a step of swinging costs 1, but for the last one.
        total += balancing ? 1 : over[lane] ? 0 : -1;
        left -= over[lane] ? 1 : 0;
      }
    }
    return total;
  }
  /// The first largest output.
  int best_action(const Scalar* lane) const noexcept {
    const std::size_t actions = control_->description().policy.output().units;
    std::size_t best = 0;
    for (std::size_t a = 1; a < actions; ++a) {
      if (lane[a * group_samples] > lane[best * group_samples]) best = a;
    }
    return static_cast<int>(best);
  }

  const Control* control_;
  std::uint64_t seed_;
  std::vector<ControlState> starts_;
};

template <class Scalar>
class ControlEvaluator final : public WholeEvaluator<Scalar, ControlLoss<Scalar>> {
 public:
  using WholeEvaluator<Scalar, ControlLoss<Scalar>>::WholeEvaluator;
  void begin_step(std::uint64_t step, std::size_t) override { this->loss().set_step(step); }
};

}  // namespace

bool cart_pole_step(ControlState& state, int action) noexcept {
  constexpr double total_mass = 1.1, pole_moment = 0.05, half_length = 0.5, time = 0.02;
  const double force = action == 1 ? 10 : -10;
  const double cosine = std::cos(state[2]), sine = std::sin(state[2]);
  const double temporary = (force + pole_moment * state[3] * state[3] * sine) / total_mass;
  const double turn =
      (gravity * sine - cosine * temporary) / (half_length * (4.0 / 3.0 - 0.1 * cosine * cosine / total_mass));
  const double push = temporary - pole_moment * turn * cosine / total_mass;
  state = {state[0] + time * state[1], state[1] + time * push, state[2] + time * state[3], state[3] + time * turn};
  return !(std::abs(state[0]) <= 2.4) || !(std::abs(state[2]) <= 12 * 2 * pi / 360);
}

bool acrobot_step(ControlState& state, int action) noexcept {
  constexpr double time = 0.2;
  const double torque = action - 1;
  const ControlState k1 = acrobot_derivative(state, torque);
  const ControlState k2 = acrobot_derivative(along(state, k1, time / 2), torque);
  const ControlState k3 = acrobot_derivative(along(state, k2, time / 2), torque);
  const ControlState k4 = acrobot_derivative(along(state, k3, time), torque);
  for (std::size_t i = 0; i < 4; ++i) state[i] += time / 6 * (k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i]);
  state[0] = wrapped(state[0]);
  state[1] = wrapped(state[1]);
  state[2] = std::clamp(state[2], -4 * pi, 4 * pi);
  state[3] = std::clamp(state[3], -9 * pi, 9 * pi);
  return -std::cos(state[0]) - std::cos(state[1] + state[0]) > 1;
}

Control::Control(ControlDescription description) : description_(std::move(description)), layout_(description_.policy) {}

std::unique_ptr<Evaluator<float>> Control::float32_evaluator(std::uint64_t seed) const {
  return std::make_unique<ControlEvaluator<float>>(dimension(), ControlLoss<float>(*this, seed));
}
std::unique_ptr<Evaluator<double>> Control::float64_evaluator(std::uint64_t seed) const {
  return std::make_unique<ControlEvaluator<double>>(dimension(), ControlLoss<double>(*this, seed));
}

}  // namespace dd::polystep
