// States, checkpoints and the loop of the methods without a line search.
#include "odil/first_order.hpp"

#include <string>

#include "linalg/vectors.hpp"

namespace dd::odil {
namespace {

constexpr std::size_t state_counters = 3;  // length of z, iterations, evaluations

}  // namespace

const char* first_order_status_name(FirstOrderStatus status) noexcept {
  switch (status) {
    case FirstOrderStatus::converged_gradient:
      return "converged-gradient";
    case FirstOrderStatus::converged_step:
      return "converged-step";
    case FirstOrderStatus::converged_loss:
      return "converged-loss";
    case FirstOrderStatus::max_iterations:
      return "max-iterations";
    case FirstOrderStatus::stopped:
      return "stopped";
    case FirstOrderStatus::line_search_failed:
      return "line-search-failed";
    case FirstOrderStatus::not_finite:
      break;
  }
  return "not-finite";
}

void require_positive(double value, const char* name) {
  if (value > 0 && std::isfinite(value)) return;
  throw Error(ErrorCode::out_of_range, name,
              std::string("`") + name + "` must be a positive number, got " + std::to_string(value));
}

template <class T>
FirstOrderState<T>::FirstOrderState(std::span<const T> initial) : current_(initial.size()), best_(initial.size()) {
  const std::size_t bad = first_non_finite(initial, 1);
  if (bad < initial.size()) {
    throw Error(ErrorCode::not_finite, "initial",
                "`initial` must be finite, got " + std::to_string(initial[bad]) + " at index " + std::to_string(bad));
  }
  std::copy(initial.begin(), initial.end(), current_.begin());
  std::copy(initial.begin(), initial.end(), best_.begin());
}

template <class T>
FirstOrderState<T>::FirstOrderState(const Checkpoint& checkpoint, std::size_t least_values, std::size_t counters) {
  const std::size_t length = checkpoint.counters.empty() ? 0 : static_cast<std::size_t>(checkpoint.counters[0]);
  if (checkpoint.counters.size() != state_counters + counters || checkpoint.values.size() < 1 + 2 * length ||
      checkpoint.values.size() != 1 + (2 + least_values) * length) {
    throw Error(ErrorCode::shape_mismatch, "checkpoint",
                "`checkpoint` is not one of this method: it has " + std::to_string(checkpoint.values.size()) +
                    " values and " + std::to_string(checkpoint.counters.size()) + " counters");
  }
  current_ = Values(length);
  best_ = Values(length);
  iterations_ = checkpoint.counters[1];
  evaluations_ = checkpoint.counters[2];
  best_loss_ = checkpoint.values[0];
  for (std::size_t i = 0; i < length; ++i) {
    current_[i] = static_cast<T>(checkpoint.values[1 + i]);
    best_[i] = static_cast<T>(checkpoint.values[1 + length + i]);
  }
}

template <class T>
void FirstOrderState<T>::save_into(Checkpoint& checkpoint) const {
  checkpoint.counters = {size(), iterations_, evaluations_};
  checkpoint.values.reserve(1 + 2 * size());
  checkpoint.values.push_back(best_loss_);
  checkpoint.values.insert(checkpoint.values.end(), current_.begin(), current_.end());
  checkpoint.values.insert(checkpoint.values.end(), best_.begin(), best_.end());
}

template <class T>
double FirstOrderState<T>::evaluate(Objective<T> objective, std::span<const T> z, std::span<T> gradient,
                                    std::size_t threads) {
  const double loss = objective(z, gradient);
  ++evaluations_;
  if (!std::isfinite(loss) || !std::isfinite(static_cast<double>(max_abs(std::span<const T>(gradient), threads)))) {
    return INFINITY;
  }
  return loss;
}

template <class T>
void FirstOrderState<T>::note_best(double loss) {
  if (!(loss < best_loss_)) return;
  best_loss_ = loss;
  std::copy(current_.begin(), current_.end(), best_.begin());
}

template <class T>
FirstOrderResult DirectMethod<T>::run_steps(Objective<T> objective, const StoppingRule& rule, RunControl& control,
                                            FirstOrderHistory history,
                                            FunctionRef<void(std::span<const T> gradient)> step) {
  const std::size_t threads = control.threads();
  AlignedBuffer<T> gradient(this->size()), before(this->size());
  FirstOrderResult result;
  double last_loss = INFINITY, step_max = 0;
  for (;;) {
    const double loss = this->evaluate(objective, this->current(), gradient.span(), threads);
    if (!std::isfinite(loss)) {
      result.status = FirstOrderStatus::not_finite;
      result.loss = last_loss;
      if (result.iterations > 0) {
        std::copy(before.begin(), before.end(), this->current_.begin());
        --result.iterations;
        --this->iterations_;
      }
      return result;
    }
    this->note_best(loss);
    result.loss = loss;
    const double gradient_max = static_cast<double>(max_abs(std::span<const T>(gradient.span()), threads));
    history({this->iterations_, loss, gradient_max, step_max, this->evaluations_});
    control.report({.iterations = this->iterations_, .objective = loss, .best = {}});
    const double fall = last_loss - loss;
    if (gradient_max <= rule.gradient_tolerance) {
      result.status = FirstOrderStatus::converged_gradient;
    } else if (result.iterations > 0 && step_max <= rule.step_tolerance) {
      result.status = FirstOrderStatus::converged_step;
    } else if (result.iterations > 0 && fall >= 0 && fall <= rule.loss_tolerance * std::abs(last_loss)) {
      result.status = FirstOrderStatus::converged_loss;
    } else if (result.iterations == rule.iterations) {
      result.status = FirstOrderStatus::max_iterations;
    } else if (control.should_stop()) {
      result.status = FirstOrderStatus::stopped;
    } else {
      std::copy(this->current_.begin(), this->current_.end(), before.begin());
      step(gradient.span());
      step_max = 0;
      for (std::size_t i = 0; i < before.size(); ++i) {
        step_max = std::max(step_max, static_cast<double>(std::abs(this->current_[i] - before[i])));
      }
      ++this->iterations_;
      ++result.iterations;
      last_loss = loss;
      continue;
    }
    return result;
  }
}

template class FirstOrderState<float>;
template class FirstOrderState<double>;
template class DirectMethod<float>;
template class DirectMethod<double>;

}  // namespace dd::odil
