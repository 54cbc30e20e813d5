#include "odil/gauss_newton.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/reductions.hpp"
#include "odil/history.hpp"
#include "odil/linear_step.hpp"

namespace dd::odil {
namespace {

constexpr double least_gain = 1e-4;
constexpr double first_lambda = 1e-6;  // where damping begins when there was none
constexpr double largest_damping = 1e16;
constexpr double least_shortening = 1e-9;

double norm(std::span<const double> values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares);
}

/// ||J d + v||^2.
double predicted(const LinearStep& linear, std::span<const double> step, std::span<const double> residuals,
                 std::size_t threads) {
  std::vector<double> rows(residuals.size());
  linear.multiply(step, rows);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] += residuals[i];
  return dot(rows, rows, threads);
}

/// One run; its parts share where it stands.
class GaussNewton {
 public:
  GaussNewton(const Problem& problem, std::span<double> unknowns, const GaussNewtonOptions& options,
              RunControl& control)
      : problem_(problem),
        unknowns_(unknowns),
        options_(options),
        control_(control),
        threads_(control.threads()),
        history_(options.history_every),
        residuals_(problem.residuals()),
        trial_residuals_(problem.residuals()),
        step_(unknowns.size()),
        trial_(unknowns.size()),
        slope_(unknowns.size()) {}

  GaussNewtonResult run();

 private:
  enum class Outcome : std::uint8_t { accepted, rejected, ended };

  bool damped() const noexcept { return options_.levenberg_marquardt; }
  void iterate();
  bool begin_iteration();
  bool find_step();
  Outcome try_step();
  bool fall_back();
  bool raise_damping();
  bool end(SolveStatus status, std::string detail = {}) {
    result_.status = status;
    result_.detail = std::move(detail);
    return false;
  }
  /// Residuals at z, weighted, and their sum of squares, which is not finite where one of them is not.
  double evaluate(std::span<const double> z, std::vector<double>& into) const;
  void choose(LinearChoice choice);
  bool too_short(double length) const {
    return length <= options_.step_tolerance * (norm(unknowns_) + options_.step_tolerance);
  }
  /// "the residual u[3] is not finite"; empty where all are finite.
  std::string not_finite(std::span<const double> residuals, std::string* name = nullptr) const;

  const Problem& problem_;
  std::span<double> unknowns_;
  const GaussNewtonOptions& options_;
  RunControl& control_;
  std::size_t threads_;
  History<GaussNewtonStep> history_;
  std::unique_ptr<LinearStep> linear_;
  std::vector<double> scales_, residuals_, trial_residuals_, step_, trial_, slope_;
  double gradient_ = 0;
  double model_ = 0;       // what the linear model promises
  double shortening_ = 1;  // of a step that takes no damping
  // Without damping steps may go up: the state of the smallest loss, for a run that breaks down later.
  std::vector<double> best_;
  double best_loss_ = 0;
  GaussNewtonResult result_;
};

double GaussNewton::evaluate(std::span<const double> z, std::vector<double>& into) const {
  problem_.evaluate<double>(z, into, threads_);
  const double loss = problem_.loss<double>(into, scales_, threads_);
  linear_->weigh(into);
  return loss;
}

void GaussNewton::choose(LinearChoice choice) {
  linear_ = std::move(choice.step);
  linear_->rescale(scales_);
  result_.state.linear_solver = result_.linear_solver = linear_->solver();
  result_.reason = std::move(choice.reason);
}

std::string GaussNewton::not_finite(std::span<const double> residuals, std::string* name) const {
  const std::size_t bad = first_non_finite(residuals, threads_);
  if (bad == residuals.size()) return {};
  const std::string of = problem_.residual_name(bad);
  if (name != nullptr) *name = of;
  return "the residual " + of + " is not finite";
}

/// Another linear solver where the automatic one has failed; false where there is none.
bool GaussNewton::fall_back() {
  if (options_.linear_solver != LinearSolver::automatic || linear_->solver() == LinearSolver::cholesky) return false;
  const LinearSolver before = linear_->solver();
  LinearChoice next = choose_linear_step(problem_, LinearSolver::automatic, options_.normalization, threads_, before);
  next.reason += std::string(" (") + linear_solver_name(before) + " failed)";
  choose(std::move(next));
  linear_->linearise(unknowns_);
  return true;
}

/// More damping; false where there is too much already.
bool GaussNewton::raise_damping() {
  double& lambda = result_.state.lambda;
  if (lambda > largest_damping) return false;
  lambda = std::max(lambda * result_.state.growth, first_lambda);
  result_.state.growth *= 2;
  return true;
}

/// Derivatives at the state; false where the run is over.
bool GaussNewton::begin_iteration() {
  if (decays(options_.weights)) {
    scales_ = scales_at(problem_, options_.normalization, options_.weights, result_.state.iterations);
    linear_->rescale(scales_);
    result_.loss = evaluate(unknowns_, residuals_);
  }
  linear_->linearise(unknowns_);
  linear_->slope(residuals_, slope_);
  if (const std::size_t bad = first_non_finite(std::span<const double>(slope_), threads_); bad < slope_.size()) {
    const std::string name = problem_.unknown_name(bad);
    throw Error(ErrorCode::not_finite, name, "the derivative of the loss by " + name + " is not finite");
  }
  gradient_ = max_abs(slope_, threads_);
  if (result_.state.iterations == 0) result_.state.first_gradient = gradient_;
  linear_->aim_at(options_.gradient_tolerance * result_.state.first_gradient / gradient_);
  shortening_ = 1;
  return gradient_ > options_.gradient_tolerance * result_.state.first_gradient || end(SolveStatus::gradient);
}

/// The linear step with as much damping as it needs to exist; false where the run is over.
bool GaussNewton::find_step() {
  for (;;) {
    if (const StopReason reason = control_.stop_reason(); reason != StopReason::none) return end(status_of(reason));
    ++result_.factorizations;
    const bool newton = linear_->newton();
    const Damping damping{options_.damp, options_.damp_diagonal, newton ? 0 : result_.state.lambda};
    const StepResult found = linear_->solve(residuals_, damping, step_, control_);
    result_.linear_iterations += found.iterations;
    if (found.status == linalg::FactorStatus::stopped) return end(status_of(control_.stop_reason()));
    const bool failed = found.status != linalg::FactorStatus::factored;
    if ((failed || !found.converged) && fall_back()) continue;
    if (!failed) {
      model_ = predicted(*linear_, step_, residuals_, threads_);
      return true;
    }
    if (!damped() || newton) {
      const std::string where =
          found.unknown == linalg::no_index ? "" : " at the unknown " + problem_.unknown_name(found.unknown);
      const std::string what =
          "the linear equations are singular" + where + ": give `damp` or damping 'levenberg-marquardt'";
      if (result_.iterations == 0) throw Error(ErrorCode::singular, "problem", what);
      return end(SolveStatus::stalled, what);
    }
    if (!raise_damping()) return end(SolveStatus::stalled);
  }
}

GaussNewton::Outcome GaussNewton::try_step() {
  const bool newton = linear_->newton();
  for (std::size_t k = 0; k < unknowns_.size(); ++k) trial_[k] = unknowns_[k] + shortening_ * step_[k];
  const double loss = evaluate(trial_, trial_residuals_);
  const double length = shortening_ * norm(step_);
  // Of a shortened step the model promises the same share of what the whole one does, at least half of it.
  const double gain = (result_.loss - loss) / (shortening_ * (result_.loss - model_));
  if (!std::isfinite(loss) || (damped() && !(loss < result_.loss && gain > least_gain))) {
    if (std::isfinite(loss) && too_short(length)) return end(SolveStatus::step), Outcome::ended;
    const bool hopeless = newton ? shortening_ < least_shortening : damped() && result_.state.lambda > largest_damping;
    if (!damped() || hopeless) {
      const std::string detail = not_finite(trial_residuals_);
      return end(detail.empty() ? SolveStatus::stalled : SolveStatus::not_finite, detail), Outcome::ended;
    }
    if (newton) shortening_ /= 2;
    return Outcome::rejected;
  }
  if (!damped() && loss > result_.loss && (best_.empty() || result_.loss < best_loss_)) {
    best_.assign(unknowns_.begin(), unknowns_.end());
    best_loss_ = result_.loss;
  }
  std::swap(residuals_, trial_residuals_);
  std::copy(trial_.begin(), trial_.end(), unknowns_.begin());
  const double decrease = result_.loss - loss, lambda = result_.state.lambda;
  result_.loss = loss;
  ++result_.iterations;
  ++result_.state.iterations;
  history_.add({result_.state.iterations, loss, gradient_, newton ? 0 : lambda, length});
  if (damped()) {
    const double over = 2 * gain - 1;
    result_.state.lambda *= std::max(1.0 / 3, 1 - over * over * over);
    result_.state.growth = 2;
  }
  control_.report({.phase = "gauss-newton",
                   .fraction = static_cast<double>(result_.iterations) / static_cast<double>(options_.max_iterations),
                   .iterations = result_.state.iterations,
                   .objective = loss,
                   .best = std::as_bytes(unknowns_)});
  if (too_short(length)) return end(SolveStatus::step), Outcome::ended;
  if (damped() && decrease <= options_.loss_tolerance * (loss + decrease)) {
    return end(SolveStatus::loss), Outcome::ended;
  }
  return Outcome::accepted;
}

GaussNewtonResult GaussNewton::run() {
  result_.state = options_.resume.value_or(GaussNewtonState{.lambda = damped() ? options_.initial_lambda : 0});
  scales_ = scales_at(problem_, options_.normalization, options_.weights, result_.state.iterations);
  const bool again = options_.linear_solver == LinearSolver::automatic && options_.resume;
  const LinearSolver wanted = again ? options_.resume->linear_solver : options_.linear_solver;
  choose(choose_linear_step(problem_, wanted, options_.normalization, threads_));
  result_.loss = evaluate(unknowns_, residuals_);
  std::string name;
  if (const std::string what = not_finite(residuals_, &name); !what.empty()) {
    throw Error(ErrorCode::not_finite, name, what + " at the start");
  }
  try {
    iterate();
  } catch (const Error& error) {  // a derivative that is not finite: the state before it is still good
    if (error.code() != ErrorCode::not_finite || result_.state.iterations == 0) throw;
    end(SolveStatus::not_finite, error.what());
  }
  const bool broken = result_.status == SolveStatus::stalled || result_.status == SolveStatus::not_finite;
  if (broken && !best_.empty() && best_loss_ < result_.loss && !decays(options_.weights)) {
    std::copy(best_.begin(), best_.end(), unknowns_.begin());
    result_.loss = best_loss_;
  }
  result_.history = history_.records();
  return std::move(result_);
}

void GaussNewton::iterate() {
  while (result_.iterations < options_.max_iterations && begin_iteration()) {
    Outcome outcome = Outcome::rejected;
    for (bool solved = false; outcome == Outcome::rejected;) {
      if (!solved && !find_step()) break;
      if (control_.should_stop()) {
        end(status_of(control_.stop_reason()));
        break;
      }
      solved = true;
      outcome = try_step();
      if (outcome != Outcome::rejected || linear_->newton()) continue;
      solved = false;
      if (!raise_damping()) {
        end(SolveStatus::stalled);
        break;
      }
    }
    if (outcome != Outcome::accepted) break;
  }
}

}  // namespace

GaussNewtonResult gauss_newton(const Problem& problem, std::span<double> unknowns, const GaussNewtonOptions& options,
                               RunControl& control) {
  for (const BlockDescription& block : problem.description().blocks) {
    if (!block.raw) continue;
    throw Error(ErrorCode::invalid_argument_value, block.name,
                "`" + block.name + "` is raw, which Gauss-Newton cannot minimise: it needs squares");
  }
  return GaussNewton(problem, unknowns, options, control).run();
}

}  // namespace dd::odil
