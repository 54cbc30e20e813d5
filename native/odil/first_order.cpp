// States, checkpoints and the loop of the methods without a line search.
#include "odil/first_order.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/reductions.hpp"
#include "core/thread_pool.hpp"

namespace dd::odil {
namespace {

constexpr std::size_t state_counters = 3;  // length of z, iterations, evaluations
constexpr std::size_t state_values = 2;    // best loss, first gradient
constexpr std::size_t vector_elements_per_task = std::size_t{1} << 15;

/// max |b - a|, in four lanes: a chain of maxima waits for each of them.
template <class T>
double largest_change(std::span<const T> a, std::span<const T> b, std::size_t threads) {
  constexpr std::size_t lanes = 4;
  std::vector<T> maxima((a.size() + vector_elements_per_task - 1) / vector_elements_per_task);
  parallel_for(threads, a.size(), vector_elements_per_task, [&](std::size_t begin, std::size_t end) {
    T most[lanes] = {};
    for (std::size_t i = begin; i < end; ++i) {
      const T change = std::abs(b[i] - a[i]);
      T& lane = most[i % lanes];
      lane = change > lane ? change : lane;
    }
    maxima[begin / vector_elements_per_task] = *std::max_element(most, most + lanes);
  });
  return maxima.empty() ? 0 : static_cast<double>(*std::max_element(maxima.begin(), maxima.end()));
}

}  // namespace

void require_positive(double value, const char* name) {
  if (value > 0 && std::isfinite(value)) return;
  throw Error(ErrorCode::out_of_range, name,
              std::string("`") + name + "` must be a positive number, got " + std::to_string(value));
}

template <class T>
FirstOrderMethod<T>::FirstOrderMethod(std::span<const T> initial) : current_(initial.size()), best_(initial.size()) {
  const std::size_t bad = first_non_finite(initial, 1);
  if (bad < initial.size()) {
    throw Error(ErrorCode::not_finite, "initial",
                "`initial` must be finite, got " + std::to_string(initial[bad]) + " at index " + std::to_string(bad));
  }
  std::copy(initial.begin(), initial.end(), current_.begin());
  std::copy(initial.begin(), initial.end(), best_.begin());
}

template <class T>
FirstOrderMethod<T>::FirstOrderMethod(const Checkpoint& checkpoint, std::size_t vectors, std::size_t counters) {
  const std::size_t length = checkpoint.counters.empty() ? 0 : static_cast<std::size_t>(checkpoint.counters[0]);
  const std::size_t values = checkpoint.values.size();
  if (checkpoint.counters.size() != state_counters + counters || values < state_values || length > values ||
      vectors > values || values != state_values + (2 + vectors) * length) {
    throw Error(ErrorCode::shape_mismatch, "checkpoint",
                "`checkpoint` is not one of this method: it has " + std::to_string(values) + " values and " +
                    std::to_string(checkpoint.counters.size()) + " counters");
  }
  current_ = Values(length);
  best_ = Values(length);
  iterations_ = checkpoint.counters[1];
  evaluations_ = checkpoint.counters[2];
  best_loss_ = checkpoint.values[0];
  first_gradient_ = checkpoint.values[1];
  for (std::size_t i = 0; i < length; ++i) {
    current_[i] = static_cast<T>(checkpoint.values[state_values + i]);
    best_[i] = static_cast<T>(checkpoint.values[state_values + length + i]);
  }
}

template <class T>
const double* FirstOrderMethod<T>::more_values(const Checkpoint& checkpoint) const noexcept {
  return checkpoint.values.data() + state_values + 2 * size();
}

template <class T>
Checkpoint FirstOrderMethod<T>::save() const {
  Checkpoint checkpoint;
  checkpoint.counters = {size(), iterations_, evaluations_};
  checkpoint.values.reserve(state_values + 2 * size());
  checkpoint.values.push_back(best_loss_);
  checkpoint.values.push_back(first_gradient_);
  checkpoint.values.insert(checkpoint.values.end(), current_.begin(), current_.end());
  checkpoint.values.insert(checkpoint.values.end(), best_.begin(), best_.end());
  return checkpoint;
}

template <class T>
double FirstOrderMethod<T>::evaluate(Objective<T>& objective, std::span<const T> z, std::span<T> gradient,
                                     std::size_t threads) {
  const double loss = objective.evaluate(z, gradient);
  ++evaluations_;
  if (!std::isfinite(loss) || !std::isfinite(max_abs(std::span<const T>(gradient), threads))) {
    objective.not_finite_at(z);
    return INFINITY;
  }
  return loss;
}

template <class T>
bool FirstOrderMethod<T>::begin_iteration(Objective<T>& objective) {
  if (!objective.begin(iterations_)) return false;
  // The best state's loss under the old weights says nothing: it would be kept or dropped for the wrong reason.
  if (std::isfinite(best_loss_)) best_loss_ = objective.loss(best());
  return true;
}

template <class T>
void FirstOrderMethod<T>::note(const char* phase, double loss, double gradient_max, double step_max,
                               RunControl& control, FirstOrderHistory history) {
  if (loss < best_loss_) {
    best_loss_ = loss;
    std::copy(current_.begin(), current_.end(), best_.begin());
  }
  if (first_gradient_ == 0) first_gradient_ = gradient_max;
  history({iterations_, loss, gradient_max, step_max, evaluations_});
  control.report(
      {.phase = phase, .iterations = iterations_, .objective = best_loss_, .best = std::as_bytes(best_.span())});
}

template <class T>
bool FirstOrderMethod<T>::converged(const StoppingRule& rule, double gradient_max, bool moved, double step_max,
                                    double fall, double loss, std::size_t threads, SolveStatus& status) const {
  const auto short_step = [&] {
    if (step_max == 0 || rule.step_tolerance == 0) return step_max == 0;
    return step_max <= rule.step_tolerance * (max_abs(current(), threads) + rule.step_tolerance);
  };
  if (gradient_max <= rule.gradient_tolerance * first_gradient_) {
    status = SolveStatus::gradient;
  } else if (moved && short_step()) {
    status = SolveStatus::step;
  } else if (moved && rule.loss_tolerance > 0 && fall >= 0 && fall <= rule.loss_tolerance * (std::abs(loss) + fall)) {
    status = SolveStatus::loss;
  } else {
    return false;
  }
  return true;
}

template <class T>
FirstOrderResult DirectMethod<T>::run(Objective<T>& objective, const StoppingRule& rule, RunControl& control,
                                      FirstOrderHistory history) {
  const std::size_t threads = control.threads();
  AlignedBuffer<T> gradient(this->size()), before(this->size());
  FirstOrderResult result;
  double last_loss = INFINITY, step_max = 0;
  for (;;) {
    this->begin_iteration(objective);
    const double loss = this->evaluate(objective, this->current(), gradient.span(), threads);
    if (!std::isfinite(loss)) {
      result.status = SolveStatus::not_finite;
      result.loss = last_loss;
      if (result.iterations > 0) {
        std::copy(before.begin(), before.end(), this->current_.begin());
        --result.iterations;
        --this->iterations_;
      }
      return result;
    }
    result.loss = loss;
    const double gradient_max = max_abs(std::as_const(gradient).span(), threads);
    this->note(name(), loss, gradient_max, step_max, control, history);
    if (this->converged(rule, gradient_max, result.iterations > 0, step_max, last_loss - loss, loss, threads,
                        result.status)) {
      return result;
    }
    if (result.iterations == rule.iterations) {
      result.status = SolveStatus::max_iterations;
      return result;
    }
    if (const StopReason reason = control.stop_reason(); reason != StopReason::none) {
      result.status = status_of(reason);
      return result;
    }
    parallel_for(threads, before.size(), vector_elements_per_task, [&](std::size_t begin, std::size_t end) {
      std::copy(this->current_.data() + begin, this->current_.data() + end, before.data() + begin);
    });
    step(std::as_const(gradient).span(), threads);
    step_max = largest_change(std::as_const(before).span(), this->current(), threads);
    ++this->iterations_;
    ++result.iterations;
    last_loss = loss;
  }
}

template class FirstOrderMethod<float>;
template class FirstOrderMethod<double>;
template class DirectMethod<float>;
template class DirectMethod<double>;

}  // namespace dd::odil
