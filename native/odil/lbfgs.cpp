// The two-loop recursion and the outer loop around the line search.
#include "odil/lbfgs.hpp"

#include <limits>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/reductions.hpp"
#include "linalg/vectors.hpp"

namespace dd::odil {
namespace {

using linalg::add_scaled;

const LbfgsOptions& checked(const LbfgsOptions& options) {
  if (options.memory == 0) throw Error(ErrorCode::out_of_range, "memory", "`memory` must be at least 1, got 0");
  const LineSearchOptions& line = options.line_search;
  if (!(line.decrease > 0 && line.decrease < line.curvature && line.curvature < 1)) {
    throw Error(ErrorCode::out_of_range, "lineSearch",
                "`lineSearch` needs 0 < decrease < curvature < 1, got " + std::to_string(line.decrease) + " and " +
                    std::to_string(line.curvature));
  }
  if (line.evaluations == 0) {
    throw Error(ErrorCode::out_of_range, "lineSearch", "`lineSearch` needs at least 1 evaluation, got 0");
  }
  return options;
}

std::size_t pair_count(const Checkpoint& checkpoint) {
  return checkpoint.counters.empty() ? 0 : static_cast<std::size_t>(checkpoint.counters.back());
}

}  // namespace

template <class T>
Lbfgs<T>::Lbfgs(const LbfgsOptions& options, std::span<const T> initial)
    : FirstOrderMethod<T>(initial), options_(checked(options)) {}

template <class T>
Lbfgs<T>::Lbfgs(const LbfgsOptions& options, const Checkpoint& checkpoint)
    : FirstOrderMethod<T>(checkpoint, 2 * pair_count(checkpoint), 1), options_(checked(options)) {
  const double* from = this->more_values(checkpoint);
  for (std::size_t k = 0; k < pair_count(checkpoint); ++k) {
    Pair pair{AlignedBuffer<T>(this->size()), AlignedBuffer<T>(this->size())};
    for (AlignedBuffer<T>* vector : {&pair.step, &pair.change}) {
      for (T& value : *vector) value = static_cast<T>(*from++);
    }
    pair.product = dot(std::as_const(pair.step).span(), std::as_const(pair.change).span(), 1);
    pairs_.push_back(std::move(pair));
  }
  while (pairs_.size() > options_.memory) pairs_.pop_front();
}

template <class T>
void Lbfgs<T>::make_direction(std::span<const T> gradient, std::span<T> direction, std::size_t threads) const {
  std::copy(gradient.begin(), gradient.end(), direction.begin());
  std::vector<double> alphas(pairs_.size());
  for (std::size_t k = pairs_.size(); k-- > 0;) {
    const Pair& pair = pairs_[k];
    alphas[k] = dot(pair.step.span(), std::span<const T>(direction), threads) / pair.product;
    add_scaled<T>(static_cast<T>(-alphas[k]), pair.change.span(), direction, threads);
  }
  double scale = -1;
  if (!pairs_.empty()) {
    const Pair& last = pairs_.back();
    scale = -last.product / dot(last.change.span(), last.change.span(), threads);
  }
  const T* const vectors[] = {direction.data()};
  const T weights[] = {static_cast<T>(scale)};
  linalg::combine<T>(vectors, weights, {}, direction, threads);
  for (std::size_t k = 0; k < pairs_.size(); ++k) {
    const Pair& pair = pairs_[k];
    const double beta = dot(pair.change.span(), std::span<const T>(direction), threads) / pair.product;
    add_scaled<T>(static_cast<T>(-alphas[k] - beta), pair.step.span(), direction, threads);
  }
}

template <class T>
void Lbfgs<T>::remember(std::span<const T> old_gradient, std::span<const T> gradient, std::span<const T> before,
                        std::size_t threads) {
  Pair pair;
  if (pairs_.size() == options_.memory) {
    pair = std::move(pairs_.front());
    pairs_.pop_front();
  } else {
    pair = {AlignedBuffer<T>(this->size()), AlignedBuffer<T>(this->size())};
  }
  const auto subtract = [&](std::span<const T> a, const T* b, std::span<T> out) {
    const T* const vectors[] = {b};
    const T weights[] = {T(-1)};
    linalg::combine<T>(vectors, weights, a, out, threads);
  };
  subtract(this->current(), before.data(), pair.step.span());
  subtract(gradient, old_gradient.data(), pair.change.span());
  const auto change = std::as_const(pair.change).span();
  pair.product = dot(std::as_const(pair.step).span(), change, threads);
  // Without positive curvature the matrix would lose its definiteness.
  if (pair.product > std::numeric_limits<double>::epsilon() * dot(change, change, threads)) {
    pairs_.push_back(std::move(pair));
  }
}

template <class T>
FirstOrderResult Lbfgs<T>::run(Objective<T>& objective, const StoppingRule& rule, RunControl& control,
                               FirstOrderHistory history) {
  const std::size_t threads = control.threads(), size = this->size();
  AlignedBuffer<T> gradient(size), trial_gradient(size), direction(size), before(size);
  FirstOrderResult result;
  double loss = 0, step_max = 0, fall = INFINITY;
  for (bool evaluated = false;; evaluated = true) {
    // Loss and gradient of the last step are those of the old weights: a line search would compare what differs.
    if (this->begin_iteration(objective) || !evaluated) {
      const double value = this->evaluate(objective, this->current(), gradient.span(), threads);
      if (!std::isfinite(value)) {
        result.status = SolveStatus::not_finite;
        return result;
      }
      result.loss = loss = value;
    }
    const double gradient_max = max_abs(std::as_const(gradient).span(), threads);
    this->note("lbfgs", loss, gradient_max, step_max, control, history);
    if (this->converged(rule, gradient_max, result.iterations > 0, step_max, fall, loss, threads, result.status)) {
      return result;
    }
    if (result.iterations == rule.iterations) {
      result.status = SolveStatus::max_iterations;
      return result;
    }
    std::copy(this->current_.begin(), this->current_.end(), before.begin());
    bool interrupted = false;
    LineSearchResult found;
    for (;;) {
      if (const StopReason reason = control.stop_reason(); reason != StopReason::none) {
        result.status = status_of(reason);
        return result;
      }
      make_direction(gradient.span(), direction.span(), threads);
      const double slope = dot(std::as_const(gradient).span(), std::as_const(direction).span(), threads);
      if (!(slope < 0) && !pairs_.empty()) {
        pairs_.clear();
        continue;
      }
      // The first step of a new memory is at most 1 long, later ones have the right scale by themselves.
      const double length = std::sqrt(dot(std::as_const(direction).span(), std::as_const(direction).span(), threads));
      const double first_step = pairs_.empty() ? std::min(1.0, 1 / length) : 1;
      found = search_line({0, loss, slope}, first_step, options_.line_search, [&](double step) -> LinePoint {
        interrupted = interrupted || control.should_stop();
        if (interrupted) return {step, INFINITY, 0};
        const T* const vectors[] = {direction.data()};
        const T weights[] = {static_cast<T>(step)};
        linalg::combine<T>(vectors, weights, before.span(), this->current_.span(), threads);
        const double value = this->evaluate(objective, this->current(), trial_gradient.span(), threads);
        if (!std::isfinite(value)) return {step, INFINITY, 0};
        return {step, value, dot(std::as_const(trial_gradient).span(), std::as_const(direction).span(), threads)};
      });
      if (found.status == LineSearchStatus::found || interrupted || pairs_.empty()) break;
      pairs_.clear();
    }
    if (found.status != LineSearchStatus::found) {
      std::copy(before.begin(), before.end(), this->current_.begin());
      result.status = interrupted                                    ? status_of(control.stop_reason())
                      : found.status == LineSearchStatus::not_finite ? SolveStatus::not_finite
                                                                     : SolveStatus::stalled;
      return result;
    }
    fall = loss - found.point.value;
    loss = found.point.value;
    remember(gradient.span(), trial_gradient.span(), before.span(), threads);
    std::swap(gradient, trial_gradient);
    step_max = std::abs(found.point.step) * max_abs(std::as_const(direction).span(), threads);
    ++this->iterations_;
    ++result.iterations;
    result.loss = loss;
  }
}

template <class T>
Checkpoint Lbfgs<T>::save() const {
  Checkpoint checkpoint = FirstOrderMethod<T>::save();
  for (const Pair& pair : pairs_) {
    checkpoint.values.insert(checkpoint.values.end(), pair.step.begin(), pair.step.end());
    checkpoint.values.insert(checkpoint.values.end(), pair.change.begin(), pair.change.end());
  }
  checkpoint.counters.push_back(pairs_.size());
  return checkpoint;
}

template class Lbfgs<float>;
template class Lbfgs<double>;

}  // namespace dd::odil
