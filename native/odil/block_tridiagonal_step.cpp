#include "odil/block_tridiagonal_step.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"

namespace dd::odil {

std::size_t BlockTridiagonalStep::level_unknowns(const Problem& problem) {
  if (problem.description().parameters > 0) return 0;
  std::size_t unknowns = 0;
  for (const Operand& field : problem.description().fields) {
    unknowns += field.shape.points() / static_cast<std::size_t>(field.shape.count[0]);
  }
  return unknowns;
}

BlockTridiagonalStep::BlockTridiagonalStep(const Problem& problem, Normalization normalization, std::size_t threads)
    : MatrixStep(problem, normalization, threads), normal_(matrix_.pattern, threads), place_(problem.unknowns()) {
  const std::vector<Operand>& fields = problem.description().fields;
  std::size_t levels = 0;
  for (const Operand& field : fields) levels = std::max(levels, static_cast<std::size_t>(field.shape.count[0]));
  std::vector<linalg::Index> level(problem.unknowns());
  linalg::Index next = 0;
  for (std::size_t t = 0; t < levels; ++t) {
    for (std::size_t f = 0; f < fields.size(); ++f) {
      if (t >= static_cast<std::size_t>(fields[f].shape.count[0])) continue;
      const std::size_t points = fields[f].shape.points() / static_cast<std::size_t>(fields[f].shape.count[0]);
      for (std::size_t p = 0; p < points; ++p) {
        const std::size_t unknown = problem.field_offset(f) + t * points + p;
        place_[unknown] = next++;
        level[unknown] = static_cast<linalg::Index>(t);
      }
    }
  }
  std::size_t reach = 1;  // levels that an entry spans: so many of them make a block
  const linalg::SparsePattern& pattern = normal_.pattern();
  for (std::size_t row = 0; row < pattern.rows; ++row) {
    for (const linalg::Index column : pattern.row(row)) {
      const linalg::Index a = level[row], c = level[column];
      reach = std::max<std::size_t>(reach, a < c ? c - a : a - c);
    }
  }
  block_ = reach * level_unknowns(problem);
  if (block_ == 0 || block_ > most_block) {
    throw Error(ErrorCode::invalid_argument_value, "linearSolver",
                "`linearSolver` 'block-tridiagonal' needs blocks of " + std::to_string(block_) +
                    " unknowns here, not 1 to " + std::to_string(most_block));
  }
}

StepResult BlockTridiagonalStep::solve(std::span<const double> v, const Damping& damping, std::span<double> step,
                                       RunControl& control) {
  normal_.compute(matrix_, terms(damping), threads_);
  const std::size_t blocks = (step.size() + block_ - 1) / block_;
  if (!factor_) {
    require_dense_memory((2 * static_cast<double>(blocks) - 1) * static_cast<double>(block_), block_, control,
                         "the blocks of linearSolver 'block-tridiagonal'");
    factor_.emplace(blocks, block_);
  }
  for (std::size_t t = 0; t < blocks; ++t) {
    for (std::size_t i = 0; i < block_; ++i) {
      for (std::size_t j = 0; j < block_; ++j) factor_->diagonal(t)(i, j) = 0;
      if (t * block_ + i >= step.size()) factor_->diagonal(t)(i, i) = 1;
      if (t + 1 == blocks) continue;
      for (std::size_t j = 0; j < block_; ++j) factor_->below(t)(i, j) = 0;
    }
  }
  const linalg::SparsePattern& pattern = normal_.pattern();
  for (std::size_t row = 0; row < pattern.rows; ++row) {
    for (std::size_t k = pattern.starts[row]; k < pattern.starts[row + 1]; ++k) {
      const std::size_t a = place_[row], c = place_[pattern.indices[k]];
      const std::size_t low = std::max(a, c), high = std::min(a, c);
      const std::size_t t = high / block_;
      double value = normal_.values()[k];
      if (low == high && value == 0) value = 1;  // read by nothing: its step is zero
      (low / block_ == t ? factor_->diagonal(t) : factor_->below(t))(low % block_, high % block_) = value;
    }
  }
  const linalg::BlockTridiagonalCholesky::Result factored = factor_->factor(control);
  if (factored.status == linalg::BlockTridiagonalCholesky::Status::stopped) {
    return {linalg::FactorStatus::stopped};
  }
  if (factored.status == linalg::BlockTridiagonalCholesky::Status::not_positive_definite) {
    const auto unknown = std::find(place_.begin(), place_.end(), static_cast<linalg::Index>(factored.unknown));
    return {linalg::FactorStatus::not_positive_definite, static_cast<linalg::Index>(unknown - place_.begin())};
  }
  const std::vector<double> added = added_diagonal(damping);
  std::vector<double> arranged(blocks * block_, 0);
  return corrected(matrix_, v, added, step, threads_, [&](std::span<double> right) {
    for (std::size_t k = 0; k < right.size(); ++k) arranged[place_[k]] = right[k];
    factor_->solve(arranged);
    for (std::size_t k = 0; k < right.size(); ++k) right[k] = arranged[place_[k]];
  });
}

}  // namespace dd::odil
