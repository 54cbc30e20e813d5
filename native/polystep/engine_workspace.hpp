// What a thread needs for one row of a step, and what a tile of rows adds up.
#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include "polystep/engine.hpp"

namespace dd::polystep {

template <class Scalar>
struct Engine<Scalar>::Workspace {
  explicit Workspace(const Engine& engine)
      : rotation(engine.d_ * engine.d_),
        normals(engine.d_ * engine.d_),
        direction(engine.d_),
        vertex(engine.d_),
        weights(engine.vertices()),
        row(engine.vertices()),
        template_step(engine.d_),
        gradient(engine.d_),
        curvature(engine.d_),
        newton(engine.d_),
        distances(engine.scales_.size()) {}

  std::vector<double> rotation, normals, direction, vertex, weights, row, template_step, gradient, curvature, newton,
      distances;
  LargeVector<Scalar> offsets, points;
  std::vector<double> values, tile_weights, tile_projection;
  std::vector<std::uint32_t> chosen;  // candidates of a row that are scored in full; none: all
  typename Subspace<Scalar>::DirectionStorage directions;
};

/// A step's scaled costs and, where rows are tied, its plan with the duals: group after group.
template <class Scalar>
struct Engine<Scalar>::Assignment {
  std::vector<double> costs, plan, f, g;
};

/// Sums over rows; tiles are joined in order.
template <class Scalar>
struct Engine<Scalar>::PassStats {
  double rows = 0, cost_sum = 0, cost_count = 0, min_cost = std::numeric_limits<double>::infinity(), row_min_sum = 0,
         effective_samples = 0, squared_displacement = 0, relative_displacement = 0, frozen = 0, predicted = 0;
  double silent_outputs = std::numeric_limits<double>::quiet_NaN();  ///< of the step, not of rows
  double best_value = std::numeric_limits<double>::infinity();
  std::size_t best_candidate = 0;
  std::size_t transport_iterations = 0;
  double transport_objective = std::numeric_limits<double>::quiet_NaN(), kl_violation = 0;
  bool transport_converged = true, infeasible = false;

  void add_losses(std::span<const double> losses, std::size_t first_candidate) {
    for (std::size_t i = 0; i < losses.size(); ++i) {
      if (losses[i] < best_value && std::isfinite(losses[i])) {
        best_value = losses[i];
        best_candidate = first_candidate + i;
      }
    }
  }
  /// Returns the least of them.
  double add_costs(std::span<const double> costs) {
    double least = std::numeric_limits<double>::infinity();
    for (const double cost : costs) {
      cost_sum += cost;
      if (cost < least) least = cost;
    }
    cost_count += static_cast<double>(costs.size());
    row_min_sum += least;
    if (least < min_cost) min_cost = least;
    rows += 1;
    return least;
  }
  void join(const PassStats& other) {
    rows += other.rows;
    cost_sum += other.cost_sum;
    cost_count += other.cost_count;
    row_min_sum += other.row_min_sum;
    effective_samples += other.effective_samples;
    squared_displacement += other.squared_displacement;
    relative_displacement += other.relative_displacement;
    frozen += other.frozen;
    predicted += other.predicted;
    if (other.min_cost < min_cost) min_cost = other.min_cost;
    if (other.best_value < best_value) {
      best_value = other.best_value;
      best_candidate = other.best_candidate;
    }
  }
};

}  // namespace dd::polystep
