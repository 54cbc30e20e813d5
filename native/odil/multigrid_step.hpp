// The linear step by geometric multigrid: J of a steady problem on one field is a stencil, and square.
#pragma once

#include <optional>

#include "linalg/multigrid.hpp"
#include "odil/linear_step.hpp"

namespace dd::odil {

class MultigridStep final : public LinearStep {
 public:
  using LinearStep::LinearStep;
  LinearSolver solver() const noexcept override { return LinearSolver::multigrid; }
  bool newton() const noexcept override { return true; }
  void linearise(std::span<const double> z) override;
  StepResult solve(std::span<const double> v, const Damping& damping, std::span<double> step,
                   RunControl& control) override;

  /// Why J is no such stencil; empty where it is one.
  static std::string obstacle(const Problem& problem);

 private:
  void make_hierarchy();

  std::optional<linalg::Multigrid<double>> multigrid_;  // of a linear problem, for the whole run
};

}  // namespace dd::odil
