#include "odil/gauss_newton.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.hpp"
#include "core/reductions.hpp"
#include "odil/linear_step.hpp"

namespace dd::odil {
namespace {

constexpr double least_gain = 1e-4;
constexpr double first_lambda = 1e-6;  // where damping begins when there was none
constexpr double largest_lambda = 1e16;
constexpr double least_shortening = 1e-9;
double norm(std::span<const double> values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares);
}

/// The weighted residuals at z and their sum of squares, which is not finite where a residual is not.
double evaluate(const Problem& problem, const LinearStep& step, std::span<const double> z, Normalization normalization,
                std::size_t threads, std::vector<double>& into) {
  problem.evaluate<double>(z, into, threads);
  const double loss = problem.loss<double>(into, normalization, threads);
  step.weigh(into);
  return loss;
}

void require_finite(const Problem& problem, std::span<const double> residuals, std::size_t threads) {
  const std::size_t bad = first_non_finite(residuals, threads);
  if (bad == residuals.size()) return;
  const std::string name = problem.residual_name(bad);
  throw Error(ErrorCode::not_finite, name, "the residual " + name + " is not finite at the start");
}

/// ||J d + v||^2.
double predicted(const LinearStep& linear, std::span<const double> step, std::span<const double> residuals,
                 std::size_t threads) {
  std::vector<double> rows(residuals.size());
  linear.multiply(step, rows);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] += residuals[i];
  return dot(rows, rows, threads);
}

}  // namespace

GaussNewtonResult gauss_newton(const Problem& problem, std::span<double> unknowns, const GaussNewtonOptions& options,
                               RunControl& control) {
  for (const BlockDescription& block : problem.description().blocks) {
    if (!block.raw) continue;
    throw Error(ErrorCode::invalid_argument_value, block.name,
                "`" + block.name + "` is raw, which Gauss-Newton cannot minimise: it needs squares");
  }
  const std::size_t threads = control.threads();
  LinearChoice choice = choose_linear_step(problem, options.linear_solver, options.normalization, threads);
  std::vector<double> residuals(problem.residuals()), trial_residuals(problem.residuals());
  std::vector<double> step(unknowns.size()), trial(unknowns.size()), slope(unknowns.size());
  GaussNewtonResult result;
  const auto note_choice = [&] {
    result.linear_solver = choice.step->solver();
    result.reason = choice.reason;
  };
  note_choice();
  result.loss = evaluate(problem, *choice.step, unknowns, options.normalization, threads, residuals);
  require_finite(problem, residuals, threads);
  const bool damped = options.levenberg_marquardt;
  double lambda = damped ? options.initial_lambda : 0, growth = 2, first_gradient = 0;
  const auto stopped = [&](StopReason reason) {
    result.status = reason == StopReason::cancelled ? SolveStatus::cancelled : SolveStatus::time_limit;
  };
  const auto too_short = [&](double length) {
    return length <= options.step_tolerance * (norm(unknowns) + options.step_tolerance);
  };

  while (result.iterations < options.max_iterations) {
    choice.step->linearise(unknowns);
    choice.step->slope(residuals, slope);
    const double gradient = max_abs(slope, threads);
    if (result.iterations == 0) first_gradient = gradient;
    if (gradient <= options.gradient_tolerance * first_gradient) {
      result.status = SolveStatus::gradient;
      return result;
    }
    double shortening = 1;  // of a step that takes no damping
    double model = 0;
    for (bool accepted = false, solved = false; !accepted;) {
      if (const StopReason reason = control.stop_reason(); reason != StopReason::none) return stopped(reason), result;
      const bool newton = choice.step->newton();
      if (!solved) {
        ++result.factorizations;
        const Damping damping{options.damp, options.damp_diagonal, newton ? 0 : lambda};
        const StepResult found = choice.step->solve(residuals, damping, step, control);
        result.linear_iterations += found.iterations;
        if (found.status == linalg::FactorStatus::stopped) return stopped(control.stop_reason()), result;
        const bool failed = found.status != linalg::FactorStatus::factored;
        if ((failed || !found.converged) && options.linear_solver == LinearSolver::automatic &&
            choice.step->solver() != LinearSolver::cholesky) {
          const std::string before = linear_solver_name(choice.step->solver());
          choice = choose_linear_step(problem, LinearSolver::automatic, options.normalization, threads,
                                      choice.step->solver());
          choice.reason += " (" + before + " failed)";
          note_choice();
          choice.step->linearise(unknowns);
          continue;
        }
        if (failed && (!damped || newton)) {
          throw Error(ErrorCode::singular, "problem",
                      "the equations are singular at unknown " + std::to_string(found.unknown) +
                          ": give `damp` or damping 'levenberg-marquardt'");
        }
        if (failed) {
          if (lambda > largest_lambda) return result.status = SolveStatus::stalled, result;
          lambda = std::max(lambda * growth, first_lambda);
          growth *= 2;
          continue;
        }
        model = predicted(*choice.step, step, residuals, threads);
        solved = true;
      }
      for (std::size_t k = 0; k < unknowns.size(); ++k) trial[k] = unknowns[k] + shortening * step[k];
      const double loss = evaluate(problem, *choice.step, trial, options.normalization, threads, trial_residuals);
      const double length = shortening * norm(step);
      // Of a shortened step the model promises the same share of what the whole one does, at least half of it.
      const double gain = (result.loss - loss) / (shortening * (result.loss - model));
      accepted = std::isfinite(loss) && (!damped || (loss < result.loss && gain > least_gain));
      if (!accepted) {
        if (std::isfinite(loss) && too_short(length)) return result.status = SolveStatus::step, result;
        if (!damped || lambda > largest_lambda || shortening < least_shortening) {
          return result.status = SolveStatus::stalled, result;
        }
        if (newton) {
          shortening /= 2;
        } else {
          lambda = std::max(lambda * growth, first_lambda);
          growth *= 2;
          solved = false;
        }
        continue;
      }
      std::swap(residuals, trial_residuals);
      std::copy(trial.begin(), trial.end(), unknowns.begin());
      const double decrease = result.loss - loss;
      result.loss = loss;
      ++result.iterations;
      result.history.push_back({loss, gradient, newton ? 0 : lambda, length});
      if (damped) {
        const double over = 2 * gain - 1;
        lambda *= std::max(1.0 / 3, 1 - over * over * over);
        growth = 2;
      }
      control.report({.phase = "gauss-newton",
                      .fraction = static_cast<double>(result.iterations) / static_cast<double>(options.max_iterations),
                      .iterations = result.iterations,
                      .objective = loss,
                      .best = {}});
      if (too_short(length)) return result.status = SolveStatus::step, result;
      if (damped && decrease <= options.loss_tolerance * (loss + decrease)) {
        return result.status = SolveStatus::loss, result;
      }
    }
  }
  return result;
}

}  // namespace dd::odil
