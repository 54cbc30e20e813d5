// Pole balancing and the acrobot: a policy network plays episodes, the loss is the mean return with the sign turned
// (specs/polystep.md, section 12).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "polystep/objective.hpp"
#include "polystep/objectives/network_pass.hpp"

namespace dd::polystep {

using ControlState = std::array<double, 4>;

/// CartPole-v1: x, its velocity, the pole's angle, its velocity; action 0 pushes left, 1 right.
/// Returns whether the episode is over. Positions move with the old velocities.
bool cart_pole_step(ControlState& state, int action) noexcept;

/// Acrobot-v1 (Sutton's equations "book", Runge and Kutta's fourth order, 0.2 s): two angles and their velocities;
/// action 0, 1, 2 is a torque of -1, 0, 1 on the joint. Returns whether the tip is above the line.
bool acrobot_step(ControlState& state, int action) noexcept;

enum class Environment : std::uint8_t { cart_pole, acrobot };

struct ControlDescription {
  Environment environment = Environment::cart_pole;
  Graph policy;  ///< complete; 4 inputs and 2 outputs (cart pole), 6 inputs and 3 outputs (acrobot)
  std::size_t episodes = 16;
  std::size_t horizon = 500;
};

/// Starts are a function of (seed, step), the same for all points of a step.
class Control final : public Objective {
 public:
  explicit Control(ControlDescription description);

  std::string_view name() const noexcept override { return "control"; }
  std::size_t dimension() const noexcept override { return description_.policy.parameters; }
  std::size_t bytes() const noexcept override { return sizeof *this; }
  std::unique_ptr<Evaluator<float>> float32_evaluator(std::uint64_t seed) const override;
  std::unique_ptr<Evaluator<double>> float64_evaluator(std::uint64_t seed) const override;

  const ControlDescription& description() const noexcept { return description_; }
  const GroupLayout& layout() const noexcept { return layout_; }

 private:
  ControlDescription description_;
  GroupLayout layout_;
};

}  // namespace dd::polystep
