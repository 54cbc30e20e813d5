// Filter design on top of the solver: starts, the search over a free gain, and the figures of what was found.
#include "dmmv/fir.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.hpp"
#include "dmmv/bound.hpp"
#include "dmmv/evaluate.hpp"
#include "dmmv/fir_grid.hpp"

namespace dd::dmmv {
namespace {

/// The remaining limits of a run, as a control for a part of it.
double remaining_seconds(const RunControl& control) {
  return std::max(0.0, control.time_limit_seconds() - control.seconds());
}

/// Search at one gain; returns the ripple divided by the gain.
struct GainTrial {
  double gain = 1;
  double ripple = std::numeric_limits<double>::infinity();
  SolveResult result;
};

/// Positions of taps that are zero in a half response.
std::vector<std::int32_t> zeros_of(const FirSpecification& specification, std::span<const std::int32_t> half) {
  std::vector<std::int32_t> zeros;
  for (std::int32_t tap = 0; tap < specification.taps; ++tap) {
    const std::size_t k = half_index(specification, tap);
    if (k == half.size() || half[k] == 0) zeros.push_back(tap);
  }
  return zeros;
}

/// The specification with positions instead of a count of zeros.
FirSpecification with_positions(const FirSpecification& given, std::span<const std::int32_t> initial,
                                const RunControl& control) {
  FirSpecification specification = given;
  if (given.zero_tap_count == 0) return specification;
  specification.zero_taps = initial.empty() ? choose_zero_taps(given, control) : zeros_of(given, initial);
  if (specification.zero_taps.size() < static_cast<std::size_t>(given.zero_tap_count)) {
    throw Error(ErrorCode::invalid_argument_value, "initial",
                "`initial` must leave at least " + std::to_string(given.zero_tap_count) + " taps at zero, got " +
                    std::to_string(specification.zero_taps.size()));
  }
  specification.zero_tap_count = 0;
  return specification;
}

/// A half response as level indices of the free taps.
std::vector<std::int32_t> indices_of(const Problem& problem, std::span<const std::size_t> free,
                                     std::span<const std::int32_t> half) {
  std::vector<double> point;
  for (const std::size_t k : free) point.push_back(half[k]);
  std::vector<std::int32_t> indices = nearest_levels(problem, point);
  std::vector<std::int32_t> back(half.size(), 0);
  for (std::size_t j = 0; j < free.size(); ++j) {
    back[free[j]] = static_cast<std::int32_t>(problem.levels().value(j, indices[j]));
  }
  for (std::size_t k = 0; k < half.size(); ++k) {
    if (back[k] == half[k]) continue;
    const std::string name = "initial[" + std::to_string(k) + "]";
    throw Error(ErrorCode::out_of_range, name,
                "`" + name + "` must be a coefficient that the specification allows, got " + std::to_string(half[k]));
  }
  return indices;
}

/// The half response that level indices of the free taps stand for.
std::vector<std::int32_t> half_of(const Problem& problem, std::span<const std::size_t> free, std::size_t length,
                                  std::span<const std::int32_t> indices) {
  std::vector<std::int32_t> half(length, 0);
  for (std::size_t j = 0; j < free.size(); ++j) {
    half[free[j]] = static_cast<std::int32_t>(problem.levels().value(j, indices[j]));
  }
  return half;
}

std::vector<std::int32_t> impulse_response(const FirSpecification& specification, std::span<const std::int32_t> half) {
  std::vector<std::int32_t> coefficients(static_cast<std::size_t>(specification.taps), 0);
  const bool symmetric = is_symmetric(specification.type);
  for (std::int32_t tap = 0; tap < specification.taps; ++tap) {
    const std::size_t k = half_index(specification, tap);
    if (k == half.size()) continue;
    const bool right = 2 * tap > specification.taps - 1;
    coefficients[static_cast<std::size_t>(tap)] = right && !symmetric ? -half[k] : half[k];
  }
  return coefficients;
}

}  // namespace

FirDesign design_fir(const FirSpecification& given, const SolveOptions& given_options, RunControl& control) {
  check_specification(given);
  const std::size_t length = half_length(given);
  if (!given_options.initial.empty() && given_options.initial.size() != length) {
    throw Error(ErrorCode::shape_mismatch, "initial",
                "`initial` must have length " + std::to_string(length) + ", got " +
                    std::to_string(given_options.initial.size()));
  }
  const FirSpecification specification = with_positions(given, given_options.initial, control);
  const std::vector<std::size_t> free = free_half_taps(specification);
  SolveOptions options = given_options;
  std::vector<std::int32_t> initial, shown;
  if (!options.initial.empty()) {
    initial = indices_of(make_fir_problem(specification), free, options.initial);
    options.initial = initial;
  }
  // Level indices mean nothing outside; whoever watches sees the half response.
  const auto report = [&](const Problem& problem, Progress progress) {
    const std::span<const std::byte> best = progress.best;
    shown = half_of(problem, free, length,
                    {reinterpret_cast<const std::int32_t*>(best.data()), best.size() / sizeof(std::int32_t)});
    progress.best = std::as_bytes(std::span<const std::int32_t>(shown));
    control.report(progress);
  };
  const double minimum = specification.gain_range.minimum;
  const double maximum = specification.gain_range.maximum;
  GainTrial best;
  if (minimum == maximum) {
    best.gain = minimum;
    const Problem problem = make_fir_problem(specification, minimum);
    RunControl inner(control, remaining_seconds(control));
    inner.on_progress([&](const Progress& progress) { report(problem, progress); });
    best.result = solve(problem, options, inner);
  } else {
    // The best ripple as a function of the gain jumps about (the integers that fit change), so: a scan of 64 gains with
    // an eighth of the effort, then the eight best gains with the rest.
    constexpr std::size_t scan = 64, finalists = 8;
    std::vector<GainTrial> trials(scan);
    std::uint64_t spent_iterations = 0, spent_evaluations = 0;
    const bool limited = options.iteration_limit > 0;
    const auto run = [&](GainTrial& trial, double share, std::uint64_t iterations) {
      const Problem problem = make_fir_problem(specification, trial.gain);
      SolveOptions part = options;
      part.bound = BoundRequest::no;
      part.target = options.target * trial.gain;
      part.iteration_limit = iterations;
      if (!trial.result.indices.empty()) part.initial = trial.result.indices;
      const std::vector<std::int32_t> start(part.initial.begin(), part.initial.end());
      part.initial = start;
      part.continuous = {};
      RunControl inner(control, remaining_seconds(control) * share);
      inner.on_progress([&](const Progress& progress) {
        Progress outer = progress;
        outer.phase = "gain";
        outer.objective = progress.objective / trial.gain;
        if (best.ripple < outer.objective) {
          outer.objective = best.ripple;
          outer.best = std::as_bytes(std::span<const std::int32_t>(best.result.indices));
        }
        report(problem, outer);
      });
      SolveResult result = solve(problem, part, inner);
      spent_iterations += result.iterations;
      spent_evaluations += result.evaluations;
      const double ripple = result.objective / trial.gain;
      if (ripple < trial.ripple) {
        trial.ripple = ripple;
        trial.result = std::move(result);
      }
      if (trial.ripple < best.ripple) {
        best = trial;
        best.result.trace.push_back({trial.ripple, spent_iterations, control.seconds()});
      }
    };
    for (std::size_t k = 0; k < scan; ++k) {
      trials[k].gain = minimum + (maximum - minimum) * (static_cast<double>(k) / static_cast<double>(scan - 1));
      if (k > 0 && control.should_stop()) break;
      run(trials[k], 0.125 / static_cast<double>(scan - k),
          limited ? std::max<std::uint64_t>(1, options.iteration_limit / (8 * scan)) : 2000);
    }
    std::stable_sort(trials.begin(), trials.end(),
                     [](const GainTrial& a, const GainTrial& b) { return a.ripple < b.ripple; });
    for (std::size_t k = 0; k < finalists && !control.should_stop() && best.ripple > options.target; ++k) {
      const std::uint64_t left = options.iteration_limit - std::min(options.iteration_limit, spent_iterations);
      if (limited && left == 0) break;
      run(trials[k], 1.0 / static_cast<double>(finalists - k),
          limited ? std::max<std::uint64_t>(1, left / (finalists - k)) : 0);
    }
    best.result.iterations = spent_iterations;
    best.result.evaluations = spent_evaluations;
    if (control.cancelled()) {
      best.result.status = SolveStatus::cancelled;
    } else if (best.ripple <= options.target) {
      best.result.status = SolveStatus::target;
    } else if (control.should_stop()) {
      best.result.status = SolveStatus::time_limit;
    } else {
      best.result.status = limited ? SolveStatus::iteration_limit : SolveStatus::stagnation;
    }
  }

  FirDesign design;
  const Problem problem = make_fir_problem(specification, best.gain);
  const std::vector<std::int32_t> half = half_of(problem, free, length, best.result.indices);
  design.coefficients = impulse_response(specification, half);
  design.gain_factor = best.gain;
  design.ripple = best.result.objective / best.gain;
  design.continuous_ripple =
      continuous_ripple(specification, std::vector<double>(half.begin(), half.end()), best.gain) / best.gain;
  if (best.result.continuous.empty()) {
    RunControl relaxation_control(1);
    const LinearRelaxation relaxation = linear_relaxation(problem, {}, relaxation_control);
    best.result.continuous = relaxation.point;
    best.result.continuous_objective = relaxation.objective;
  }
  design.unquantised.assign(length, 0.0);
  for (std::size_t j = 0; j < free.size(); ++j) design.unquantised[free[j]] = best.result.continuous[j];
  design.unquantised_ripple = best.result.continuous_objective / best.gain;
  const std::vector<std::int32_t> rounded = nearest_levels(problem, best.result.continuous);
  design.rounded = half_of(problem, free, length, rounded);
  design.rounded_ripple = objective(problem, rounded) / best.gain;
  if (minimum == maximum) design.lower_bound = best.result.lower_bound / best.gain;
  design.search = std::move(best.result);
  return design;
}

}  // namespace dd::dmmv
