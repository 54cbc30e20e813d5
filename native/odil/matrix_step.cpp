#include "odil/matrix_step.hpp"

#include <cmath>

#include "core/error.hpp"

namespace dd::odil {
namespace {

constexpr double scale_floor = 1e-12;

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

StepResult result_of(const linalg::FactorResult& factored) { return {factored.status, factored.unknown, 0, true}; }

void require_factor_memory(const linalg::SparseLeastSquares& least_squares, const RunControl& control,
                           std::size_t threads) {
  if (least_squares.cholesky().bytes() > 0) return;
  control.require_memory(static_cast<double>(least_squares.analysis().factor_bytes(threads)),
                         "the sparse factor of J^T J (gradient methods do without)");
}

void require_factor_memory(const linalg::SparseLu& lu, const RunControl& control) {
  if (lu.factor_entries() > 0) return;
  control.require_memory(static_cast<double>(lu.expected_factor_bytes()),
                         "the sparse LU factors of J (gradient methods do without)");
}

void require_dense_memory(double rows, std::size_t columns, const RunControl& control, const char* what) {
  control.require_memory(rows * static_cast<double>(columns) * sizeof(double), what);
}

void gradient_at(linalg::SparseView j, std::span<const double> v, std::span<const double> d,
                 std::span<const double> added, std::span<double> gradient, std::size_t threads) {
  std::vector<double> rows(j.pattern.rows);
  linalg::multiply(j, d, rows, threads);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] += v[i];
  linalg::multiply_transposed(j, rows, gradient);
  for (std::size_t k = 0; k < d.size(); ++k) gradient[k] += added[k] * d[k];
}

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

}  // namespace dd::odil
