#include "odil/control_space.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/error.hpp"
#include "odil/control_step.hpp"
#include "odil/row_losses.hpp"

namespace dd::odil {
namespace {

constexpr double march_accuracy = 1e-3;  // of the root of the loss: what trial states may miss their equations by
constexpr double trial_sweep_tolerance = 1e-4;
constexpr std::size_t trial_newton_steps = 12;
constexpr double short_step = 0.2;   // a line search that ends below it has met a jump
constexpr std::size_t freezing = 6;  // iterations
constexpr double largest_lambda = 1e8;
constexpr double smallest_lambda = 1e-12;
constexpr double much_better = 0.5;  // a given state is taken when its loss is this share of the marched one's

/// Parameters in the condition of a where: the loss may jump as they move.
std::vector<bool> jumping_parameters(Graph& graph, const Problem& problem) {
  std::vector<bool> result(problem.description().parameters, false);
  std::vector<NodeId> conditions;
  const auto read = [&](NodeId root) {
    const std::vector<bool> needed = reachable(graph, std::vector{root});
    for (NodeId id = 0; id < needed.size(); ++id) {
      if (!needed[id] || graph[id].op != Op::select_less) continue;
      conditions.push_back(graph[id].child[0]);
      conditions.push_back(graph[id].child[1]);
    }
  };
  for (const BlockDescription& block : problem.description().blocks) {
    for (const NodeId root : block.roots) read(root);
  }
  if (conditions.empty()) return result;
  const std::vector<bool> needed = reachable(graph, conditions);
  for (NodeId id = 0; id < needed.size(); ++id) {
    if (needed[id] && graph[id].op == Op::parameter) result[static_cast<std::size_t>(graph[id].id)] = true;
  }
  return result;
}

template <class T>
class ControlSpace {
 public:
  ControlSpace(const Problem& problem, const Evolution& evolution, std::span<T> unknowns,
               std::span<const ParameterRange> ranges, const ControlSpaceOptions& options, RunControl& control)
      : problem_(problem),
        evolution_(evolution),
        unknowns_(unknowns),
        state_(unknowns.first(problem.grid_unknowns())),
        parameters_(unknowns.begin() + static_cast<std::ptrdiff_t>(problem.grid_unknowns()), unknowns.end()),
        options_(options),
        control_(control),
        threads_(control.threads()),
        scale_(ranges, parameters_),
        programs_(problem, evolution),
        nonlinear_(problem, evolution, programs_),
        scales_(problem.scales(options.normalization, options.weights)),
        losses_(problem, evolution, scales_),
        weights_(equation_weights(problem, evolution, scales_)),
        step_(problem, evolution, programs_, scales_, scale_, options, control),
        misfit_(step_.vector()),
        frozen_(scale_.size(), 0) {
    problem.with_graph([&](Graph& graph) { jumping_ = jumping_parameters(graph, problem); });
  }

  ControlSpaceResult run() {
    ControlSpaceResult result;
    if (!start(result)) return stopped(result);
    double lambda = options_.initial_lambda;
    bool settled = false;  // the last step changed nothing any more
    while (result.iterations < options_.max_iterations) {
      ControlSpaceStep step;
      step.lambda = lambda;
      const double before = result.loss;
      Outcome outcome = Outcome::stopped;
      try {
        outcome = iterate(result, step);
      } catch (const Error& error) {
        // On the way the best state is not given up.
        if (result.iterations == 0 || error.code() == ErrorCode::out_of_memory) throw;
        result.status = error.code() == ErrorCode::not_finite ? SolveStatus::not_finite : SolveStatus::stalled;
        result.detail = error.what();
        return result;
      }
      if (outcome == Outcome::stopped) return stopped(result);
      result.marches += step.marches;
      result.linear_iterations += step.linear_iterations;
      step.loss = result.loss;
      result.history.push_back(step);
      ++result.iterations;
      control_.report(
          {.phase = "control-space",
           .fraction = static_cast<double>(result.iterations) / static_cast<double>(options_.max_iterations),
           .iterations = result.iterations,
           .objective = result.loss,
           .best = std::as_bytes(unknowns_)});
      const bool was_frozen = thaw();
      if (outcome == Outcome::rejected || step.alpha < short_step) {
        if (freeze()) continue;
      }
      if (outcome == Outcome::rejected) {
        lambda = std::max(lambda, smallest_lambda) * 10;
        if (lambda <= largest_lambda && scale_.size() > 0) continue;
        result.status = SolveStatus::stalled;
        return result;
      }
      lambda = step.alpha == 1 ? std::max(lambda / 5, smallest_lambda) : lambda * 3;
      const bool small = before - result.loss <= options_.loss_tolerance * before;
      // A small decrease means the end only when nothing was held back, or twice in a row.
      if (result.loss == 0 || (small && (settled || !was_frozen))) {
        result.status = SolveStatus::loss;
        return result;
      }
      if (small) std::fill(frozen_.begin(), frozen_.end(), 0);
      settled = small;
    }
    return result;
  }

 private:
  enum class Outcome { accepted, rejected, stopped };

  T* row_of(StateVector<T>& vector, std::size_t row) const { return vector.data() + row * evolution_.row_points; }

  ControlSpaceResult& stopped(ControlSpaceResult& result) const {
    result.status = control_.stop_reason() == StopReason::cancelled ? SolveStatus::cancelled : SolveStatus::time_limit;
    return result;
  }

  // ---- the first state ---------------------------------------------------------------------------------------------
  bool start(ControlSpaceResult& result) {
    StateVector<T>&given = step_.spare(), &given_misfit = step_.second_spare();
    std::copy(state_.begin(), state_.end(), given.span().begin());
    const double given_loss = losses_.evaluate(sources(given.span(), parameters_), given_misfit.data(), threads_);
    MarchOptions march_options{.sweep_tolerance = sweep_tolerance<T>(options_)};
    losses_.begin();
    const PointSources<T> at = sources(std::span<const T>(state_), parameters_);
    const MarchResult marched = nonlinear_.run(
        at, state_.data(), march_options, [](std::size_t, T*) {},
        [&](std::size_t row, const T* residuals) {
          keep_misfit(misfit_, row, residuals);
          losses_.add(at, row, residuals, threads_);
          return true;
        },
        control_);
    if (marched.status == MarchStatus::stopped) {
      std::copy(given.span().begin(), given.span().end(), state_.begin());
      result.loss = result.initial_loss = given_loss;
      return false;
    }
    const double marched_loss = marched.status == MarchStatus::finished ? losses_.finish(at) : INFINITY;
    const bool take_given = options_.weak && std::isfinite(given_loss) &&
                            (given_loss < much_better * marched_loss || !std::isfinite(marched_loss));
    if (!take_given && !std::isfinite(marched_loss)) {
      if (marched.status != MarchStatus::finished) throw_march_error(problem_, marched);
      throw Error(ErrorCode::not_finite, "problem",
                  "the loss of the state that marches from the parameters is not finite");
    }
    if (take_given) {
      std::copy(given.span().begin(), given.span().end(), state_.begin());
      for (std::size_t row = 0; row < evolution_.rows; ++row) keep_misfit(misfit_, row, row_of(given_misfit, row));
    }
    result.loss = result.initial_loss = take_given ? given_loss : marched_loss;
    result.marches = 1;
    return true;
  }

  PointSources<T> sources(std::span<const T> state, std::span<const double> parameters) const {
    return problem_.sources<T>(state, parameters);
  }
  /// Weighted residuals of a row's equation.
  void keep_misfit(StateVector<T>& to, std::size_t row, const T* residuals) const {
    T* const own = row_of(to, row);
    const T weight = static_cast<T>(weights_[row]);
    for (std::size_t i = 0; i < evolution_.row_points; ++i) own[i] = weight * residuals[i];
  }

  // ---- one step ----------------------------------------------------------------------------------------------------
  Outcome iterate(ControlSpaceResult& result, ControlSpaceStep& step) {
    const PointSources<T> at = sources(std::span<const T>(state_), parameters_);
    if (!step_.find(at, misfit_, step.lambda * result.loss, frozen_, step)) return Outcome::stopped;
    return search_line(scale_.inner(parameters_), result, step);
  }

  // ---- trial states ------------------------------------------------------------------------------------------------
  /// Marches the state for which the misfit has made `alpha` of its step, in step_.spare(); its loss, infinite where it
  /// is no better than `best`; none when it was stopped.
  std::optional<double> try_state(double alpha, std::span<const double> parameters, double best,
                                  ControlSpaceStep& step) {
    const std::size_t points = evolution_.row_points;
    for (std::size_t i = 0; i < state_.size(); ++i) {
      step_.spare().data()[i] = state_[i] + static_cast<T>(alpha) * step_.change().data()[i];
    }
    const PointSources<T> at = sources(std::as_const(step_.spare()).span(), parameters);
    const double equations = static_cast<double>(evolution_.rows * points) * weights_.back() * weights_.back();
    const MarchOptions march_options{.tolerance = march_accuracy * std::sqrt(best / equations),
                                     .sweep_tolerance = trial_sweep_tolerance,
                                     .newton_steps = trial_newton_steps,
                                     .start_from_previous_row = false};
    losses_.begin();
    ++step.marches;
    const MarchResult marched = nonlinear_.run(
        at, step_.spare().data(), march_options,
        [&](std::size_t row, T* residuals) {
          const T weight = static_cast<T>(1 / weights_[row]), share = static_cast<T>(alpha);
          const T* const misfit = row_of(misfit_, row);
          const T* const change = step_.misfit_step().data() + row * points;
          for (std::size_t i = 0; i < points; ++i) residuals[i] -= weight * (misfit[i] + share * change[i]);
        },
        [&](std::size_t row, const T* residuals) {
          keep_misfit(step_.second_spare(), row, residuals);
          losses_.add(at, row, residuals, threads_);
          return losses_.partial() < best;  // false for NaN
        },
        control_);
    if (marched.status == MarchStatus::stopped) return std::nullopt;
    if (marched.status != MarchStatus::finished) {
      // What could not be marched may hold anything, and later marches multiply it with 0.
      std::fill(step_.spare().span().begin(), step_.spare().span().end(), T(0));
      std::fill(step_.second_spare().span().begin(), step_.second_spare().span().end(), T(0));
      return INFINITY;
    }
    return losses_.finish(at);
  }

  Outcome search_line(std::span<const double> inner, ControlSpaceResult& result, ControlSpaceStep& step) {
    const std::span<const double> parameter_step = step_.parameter_step();
    double alpha = 1;
    for (std::size_t halving = 0; halving <= options_.halvings; ++halving, alpha /= 2) {
      std::vector<double> moved(inner.begin(), inner.end());
      for (std::size_t k = 0; k < moved.size(); ++k) {
        moved[k] = std::clamp(moved[k] + alpha * parameter_step[k], scale_.lower(k), scale_.upper(k));
      }
      const std::vector<double> parameters = scale_.outer(moved);
      const std::optional<double> loss = try_state(alpha, parameters, result.loss, step);
      if (!loss) return Outcome::stopped;
      if (!(*loss < result.loss)) continue;
      std::copy(step_.spare().span().begin(), step_.spare().span().end(), state_.begin());
      std::swap(misfit_, step_.second_spare());
      parameters_ = parameters;
      std::transform(parameters.begin(), parameters.end(),
                     unknowns_.begin() + static_cast<std::ptrdiff_t>(state_.size()),
                     [](double value) { return static_cast<T>(value); });
      result.loss = *loss;
      step.alpha = alpha;
      return Outcome::accepted;
    }
    return Outcome::rejected;
  }

  // ---- parameters that make the loss jump --------------------------------------------------------------------------
  /// Freezes them for a while; false where there are none, or they are frozen already.
  bool freeze() {
    bool any = false;
    for (std::size_t k = 0; k < frozen_.size(); ++k) {
      if (!jumping_[k] || frozen_[k] > 0) continue;
      frozen_[k] = freezing;
      any = true;
    }
    return any;
  }
  /// One iteration less to go; true where some were frozen in the last one.
  bool thaw() {
    bool any = false;
    for (std::size_t& rest : frozen_) {
      any = any || rest > 0;
      if (rest > 0) --rest;
    }
    return any;
  }

  const Problem& problem_;
  const Evolution& evolution_;
  std::span<T> unknowns_, state_;
  std::vector<double> parameters_;
  const ControlSpaceOptions& options_;
  RunControl& control_;
  std::size_t threads_;
  ParameterScale scale_;
  EvolutionPrograms programs_;
  NonlinearMarch<T> nonlinear_;
  std::vector<double> scales_;  // of the blocks' sums of squares
  RowLosses<T> losses_;
  std::vector<double> weights_;  // of the equations, by row
  ControlStep<T> step_;
  StateVector<T> misfit_;  // weighted residuals of the equations
  std::vector<bool> jumping_;
  std::vector<std::size_t> frozen_;  // iterations left
};

}  // namespace

template <class T>
ControlSpaceResult control_space(const Problem& problem, const Evolution& evolution, std::span<T> unknowns,
                                 std::span<const ParameterRange> ranges, const ControlSpaceOptions& options,
                                 RunControl& control) {
  return ControlSpace<T>(problem, evolution, unknowns, ranges, options, control).run();
}
template ControlSpaceResult control_space(const Problem&, const Evolution&, std::span<float>,
                                          std::span<const ParameterRange>, const ControlSpaceOptions&, RunControl&);
template ControlSpaceResult control_space(const Problem&, const Evolution&, std::span<double>,
                                          std::span<const ParameterRange>, const ControlSpaceOptions&, RunControl&);

}  // namespace dd::odil
