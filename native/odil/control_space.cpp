#include "odil/control_space.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/error.hpp"
#include "core/reductions.hpp"
#include "core/thread_pool.hpp"
#include "linalg/vectors.hpp"
#include "odil/data_operator.hpp"
#include "odil/march.hpp"
#include "odil/parameter_step.hpp"
#include "odil/row_losses.hpp"

namespace dd::odil {
namespace {

constexpr double march_accuracy = 1e-4;  // of the root of the loss: what trial states may miss their equations by
constexpr double trial_sweep_tolerance = 1e-4;
constexpr std::size_t trial_newton_steps = 12;
constexpr double short_step = 0.2;         // a line search that ends below it has met a jump
constexpr std::size_t freezing = 6;        // iterations
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
        linear_(problem, evolution, programs_),
        nonlinear_(problem, evolution, programs_),
        scales_(problem.scales(options.normalization, options.weights)),
        data_(problem, evolution, scales_, programs_.reach()),
        losses_(problem, evolution, scales_),
        weights_(evolution.rows, 1),
        misfit_(vector()),
        control_step_(vector()),
        change_(vector()),
        product_(vector()),
        residual_(vector()) {
    for (std::size_t row = 0; row < evolution.rows; ++row) {
      if (evolution.equations[row]) {
        weights_[row] = std::sqrt(scales_[evolution.equations[row]->block]);
        if (!(weights_[row] > 0)) {
          throw Error(ErrorCode::invalid_argument_value, "weights",
                      "the weight of `" + problem.description().blocks[evolution.equations[row]->block].name +
                          "`, which determines the state, must be positive");
        }
      }
    }
    problem.with_graph([&](Graph& graph) { jumping_ = jumping_parameters(graph, problem); });
    frozen_.assign(scale_.size(), 0);
    columns_.resize(scale_.size());
    for (std::size_t row = 0; row < evolution.rows; ++row) {
      for (const std::int32_t k : linear_.parameters_of(row)) {
        auto& column = columns_[static_cast<std::size_t>(k)];
        if (column.size() == 0) column = AlignedBuffer<T>(evolution.row_points, T(0));
      }
    }
  }

  ControlSpaceResult run() {
    ControlSpaceResult result;
    if (!start(result)) return stopped(result);
    const double lambda_at_first = options_.initial_lambda;
    double lambda = lambda_at_first;
    bool settled = false;  // the last step changed nothing any more
    while (result.iterations < options_.max_iterations) {
      ControlSpaceStep step;
      step.lambda = lambda;
      const double before = result.loss;
      const Outcome outcome = iterate(result, step);
      if (outcome == Outcome::stopped) return stopped(result);
      result.marches += step.marches;
      result.linear_iterations += step.linear_iterations;
      step.loss = result.loss;
      result.history.push_back(step);
      ++result.iterations;
      control_.report({.phase = "control-space",
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

  StateVector<T> vector() const { return StateVector<T>(evolution_.rows * evolution_.row_points, data_.reach()); }
  T* row_of(StateVector<T>& vector, std::size_t row) const { return vector.data() + row * evolution_.row_points; }

  ControlSpaceResult& stopped(ControlSpaceResult& result) const {
    result.status =
        control_.stop_reason() == StopReason::cancelled ? SolveStatus::cancelled : SolveStatus::time_limit;
    return result;
  }

  // ---- the first state ---------------------------------------------------------------------------------------------
  bool start(ControlSpaceResult& result) {
    StateVector<T>&given = change_, &given_misfit = product_;  // not needed yet
    std::copy(state_.begin(), state_.end(), given.span().begin());
    const double given_loss = losses_.evaluate(sources(given.span(), parameters_), given_misfit.data(), threads_);
    MarchOptions march_options{.sweep_tolerance = sweep_tolerance()};
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
      throw Error(ErrorCode::not_finite, "problem", "the loss of the state that marches from the parameters is not finite");
    }
    if (take_given) {
      std::copy(given.span().begin(), given.span().end(), state_.begin());
      for (std::size_t row = 0; row < evolution_.rows; ++row) keep_misfit(misfit_, row, row_of(given_misfit, row));
    }
    result.loss = result.initial_loss = take_given ? given_loss : marched_loss;
    result.marches = 1;
    return true;
  }

  double sweep_tolerance() const {
    return options_.sweep_tolerance > 0 ? options_.sweep_tolerance : sizeof(T) == 8 ? 1e-9 : 1e-6;
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
    linear_.linearise(at, sweep_tolerance(), control_);
    step.sweeps = linear_.most_sweeps();
    const std::vector<double> factors = scale_.factors(parameters_);
    std::optional<std::vector<StateVector<T>>> sensitivities = find_sensitivities(factors, step);
    if (!sensitivities) return Outcome::stopped;
    data_.linearise(at, factors, std::move(*sensitivities), product_.span(), elimination_, threads_);

    const double mu = step.lambda * result.loss;
    const std::vector<double> inner = scale_.inner(parameters_);
    const std::vector<bool> free = free_parameters(inner, step);
    std::vector<double> slope;  // of the loss by the parameters once the control has changed
    if (!(options_.weak ? find_control(mu, free, slope, step) : remove_misfit(slope, step))) return Outcome::stopped;
    const std::vector<double> parameter_step =
        ParameterSystem::bounded_step(elimination_.normal, scale_, mu, free, slope, inner);
    if (!find_change(factors, parameter_step, step)) return Outcome::stopped;
    return search_line(inner, parameter_step, result, step);
  }

  /// d state / d parameter for those in the equations; none when it was stopped.
  std::optional<std::vector<StateVector<T>>> find_sensitivities(std::span<const double> factors,
                                                                ControlSpaceStep& step) {
    std::vector<StateVector<T>> result(scale_.size());
    std::vector<std::size_t> moving;
    std::vector<T*> states;
    // The fields of the last step give their memory back.
    std::vector<RowRangeField<T>> used = std::move(elimination_.fields);
    elimination_.fields.clear();
    for (std::size_t k = 0; k < scale_.size(); ++k) {
      if (columns_[k].size() == 0) continue;
      const bool fits = k < used.size() && used[k].values.span().size() == state_.size();
      result[k] = fits ? std::move(used[k].values) : vector();
      moving.push_back(k);
      states.push_back(result[k].data());
    }
    if (moving.empty()) return result;
    std::vector<bool> present(scale_.size());
    const bool finished = linear_.forward(
        states, [&](std::size_t row) { read_columns(row, present); },
        [&](std::size_t s, std::size_t, T* right_side) {
          const std::size_t k = moving[s];
          const T factor = static_cast<T>(-factors[k]);
          for (std::size_t i = 0; i < evolution_.row_points; ++i) {
            right_side[i] = present[k] ? factor * columns_[k][i] : T(0);
          }
        },
        control_);
    if (!finished) return std::nullopt;
    step.marches += moving.size();
    return result;
  }

  /// The derivatives of a row's equation by its parameters.
  void read_columns(std::size_t row, std::vector<bool>& present) {
    std::fill(present.begin(), present.end(), false);
    std::vector<T*> targets;
    for (const std::int32_t k : linear_.parameters_of(row)) {
      present[static_cast<std::size_t>(k)] = true;
      targets.push_back(columns_[static_cast<std::size_t>(k)].data());
    }
    if (!targets.empty()) linear_.parameters(row, targets, threads_);
  }

  /// Those that are not frozen and would not leave their bounds.
  std::vector<bool> free_parameters(std::span<const double> inner, ControlSpaceStep& step) const {
    std::vector<bool> free(scale_.size(), true);
    for (std::size_t k = 0; k < scale_.size(); ++k) {
      const bool outwards = (inner[k] <= scale_.lower(k) && elimination_.slope[k] > 0) ||
                            (inner[k] >= scale_.upper(k) && elimination_.slope[k] < 0);
      if (outwards) step.active_bounds.push_back(k);
      if (frozen_[k] > 0) step.frozen.push_back(k);
      free[k] = !outwards && frozen_[k] == 0;
    }
    return free;
  }

  // ---- the control -------------------------------------------------------------------------------------------------
  /// change = M W^-1 control.
  bool forward(const StateVector<T>& of) {
    T* const states[] = {change_.data()};
    const std::size_t points = evolution_.row_points;
    return linear_.forward(
        states, [](std::size_t) {},
        [&](std::size_t, std::size_t row, T* right_side) {
          const T weight = static_cast<T>(1 / weights_[row]);
          const T* const from = of.data() + row * points;
          for (std::size_t i = 0; i < points; ++i) right_side[i] = weight * from[i];
        },
        control_);
  }

  /// product = W^-1 M^T product.
  bool adjoint() {
    T* const states[] = {product_.data()};
    if (!linear_.adjoint(states, control_)) return false;
    for (std::size_t row = 0; row < evolution_.rows; ++row) {
      const T weight = static_cast<T>(1 / weights_[row]);
      T* const own = row_of(product_, row);
      for (std::size_t i = 0; i < evolution_.row_points; ++i) own[i] *= weight;
    }
    return true;
  }

  /// (D^T S)^T change, by parameter.
  std::vector<double> project() const {
    std::vector<double> result(scale_.size(), 0);
    for (std::size_t k = 0; k < result.size(); ++k) {
      const RowRangeField<T>& field = elimination_.fields[k];
      if (field.rows == 0) continue;
      const std::span<const T> own = field.values.span();
      result[k] = dot(own, change_.span().subspan(field.first_row * evolution_.row_points, own.size()), threads_);
    }
    return result;
  }

  /// product -= sum_k coefficient_k D^T S_k.
  void subtract_fields(std::span<const double> coefficients) {
    for (std::size_t k = 0; k < coefficients.size(); ++k) {
      const RowRangeField<T>& field = elimination_.fields[k];
      if (field.rows == 0 || coefficients[k] == 0) continue;
      const std::span<const T> own = field.values.span();
      linalg::add_scaled<T>(static_cast<T>(-coefficients[k]), own,
                            product_.span().subspan(field.first_row * evolution_.row_points, own.size()), threads_);
    }
  }

  double norm_squared(const StateVector<T>& of) const { return dot(of.span(), of.span(), threads_); }

  /// The step of the weighted residuals of the equations that makes them 0. `slope`: S^T (r + K y).
  bool remove_misfit(std::vector<double>& slope, ControlSpaceStep& step) {
    for (std::size_t i = 0; i < misfit_.span().size(); ++i) control_step_.data()[i] = -misfit_.data()[i];
    if (!forward(control_step_)) return false;
    ++step.marches;
    slope = project();
    for (std::size_t k = 0; k < slope.size(); ++k) slope[k] += elimination_.slope[k];
    return true;
  }

  /// The step of the weighted residuals of the equations, by conjugate gradients on I + K^T P K from 0, so that
  /// whatever has been found when they end lowers the linearised loss. `slope`: S^T (r + K y).
  bool find_control(double mu, const std::vector<bool>& free, std::vector<double>& slope, ControlSpaceStep& step) {
    const std::size_t p = scale_.size();
    const ParameterSystem system(elimination_.normal, scale_, mu, free);
    slope = elimination_.slope;
    std::fill(control_step_.span().begin(), control_step_.span().end(), T(0));
    if (direction_.span().empty()) direction_ = vector();
    // product_ holds D^T r: the first residual is -r_m - K^T P r_d.
    subtract_fields(system.solve(slope));
    if (!adjoint()) return false;
    ++step.marches;
    for (std::size_t i = 0; i < residual_.span().size(); ++i) {
      residual_.data()[i] = direction_.data()[i] = -misfit_.data()[i] - product_.data()[i];
    }
    const double first = norm_squared(residual_);
    double squares = first;
    step.linear_residual = first > 0 ? 1 : 0;
    while (step.linear_iterations < options_.linear_iterations &&
           squares > options_.linear_tolerance * options_.linear_tolerance * first) {
      if (!forward(direction_)) return false;
      const std::vector<double> moved = project();
      std::fill(product_.span().begin(), product_.span().end(), T(0));
      data_.add_normal(change_.data(), product_.data(), threads_);
      subtract_fields(system.solve(moved));
      if (!adjoint()) return false;
      step.marches += 2;
      linalg::add_scaled<T>(T(1), direction_.span(), product_.span(), threads_);
      const double curvature = dot(std::as_const(direction_).span(), std::as_const(product_).span(), threads_);
      if (!(curvature > 0) || !std::isfinite(curvature)) break;
      const double length = squares / curvature;
      linalg::add_scaled<T>(static_cast<T>(length), direction_.span(), control_step_.span(), threads_);
      linalg::add_scaled<T>(static_cast<T>(-length), product_.span(), residual_.span(), threads_);
      for (std::size_t k = 0; k < p; ++k) slope[k] += length * moved[k];
      const double next = norm_squared(residual_);
      linalg::scale_and_add<T>(static_cast<T>(next / squares), residual_.span(), direction_.span(), threads_);
      squares = next;
      ++step.linear_iterations;
      step.linear_residual = std::sqrt(squares / first);
    }
    return true;
  }

  /// change = M (W^-1 control - B step), where a trial state begins.
  bool find_change(std::span<const double> factors, std::span<const double> parameter_step, ControlSpaceStep& step) {
    T* const states[] = {change_.data()};
    const std::size_t points = evolution_.row_points;
    std::vector<bool> present(scale_.size());
    ++step.marches;
    return linear_.forward(
        states, [&](std::size_t row) { read_columns(row, present); },
        [&](std::size_t, std::size_t row, T* right_side) {
          const T weight = static_cast<T>(1 / weights_[row]);
          const T* const from = row_of(control_step_, row);
          for (std::size_t i = 0; i < points; ++i) right_side[i] = weight * from[i];
          for (std::size_t k = 0; k < present.size(); ++k) {
            if (!present[k] || parameter_step[k] == 0) continue;
            const T factor = static_cast<T>(factors[k] * parameter_step[k]);
            for (std::size_t i = 0; i < points; ++i) right_side[i] -= factor * columns_[k][i];
          }
        },
        control_);
  }

  // ---- trial states ------------------------------------------------------------------------------------------------
  /// Marches the state for which the misfit has made `alpha` of its step, in product_; its loss, infinite where it is
  /// no better than `best`; none when it was stopped.
  std::optional<double> try_state(double alpha, std::span<const double> parameters, double best, ControlSpaceStep& step) {
    const std::size_t points = evolution_.row_points;
    for (std::size_t i = 0; i < state_.size(); ++i) {
      product_.data()[i] = state_[i] + static_cast<T>(alpha) * change_.data()[i];
    }
    const PointSources<T> at = sources(std::as_const(product_).span(), parameters);
    const double equations = static_cast<double>(evolution_.rows * points) * weights_.back() * weights_.back();
    const MarchOptions march_options{.tolerance = march_accuracy * std::sqrt(best / equations),
                                     .sweep_tolerance = trial_sweep_tolerance,
                                     .newton_steps = trial_newton_steps,
                                     .start_from_previous_row = false};
    losses_.begin();
    ++step.marches;
    const MarchResult marched = nonlinear_.run(
        at, product_.data(), march_options,
        [&](std::size_t row, T* residuals) {
          const T weight = static_cast<T>(1 / weights_[row]), share = static_cast<T>(alpha);
          const T* const misfit = row_of(misfit_, row);
          const T* const change = row_of(control_step_, row);
          for (std::size_t i = 0; i < points; ++i) residuals[i] -= weight * (misfit[i] + share * change[i]);
        },
        [&](std::size_t row, const T* residuals) {
          keep_misfit(residual_, row, residuals);
          losses_.add(at, row, residuals, threads_);
          return losses_.partial() < best;  // false for NaN
        },
        control_);
    if (marched.status == MarchStatus::stopped) return std::nullopt;
    if (marched.status != MarchStatus::finished) {
      // What could not be marched may hold anything, and later marches multiply it with 0.
      std::fill(product_.span().begin(), product_.span().end(), T(0));
      std::fill(residual_.span().begin(), residual_.span().end(), T(0));
      return INFINITY;
    }
    return losses_.finish(at);
  }

  Outcome search_line(std::span<const double> inner, std::span<const double> parameter_step, ControlSpaceResult& result,
                      ControlSpaceStep& step) {
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
      std::copy(product_.span().begin(), product_.span().end(), state_.begin());
      std::swap(misfit_, residual_);
      parameters_ = parameters;
      std::transform(parameters.begin(), parameters.end(), unknowns_.begin() + static_cast<std::ptrdiff_t>(state_.size()),
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
  LinearMarch<T> linear_;
  NonlinearMarch<T> nonlinear_;
  std::vector<double> scales_;  // of the blocks' sums of squares
  DataOperator<T> data_;
  RowLosses<T> losses_;
  std::vector<double> weights_;  // of the equations, by row
  StateVector<T> misfit_, control_step_, change_, product_;  // r_m, y, M W^-1 y, and what is multiplied or tried
  StateVector<T> residual_, direction_;  // of conjugate gradients; then the first holds the misfit of trial states
  Elimination<T> elimination_;
  std::vector<AlignedBuffer<T>> columns_;  // d equation / d parameter of one row
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
