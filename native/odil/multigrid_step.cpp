#include "odil/multigrid_step.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.hpp"
#include "core/reductions.hpp"

namespace dd::odil {
namespace {

// Of the residual, which is rougher than what it was at first: the gradient falls less than it does.
constexpr double least_tolerance = 1e-12, most_tolerance = 1e-2, share_of_aim = 1e-2;
constexpr double sound_residual = 1e-6;
constexpr std::size_t most_cycles = 60;
// F cycles come to the coarsest grid again and again: there a level more costs less than a larger factorisation.
constexpr std::size_t coarsest_points = 64;

}  // namespace

std::string MultigridStep::obstacle(const Problem& problem) {
  const ProblemDescription& description = problem.description();
  if (description.parameters > 0) return "there are parameters";
  if (description.fields.size() != 1) return "there is more than one field";
  if (description.blocks.size() != 1 || description.blocks[0].scalar ||
      description.blocks[0].shape != description.fields[0].shape) {
    return "there is not one residual for each point of the field";
  }
  if (description.axis_names.size() > linalg::max_grid_axes) return "there are more than four axes";
  for (const Coefficient& coefficient : problem.with_coefficients(0).coefficients()) {
    for (const std::int32_t step : coefficient.shift) {
      if (step < -1 || step > 1) return "a residual reads points further away than its neighbours";
    }
  }
  return "";
}

void MultigridStep::linearise(std::span<const double> z) { z_ = z; }

void MultigridStep::make_hierarchy() {
  const GridBlock& block = problem_.with_coefficients(0);
  if (multigrid_ && block.linear()) return;
  multigrid_.reset();
  const Shape& shape = block.shape();
  linalg::PointGrid grid;
  grid.axes = shape.axes;
  for (std::size_t axis = 0; axis < shape.axes; ++axis) {
    grid.count[axis] = static_cast<std::size_t>(shape.count[axis]);
    grid.periodic[axis] = problem_.description().periodic[axis];
  }
  std::vector<linalg::GridShift> shifts;
  for (const Coefficient& coefficient : block.coefficients()) {
    linalg::GridShift shift{};
    std::copy_n(coefficient.shift.begin(), shape.axes, shift.begin());
    shifts.push_back(shift);
  }
  linalg::StencilOperator<double> a(grid, shifts);
  std::vector<double*> arrays;
  for (std::size_t k = 0; k < shifts.size(); ++k) arrays.push_back(a.coefficients(k).data());
  block.evaluate_coefficients<double>(problem_.sources<double>(z_), arrays, threads_);
  for (std::size_t k = 0; k < shifts.size(); ++k) {
    const std::size_t bad = first_non_finite(std::span<const double>(a.coefficients(k)), threads_);
    if (bad == shape.points()) continue;
    const std::string name = problem_.residual_name(bad);
    throw Error(ErrorCode::not_finite, name, "a derivative of the residual " + name + " is not finite");
  }
  multigrid_.emplace(std::move(a), problem_.description().fields[0].location,
                     linalg::MultigridOptions{.cycle = linalg::MultigridCycle::f, .direct_points = coarsest_points},
                     threads_);
}

StepResult MultigridStep::solve(std::span<const double> v, const Damping&, std::span<double> step,
                                RunControl& control) {
  make_hierarchy();
  const double weight = -1 / roots_[0];
  std::vector<double> right(v.size());
  std::transform(v.begin(), v.end(), right.begin(), [&](double value) { return weight * value; });
  const double tolerance = std::clamp(share_of_aim * reduction_, least_tolerance, most_tolerance);
  const linalg::MultigridResult solved =
      multigrid_->solve(right, step, {.tolerance = tolerance, .max_cycles = most_cycles}, control);
  if (solved.status == linalg::MultigridStatus::stopped) {
    return {linalg::FactorStatus::stopped, linalg::no_index, solved.cycles};
  }
  // Rounding may stop it short of the tolerance; what counts is that the step is one of Newton's method.
  return {.iterations = solved.cycles, .converged = solved.residual < std::max(sound_residual, tolerance)};
}

}  // namespace dd::odil
