#include "odil/linear_step.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/thread_pool.hpp"
#include "odil/block_tridiagonal_step.hpp"
#include "odil/bordered_step.hpp"
#include "odil/conjugate_gradient_step.hpp"
#include "odil/direct_steps.hpp"
#include "odil/multigrid_step.hpp"

namespace dd::odil {
namespace {

constexpr std::size_t largest_block_of_march = 512;  // LU is for what falls apart into such blocks
constexpr std::size_t fits_a_factor = 200'000;       // unknowns beyond which conjugate gradients are tried

[[noreturn]] void refuse(LinearSolver solver, const std::string& why) {
  throw Error(ErrorCode::invalid_argument_value, "linearSolver",
              std::string("`linearSolver` '") + linear_solver_name(solver) + "' does not fit this problem: " + why);
}

bool is_square(const Problem& problem) { return problem.residuals() == problem.unknowns(); }

/// Along some axis only what comes before is read: then J falls apart.
bool marches(std::span<const Coefficient> coefficients) {
  for (std::size_t axis = 0; axis < max_axes; ++axis) {
    const auto reads = [&](int side) {
      return std::any_of(coefficients.begin(), coefficients.end(),
                         [&](const Coefficient& coefficient) { return side * coefficient.shift[axis] > 0; });
    };
    if (reads(1) != reads(-1)) return true;
  }
  return false;
}

/// LU of square J; nothing where its pattern is singular.
std::unique_ptr<LuStep> lu_of(const Problem& problem, Normalization normalization, std::size_t threads) {
  try {
    return std::make_unique<LuStep>(problem, normalization, threads);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::singular) throw;
    return nullptr;
  }
}

std::unique_ptr<LinearStep> asked_for(const Problem& problem, LinearSolver solver, Normalization normalization,
                                      std::size_t threads) {
  switch (solver) {
    case LinearSolver::lu: {
      if (!is_square(problem)) refuse(solver, "there are not as many residuals as unknowns");
      std::unique_ptr<LuStep> step = lu_of(problem, normalization, threads);
      if (!step) refuse(solver, "no order of the residuals gives each unknown one of its own");
      return step;
    }
    case LinearSolver::qr:
      if (problem.unknowns() > QrStep::most_entries / (problem.residuals() + problem.unknowns())) {
        refuse(solver, "a dense matrix of so many numbers is too large");
      }
      return std::make_unique<QrStep>(problem, normalization, threads);
    case LinearSolver::bordered:
      if (problem.description().parameters == 0) refuse(solver, "there are no parameters");
      return std::make_unique<BorderedStep>(problem, normalization, threads);
    case LinearSolver::block_tridiagonal: {
      const std::size_t level = BlockTridiagonalStep::level_unknowns(problem);
      if (level == 0) refuse(solver, "parameters touch all times");
      if (level > BlockTridiagonalStep::most_block) refuse(solver, "its levels hold too many unknowns");
      return std::make_unique<BlockTridiagonalStep>(problem, normalization, threads);
    }
    case LinearSolver::multigrid:
      if (const std::string obstacle = MultigridStep::obstacle(problem); !obstacle.empty()) refuse(solver, obstacle);
      return std::make_unique<MultigridStep>(problem, normalization, threads);
    case LinearSolver::conjugate_gradient:
      if (!ConjugateGradientStep::square_block(problem)) {
        refuse(solver, "it needs one field, no parameters, and a block with a residual for each of its points");
      }
      return std::make_unique<ConjugateGradientStep>(problem, normalization, threads);
    default:
      return std::make_unique<CholeskyStep>(problem, normalization, threads);
  }
}

}  // namespace

const char* linear_solver_name(LinearSolver solver) noexcept {
  switch (solver) {
    case LinearSolver::automatic:
      return "auto";
    case LinearSolver::cholesky:
      return "cholesky";
    case LinearSolver::lu:
      return "lu";
    case LinearSolver::qr:
      return "qr";
    case LinearSolver::bordered:
      return "bordered";
    case LinearSolver::block_tridiagonal:
      return "block-tridiagonal";
    case LinearSolver::multigrid:
      return "multigrid";
    case LinearSolver::conjugate_gradient:
      return "conjugate-gradient";
  }
  return "";
}

LinearStep::LinearStep(const Problem& problem, Normalization normalization, std::size_t threads)
    : problem_(problem), threads_(threads) {
  rescale(problem.scales(normalization));
}

void LinearStep::rescale(std::span<const double> scales) {
  roots_.assign(scales.begin(), scales.end());
  for (double& root : roots_) root = std::sqrt(root);
}

void LinearStep::weigh(std::span<double> residuals) const {
  for (std::size_t b = 0; b < problem_.description().blocks.size(); ++b) {
    for (std::size_t i = problem_.block_offset(b); i < problem_.block_offset(b + 1); ++i) residuals[i] *= roots_[b];
  }
}

void LinearStep::slope(std::span<const double> v, std::span<double> result) const {
  std::vector<double> weighted(v.begin(), v.end());
  weigh(weighted);
  std::fill(result.begin(), result.end(), 0);
  problem_.add_transposed_product<double>(z_, weighted, result, threads_);
}

void LinearStep::multiply(std::span<const double> d, std::span<double> result) const {
  problem_.product<double>(z_, d, result, threads_);
  weigh(result);
}

LinearChoice choose_linear_step(const Problem& problem, LinearSolver asked, Normalization normalization,
                                std::size_t threads, std::optional<LinearSolver> after) {
  if (asked != LinearSolver::automatic) return {asked_for(problem, asked, normalization, threads), "asked for"};
  if (!after && MultigridStep::obstacle(problem).empty() && !marches(problem.with_coefficients(0).coefficients())) {
    return {std::make_unique<MultigridStep>(problem, normalization, threads),
            "J is square and couples neighbours of one field: multigrid takes time linear in the unknowns"};
  }
  if (!after && is_square(problem)) {
    std::unique_ptr<LuStep> lu = lu_of(problem, normalization, threads);
    if (lu && lu->factors().largest_block() <= largest_block_of_march) {
      return {std::move(lu), "J is square and falls apart into small blocks: LU marches through them"};
    }
  }
  if (!after && problem.description().parameters > 0) {
    return {std::make_unique<BorderedStep>(problem, normalization, threads),
            "parameters touch every residual: they are a dense border of the fields' sparse factor"};
  }
  if (!after && problem.unknowns() > fits_a_factor && ConjugateGradientStep::square_block(problem)) {
    try {
      return {std::make_unique<ConjugateGradientStep>(problem, normalization, threads),
              "there are many unknowns and a square block among the residuals, which preconditions J^T J"};
    } catch (const Error& error) {
      if (error.code() != ErrorCode::singular) throw;
    }
  }
  return {std::make_unique<CholeskyStep>(problem, normalization, threads), "a sparse factor of J^T J fits any problem"};
}

}  // namespace dd::odil
