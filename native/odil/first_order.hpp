// What the gradient methods of odil share: the objective, the rules for stopping, the history, and the way back from a
// checkpoint. Each method is a file of its own: adam.hpp, gradient_descent.hpp, lbfgs.hpp.
// Source: specs/odil.md, section 5.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/error.hpp"
#include "core/function_ref.hpp"
#include "core/reductions.hpp"
#include "core/run_control.hpp"

namespace dd::odil {

/// Writes the gradient at z and returns the loss. With frozen terms the "gradient" is not the slope of the loss.
template <class T>
using Objective = FunctionRef<double(std::span<const T> z, std::span<T> gradient)>;

enum class FirstOrderStatus : std::uint8_t {
  converged_gradient,  ///< max |gradient| <= gradient_tolerance
  converged_step,      ///< max |step| <= step_tolerance
  converged_loss,      ///< the loss fell by loss_tolerance or less, relatively, in one iteration
  max_iterations,
  stopped,             ///< cancelled or out of time
  line_search_failed,  ///< no lower loss along the direction: often as far as rounding lets it go
  not_finite,          ///< loss or gradient is NaN or infinite; the state is the last one where they were not
};

const char* first_order_status_name(FirstOrderStatus status) noexcept;

struct StoppingRule {
  std::uint64_t iterations = 1000;  ///< of this call
  double gradient_tolerance = 0;
  double step_tolerance = 0;
  double loss_tolerance = 0;
};

/// One line of the history: the state after `iteration` steps.
struct FirstOrderRecord {
  std::uint64_t iteration = 0;
  double loss = 0;
  double gradient_max = 0;
  double step_max = 0;  ///< of the step that led here; 0 at the start of a call
  std::uint64_t evaluations = 0;
};
using FirstOrderHistory = FunctionRef<void(const FirstOrderRecord&)>;

struct FirstOrderResult {
  FirstOrderStatus status = FirstOrderStatus::max_iterations;
  std::uint64_t iterations = 0;  ///< of this call
  double loss = 0;               ///< at current(), as evaluated there
};

/// Everything a method knows, as numbers that survive any storage of float64.
struct Checkpoint {
  std::vector<double> values;
  std::vector<std::uint64_t> counters;
};

/// Where a method stands, and the best it has seen.
template <class T>
class FirstOrderState {
 public:
  /// Throws ERR_NOT_FINITE naming the first bad element of `initial`.
  explicit FirstOrderState(std::span<const T> initial);

  std::span<const T> current() const noexcept { return current_.span(); }
  /// The state of least loss so far; the initial one before anything is evaluated.
  std::span<const T> best() const noexcept { return best_.span(); }
  double best_loss() const noexcept { return best_loss_; }
  std::uint64_t iterations() const noexcept { return iterations_; }
  std::uint64_t evaluations() const noexcept { return evaluations_; }

 protected:
  using Values = AlignedBuffer<T>;

  /// Reads what save() wrote; `extra` vectors of the length of z follow in `more`. Throws ERR_SHAPE_MISMATCH.
  FirstOrderState(const Checkpoint& checkpoint, std::size_t least_values, std::size_t counters);

  /// Loss and gradient at z; counts. Infinity when the loss or the gradient is not finite.
  double evaluate(Objective<T> objective, std::span<const T> z, std::span<T> gradient, std::size_t threads);
  /// Takes `loss` at the current state for the best if it is.
  void note_best(double loss);
  void save_into(Checkpoint& checkpoint) const;

  std::size_t size() const noexcept { return current_.size(); }

  Values current_, best_;
  double best_loss_ = INFINITY;
  std::uint64_t iterations_ = 0, evaluations_ = 0;
};

/// The loop of the methods that take the step the gradient tells them, without asking for the loss it leads to.
/// step(gradient) moves the current state.
template <class T>
class DirectMethod : public FirstOrderState<T> {
 public:
  using FirstOrderState<T>::FirstOrderState;

 protected:
  FirstOrderResult run_steps(Objective<T> objective, const StoppingRule& rule, RunControl& control,
                             FirstOrderHistory history, FunctionRef<void(std::span<const T> gradient)> step);
};

/// Positive and finite, or Error naming the option.
void require_positive(double value, const char* name);

}  // namespace dd::odil
