// Filter design on top of the solver: grid, rows, ripple between the grid points, the search over a free gain.
#include "dmmv/fir.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "core/error.hpp"
#include "dmmv/bound.hpp"
#include "dmmv/evaluate.hpp"

namespace dd::dmmv {
namespace {

[[noreturn]] void fail(ErrorCode code, const std::string& argument, const std::string& what) {
  throw Error(code, argument, "`" + argument + "` " + what);
}

void check_finite(double value, const std::string& argument) {
  if (!std::isfinite(value)) fail(ErrorCode::not_finite, argument, "must be finite, got " + std::to_string(value));
}

std::size_t half_length(const FirSpecification& specification) {
  return static_cast<std::size_t>(specification.taps / 2) + 1;
}

std::size_t grid_count(const FirSpecification& specification, const FirBand& band) {
  const double spacings =
      (band.to - band.from) * specification.grid_density * static_cast<double>(half_length(specification));
  // (0.5 - 0.1) * 16 * 18 must not become one point more by rounding.
  return static_cast<std::size_t>(std::ceil(spacings - 1e-9)) + 1;
}

double grid_point(const FirBand& band, std::size_t k, std::size_t count) {
  if (k + 1 == count && count > 1) return band.to;
  return count == 1 ? band.from
                    : band.from + (band.to - band.from) * (static_cast<double>(k) / static_cast<double>(count - 1));
}

double band_error(const FirSpecification& specification, const FirBand& band, std::span<const double> half,
                  double gain_factor, double frequency) {
  return band.weight * std::abs(fir_response(half, specification.word_length, frequency) - gain_factor * band.gain);
}

std::vector<double> half_values(const Problem& problem, std::span<const std::int32_t> indices) {
  return level_values(problem, indices);
}

/// Largest value of a unimodal function on [a, b] by golden section, to rounding.
template <class Function>
double golden_maximum(Function&& f, double a, double b) {
  constexpr double ratio = 0.6180339887498949;
  double x = b - ratio * (b - a), y = a + ratio * (b - a);
  double fx = f(x), fy = f(y);
  for (int step = 0; step < 60 && b - a > 1e-13; ++step) {
    if (fx < fy) {
      a = x;
      x = y;
      fx = fy;
      y = a + ratio * (b - a);
      fy = f(y);
    } else {
      b = y;
      y = x;
      fy = fx;
      x = b - ratio * (b - a);
      fx = f(x);
    }
  }
  return std::max(fx, fy);
}

/// The remaining limits of a run, as a control for a part of it.
double remaining_seconds(const RunControl& control) {
  return std::max(0.0, control.time_limit_seconds() - control.seconds());
}

}  // namespace

void check_specification(const FirSpecification& specification) {
  if (specification.taps < 1 || specification.taps > 4095 || specification.taps % 2 == 0) {
    fail(ErrorCode::invalid_argument_value, "taps",
         "must be odd, 1 to 4095, got " + std::to_string(specification.taps));
  }
  if (specification.word_length < 2 || specification.word_length > 30) {
    fail(ErrorCode::invalid_argument_value, "wordLength",
         "must be 2 to 30 bits, got " + std::to_string(specification.word_length));
  }
  if (specification.bands.empty()) fail(ErrorCode::invalid_argument_value, "bands", "must hold at least one band");
  for (std::size_t k = 0; k < specification.bands.size(); ++k) {
    const FirBand& band = specification.bands[k];
    const std::string name = "bands[" + std::to_string(k) + "]";
    check_finite(band.from, name + ".from");
    check_finite(band.to, name + ".to");
    check_finite(band.gain, name + ".gain");
    check_finite(band.weight, name + ".weight");
    if (!(band.from >= 0 && band.from <= 1)) {
      fail(ErrorCode::invalid_argument_value, name + ".from",
           "must be 0 to 1 (Nyquist), got " + std::to_string(band.from));
    }
    if (!(band.to >= band.from && band.to <= 1)) {
      fail(ErrorCode::invalid_argument_value, name + ".to",
           "must be `from` to 1 (Nyquist), got " + std::to_string(band.to));
    }
    if (!(band.weight > 0)) {
      fail(ErrorCode::invalid_argument_value, name + ".weight", "must be > 0, got " + std::to_string(band.weight));
    }
    if (k > 0 && band.from < specification.bands[k - 1].to) {
      fail(ErrorCode::invalid_argument_value, name + ".from",
           "must not lie before the end of the band before it, " + std::to_string(specification.bands[k - 1].to) +
               ", got " + std::to_string(band.from));
    }
  }
  check_finite(specification.grid_density, "gridDensity");
  if (!(specification.grid_density > 0 && specification.grid_density <= 1024)) {
    fail(ErrorCode::invalid_argument_value, "gridDensity",
         "must be > 0 and <= 1024, got " + std::to_string(specification.grid_density));
  }
  check_finite(specification.gain_range.minimum, "gainRange.minimum");
  check_finite(specification.gain_range.maximum, "gainRange.maximum");
  if (!(specification.gain_range.minimum > 0)) {
    fail(ErrorCode::invalid_argument_value, "gainRange.minimum",
         "must be > 0, got " + std::to_string(specification.gain_range.minimum));
  }
  if (!(specification.gain_range.maximum >= specification.gain_range.minimum)) {
    fail(ErrorCode::invalid_argument_value, "gainRange.maximum",
         "must be >= `gainRange.minimum`, got " + std::to_string(specification.gain_range.maximum));
  }
}

std::vector<double> fir_grid(const FirSpecification& specification) {
  check_specification(specification);
  std::vector<double> grid;
  for (const FirBand& band : specification.bands) {
    const std::size_t count = grid_count(specification, band);
    for (std::size_t k = 0; k < count; ++k) grid.push_back(grid_point(band, k, count));
  }
  return grid;
}

Problem make_fir_problem(const FirSpecification& specification, double gain_factor) {
  check_specification(specification);
  const std::size_t variables = half_length(specification);
  std::vector<double> frequencies, target, weights;
  for (const FirBand& band : specification.bands) {
    const std::size_t count = grid_count(specification, band);
    for (std::size_t k = 0; k < count; ++k) {
      frequencies.push_back(grid_point(band, k, count));
      target.push_back(gain_factor * band.gain);
      weights.push_back(band.weight);
    }
  }
  const std::size_t rows = frequencies.size();
  const double unit = std::ldexp(1.0, 1 - specification.word_length);
  std::vector<double> matrix(rows * variables);
  for (std::size_t j = 0; j < variables; ++j) {
    for (std::size_t i = 0; i < rows; ++i) {
      matrix[i + j * rows] =
          j == 0 ? unit : 2 * unit * std::cos(std::numbers::pi * (static_cast<double>(j) * frequencies[i]));
    }
  }
  const auto half_range = std::int64_t{1} << (specification.word_length - 1);
  ProblemDescription description;
  description.matrix = MatrixView<const double>::column_major(matrix.data(), rows, variables);
  description.lower = target;
  description.upper = target;
  description.weights = weights;
  description.levels = UniformLevels{-static_cast<double>(half_range), 1.0, 2 * half_range};
  return Problem::create(description);
}

double fir_response(std::span<const double> half, std::int32_t word_length, double frequency) {
  if (half.empty()) return 0;
  double sum = 0;
  for (std::size_t k = half.size() - 1; k > 0; --k) {
    sum += half[k] * std::cos(std::numbers::pi * (static_cast<double>(k) * frequency));
  }
  return std::ldexp(half[0] + 2 * sum, 1 - word_length);
}

double grid_ripple(const FirSpecification& specification, std::span<const double> half, double gain_factor) {
  double largest = 0;
  for (const FirBand& band : specification.bands) {
    const std::size_t count = grid_count(specification, band);
    for (std::size_t k = 0; k < count; ++k) {
      largest = std::max(largest, band_error(specification, band, half, gain_factor, grid_point(band, k, count)));
    }
  }
  return largest;
}

double continuous_ripple(const FirSpecification& specification, std::span<const double> half, double gain_factor) {
  constexpr std::size_t points = 4096;
  double largest = grid_ripple(specification, half, gain_factor);
  std::vector<double> errors(points);
  for (const FirBand& band : specification.bands) {
    for (std::size_t k = 0; k < points; ++k) {
      errors[k] = band_error(specification, band, half, gain_factor, grid_point(band, k, points));
    }
    const double coarse = std::max(largest, *std::max_element(errors.begin(), errors.end()));
    for (std::size_t k = 0; k < points; ++k) {
      const bool peak = (k == 0 || errors[k] >= errors[k - 1]) && (k + 1 == points || errors[k] >= errors[k + 1]);
      // A peak that is 1 % lower on 4096 points cannot overtake: between points an extremum rises by far less.
      if (!peak || errors[k] < 0.99 * coarse) continue;
      const double left = grid_point(band, k == 0 ? 0 : k - 1, points);
      const double right = grid_point(band, std::min(k + 1, points - 1), points);
      const auto error_at = [&](double f) { return band_error(specification, band, half, gain_factor, f); };
      largest = std::max({largest, errors[k], golden_maximum(error_at, left, right)});
    }
  }
  return largest;
}

namespace {

/// Search at one gain; returns the ripple divided by the gain.
struct GainTrial {
  double gain = 1;
  double ripple = std::numeric_limits<double>::infinity();
  SolveResult result;
};

}  // namespace

FirDesign design_fir(const FirSpecification& specification, const SolveOptions& options, RunControl& control) {
  check_specification(specification);
  const double minimum = specification.gain_range.minimum;
  const double maximum = specification.gain_range.maximum;
  GainTrial best;
  if (minimum == maximum) {
    best.gain = minimum;
    const Problem problem = make_fir_problem(specification, minimum);
    best.result = solve(problem, options, control);
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
        control.report(outer);
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
  const std::vector<double> half = half_values(problem, best.result.indices);
  const std::size_t centre = half.size() - 1;
  design.coefficients.resize(2 * centre + 1);
  for (std::size_t k = 0; k <= centre; ++k) {
    design.coefficients[centre + k] = design.coefficients[centre - k] = static_cast<std::int32_t>(half[k]);
  }
  design.gain_factor = best.gain;
  design.ripple = best.result.objective / best.gain;
  design.continuous_ripple = continuous_ripple(specification, half, best.gain) / best.gain;
  if (best.result.continuous.empty()) {
    RunControl relaxation_control(1);
    const LinearRelaxation relaxation = linear_relaxation(problem, {}, relaxation_control);
    best.result.continuous = relaxation.point;
    best.result.continuous_objective = relaxation.objective;
  }
  design.unquantised = best.result.continuous;
  design.unquantised_ripple = best.result.continuous_objective / best.gain;
  design.rounded_ripple = objective(problem, nearest_levels(problem, design.unquantised)) / best.gain;
  if (minimum == maximum) design.lower_bound = best.result.lower_bound / best.gain;
  design.search = std::move(best.result);
  return design;
}

}  // namespace dd::dmmv
