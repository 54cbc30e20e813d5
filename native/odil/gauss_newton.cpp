#include "odil/gauss_newton.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/error.hpp"
#include "core/reductions.hpp"
#include "linalg/sparse/least_squares.hpp"

namespace dd::odil {
namespace {

constexpr double least_gain = 1e-4;
constexpr double first_lambda = 1e-6;  // where damping begins when there was none
constexpr double largest_lambda = 1e16;
constexpr double scale_floor = 1e-12;

double norm(std::span<const double> values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares);
}

/// Unknowns that are nothing but fields are eliminated by nested dissection of their grid.
std::optional<linalg::GridLayout> layout_of(const ProblemDescription& description) {
  if (description.parameters > 0 || description.axis_names.size() > linalg::most_grid_axes) return std::nullopt;
  linalg::GridLayout layout;
  layout.axes = description.axis_names.size();
  for (std::size_t axis = 0; axis < layout.axes; ++axis) layout.periodic[axis] = description.periodic[axis];
  for (const Operand& field : description.fields) {
    std::array<std::size_t, linalg::most_grid_axes> extents{1, 1, 1, 1};
    for (std::size_t axis = 0; axis < layout.axes; ++axis) {
      extents[axis] = static_cast<std::size_t>(field.shape.count[axis]);
    }
    layout.fields.push_back(extents);
  }
  return layout;
}

/// The weighted problem at one state, and the linear step from it.
class Linearization {
 public:
  Linearization(const Problem& problem, const GaussNewtonOptions& options, std::size_t threads)
      : problem_(problem),
        options_(options),
        threads_(threads),
        matrix_(problem.pattern()),
        layout_(layout_of(problem.description())),
        solver_(matrix_.pattern, layout_ ? &*layout_ : nullptr, threads),
        residuals_(problem.residuals()),
        trial_(problem.residuals()),
        scale_(problem.unknowns()) {}

  /// Weighted residuals at z; their sum of squares, not finite where a residual is not.
  double evaluate(std::span<const double> z, std::vector<double>& into) const {
    problem_.evaluate<double>(z, into, threads_);
    const double loss = problem_.loss<double>(into, options_.normalization, threads_);
    for (std::size_t b = 0; b < problem_.description().blocks.size(); ++b) {
      const double weight = std::sqrt(problem_.block_scale(b, options_.normalization));
      for (std::size_t i = problem_.block_offset(b); i < problem_.block_offset(b + 1); ++i) into[i] *= weight;
    }
    return loss;
  }

  double start(std::span<const double> z) {
    const double loss = evaluate(z, residuals_);
    const std::size_t bad = first_non_finite(residuals_, threads_);
    if (bad < residuals_.size()) {
      const std::string name = problem_.residual_name(bad);
      throw Error(ErrorCode::not_finite, name, "the residual " + name + " is not finite at the start");
    }
    return loss;
  }

  /// J at z; max |J^T v|.
  double linearise(std::span<const double> z) {
    problem_.jacobian(z, matrix_, threads_);
    for (std::size_t b = 0; b < problem_.description().blocks.size(); ++b) {
      const double weight = std::sqrt(problem_.block_scale(b, options_.normalization));
      if (weight == 1) continue;
      const std::size_t end = matrix_.pattern.starts[problem_.block_offset(b + 1)];
      for (std::size_t k = matrix_.pattern.starts[problem_.block_offset(b)]; k < end; ++k) matrix_.values[k] *= weight;
    }
    const std::size_t bad = first_non_finite(std::span<const double>(matrix_.values), threads_);
    if (bad < matrix_.values.size()) {
      const auto row = std::upper_bound(matrix_.pattern.starts.begin(), matrix_.pattern.starts.end(), bad) -
                       matrix_.pattern.starts.begin() - 1;
      const std::string name = problem_.residual_name(static_cast<std::size_t>(row));
      throw Error(ErrorCode::not_finite, name, "a derivative of the residual " + name + " is not finite");
    }
    std::fill(scale_.begin(), scale_.end(), 0);
    for (std::size_t k = 0; k < matrix_.values.size(); ++k) {
      scale_[matrix_.pattern.indices[k]] += matrix_.values[k] * matrix_.values[k];
    }
    double largest = 0;
    for (double& scale : scale_) {
      scale = std::sqrt(scale);
      largest = std::max(largest, scale);
    }
    // A structurally empty column stays at zero: its step is zero, whatever the damping.
    for (double& scale : scale_) {
      if (scale > 0) scale = std::max(scale, scale_floor * largest);
    }
    std::vector<double> slope(problem_.unknowns());
    linalg::multiply_transposed(matrix_, solver_.normal_equations().transposed(), residuals_, slope, threads_);
    return max_abs(slope, threads_);
  }

  linalg::FactorResult factor(double lambda, RunControl& control) {
    return solver_.factor(
        matrix_, {.damp = options_.damp, .damp_diagonal = options_.damp_diagonal, .lambda = lambda, .scale = scale_},
        control);
  }
  void solve(std::span<double> step) const { solver_.solve(matrix_, residuals_, step, 1, threads_); }

  /// ||J d + v||^2.
  double predicted(std::span<const double> step) const {
    std::vector<double> linear(problem_.residuals());
    linalg::multiply(matrix_, step, linear, threads_);
    double squares = 0;
    for (std::size_t i = 0; i < linear.size(); ++i)
      squares += (linear[i] + residuals_[i]) * (linear[i] + residuals_[i]);
    return squares;
  }

  double try_state(std::span<const double> z) { return evaluate(z, trial_); }
  void accept() { std::swap(residuals_, trial_); }

 private:
  const Problem& problem_;
  const GaussNewtonOptions& options_;
  std::size_t threads_;
  linalg::SparseMatrix matrix_;
  std::optional<linalg::GridLayout> layout_;
  linalg::SparseLeastSquares solver_;
  std::vector<double> residuals_, trial_, scale_;
};

}  // namespace

GaussNewtonResult gauss_newton(const Problem& problem, std::span<double> unknowns, const GaussNewtonOptions& options,
                               RunControl& control) {
  for (const BlockDescription& block : problem.description().blocks) {
    if (!block.raw) continue;
    throw Error(ErrorCode::invalid_argument_value, block.name,
                "`" + block.name + "` is raw, which Gauss-Newton cannot minimise: it needs squares");
  }
  Linearization at(problem, options, control.threads());
  GaussNewtonResult result;
  result.loss = at.start(unknowns);
  double lambda = options.levenberg_marquardt ? options.initial_lambda : 0, growth = 2, first_gradient = 0;
  std::vector<double> step(unknowns.size()), trial(unknowns.size());
  const auto stopped = [&](StopReason reason) {
    result.status = reason == StopReason::cancelled ? SolveStatus::cancelled : SolveStatus::time_limit;
  };

  while (result.iterations < options.max_iterations) {
    const double gradient = at.linearise(unknowns);
    if (result.iterations == 0) first_gradient = gradient;
    if (gradient <= options.gradient_tolerance * first_gradient) {
      result.status = SolveStatus::gradient;
      return result;
    }
    for (bool accepted = false; !accepted;) {
      if (const StopReason reason = control.stop_reason(); reason != StopReason::none) return stopped(reason), result;
      ++result.factorizations;
      const linalg::FactorResult factored = at.factor(lambda, control);
      if (factored.status == linalg::FactorStatus::stopped) return stopped(control.stop_reason()), result;
      double loss = 0, length = 0, gain = -1;
      if (factored.status == linalg::FactorStatus::factored) {
        at.solve(step);
        for (std::size_t k = 0; k < unknowns.size(); ++k) trial[k] = unknowns[k] + step[k];
        loss = at.try_state(trial);
        length = norm(step);
        gain = (result.loss - loss) / (result.loss - at.predicted(step));
        accepted = std::isfinite(loss) && (!options.levenberg_marquardt || gain > least_gain);
        if (!accepted && std::isfinite(loss) &&
            length <= options.step_tolerance * (norm(unknowns) + options.step_tolerance)) {
          result.status = SolveStatus::step;
          return result;
        }
      } else if (!options.levenberg_marquardt) {
        throw Error(ErrorCode::singular, "problem",
                    "the normal equations are singular at unknown " + std::to_string(factored.unknown) +
                        ": give `damp` or damping 'levenberg-marquardt'");
      }
      if (!accepted) {
        if (!options.levenberg_marquardt || lambda > largest_lambda) {
          result.status = SolveStatus::stalled;
          return result;
        }
        lambda = std::max(lambda * growth, first_lambda);
        growth *= 2;
        continue;
      }
      at.accept();
      std::copy(trial.begin(), trial.end(), unknowns.begin());
      const double decrease = result.loss - loss;
      result.loss = loss;
      ++result.iterations;
      result.history.push_back({loss, gradient, lambda, length});
      if (options.levenberg_marquardt) {
        const double over = 2 * gain - 1;
        lambda *= std::max(1.0 / 3, 1 - over * over * over);
        growth = 2;
      }
      control.report({.phase = "gauss-newton",
                      .fraction = static_cast<double>(result.iterations) / static_cast<double>(options.max_iterations),
                      .iterations = result.iterations,
                      .objective = loss,
                      .best = {}});
      if (length <= options.step_tolerance * (norm(unknowns) + options.step_tolerance)) {
        result.status = SolveStatus::step;
        return result;
      }
      if (options.levenberg_marquardt && decrease <= options.loss_tolerance * (loss + decrease)) {
        result.status = SolveStatus::loss;
        return result;
      }
    }
  }
  return result;
}

}  // namespace dd::odil
