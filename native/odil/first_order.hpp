// What the gradient methods of odil share: the objective, the rules for stopping, the history, and the way back from a
// checkpoint. Each method is a file of its own: adam.hpp, gradient_descent.hpp, lbfgs.hpp.
// Source: specs/odil.md, section 5.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/function_ref.hpp"
#include "core/run_control.hpp"
#include "odil/solve_status.hpp"

namespace dd::odil {

/// What is minimised. With frozen terms the "gradient" is not the slope of the loss.
template <class T>
class Objective {
 public:
  virtual ~Objective() = default;

  /// Writes the gradient at z and returns the loss.
  virtual double evaluate(std::span<const T> z, std::span<T> gradient) = 0;
  virtual double loss(std::span<const T> z) = 0;
  /// Told that the loss or the gradient at z was not finite.
  virtual void not_finite_at(std::span<const T> z) { (void)z; }
  /// Called before every iteration, counted over all calls. True where the same state may have another loss from now
  /// on, because weights change.
  virtual bool begin(std::uint64_t iteration) {
    (void)iteration;
    return false;
  }
};

struct StoppingRule {
  std::uint64_t iterations = 1000;  ///< of this call
  double gradient_tolerance = 0;    ///< of max |gradient|, relative to its first value
  double step_tolerance = 0;        ///< of max |step|, relative to max |z|
  double loss_tolerance = 0;        ///< of the fall in one iteration, relative to the loss
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
  SolveStatus status = SolveStatus::max_iterations;
  std::uint64_t iterations = 0;  ///< of this call
  double loss = 0;               ///< at current(), as evaluated there
};

/// Everything a method knows, as numbers that survive any storage of float64.
struct Checkpoint {
  std::vector<double> values;
  std::vector<std::uint64_t> counters;
};

/// A gradient method: where it stands, and the best it has seen.
template <class T>
class FirstOrderMethod {
 public:
  /// Throws ERR_NOT_FINITE naming the first bad element of `initial`.
  explicit FirstOrderMethod(std::span<const T> initial);
  virtual ~FirstOrderMethod() = default;
  FirstOrderMethod(const FirstOrderMethod&) = delete;
  FirstOrderMethod& operator=(const FirstOrderMethod&) = delete;

  /// Takes up to rule.iterations steps from where it stands. With the same objective, running on from a checkpoint
  /// gives the bits of a run that was never interrupted.
  virtual FirstOrderResult run(Objective<T>& objective, const StoppingRule& rule, RunControl& control,
                               FirstOrderHistory history) = 0;
  virtual Checkpoint save() const;

  std::span<const T> current() const noexcept { return current_.span(); }
  /// The state of least loss so far; the initial one before anything is evaluated.
  std::span<const T> best() const noexcept { return best_.span(); }
  double best_loss() const noexcept { return best_loss_; }
  std::uint64_t iterations() const noexcept { return iterations_; }
  std::uint64_t evaluations() const noexcept { return evaluations_; }

 protected:
  using Values = AlignedBuffer<T>;

  /// Reads what save() wrote; `vectors` more of the length of z follow at more_values(). Throws ERR_SHAPE_MISMATCH.
  FirstOrderMethod(const Checkpoint& checkpoint, std::size_t vectors, std::size_t counters);
  const double* more_values(const Checkpoint& checkpoint) const noexcept;

  /// Loss and gradient at z; counts. Infinity when the loss or the gradient is not finite.
  double evaluate(Objective<T>& objective, std::span<const T> z, std::span<T> gradient, std::size_t threads);
  /// Tells the objective that an iteration begins; true where losses have changed, the best one among them.
  bool begin_iteration(Objective<T>& objective);
  /// Takes `loss` at the current state for the best if it is, and reports.
  void note(const char* phase, double loss, double gradient_max, double step_max, RunControl& control,
            FirstOrderHistory history);
  /// Whether a tolerance is met; `moved` is false before the first step of a call. `fall` is negative where it rose.
  bool converged(const StoppingRule& rule, double gradient_max, bool moved, double step_max, double fall, double loss,
                 std::size_t threads, SolveStatus& status) const;

  std::size_t size() const noexcept { return current_.size(); }

  Values current_, best_;
  double best_loss_ = INFINITY, first_gradient_ = 0;
  std::uint64_t iterations_ = 0, evaluations_ = 0;
};

/// The loop of the methods that take the step the gradient tells them, without asking for the loss it leads to.
template <class T>
class DirectMethod : public FirstOrderMethod<T> {
 public:
  FirstOrderResult run(Objective<T>& objective, const StoppingRule& rule, RunControl& control,
                       FirstOrderHistory history) override;

 protected:
  using FirstOrderMethod<T>::FirstOrderMethod;

  virtual const char* name() const noexcept = 0;
  /// Moves the current state.
  virtual void step(std::span<const T> gradient, std::size_t threads) = 0;
};

/// Positive and finite, or Error naming the option.
void require_positive(double value, const char* name);

}  // namespace dd::odil
