#include "polystep/baselines/search.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

#include "core/thread_pool.hpp"
#include "polystep/costs.hpp"
#include "polystep/objectives/support.hpp"
#include "polystep/run_report.hpp"

namespace dd::polystep {
namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

}  // namespace

template <class Scalar>
Search<Scalar>::Search(SearchOptions options, std::unique_ptr<SearchMethod> method)
    : options_(std::move(options)), method_(std::move(method)) {}

template <class Scalar>
Scalar Search<Scalar>::within(double value, std::size_t coordinate) const noexcept {
  const auto rounded = static_cast<Scalar>(value);
  if (options_.lower.empty()) return rounded;
  return std::clamp(rounded, static_cast<Scalar>(options_.lower[coordinate]),
                    static_cast<Scalar>(options_.upper[coordinate]));
}

template <class Scalar>
void Search<Scalar>::current(std::span<Scalar> out) const {
  const std::span<const double> x = method_->iterate();
  for (std::size_t j = 0; j < x.size(); ++j) out[j] = within(x[j], j);
}

/// Candidates that one thread writes and scores at a time: a quarter of a step, as many as objectives like to see
/// together, more where candidates are so short that a task would cost more than they do.
template <class Scalar>
std::size_t Search<Scalar>::grain() const noexcept {
  constexpr std::size_t short_numbers = 2048, most_numbers = std::size_t{1} << 22;
  const std::size_t most = std::clamp<std::size_t>(most_numbers / dimension(), 1, points_per_task);
  return std::clamp<std::size_t>(std::max(candidates() / 4, short_numbers / dimension()), 1, most);
}

template <class Scalar>
void Search<Scalar>::write(std::size_t first, std::size_t count, Scalar* out) const {
  const std::size_t n = dimension();
  std::vector<double> rows(count * n);
  method_->ask(step_, first, MatrixView<double>::row_major(rows.data(), count, n));
  for (std::size_t c = 0; c < count; ++c) {
    for (std::size_t j = 0; j < n; ++j) out[c * n + j] = within(rows[c * n + j], j);
  }
}

template <class Scalar>
void Search<Scalar>::write_candidates(std::size_t first, std::size_t count, Scalar* out, std::size_t threads) const {
  const std::size_t n = dimension();
  parallel_for(threads, count, grain(),
               [&](std::size_t begin, std::size_t end) { write(first + begin, end - begin, out + begin * n); });
}

template <class Scalar>
void Search<Scalar>::take_best(std::span<const double> losses) {
  const double before = best_value_;
  std::size_t best = 0;
  for (std::size_t c = 0; c < losses.size(); ++c) {
    if (!(losses[c] < best_value_) || !std::isfinite(losses[c])) continue;
    best_value_ = losses[c];
    best = c;
  }
  if (!(best_value_ < before)) return;
  best_.resize(dimension());
  write(best, 1, best_.data());
}

template <class Scalar>
StepOutcome Search<Scalar>::move(std::span<const double> losses, std::size_t threads, StepMetrics& metrics) {
  const double largest = largest_finite(losses);
  metrics.frozen_rows = 1;
  metrics.mean_cost = metrics.min_cost = std::numeric_limits<double>::infinity();
  if (largest < 0) return StepOutcome::infeasible;
  std::vector<double> costs(losses.begin(), losses.end());
  replace_infeasible(costs, infeasible_cost(largest));
  const auto [least, most] = std::minmax_element(costs.begin(), costs.end());
  metrics.frozen_rows = *least == *most ? 1 : 0;
  metrics.min_cost = *least;
  metrics.mean_cost = 0;
  for (const double cost : costs) metrics.mean_cost += cost / static_cast<double>(costs.size());

  const std::vector<double> before(method_->iterate().begin(), method_->iterate().end());
  method_->tell(step_, costs, threads);
  std::vector<double> after(method_->iterate().begin(), method_->iterate().end());
  // What a candidate could not be is no place to search around: finite in the precision of the candidates.
  const bool finite =
      std::all_of(after.begin(), after.end(), [](double x) { return std::isfinite(static_cast<Scalar>(x)); });
  if (!finite) {
    method_->move_to(before);
    method_->reset();
    return StepOutcome::reverted;
  }
  for (std::size_t j = 0; j < after.size(); ++j) {
    if (!options_.lower.empty()) after[j] = std::clamp(after[j], options_.lower[j], options_.upper[j]);
    metrics.mean_squared_displacement += (after[j] - before[j]) * (after[j] - before[j]);
  }
  if (!options_.lower.empty()) method_->move_to(after);
  return StepOutcome::moved;
}

template <class Scalar>
StepMetrics Search<Scalar>::finish(std::span<const double> losses, std::size_t threads) {
  StepMetrics metrics;
  const Gains gains = method_->gains(step_);
  evaluations_ += static_cast<double>(losses.size());
  take_best(losses);
  metrics.step = static_cast<double>(step_);
  metrics.evaluations = evaluations_;
  metrics.effective_samples = metrics.relative_displacement = metrics.epsilon = not_a_number;
  metrics.step_radius = gains.step;
  metrics.probe_radius = gains.perturbation;
  metrics.best = best_value_;
  metrics.outcome = static_cast<double>(move(losses, threads, metrics));
  ++step_;
  stop_ = RunStop::steps;
  patience_.look_at(best_value_, options_.min_delta);
  if (patience_.ended(options_.patience)) stop_ = RunStop::patience;
  return metrics;
}

template <class Scalar>
void Search<Scalar>::offer(double loss) {
  evaluations_ += 1;
  if (!(loss < best_value_) || !std::isfinite(loss)) return;
  best_value_ = loss;
  best_.resize(dimension());
  current(best_);
}

template <class Scalar>
void Search<Scalar>::score_steps(const Evaluator<Scalar>& evaluator, std::size_t first,
                                 std::span<double> losses) const {
  const std::span<const StepTensor> tensors = method_->step_tensors();
  std::size_t width = 0;
  for (const StepTensor& tensor : tensors) width += tensor.numbers();
  std::vector<Scalar> factors;
  std::vector<std::size_t> chosen, written;
  factors.reserve(losses.size());
  chosen.reserve(losses.size());
  for (std::size_t c = 0; c < losses.size(); ++c) {
    const SearchMethod::StepChoice choice = method_->step_choice(step_, first + c);
    factors.push_back(static_cast<Scalar>(choice.factor));
    if (written.empty() || written.back() != choice.number) written.push_back(choice.number);
    chosen.push_back(written.size() - 1);
  }
  std::vector<double> drawn(width);
  LargeVector<Scalar> numbers(written.size() * width);
  for (std::size_t i = 0; i < written.size(); ++i) {
    method_->write_step(step_, written[i], drawn);
    std::transform(drawn.begin(), drawn.end(), numbers.data() + i * width,
                   [](double value) { return static_cast<Scalar>(value); });
  }
  std::vector<const Scalar*> rows;
  rows.reserve(chosen.size());
  for (const std::size_t i : chosen) rows.push_back(numbers.data() + i * width);
  evaluator.evaluate_products(ProductSteps<Scalar>{tensors, factors, rows}, losses);
}

template <class Scalar>
RunStop Search<Scalar>::run(Evaluator<Scalar>& evaluator, std::size_t steps, double max_evaluations,
                            std::vector<StepMetrics>& metrics, RunControl& control) {
  const std::size_t count = candidates(), n = dimension();
  std::vector<double> losses(count);
  const std::span<const StepTensor> tensors = method_->step_tensors();
  const bool steps_only = options_.lower.empty() && !tensors.empty() && evaluator.can_multiply(tensors);
  LargeVector<Scalar> base(steps_only ? n : 0);
  for (std::size_t k = 0; k < steps; ++k) {
    if (control.should_stop()) return stop_of(control);
    if (evaluations_ + static_cast<double>(count) > max_evaluations) return RunStop::budget;
    evaluator.begin_step(step_, control.threads());
    if (steps_only) {
      current(base);
      static_cast<void>(evaluator.set_base(base, control.threads()));
    }
    std::atomic<bool> interrupted{false};
    parallel_for(control.threads(), count, grain(), [&](std::size_t begin, std::size_t end) {
      if (interrupted.load(std::memory_order_relaxed) || control.should_stop()) {
        interrupted.store(true, std::memory_order_relaxed);
        return;
      }
      if (steps_only) return score_steps(evaluator, begin, std::span(losses).subspan(begin, end - begin));
      LargeVector<Scalar> points((end - begin) * n);
      write(begin, end - begin, points.data());
      evaluator.evaluate(MatrixView<const Scalar>::row_major(points.data(), end - begin, n),
                         std::span(losses).subspan(begin, end - begin));
    });
    if (interrupted.load()) return stop_of(control);
    metrics.push_back(finish(losses, control.threads()));
    report_step(control, step_, best_value_, std::span<const Scalar>(best_));
    if (stop_ != RunStop::steps) return stop_;
  }
  return RunStop::steps;
}

template class Search<float>;
template class Search<double>;

}  // namespace dd::polystep
