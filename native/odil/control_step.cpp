#include "odil/control_step.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/reductions.hpp"
#include "linalg/vectors.hpp"

namespace dd::odil {

std::vector<double> equation_weights(const Problem& problem, const Evolution& evolution,
                                     std::span<const double> scales) {
  std::vector<double> weights(evolution.rows, 1);
  for (std::size_t row = 0; row < evolution.rows; ++row) {
    if (!evolution.equations[row]) continue;
    const std::size_t block = evolution.equations[row]->block;
    weights[row] = std::sqrt(scales[block]);
    if (weights[row] > 0) continue;
    throw Error(ErrorCode::invalid_argument_value, "weights",
                "the weight of `" + problem.description().blocks[block].name +
                    "`, which determines the state, must be positive");
  }
  return weights;
}

template <class T>
ControlStep<T>::ControlStep(const Problem& problem, const Evolution& evolution, const EvolutionPrograms& programs,
                            const std::vector<double>& scales, const ParameterScale& scale,
                            const ControlSpaceOptions& options, RunControl& control)
    : evolution_(evolution),
      scale_(scale),
      options_(options),
      control_(control),
      threads_(control.threads()),
      linear_(problem, evolution, programs),
      data_(problem, evolution, scales, programs.reach()),
      weights_(equation_weights(problem, evolution, scales)),
      misfit_step_(vector()),
      change_(vector()),
      residual_(vector()),
      direction_(vector()),
      apart_(data_.in_place() ? StateVector<T>() : vector()),
      product_(data_.in_place() ? change_ : apart_),
      columns_(scale.size()) {
  for (std::size_t row = 0; row < evolution.rows; ++row) {
    for (const std::int32_t k : linear_.parameters_of(row)) {
      auto& column = columns_[static_cast<std::size_t>(k)];
      if (column.size() == 0) column = AlignedBuffer<T>(evolution.row_points, T(0));
    }
  }
}

template <class T>
StateVector<T> ControlStep<T>::vector() const {
  return StateVector<T>(evolution_.rows * evolution_.row_points, data_.reach());
}

template <class T>
bool ControlStep<T>::find(const PointSources<T>& at, const StateVector<T>& misfit, double mu,
                          std::span<const std::size_t> frozen, ControlSpaceStep& step) {
  linear_.linearise(at, sweep_tolerance<T>(options_), control_);
  step.sweeps = linear_.most_sweeps();
  const std::vector<double> factors = scale_.factors(at.parameters);
  std::optional<std::vector<RowRangeField<T>>> sensitivities = find_sensitivities(factors, step);
  if (!sensitivities) return false;
  data_.linearise(at, factors, std::move(*sensitivities), product_.span(), elimination_, threads_);
  const std::vector<double> inner = scale_.inner(at.parameters);
  const std::vector<bool> free = free_parameters(inner, frozen, step);
  std::vector<double> slope;  // of the loss by the parameters once the misfits have changed
  if (!(options_.weak ? find_misfit_step(misfit, mu, free, slope, step) : remove_misfit(misfit, slope, step))) {
    return false;
  }
  parameter_step_ = ParameterSystem::bounded_step(elimination_.normal, scale_, mu, free, slope, inner);
  return find_change(factors, step);
}

/// d state / d parameter for those in the equations, in the rows that data read; none when it was stopped.
template <class T>
std::optional<std::vector<RowRangeField<T>>> ControlStep<T>::find_sensitivities(std::span<const double> factors,
                                                                                ControlSpaceStep& step) {
  const std::size_t points = evolution_.row_points, guard = row_guard<T>(data_.reach());
  const std::size_t slots = data_.first_row() > 0 ? linear_.depth() + 1 : 0, stride = points + 2 * guard;
  std::vector<RowRangeField<T>> result(scale_.size());
  std::vector<std::size_t> moving;
  std::vector<RowStore<T>> states;
  std::vector<AlignedBuffer<T>> recent;
  // The fields of the last step give their memory back.
  std::vector<RowRangeField<T>> used = std::move(elimination_.fields);
  elimination_.fields.clear();
  for (std::size_t k = 0; k < scale_.size(); ++k) {
    if (columns_[k].size() == 0 || data_.rows() == 0) continue;
    const std::size_t kept = data_.rows() * points;
    const bool fits = k < used.size() && used[k].values.span().size() == kept;
    result[k] = {data_.first_row(), data_.rows(),
                 fits ? std::move(used[k].values) : StateVector<T>(kept, data_.reach())};
    recent.emplace_back(slots * stride, T(0));
    moving.push_back(k);
    states.push_back({result[k].values.data(), data_.first_row(), recent.back().data() + guard, slots, stride});
  }
  if (moving.empty()) return result;
  std::vector<bool> present(scale_.size());
  const bool finished = linear_.forward(
      states, data_.first_row() + data_.rows(), [&](std::size_t row) { read_columns(row, present); },
      [&](std::size_t s, std::size_t, T* right_side) {
        const std::size_t k = moving[s];
        const T factor = static_cast<T>(-factors[k]);
        for (std::size_t i = 0; i < points; ++i) {
          right_side[i] = present[k] ? factor * columns_[k][i] : T(0);
        }
      },
      control_);
  if (!finished) return std::nullopt;
  step.marches += moving.size();
  return result;
}

/// The derivatives of a row's equation by its parameters.
template <class T>
void ControlStep<T>::read_columns(std::size_t row, std::vector<bool>& present) {
  std::fill(present.begin(), present.end(), false);
  std::vector<T*> targets;
  for (const std::int32_t k : linear_.parameters_of(row)) {
    present[static_cast<std::size_t>(k)] = true;
    targets.push_back(columns_[static_cast<std::size_t>(k)].data());
  }
  if (!targets.empty()) linear_.parameters(row, targets, threads_);
}

/// Those that are not frozen and would not leave their bounds.
template <class T>
std::vector<bool> ControlStep<T>::free_parameters(std::span<const double> inner, std::span<const std::size_t> frozen,
                                                  ControlSpaceStep& step) const {
  std::vector<bool> free(scale_.size(), true);
  for (std::size_t k = 0; k < scale_.size(); ++k) {
    const bool outwards = (inner[k] <= scale_.lower(k) && elimination_.slope[k] > 0) ||
                          (inner[k] >= scale_.upper(k) && elimination_.slope[k] < 0);
    if (outwards) step.active_bounds.push_back(k);
    if (frozen[k] > 0) step.frozen.push_back(k);
    free[k] = !outwards && frozen[k] == 0;
  }
  return free;
}

// ---- the control -------------------------------------------------------------------------------------------------
/// change = M W^-1 control.
template <class T>
bool ControlStep<T>::forward(const StateVector<T>& of) {
  const RowStore<T> states[] = {{change_.data()}};
  const std::size_t points = evolution_.row_points;
  return linear_.forward(
      states, evolution_.rows, [](std::size_t) {},
      [&](std::size_t, std::size_t row, T* right_side) {
        const T weight = static_cast<T>(1 / weights_[row]);
        const T* const from = of.data() + row * points;
        for (std::size_t i = 0; i < points; ++i) right_side[i] = weight * from[i];
      },
      control_);
}

/// product = W^-1 M^T product.
template <class T>
bool ControlStep<T>::adjoint() {
  T* const states[] = {product_.data()};
  if (!linear_.adjoint(states, control_)) return false;
  for (std::size_t row = 0; row < evolution_.rows; ++row) {
    const T weight = static_cast<T>(1 / weights_[row]);
    T* const own = product_.data() + row * evolution_.row_points;
    for (std::size_t i = 0; i < evolution_.row_points; ++i) own[i] *= weight;
  }
  return true;
}

/// (D^T S)^T change, by parameter.
template <class T>
std::vector<double> ControlStep<T>::project() const {
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
template <class T>
void ControlStep<T>::subtract_fields(std::span<const double> coefficients) {
  for (std::size_t k = 0; k < coefficients.size(); ++k) {
    const RowRangeField<T>& field = elimination_.fields[k];
    if (field.rows == 0 || coefficients[k] == 0) continue;
    const std::span<const T> own = field.values.span();
    linalg::add_scaled<T>(static_cast<T>(-coefficients[k]), own,
                          product_.span().subspan(field.first_row * evolution_.row_points, own.size()), threads_);
  }
}

template <class T>
double ControlStep<T>::norm_squared(const StateVector<T>& of) const {
  return dot(of.span(), of.span(), threads_);
}

/// The step of the weighted residuals of the equations that makes them 0. `slope`: S^T (r + K y).
template <class T>
bool ControlStep<T>::remove_misfit(const StateVector<T>& misfit, std::vector<double>& slope, ControlSpaceStep& step) {
  for (std::size_t i = 0; i < misfit.span().size(); ++i) misfit_step_.data()[i] = -misfit.data()[i];
  if (!forward(misfit_step_)) return false;
  ++step.marches;
  slope = project();
  for (std::size_t k = 0; k < slope.size(); ++k) slope[k] += elimination_.slope[k];
  return true;
}

/// The step of the weighted residuals of the equations, by conjugate gradients on I + K^T P K from 0, so that
/// whatever has been found when they end lowers the linearised loss. `slope`: S^T (r + K y).
template <class T>
bool ControlStep<T>::find_misfit_step(const StateVector<T>& misfit, double mu, const std::vector<bool>& free,
                                      std::vector<double>& slope, ControlSpaceStep& step) {
  const std::size_t p = scale_.size();
  const ParameterSystem system(elimination_.normal, scale_, mu, free);
  slope = elimination_.slope;
  std::fill(misfit_step_.span().begin(), misfit_step_.span().end(), T(0));
  // product_ holds D^T r: the first residual is -r_m - K^T P r_d.
  subtract_fields(system.solve(slope));
  if (!adjoint()) return false;
  ++step.marches;
  for (std::size_t i = 0; i < residual_.span().size(); ++i) {
    residual_.data()[i] = direction_.data()[i] = -misfit.data()[i] - product_.data()[i];
  }
  const double first = norm_squared(residual_);
  double squares = first;
  step.linear_residual = first > 0 ? 1 : 0;
  while (step.linear_iterations < options_.linear_iterations &&
         squares > options_.linear_tolerance * options_.linear_tolerance * first) {
    if (!forward(direction_)) return false;
    const std::vector<double> moved = project();
    data_.multiply_normal(change_.data(), product_.data(), threads_);
    subtract_fields(system.solve(moved));
    if (!adjoint()) return false;
    step.marches += 2;
    linalg::add_scaled<T>(T(1), direction_.span(), product_.span(), threads_);
    const double curvature = dot(std::as_const(direction_).span(), std::as_const(product_).span(), threads_);
    if (!(curvature > 0) || !std::isfinite(curvature)) break;
    const double length = squares / curvature;
    linalg::add_scaled<T>(static_cast<T>(length), direction_.span(), misfit_step_.span(), threads_);
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
template <class T>
bool ControlStep<T>::find_change(std::span<const double> factors, ControlSpaceStep& step) {
  const RowStore<T> states[] = {{change_.data()}};
  const std::size_t points = evolution_.row_points;
  std::vector<bool> present(scale_.size());
  ++step.marches;
  return linear_.forward(
      states, evolution_.rows, [&](std::size_t row) { read_columns(row, present); },
      [&](std::size_t, std::size_t row, T* right_side) {
        const T weight = static_cast<T>(1 / weights_[row]);
        const T* const from = misfit_step_.data() + row * points;
        for (std::size_t i = 0; i < points; ++i) right_side[i] = weight * from[i];
        for (std::size_t k = 0; k < present.size(); ++k) {
          if (!present[k] || parameter_step_[k] == 0) continue;
          const T factor = static_cast<T>(factors[k] * parameter_step_[k]);
          for (std::size_t i = 0; i < points; ++i) right_side[i] -= factor * columns_[k][i];
        }
      },
      control_);
}

template class ControlStep<float>;
template class ControlStep<double>;

}  // namespace dd::odil
