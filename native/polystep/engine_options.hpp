// What an optimizer is made with and what it says about a step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "polystep/assignment.hpp"
#include "polystep/costs.hpp"
#include "polystep/dynamics.hpp"
#include "polystep/leading_directions.hpp"
#include "polystep/polytope.hpp"
#include "polystep/row_layout.hpp"
#include "polystep/sinkhorn.hpp"

namespace dd::polystep {

/// population: every particle is a whole point. block: particles are consecutive blocks of one point.
enum class SearchMode : std::uint8_t { population, block };

struct EngineOptions {
  SearchMode mode = SearchMode::block;
  std::size_t dimension = 0;           ///< of a candidate
  std::size_t particles = 1;           ///< population only; block mode counts blocks
  std::size_t particle_dimension = 2;  ///< block only
  PolytopeKind polytope = PolytopeKind::orthoplex;
  std::size_t probes = 1;
  bool at_vertices = false;  ///< candidates are the vertices themselves
  Rule rule = Rule::softmax;
  double tau = 1;
  std::size_t k = 3;
  double lambda = 0;
  CostScale scale = CostScale::row_std;
  double divisor = 1;
  SinkhornOptions transport;
  bool warm_start = true;
  bool sequential = false;
  std::vector<RowGroup> groups;      ///< block mode: rows that are assigned without the others; none: all together
  bool adapt_covariance = false;     ///< block mode: steps of a coordinate are scaled by its learned deviation
  std::vector<double> lower, upper;  ///< a number per coordinate, or none at all
  std::uint64_t seed = 0;
  double jitter = 0;

  bool momentum = false;
  double momentum_initial = 0.5, momentum_final = 0.95, momentum_rate = 1;
  std::uint64_t momentum_horizon = 50;
  std::uint64_t amortize = 1;
  double amortize_average = 0.7;
  bool adaptive_radius = false, adaptive_per_particle = false, adaptive_by_mean = false;
  AdaptiveRadiusOptions adaptive;
  bool newton_refinement = false, trust_region = false, biased_rotation = false;
  double screening_keep = 0;       ///< share of the directions of a row that are scored in full; 0: all, unscreened
  std::uint64_t absorb_every = 0;  ///< 0: only when the loss stagnates under an adaptive radius
  bool redraw_every_step = false;  ///< subspace bases of step t are those of epoch t
  LeadingOptions leading;          ///< of bases that are redrawn

  std::uint64_t patience = 0;  ///< steps without a better value by min_delta; 0: never stops
  double min_delta = 1e-4;
  double convergence_threshold = 0;  ///< 0: never stops
  double convergence_peak = 0.01;
};

/// What a step is taken with, before multipliers.
struct StepParameters {
  double epsilon = 1, step_radius = 1, probe_radius = 1;
};

enum class StepOutcome : std::uint8_t { moved, coasted, infeasible, reverted };

struct StepMetrics {
  double step = 0, evaluations = 0, mean_cost = 0, min_cost = 0, mean_squared_displacement = 0, effective_samples = 1,
         relative_displacement = 0, frozen_rows = 0, epsilon = 0, step_radius = 0, probe_radius = 0, multiplier = 1,
         outcome = 0, best = std::numeric_limits<double>::infinity(), transport_iterations = 0, transport_converged = 1,
         transport_objective = std::numeric_limits<double>::quiet_NaN(), kl_violation = 0, trust_multiplier = 1,
         absorbed = 0, silent_outputs = std::numeric_limits<double>::quiet_NaN();
};
inline constexpr std::size_t step_metric_count = sizeof(StepMetrics) / sizeof(double);

enum class RunStop : std::uint8_t { steps, budget, patience, converged, cancelled, time_limit };

}  // namespace dd::polystep
