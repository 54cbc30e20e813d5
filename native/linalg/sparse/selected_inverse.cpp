// For a front with L = [L1; L2] and the inverse known on the rows below as Z22: Y = L2 L1^-1, Z21 = -Z22 Y,
// Z11 = L1^-T L1^-1 - Y^T Z21. Z22 is a part of what the parent has, because the rows below are rows of the parent.
#include "linalg/sparse/selected_inverse.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "core/error.hpp"
#include "core/thread_pool.hpp"
#include "linalg/product.hpp"
#include "linalg/triangular.hpp"

namespace dd::linalg {
namespace {

struct Request {
  std::size_t index;  // among the places asked for
  Index column, row;  // in the order of elimination, row >= column
};

std::vector<Request> sorted_requests(const FrontTree& tree, std::span<const EntryPlace> places) {
  std::vector<Request> requests;
  for (std::size_t k = 0; k < places.size(); ++k) {
    if (places[k].row >= tree.inverse.size() || places[k].column >= tree.inverse.size()) {
      throw Error(ErrorCode::out_of_range, "places",
                  "`places` must lie inside the matrix, got (" + std::to_string(places[k].row) + ", " +
                      std::to_string(places[k].column) + ") at index " + std::to_string(k));
    }
    const Index a = tree.inverse[places[k].row], b = tree.inverse[places[k].column];
    requests.push_back({k, std::min(a, b), std::max(a, b)});
  }
  std::sort(requests.begin(), requests.end(), [](const Request& a, const Request& b) { return a.column < b.column; });
  return requests;
}

class Descent {
 public:
  Descent(const SparseCholesky& factor, std::size_t threads)
      : factor_(factor), tree_(factor.analysis().tree()), depth_(tree_.count(), 0) {
    options_.threads = threads;
    for (std::size_t f = tree_.count(); f-- > 0;) {
      const Index up = tree_.fronts[f].parent;
      if (up != no_index) depth_[f] = depth_[up] + 1;
    }
    path_.resize(tree_.count() == 0 ? 0 : *std::max_element(depth_.begin(), depth_.end()) + 1);
  }

  /// The inverse on the rows of front f, lower triangle; valid until a front of the same depth comes.
  Strided<double> descend(std::size_t f) {
    const Front& front = tree_.fronts[f];
    const std::size_t m = front.rows, k = front.columns, u = front.below();
    path_[depth_[f]].reserve_discarding(m * m);
    const Strided<double> z = column_major(path_[depth_[f]].data(), m, m, m);
    const Strided<double> own = z.block(0, 0, k, k), below = z.block(k, k, u, u), corner = z.block(k, 0, u, k);
    const Strided<const double> l = column_major(factor_.columns_of(f), m, k, m);
    if (u > 0) gather(f, below);

    triangle_.reserve_discarding(k * k);
    const Strided<double> inverse = column_major(triangle_.data(), k, k, k);
    for (std::size_t j = 0; j < k; ++j) {
      for (std::size_t i = 0; i < k; ++i) inverse(i, j) = i < j ? 0.0 : l(i, j);
    }
    // Y by the factor itself, which is more accurate than by its inverse.
    y_.reserve_discarding(u * k);
    const Strided<double> y = column_major(y_.data(), u, k, u);
    copy<double>(l.block(k, 0, u, k), y);
    if (solve_triangular<double>(Side::right, Triangle::lower,
                                 MatrixView<const double>::column_major(inverse.data, k, k),
                                 MatrixView<double>::column_major(y.data, u, k), options_.threads) != 0 ||
        invert_triangular<double>(Triangle::lower, MatrixView<double>::column_major(inverse.data, k, k),
                                  options_.threads) != 0) {
      throw Error(ErrorCode::internal, "factor", "`factor` has a pivot that is not positive");
    }
    multiply<double, double>(1.0, inverse.transposed(), inverse, 0.0, own, options_);
    if (u > 0) {
      multiply<double, double>(-1.0, below, y, 0.0, corner, options_);
      multiply<double, double>(-1.0, y.transposed(), corner, 1.0, own, options_);
    }
    return z;
  }

 private:
  /// The full square of the rows below, from the parent's lower triangle.
  void gather(std::size_t f, Strided<double> below) {
    const Front& front = tree_.fronts[f];
    const std::span<const Index> places = tree_.places_below(front);
    const std::size_t parent_rows = tree_.fronts[front.parent].rows;
    const double* const parent = path_[depth_[f] - 1].data();
    for (std::size_t j = 0; j < below.columns; ++j) {
      const double* const from = parent + places[j] * parent_rows;
      for (std::size_t i = j; i < below.rows; ++i) below(j, i) = below(i, j) = from[places[i]];
    }
  }

  const SparseCholesky& factor_;
  const FrontTree& tree_;
  ProductOptions options_;
  std::vector<std::size_t> depth_;
  std::vector<AlignedBuffer<double>> path_;
  AlignedBuffer<double> triangle_, y_;
};

}  // namespace

SelectedInverse selected_inverse(const SparseCholesky& factor, std::span<const EntryPlace> places,
                                 RunControl& control) {
  if (!factor.factored()) {
    throw Error(ErrorCode::invalid_argument_value, "factor", "`factor` must have succeeded before");
  }
  const FrontTree& tree = factor.analysis().tree();
  const std::vector<Request> requests = sorted_requests(tree, places);
  SelectedInverse result;
  result.diagonal.resize(tree.order.size());
  result.entries.resize(places.size());
  Descent descent(factor, control.threads() == 0 ? ThreadPool::default_threads() : control.threads());
  auto request = requests.rbegin();
  for (std::size_t f = tree.count(); f-- > 0;) {
    if (control.should_stop()) return {true, {}, {}};
    const Front& front = tree.fronts[f];
    const std::span<const Index> rows = tree.rows_of(front);
    const Strided<double> z = descent.descend(f);
    for (std::size_t c = 0; c < front.columns; ++c) result.diagonal[tree.order[rows[c]]] = z(c, c);
    for (; request != requests.rend() && request->column >= front.first; ++request) {
      const auto row = std::lower_bound(rows.begin(), rows.end(), request->row);
      if (row == rows.end() || *row != request->row) {
        throw Error(ErrorCode::invalid_argument_value, "places",
                    "`places` must be entries of the factor, (" + std::to_string(places[request->index].row) + ", " +
                        std::to_string(places[request->index].column) + ") at index " + std::to_string(request->index) +
                        " is none");
      }
      result.entries[request->index] = z(static_cast<std::size_t>(row - rows.begin()), request->column - front.first);
    }
  }
  for (const Index unknown : factor.empty_unknowns()) {
    result.diagonal[unknown] = std::numeric_limits<double>::infinity();
  }
  for (std::size_t k = 0; k < places.size(); ++k) {
    if (places[k].row == places[k].column) result.entries[k] = result.diagonal[places[k].row];
  }
  return result;
}

}  // namespace dd::linalg
