// The linear step in control space: how the misfits of the equations, the parameters and the state should change, by
// conjugate gradients with marches forwards and backwards.
//
// Source: specs/odil-engine.md, sections 3.1 and 3.2, steps 1 to 5.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "core/run_control.hpp"
#include "odil/control_space.hpp"
#include "odil/data_operator.hpp"
#include "odil/march.hpp"
#include "odil/parameter_step.hpp"

namespace dd::odil {

/// Weights of the equations, by row of the state: the roots of their blocks' scales. Throws
/// Error(invalid_argument_value, "weights") for one that is 0.
std::vector<double> equation_weights(const Problem& problem, const Evolution& evolution,
                                     std::span<const double> scales);

template <class T>
class ControlStep {
 public:
  /// What it refers to must outlive it; `scales`: of the blocks' sums of squares.
  ControlStep(const Problem& problem, const Evolution& evolution, const EvolutionPrograms& programs,
              const std::vector<double>& scales, const ParameterScale& scale, const ControlSpaceOptions& options,
              RunControl& control);
  ControlStep(const ControlStep&) = delete;
  ControlStep& operator=(const ControlStep&) = delete;

  /// A field that marches may read.
  StateVector<T> vector() const;

  /// Finds the step at a state with weighted misfits `misfit`; parameters that are `frozen` stay. False when it was
  /// stopped. Throws as LinearMarch::linearise and ParameterSystem do.
  bool find(const PointSources<T>& at, const StateVector<T>& misfit, double mu, std::span<const std::size_t> frozen,
            ControlSpaceStep& step);

  /// Of the weighted misfits, of the parameters on their inner scale, and of the state.
  const StateVector<T>& misfit_step() const noexcept { return misfit_step_; }
  std::span<const double> parameter_step() const noexcept { return parameter_step_; }
  const StateVector<T>& change() const noexcept { return change_; }

  /// Fields that are free between calls of `find`.
  StateVector<T>& spare() noexcept { return direction_; }
  StateVector<T>& second_spare() noexcept { return residual_; }

 private:
  std::optional<std::vector<RowRangeField<T>>> find_sensitivities(std::span<const double> factors,
                                                                  ControlSpaceStep& step);
  void read_columns(std::size_t row, std::vector<bool>& present);
  std::vector<bool> free_parameters(std::span<const double> inner, std::span<const std::size_t> frozen,
                                    ControlSpaceStep& step) const;
  bool forward(const StateVector<T>& of);
  bool adjoint();
  std::vector<double> project() const;
  void subtract_fields(std::span<const double> coefficients);
  double norm_squared(const StateVector<T>& of) const;
  bool remove_misfit(const StateVector<T>& misfit, std::vector<double>& slope, ControlSpaceStep& step);
  bool find_misfit_step(const StateVector<T>& misfit, double mu, const std::vector<bool>& free,
                        std::vector<double>& slope, ControlSpaceStep& step);
  bool find_change(std::span<const double> factors, ControlSpaceStep& step);

  const Evolution& evolution_;
  const ParameterScale& scale_;
  const ControlSpaceOptions& options_;
  RunControl& control_;
  std::size_t threads_;
  LinearMarch<T> linear_;
  DataOperator<T> data_;
  std::vector<double> weights_;          // of the equations, by row
  StateVector<T> misfit_step_, change_;  // y, M W^-1 y
  StateVector<T> residual_, direction_;  // of conjugate gradients
  StateVector<T> apart_;                 // where D^T D does not work in place
  StateVector<T>& product_;              // with D^T D and M^T: the change, or apart from it
  std::vector<double> parameter_step_;
  Elimination<T> elimination_;
  std::vector<AlignedBuffer<T>> columns_;  // d equation / d parameter of one row
};

/// Of row solves by sweeps, where the options leave it open.
template <class T>
double sweep_tolerance(const ControlSpaceOptions& options) noexcept {
  return options.sweep_tolerance > 0 ? options.sweep_tolerance : sizeof(T) == 8 ? 1e-9 : 1e-6;
}

}  // namespace dd::odil
