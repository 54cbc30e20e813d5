// What the searches that polystep is compared with have in common: candidates out, losses in. A step's candidates are a
// function of (seed, step, index) and of the state before the step, so that any of them can be written at any time by
// any thread and none is ever stored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/matrix_view.hpp"
#include "polystep/candidate_steps.hpp"

namespace dd::polystep {

/// What a step is taken with: how far the iterate goes and how far candidates lie from it, in the method's own terms.
struct Gains {
  double step = 0, perturbation = 0;
};

class SearchMethod {
 public:
  explicit SearchMethod(std::span<const double> x0) : iterate_(x0.begin(), x0.end()) {}
  SearchMethod(const SearchMethod&) = delete;
  SearchMethod& operator=(const SearchMethod&) = delete;
  virtual ~SearchMethod() = default;

  /// Candidates of a step; the same for all steps.
  virtual std::size_t candidates() const noexcept = 0;
  virtual Gains gains(std::uint64_t step) const noexcept = 0;
  /// Rows first, first + 1, ... of the candidates of `step`, not yet clamped to a box.
  virtual void ask(std::uint64_t step, std::size_t first, MatrixView<double> rows) const = 0;
  /// Tensors through which candidates are steps of few numbers from the iterate; none: they are not.
  virtual std::span<const StepTensor> step_tensors() const noexcept { return {}; }
  /// Candidate `index` is the iterate plus `factor` times the step that `write_step(step, number)` writes.
  struct StepChoice {
    std::size_t number = 0;
    double factor = 0;
  };
  virtual StepChoice step_choice(std::uint64_t step, std::size_t index) const {
    static_cast<void>(step);
    return {index, 0};
  }
  virtual void write_step(std::uint64_t step, std::size_t number, std::span<double> out) const {
    static_cast<void>(step);
    static_cast<void>(number);
    static_cast<void>(out);
  }
  /// Ends the step: finite losses of all its candidates.
  virtual void tell(std::uint64_t step, std::span<const double> losses, std::size_t threads) = 0;
  /// Forgets what was learned on the way to the iterate.
  virtual void reset() = 0;

  std::size_t dimension() const noexcept { return iterate_.size(); }
  std::span<const double> iterate() const noexcept { return iterate_; }
  void move_to(std::span<const double> point) { iterate_.assign(point.begin(), point.end()); }

 protected:
  std::vector<double> iterate_;
};

}  // namespace dd::polystep
