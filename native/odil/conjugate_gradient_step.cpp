#include "odil/conjugate_gradient_step.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"

namespace dd::odil {
namespace {

constexpr double conjugate_gradient_tolerance = 1e-11;  // of the preconditioned gradient, relative to its start
constexpr std::size_t most_conjugate_gradient_steps = 500;

}  // namespace

std::optional<std::size_t> ConjugateGradientStep::square_block(const Problem& problem) {
  const ProblemDescription& description = problem.description();
  if (description.parameters > 0 || description.fields.size() != 1) return std::nullopt;
  for (std::size_t b = 0; b < description.blocks.size(); ++b) {
    if (!description.blocks[b].scalar && description.blocks[b].residuals() == problem.unknowns()) return b;
  }
  return std::nullopt;
}

ConjugateGradientStep::ConjugateGradientStep(const Problem& problem, Normalization normalization, std::size_t threads)
    : MatrixStep(problem, normalization, threads),
      block_(*square_block(problem)),
      square_(some_columns(matrix_, problem.block_offset(block_), problem.unknowns(), problem.unknowns(), nullptr,
                           [](linalg::Index column) { return column; })),
      lu_(square_.pattern) {}

void ConjugateGradientStep::linearise(std::span<const double> z) {
  MatrixStep::linearise(z);
  const std::size_t first = matrix_.pattern.starts[problem_.block_offset(block_)];
  for (std::size_t k = 0; k < square_.values.size(); ++k) square_.values[k] = matrix_.values[first + k];
}

StepResult ConjugateGradientStep::solve(std::span<const double> v, const Damping& damping, std::span<double> step,
                                        RunControl& control) {
  require_factor_memory(lu_, control);
  const linalg::FactorResult factored = lu_.factor(square_, control);
  if (factored.status != linalg::FactorStatus::factored) return result_of(factored);
  const std::vector<double> added = added_diagonal(damping);
  const std::size_t n = step.size();
  std::vector<double> gradient(n), preconditioned(n), direction(n), along(n);
  const std::vector<double> nothing(problem_.residuals(), 0);
  const auto precondition = [&] {
    preconditioned = gradient;
    lu_.solve_transposed(preconditioned);
    lu_.solve(preconditioned);
  };
  std::fill(step.begin(), step.end(), 0);
  gradient_at(matrix_, v, step, added, gradient, threads_);
  precondition();
  double size = dot(gradient, preconditioned, threads_);
  const double goal = conjugate_gradient_tolerance * conjugate_gradient_tolerance * size;
  StepResult result;
  while (size > goal) {
    if (result.iterations == most_conjugate_gradient_steps) {
      result.converged = false;
      break;
    }
    if (control.should_stop()) return {linalg::FactorStatus::stopped, linalg::no_index, result.iterations};
    const double next_size = size;
    if (result.iterations == 0) {
      for (std::size_t k = 0; k < n; ++k) direction[k] = -preconditioned[k];
    }
    gradient_at(matrix_, nothing, direction, added, along, threads_);
    const double curvature = dot(direction, along, threads_);
    if (!(curvature > 0)) {
      result.converged = false;
      break;
    }
    const double length = next_size / curvature;
    for (std::size_t k = 0; k < n; ++k) {
      step[k] += length * direction[k];
      gradient[k] += length * along[k];
    }
    precondition();
    size = dot(gradient, preconditioned, threads_);
    for (std::size_t k = 0; k < n; ++k) direction[k] = size / next_size * direction[k] - preconditioned[k];
    ++result.iterations;
  }
  return result;
}

}  // namespace dd::odil
