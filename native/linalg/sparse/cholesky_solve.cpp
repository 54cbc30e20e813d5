// Solves with the factor, front by front: down the elimination order for L, up for L^T. With one right-hand side this
// reads the factor once per half and is bound by memory.
#include <algorithm>
#include <string>

#include "core/error.hpp"
#include "linalg/product.hpp"
#include "linalg/solve.hpp"
#include "linalg/sparse/cholesky.hpp"
#include "linalg/triangular.hpp"

namespace dd::linalg {
namespace {

/// Columns of L that are applied one by one before the rows below see them together.
constexpr std::size_t block_columns = 16;

void subtract_product(std::size_t rows, std::size_t columns, const double* a, std::size_t stride, const double* x,
                      double* y) {
  const MatrixVectorArguments<double> arguments{rows, columns, a, static_cast<std::ptrdiff_t>(stride), x, -1.0, 1.0, y};
  Kernels<double>::matrix_vector_by_columns(&arguments);
}

void subtract_transposed_product(std::size_t rows, std::size_t columns, const double* a, std::size_t stride,
                                 const double* x, double* y) {
  const MatrixVectorArguments<double> arguments{columns, rows, a, static_cast<std::ptrdiff_t>(stride), x, -1.0, 1.0, y};
  Kernels<double>::matrix_vector_by_rows(&arguments);
}

/// x (rows) := the front's part of L^-1 x: its own columns solved, the rows below updated.
void apply(const Front& front, const double* l, double* x) {
  const std::size_t m = front.rows, k = front.columns;
  for (std::size_t first = 0; first < k; first += block_columns) {
    const std::size_t width = std::min(block_columns, k - first), next = first + width;
    for (std::size_t j = first; j < next; ++j) {
      const double* const column = l + j * m;
      x[j] /= column[j];
      for (std::size_t i = j + 1; i < next; ++i) x[i] -= column[i] * x[j];
    }
    if (next < m) subtract_product(m - next, width, l + first * m + next, m, x + first, x + next);
  }
}

void apply_transposed(const Front& front, const double* l, double* x) {
  const std::size_t m = front.rows, k = front.columns;
  for (std::size_t next = k; next > 0;) {
    const std::size_t first = (next - 1) / block_columns * block_columns, width = next - first;
    if (next < m) subtract_transposed_product(m - next, width, l + first * m + next, m, x + next, x + first);
    for (std::size_t j = next; j-- > first;) {
      const double* const column = l + j * m;
      double sum = x[j];
      for (std::size_t i = j + 1; i < next; ++i) sum -= column[i] * x[i];
      x[j] = sum / column[j];
    }
    next = first;
  }
}

}  // namespace

void SparseCholesky::forward(double* x) const {
  const FrontTree& tree = analysis_->tree();
  std::vector<double> local;
  for (std::size_t f = 0; f < tree.count(); ++f) {
    const Front& front = tree.fronts[f];
    const std::span<const Index> rows = tree.rows_of(front);
    local.resize(std::max<std::size_t>(local.size(), front.rows));
    for (std::size_t i = 0; i < rows.size(); ++i) local[i] = x[rows[i]];
    apply(front, columns_of(f), local.data());
    for (std::size_t i = 0; i < rows.size(); ++i) x[rows[i]] = local[i];
  }
}

void SparseCholesky::backward(double* x) const {
  const FrontTree& tree = analysis_->tree();
  std::vector<double> local;
  for (std::size_t f = tree.count(); f-- > 0;) {
    const Front& front = tree.fronts[f];
    const std::span<const Index> rows = tree.rows_of(front);
    local.resize(std::max<std::size_t>(local.size(), front.rows));
    for (std::size_t i = 0; i < rows.size(); ++i) local[i] = x[rows[i]];
    apply_transposed(front, columns_of(f), local.data());
    for (std::size_t i = 0; i < front.columns; ++i) x[rows[i]] = local[i];
  }
}

void SparseCholesky::forward(MatrixView<double> x) const {
  const FrontTree& tree = analysis_->tree();
  std::vector<double> local;
  for (std::size_t f = 0; f < tree.count(); ++f) {
    const Front& front = tree.fronts[f];
    const std::span<const Index> rows = tree.rows_of(front);
    const std::size_t m = front.rows, k = front.columns;
    local.resize(std::max(local.size(), m * x.columns));
    for (std::size_t c = 0; c < x.columns; ++c) {
      for (std::size_t i = 0; i < m; ++i) local[i + c * m] = x(rows[i], c);
    }
    const Strided<const double> l = column_major(columns_of(f), m, k, m);
    const Strided<double> b = column_major(local.data(), m, x.columns, m);
    solve_right_transposed<double>(l.block(0, 0, k, k), b.block(0, 0, k, x.columns).transposed(), 1);
    multiply<double, double>(-1.0, l.block(k, 0, m - k, k), b.block(0, 0, k, x.columns), 1.0,
                             b.block(k, 0, m - k, x.columns));
    for (std::size_t c = 0; c < x.columns; ++c) {
      for (std::size_t i = 0; i < m; ++i) x(rows[i], c) = local[i + c * m];
    }
  }
}

void SparseCholesky::backward(MatrixView<double> x) const {
  const FrontTree& tree = analysis_->tree();
  std::vector<double> local;
  for (std::size_t f = tree.count(); f-- > 0;) {
    const Front& front = tree.fronts[f];
    const std::span<const Index> rows = tree.rows_of(front);
    const std::size_t m = front.rows, k = front.columns;
    local.resize(std::max(local.size(), m * x.columns));
    for (std::size_t c = 0; c < x.columns; ++c) {
      for (std::size_t i = 0; i < m; ++i) local[i + c * m] = x(rows[i], c);
    }
    const Strided<const double> l = column_major(columns_of(f), m, k, m);
    const Strided<double> b = column_major(local.data(), m, x.columns, m);
    const Strided<double> own = b.block(0, 0, k, x.columns);
    multiply<double, double>(-1.0, l.block(k, 0, m - k, k).transposed(), b.block(k, 0, m - k, x.columns), 1.0, own);
    // L^T X = B is the lower case with the order of the unknowns reversed.
    solve_right_transposed<double>(l.block(0, 0, k, k).transposed().reversed(), own.transposed().columns_reversed(), 1);
    for (std::size_t c = 0; c < x.columns; ++c) {
      for (std::size_t i = 0; i < k; ++i) x(rows[i], c) = local[i + c * m];
    }
  }
}

void SparseCholesky::solve_factor(std::span<double> b) const {
  expect_factored();
  const std::vector<Index>& order = analysis_->tree().order;
  expect_length("b", b.size(), order.size());
  std::vector<double> x(order.size());
  for (const Index unknown : empty_) b[unknown] = 0;
  for (std::size_t k = 0; k < x.size(); ++k) x[k] = b[order[k]];
  forward(x.data());
  std::copy(x.begin(), x.end(), b.begin());
}

void SparseCholesky::solve_factor_transposed(std::span<double> b) const {
  expect_factored();
  const FrontTree& tree = analysis_->tree();
  expect_length("b", b.size(), tree.order.size());
  std::vector<double> x(b.begin(), b.end());
  for (const Index unknown : empty_) x[tree.inverse[unknown]] = 0;
  backward(x.data());
  for (std::size_t k = 0; k < x.size(); ++k) b[tree.order[k]] = x[k];
}

void SparseCholesky::solve(std::span<double> b) const {
  expect_factored();
  const std::vector<Index>& order = analysis_->tree().order;
  expect_length("b", b.size(), order.size());
  std::vector<double> x(order.size());
  for (const Index unknown : empty_) b[unknown] = 0;
  for (std::size_t k = 0; k < x.size(); ++k) x[k] = b[order[k]];
  forward(x.data());
  backward(x.data());
  for (std::size_t k = 0; k < x.size(); ++k) b[order[k]] = x[k];
}

void SparseCholesky::solve(MatrixView<double> b) const {
  expect_factored();
  const std::vector<Index>& order = analysis_->tree().order;
  const std::size_t n = order.size();
  expect_shape("b", b.rows, b.columns, n, b.columns);
  checked_output(b, "b");
  std::vector<double> x(n * b.columns);
  const auto inside = MatrixView<double>::column_major(x.data(), n, b.columns);
  for (std::size_t c = 0; c < b.columns; ++c) {
    for (const Index unknown : empty_) b(unknown, c) = 0;
    for (std::size_t k = 0; k < n; ++k) inside(k, c) = b(order[k], c);
  }
  forward(inside);
  backward(inside);
  for (std::size_t c = 0; c < b.columns; ++c) {
    for (std::size_t k = 0; k < n; ++k) b(order[k], c) = inside(k, c);
  }
}

}  // namespace dd::linalg
