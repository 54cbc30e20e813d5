#include "odil/matrix_steps.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/reductions.hpp"
#include "linalg/cholesky.hpp"
#include "linalg/gemm.hpp"
#include "linalg/qr.hpp"
#include "linalg/syrk.hpp"

namespace dd::odil {
namespace {

constexpr double scale_floor = 1e-12;
constexpr double conjugate_gradient_tolerance = 1e-11;  // of the preconditioned gradient, relative to its start
constexpr double sound_gradient = 1e-8;                 // relative to its start, of a step worth taking
constexpr std::size_t most_conjugate_gradient_steps = 500;

StepResult of(const linalg::FactorResult& factored) { return {factored.status, factored.unknown, 0, true}; }

/// The entries of `matrix` that `column_of` gives a place in a matrix of so many columns (no_index: none).
template <class ColumnOf>
linalg::SparseMatrix some_columns(const linalg::SparseMatrix& matrix, std::size_t first_row, std::size_t rows,
                                  std::size_t columns, std::vector<std::size_t>* from, ColumnOf&& column_of) {
  linalg::SparseMatrix result;
  result.pattern.rows = rows;
  result.pattern.columns = columns;
  for (std::size_t r = first_row; r < first_row + rows; ++r) {
    for (std::size_t k = matrix.pattern.starts[r]; k < matrix.pattern.starts[r + 1]; ++k) {
      const linalg::Index column = column_of(matrix.pattern.indices[k]);
      if (column == linalg::no_index) continue;
      result.pattern.indices.push_back(column);
      result.values.push_back(matrix.values[k]);
      if (from != nullptr) from->push_back(k);
    }
    result.pattern.starts.push_back(result.pattern.indices.size());
  }
  return result;
}

/// Before the first factor is allocated; later ones go where it was.
void require_factor_memory(const linalg::SparseLeastSquares& least_squares, const RunControl& control,
                           std::size_t threads) {
  if (least_squares.cholesky().bytes() > 0) return;
  control.require_memory(static_cast<double>(least_squares.analysis().factor_bytes(threads)),
                         "the sparse factor of J^T J (gradient methods do without)");
}

/// Before dense matrices of that many rows in all are allocated.
void require_dense_memory(double rows, std::size_t columns, const RunControl& control, const char* what) {
  control.require_memory(rows * static_cast<double>(columns) * sizeof(double), what);
}

/// J^T (J d + v) + T d.
void gradient_at(linalg::SparseView j, std::span<const double> v, std::span<const double> d,
                 std::span<const double> added, std::span<double> gradient, std::size_t threads) {
  std::vector<double> rows(j.pattern.rows);
  linalg::multiply(j, d, rows, threads);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] += v[i];
  linalg::multiply_transposed(j, rows, gradient);
  for (std::size_t k = 0; k < d.size(); ++k) gradient[k] += added[k] * d[k];
}

/// The step by solutions with a factor of J^T J + T that is none too exact: from zero, then from there, since J^T J has
/// the square of the condition number. Converged where the gradient has become small.
template <class Solve>
StepResult corrected(linalg::SparseView j, std::span<const double> v, std::span<const double> added,
                     std::span<double> step, std::size_t threads, Solve&& solve) {
  std::fill(step.begin(), step.end(), 0);
  std::vector<double> gradient(step.size());
  double first = 0, last = 0;
  for (int turn = 0; turn < 4; ++turn) {
    gradient_at(j, v, step, added, gradient, threads);
    last = max_abs(gradient, threads);
    if (turn == 0) first = last;
    if (turn >= 2 && last <= sound_gradient * first) break;
    solve(std::span<double>(gradient));
    for (std::size_t k = 0; k < step.size(); ++k) step[k] -= gradient[k];
  }
  return {.converged = last <= sound_gradient * first};
}

}  // namespace

std::optional<linalg::GridLayout> grid_layout(const ProblemDescription& description) {
  if (description.axis_names.size() > linalg::most_grid_axes) return std::nullopt;
  linalg::GridLayout layout;
  layout.axes = description.axis_names.size();
  for (std::size_t axis = 0; axis < layout.axes; ++axis) layout.periodic[axis] = description.periodic[axis];
  for (const Operand& field : description.fields) {
    std::array<std::size_t, linalg::most_grid_axes> extents{1, 1, 1, 1};
    for (std::size_t axis = 0; axis < layout.axes; ++axis) {
      extents[axis] = static_cast<std::size_t>(field.shape.count[axis]);
    }
    layout.fields.push_back(extents);
  }
  return layout;
}

// ---- the matrix --------------------------------------------------------------------------------------------------

MatrixStep::MatrixStep(const Problem& problem, Normalization normalization, std::size_t threads)
    : LinearStep(problem, normalization, threads),
      matrix_(problem.pattern()),
      squares_(problem.unknowns()),
      scale_(problem.unknowns()) {}

void MatrixStep::linearise(std::span<const double> z) {
  z_ = z;
  problem_.jacobian(z, matrix_, threads_);
  const auto& starts = matrix_.pattern.starts;
  for (std::size_t b = 0; b < problem_.description().blocks.size(); ++b) {
    const double weight = roots_[b];
    if (weight == 1) continue;
    for (std::size_t k = starts[problem_.block_offset(b)]; k < starts[problem_.block_offset(b + 1)]; ++k) {
      matrix_.values[k] *= weight;
    }
  }
  const std::size_t bad = first_non_finite(std::span<const double>(matrix_.values), threads_);
  if (bad < matrix_.values.size()) {
    const auto row = std::upper_bound(starts.begin(), starts.end(), bad) - starts.begin() - 1;
    const std::string name = problem_.residual_name(static_cast<std::size_t>(row));
    throw Error(ErrorCode::not_finite, name, "a derivative of the residual " + name + " is not finite");
  }
  std::fill(squares_.begin(), squares_.end(), 0);
  for (std::size_t k = 0; k < matrix_.values.size(); ++k) {
    squares_[matrix_.pattern.indices[k]] += matrix_.values[k] * matrix_.values[k];
  }
  double largest = 0;
  for (std::size_t j = 0; j < scale_.size(); ++j) {
    scale_[j] = std::sqrt(squares_[j]);
    largest = std::max(largest, scale_[j]);
  }
  // A structurally empty column stays at zero: its step is zero, whatever the damping.
  for (double& scale : scale_) {
    if (scale > 0) scale = std::max(scale, scale_floor * largest);
  }
}

linalg::DiagonalTerms MatrixStep::terms(const Damping& damping) const {
  return {.damp = damping.damp, .damp_diagonal = damping.damp_diagonal, .lambda = damping.lambda, .scale = scale_};
}

std::vector<double> MatrixStep::added_diagonal(const Damping& damping) const {
  std::vector<double> added(scale_.size());
  const double fixed = damping.damp * damping.damp, share = damping.damp_diagonal * damping.damp_diagonal;
  for (std::size_t j = 0; j < added.size(); ++j) {
    added[j] = fixed + share * (squares_[j] + fixed) + damping.lambda * scale_[j] * scale_[j];
  }
  return added;
}

// ---- Cholesky ----------------------------------------------------------------------------------------------------

CholeskyStep::CholeskyStep(const Problem& problem, Normalization normalization, std::size_t threads)
    : MatrixStep(problem, normalization, threads),
      layout_(problem.description().parameters == 0 ? grid_layout(problem.description()) : std::nullopt),
      least_squares_(matrix_.pattern, layout_ ? &*layout_ : nullptr, threads) {}

StepResult CholeskyStep::solve(std::span<const double> v, const Damping& damping, std::span<double> step,
                               RunControl& control) {
  require_factor_memory(least_squares_, control, threads_);
  const linalg::FactorResult factored = least_squares_.factor(matrix_, terms(damping), control);
  if (factored.status == linalg::FactorStatus::factored) least_squares_.solve(matrix_, v, step, 1, threads_);
  return of(factored);
}

// ---- LU ----------------------------------------------------------------------------------------------------------

LuStep::LuStep(const Problem& problem, Normalization normalization, std::size_t threads)
    : MatrixStep(problem, normalization, threads), lu_(matrix_.pattern) {}

StepResult LuStep::solve(std::span<const double> v, const Damping&, std::span<double> step, RunControl& control) {
  const linalg::FactorResult factored = lu_.factor(matrix_, control);
  if (factored.status != linalg::FactorStatus::factored) return of(factored);
  std::transform(v.begin(), v.end(), step.begin(), [](double value) { return -value; });
  lu_.solve(step);
  return {};
}

// ---- QR ----------------------------------------------------------------------------------------------------------

StepResult QrStep::solve(std::span<const double> v, const Damping& damping, std::span<double> step,
                         RunControl& control) {
  const std::size_t rows = problem_.residuals(), columns = problem_.unknowns();
  const std::size_t below = damping.none() ? 0 : columns;  // one row for each term of the diagonal
  require_dense_memory(2 * static_cast<double>(rows + below), columns, control,
                       "the dense matrix of linearSolver 'qr'");
  AlignedBuffer<double> dense((rows + below) * columns);
  std::fill(dense.begin(), dense.end(), 0);
  const auto a = MatrixView<double>::column_major(dense.data(), rows + below, columns);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t k = matrix_.pattern.starts[r]; k < matrix_.pattern.starts[r + 1]; ++k) {
      a(r, matrix_.pattern.indices[k]) = matrix_.values[k];
    }
  }
  if (below > 0) {
    const std::vector<double> added = added_diagonal(damping);
    for (std::size_t j = 0; j < columns; ++j) a(rows + j, j) = std::sqrt(added[j]);
  }
  std::vector<double> right(rows + below, 0);
  std::transform(v.begin(), v.end(), right.begin(), [](double value) { return -value; });
  const std::vector<double> found = linalg::RankRevealingQr(a).solve(right);
  std::copy(found.begin(), found.end(), step.begin());
  return {};
}

// ---- bordered ----------------------------------------------------------------------------------------------------

BorderedStep::BorderedStep(const Problem& problem, Normalization normalization, std::size_t threads)
    : MatrixStep(problem, normalization, threads),
      grid_(some_columns(
          matrix_, 0, problem.residuals(), problem.grid_unknowns(), &grid_from_,
          [&](linalg::Index column) { return column < problem.grid_unknowns() ? column : linalg::no_index; })),
      layout_(grid_layout(problem.description())),
      least_squares_(grid_.pattern, layout_ ? &*layout_ : nullptr, threads),
      border_(problem.residuals() * problem.description().parameters) {
  for (std::size_t r = 0; r < problem.residuals(); ++r) {
    for (std::size_t k = matrix_.pattern.starts[r]; k < matrix_.pattern.starts[r + 1]; ++k) {
      const linalg::Index column = matrix_.pattern.indices[k];
      if (column < problem.grid_unknowns()) continue;
      border_from_.push_back(k);
      border_row_.push_back(r);
      border_column_.push_back(column - problem.grid_unknowns());
    }
  }
  std::fill(border_.begin(), border_.end(), 0);
}

void BorderedStep::linearise(std::span<const double> z) {
  MatrixStep::linearise(z);
  for (std::size_t k = 0; k < grid_from_.size(); ++k) grid_.values[k] = matrix_.values[grid_from_[k]];
  const std::size_t rows = problem_.residuals();
  for (std::size_t k = 0; k < border_from_.size(); ++k) {
    border_[border_column_[k] * rows + border_row_[k]] = matrix_.values[border_from_[k]];
  }
}

StepResult BorderedStep::solve(std::span<const double> v, const Damping& damping, std::span<double> step,
                               RunControl& control) {
  const std::size_t rows = problem_.residuals(), grid = problem_.grid_unknowns(), parameters = step.size() - grid;
  linalg::DiagonalTerms grid_terms = terms(damping);
  grid_terms.scale = grid_terms.scale.first(grid);
  require_factor_memory(least_squares_, control, threads_);
  require_dense_memory(3 * static_cast<double>(grid) + static_cast<double>(rows), parameters, control,
                       "the dense columns of linearSolver 'bordered'");
  const linalg::FactorResult factored = least_squares_.factor(grid_, grid_terms, control);
  if (factored.status != linalg::FactorStatus::factored) return of(factored);

  // What the fields make of a change of parameters, X = argmin ||B - J X||^2 + X^T T X, and what is left of it,
  // R = B - J X. From R and X the reduced problem comes without the cancellation of B^T B - (J^T B)^T A^-1 (J^T B).
  const std::vector<double> added = added_diagonal(damping);
  const std::span<const double> grid_added = std::span(added).first(grid);
  AlignedBuffer<double> response(grid * parameters), left(rows * parameters), change(grid * parameters);
  std::fill(response.begin(), response.end(), 0);
  std::copy(border_.begin(), border_.end(), left.begin());
  for (int turn = 0; turn < 2; ++turn) {  // twice, as J^T J has the square of the condition number
    for (std::size_t p = 0; p < parameters; ++p) {
      const auto column = change.span().subspan(p * grid, grid);
      linalg::multiply_transposed(grid_, least_squares_.normal_equations().transposed(),
                                  left.span().subspan(p * rows, rows), column, threads_);
      for (std::size_t k = 0; k < grid; ++k) column[k] -= grid_added[k] * response[p * grid + k];
    }
    least_squares_.cholesky().solve(MatrixView<double>::column_major(change.data(), grid, parameters));
    if (control.should_stop()) return {linalg::FactorStatus::stopped};
    for (std::size_t k = 0; k < response.size(); ++k) response[k] += change[k];
    for (std::size_t p = 0; p < parameters; ++p) {
      const auto r = left.span().subspan(p * rows, rows);
      linalg::multiply(grid_, response.span().subspan(p * grid, grid), r, threads_);
      for (std::size_t i = 0; i < rows; ++i) r[i] = border_[p * rows + i] - r[i];
    }
  }
  const auto fields = step.first(grid), border = step.subspan(grid);
  least_squares_.solve(grid_, v, fields, 1, threads_);
  std::vector<double> rest(rows);
  linalg::multiply(grid_, fields, rest, threads_);
  for (std::size_t i = 0; i < rows; ++i) rest[i] += v[i];

  AlignedBuffer<double> reduced(parameters * parameters), scaled(grid * parameters);
  const auto s = MatrixView<double>::column_major(reduced.data(), parameters, parameters);
  const auto x = MatrixView<const double>::column_major(response.data(), grid, parameters);
  const auto r = MatrixView<const double>::column_major(left.data(), rows, parameters);
  linalg::syrk<double>(1, r.transposed(), 0, s, linalg::Triangle::lower, threads_);
  if (!damping.none()) {
    for (std::size_t p = 0; p < parameters; ++p) {
      for (std::size_t k = 0; k < grid; ++k) scaled[p * grid + k] = std::sqrt(grid_added[k]) * response[p * grid + k];
    }
    const auto t = MatrixView<const double>::column_major(scaled.data(), grid, parameters);
    linalg::syrk<double>(1, t.transposed(), 1, s, linalg::Triangle::lower, threads_);
  }
  for (std::size_t p = 0; p < parameters; ++p) {
    s(p, p) += added[grid + p];
    if (s(p, p) == 0) s(p, p) = 1;  // read by nothing: its step is zero
    double sum = dot(left.span().subspan(p * rows, rows), rest, threads_);
    for (std::size_t k = 0; k < grid; ++k) sum -= response[p * grid + k] * grid_added[k] * fields[k];
    border[p] = -sum;
  }
  if (const std::size_t bad = linalg::cholesky<double>(s, linalg::Triangle::lower, threads_); bad != 0) {
    return {linalg::FactorStatus::not_positive_definite, static_cast<linalg::Index>(grid + bad - 1)};
  }
  const auto y = MatrixView<double>::column_major(border.data(), parameters, 1);
  if (linalg::cholesky_solve<double>(s, y, linalg::Triangle::lower, threads_) != 0) {
    throw Error(ErrorCode::internal, "border", "the reduced problem has a factor with a zero pivot");
  }
  linalg::gemm<double>(-1, x, y, 1, MatrixView<double>::column_major(fields.data(), grid, 1), threads_);
  return {};
}

// ---- block tridiagonal -------------------------------------------------------------------------------------------

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

// ---- conjugate gradients -----------------------------------------------------------------------------------------

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
  const linalg::FactorResult factored = lu_.factor(square_, control);
  if (factored.status != linalg::FactorStatus::factored) return of(factored);
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
