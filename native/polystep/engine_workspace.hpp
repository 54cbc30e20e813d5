// What a thread needs for one row of a step, and what a tile of rows adds up.
#pragma once

#include <cmath>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "polystep/engine.hpp"
#include "polystep/probe_costs.hpp"

namespace dd::polystep {

/// Its memory is one piece where sizes are those of a row, and grows to a tile of rows where they are not.
template <class Scalar>
struct Engine<Scalar>::Workspace {
  explicit Workspace(const Engine& engine)
      : size(engine.d_ * engine.d_), numbers(6 * engine.d_ + 2 * engine.vertices() + engine.scales_.size()) {
    double* at = numbers.data();
    const auto take = [&](std::size_t count) { return std::span<double>(std::exchange(at, at + count), count); };
    for (std::span<double>* const part : {&direction, &vertex, &template_step, &gradient, &curvature, &newton}) {
      *part = take(engine.d_);
    }
    weights = take(engine.vertices());
    row = take(engine.vertices());
    distances = take(engine.scales_.size());
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  ~Workspace() = default;

  /// The rotation at hand becomes that of the i-th row of the tile.
  void turn_to(std::size_t i) noexcept { rotation = std::span(rotations).subspan(i * size, size); }

  std::size_t size;
  std::vector<double> numbers;
  std::span<double> rotation, direction, vertex, weights, row, template_step, gradient, curvature, newton, distances;
  // Of a tile: rows x d x d, rows x candidates, rows x vertices, rows x d.
  std::vector<double> rotations, values, costs, tile_weights, tile_projection, packed, scratch;
  std::vector<RowState> states;
  LargeVector<Scalar> x, offsets, points;
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
  void add_costs(const RowCosts& costs, std::size_t count) {
    cost_sum += costs.sum;
    cost_count += static_cast<double>(count);
    row_min_sum += costs.least;
    if (costs.least < min_cost) min_cost = costs.least;
    rows += 1;
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
