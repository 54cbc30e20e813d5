// The numeric half: fronts are filled from the matrix and from what their children left, eliminated by the dense
// kernels, and leave a square to their parents.
//
// Squares lie on a stack that is filled from both ends, fronts of odd depth from one and of even depth from the other:
// a front's square is then pushed on top of its finished siblings while its children, popped afterwards, lie at the
// other end, and nothing is ever moved.
#include "linalg/sparse/cholesky.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <string>

#include "core/error.hpp"
#include "core/thread_pool.hpp"
#include "linalg/product.hpp"

namespace dd::linalg {
namespace {

/// Multiplications between two polls: a few milliseconds.
constexpr double flops_per_poll = 3e7;
/// Fronts with fewer rows than this are not worth a second thread.
constexpr std::size_t least_parallel_rows = 192;

class FrontStack {
 public:
  explicit FrontStack(AlignedBuffer<double>& memory) : memory_(memory), high_(memory.size()) {}

  double* push(bool from_high, std::size_t count) {
    if (from_high) {
      high_ -= count;
      return memory_.data() + high_;
    }
    low_ += count;
    return memory_.data() + low_ - count;
  }
  void pop(bool from_high, std::size_t count) {
    if (from_high) {
      high_ += count;
    } else {
      low_ -= count;
    }
  }

 private:
  AlignedBuffer<double>& memory_;
  std::size_t low_ = 0, high_;
};

/// Consecutive rows of a child that are consecutive rows of its parent.
struct Run {
  std::size_t from, to, length;
};

void find_runs(std::span<const Index> places, std::vector<Run>& runs) {
  runs.clear();
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (runs.empty() || places[i] != places[i - 1] + 1) runs.push_back({i, places[i], 0});
    ++runs.back().length;
  }
}

class Factorization {
 public:
  Factorization(const FrontTree& tree, std::span<const double> matrix, std::span<const Index> empty, double* factor,
                RunControl& control)
      : tree_(tree), matrix_(matrix), factor_(factor), control_(control), squares_(tree.count(), nullptr) {
    for (const Index unknown : empty) empty_.push_back(tree.inverse[unknown]);
    std::sort(empty_.begin(), empty_.end());
  }

  void run_serially(AlignedBuffer<double>& memory) {
    memory.reserve_discarding(tree_.stack);
    FrontStack stack(memory);
    for (std::size_t f = 0; f < tree_.count() && proceed(f); ++f) factor_front(f, stack, 1);
  }

  void run_in_parallel(std::size_t threads, std::vector<AlignedBuffer<double>>& stacks) {
    handed_over_.resize(tree_.tasks.size());
    ThreadPool::shared().run_tasks(threads, tree_.tasks.size(), [&](std::size_t t) {
      const FrontTask& task = tree_.tasks[t];
      AlignedBuffer<double> memory = take(stacks);
      memory.reserve_discarding(task.stack);
      FrontStack stack(memory);
      for (std::size_t f = task.first; f <= task.last && proceed(f); ++f) factor_front(f, stack, 1);
      if (const double* square = squares_[task.last]) {
        const std::size_t size = square_doubles(tree_.fronts[task.last].below());
        handed_over_[t] = AlignedBuffer<double>(size);
        std::copy_n(square, size, handed_over_[t].data());
        squares_[task.last] = handed_over_[t].data();
      }
      const std::lock_guard lock(mutex_);
      stacks.push_back(std::move(memory));
    });
    AlignedBuffer<double> memory = take(stacks);
    memory.reserve_discarding(tree_.top_stack);
    FrontStack stack(memory);
    std::size_t task = 0;
    for (std::size_t f = 0; f < tree_.count(); ++f) {
      if (task < tree_.tasks.size() && f == tree_.tasks[task].first) {
        f = tree_.tasks[task++].last;
        continue;
      }
      if (!proceed(f)) break;
      factor_front(f, stack, threads);
    }
    stacks.push_back(std::move(memory));
  }

  FactorResult result() const {
    const std::size_t column = failed_column_.load();
    if (column != none) return {FactorStatus::not_positive_definite, tree_.order[column]};
    if (stopped_.load()) return {FactorStatus::stopped, no_index};
    return {};
  }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  /// The failure with the lowest column is the one that is told, whichever thread finds its own first.
  bool proceed(std::size_t f) {
    if (control_.should_stop()) stopped_.store(true);
    return !stopped_.load() && tree_.fronts[f].first < failed_column_.load();
  }
  void fail(std::size_t column) {
    std::size_t known = failed_column_.load();
    while (column < known && !failed_column_.compare_exchange_weak(known, column)) {
    }
  }

  AlignedBuffer<double> take(std::vector<AlignedBuffer<double>>& stacks) {
    const std::lock_guard lock(mutex_);
    if (stacks.empty()) return {};
    AlignedBuffer<double> memory = std::move(stacks.back());
    stacks.pop_back();
    return memory;
  }

  void factor_front(std::size_t f, FrontStack& stack, std::size_t threads) {
    const Front& front = tree_.fronts[f];
    const std::size_t m = front.rows, u = front.below();
    if (m < least_parallel_rows) threads = 1;
    double* const columns = factor_ + front.values;
    double* const square = stack.push(front.odd_depth, square_doubles(u));
    std::fill_n(columns, m * front.columns, 0.0);
    parallel_for(threads, u, 64, [&](std::size_t begin, std::size_t end) {
      for (std::size_t j = begin; j < end; ++j) std::fill_n(square + j * u + j, u - j, 0.0);
    });
    for (std::size_t e = front.entries; e < tree_.fronts[f + 1].entries; ++e) {
      columns[tree_.entry_target[e]] = matrix_[tree_.entry_source[e]];
    }
    for (auto k = std::lower_bound(empty_.begin(), empty_.end(), front.first);
         k != empty_.end() && *k < front.first + front.columns; ++k) {
      columns[(*k - front.first) * (m + 1)] = 1;
    }
    for (const Index c : tree_.children_of(f)) {
      add_child(tree_.fronts[c], squares_[c], front, columns, square, threads);
    }
    for (const Index c : tree_.children_of(f)) release(c, stack);
    if (eliminate(front, columns, square, threads)) squares_[f] = square;
  }

  /// Frees the square of a child: what a task handed over, or the top of the stack.
  void release(std::size_t child, FrontStack& stack) {
    if (!handed_over_.empty()) {
      const auto task = std::lower_bound(tree_.tasks.begin(), tree_.tasks.end(), child,
                                         [](const FrontTask& one, std::size_t f) { return one.last < f; });
      if (task != tree_.tasks.end() && task->last == child) {
        handed_over_[static_cast<std::size_t>(task - tree_.tasks.begin())] = {};
        return;
      }
    }
    stack.pop(tree_.fronts[child].odd_depth, square_doubles(tree_.fronts[child].below()));
  }

  void add_child(const Front& child, const double* child_square, const Front& front, double* columns, double* square,
                 std::size_t threads) {
    const std::size_t m = front.rows, k = front.columns, u = front.below(), size = child.below();
    const std::span<const Index> places = tree_.places_below(child);
    thread_local std::vector<Run> runs_of_thread;
    std::vector<Run>& runs = runs_of_thread;
    find_runs(places, runs);
    parallel_for(size < least_parallel_rows ? 1 : threads, size, 64, [&](std::size_t begin, std::size_t end) {
      std::size_t first_run = 0;
      for (std::size_t j = begin; j < end; ++j) {
        while (runs[first_run].from + runs[first_run].length <= j) ++first_run;
        const bool own = places[j] < k;
        double* const to = own ? columns + places[j] * m : square + (places[j] - k) * u;
        const std::size_t shift = own ? 0 : k;
        const double* const from = child_square + j * size;
        // The run that holds the diagonal begins at it.
        std::size_t skip = j - runs[first_run].from;
        for (std::size_t r = first_run; r < runs.size(); ++r, skip = 0) {
          const double* const source = from + runs[r].from;
          double* const target = to + (runs[r].to - shift);
          for (std::size_t i = skip; i < runs[r].length; ++i) target[i] += source[i];
        }
      }
    });
  }

  bool eliminate(const Front& front, double* columns, double* square, std::size_t threads) {
    const std::size_t m = front.rows, k = front.columns, u = front.below();
    const Strided<double> all = column_major(columns, m, k, m);
    std::array<double, panel_columns> reciprocal;
    ProductOptions whole, lower;
    whole.threads = lower.threads = threads;
    lower.part = ProductPart::lower;
    for (std::size_t first = 0; first < k; first += panel_columns) {
      const std::size_t width = std::min(panel_columns, k - first);
      const CholeskyPanelArguments<double> panel{width, all.at(first, first), all.column_stride, reciprocal.data()};
      if (const std::size_t pivot = Kernels<double>::cholesky_panel(&panel)) {
        fail(front.first + first + pivot - 1);
        return false;
      }
      const std::size_t below = m - first - width, rest = k - first - width;
      if (below == 0) break;
      const Strided<double> rows = all.block(first + width, first, below, width);
      parallel_for(threads, below, 96, [&](std::size_t begin, std::size_t end) {
        const SolveArguments<double> solve{end - begin, width,          rows.at(begin, 0), rows.column_stride,
                                           panel.a,     panel.a_stride, reciprocal.data()};
        Kernels<double>::solve(&solve);
      });
      if (rest > 0) {
        const Strided<double> ahead = rows.block(0, 0, rest, width);
        multiply<double, double>(-1.0, ahead, ahead.transposed(), 1.0,
                                 all.block(first + width, first + width, rest, rest), lower);
        multiply<double, double>(-1.0, rows.block(rest, 0, u, width), ahead.transposed(), 1.0,
                                 all.block(k, first + width, u, rest), whole);
        if (!proceed_inside(front)) return false;
      }
    }
    if (u == 0) return true;
    const Strided<double> left = all.block(k, 0, u, k);
    const Strided<double> out = column_major(square, u, u, u);
    // Strips of columns between polls; every element is the same chain of operations for any strip.
    const double per_column = static_cast<double>(u) * static_cast<double>(k);
    const auto strip = static_cast<std::size_t>(std::max(96.0, flops_per_poll / per_column));
    for (std::size_t j = 0; j < u; j += strip) {
      const std::size_t width = std::min(strip, u - j), under = u - j - width;
      const Strided<double> here = left.block(j, 0, width, k);
      multiply<double, double>(-1.0, here, here.transposed(), 1.0, out.block(j, j, width, width), lower);
      if (under == 0) break;
      multiply<double, double>(-1.0, left.block(j + width, 0, under, k), here.transposed(), 1.0,
                               out.block(j + width, j, under, width), whole);
      if (!proceed_inside(front)) return false;
    }
    return true;
  }

  bool proceed_inside(const Front& front) {
    if (control_.should_stop()) stopped_.store(true);
    return !stopped_.load() && front.first < failed_column_.load();
  }

  const FrontTree& tree_;
  std::span<const double> matrix_;
  double* factor_;
  RunControl& control_;
  std::vector<Index> empty_;  // columns
  std::vector<const double*> squares_;
  std::vector<AlignedBuffer<double>> handed_over_;
  std::mutex mutex_;
  std::atomic<bool> stopped_{false};
  std::atomic<std::size_t> failed_column_{none};
};

[[noreturn]] void name_bad_entry(const FrontTree& tree, std::span<const double> values) {
  for (std::size_t f = 0; f < tree.count(); ++f) {
    const Front& front = tree.fronts[f];
    for (std::size_t e = front.entries; e < tree.fronts[f + 1].entries; ++e) {
      const double value = values[tree.entry_source[e]];
      if (std::isfinite(value)) continue;
      const Index column = tree.order[front.first + tree.entry_target[e] / front.rows];
      const Index row = tree.order[tree.rows_of(front)[tree.entry_target[e] % front.rows]];
      throw Error(ErrorCode::not_finite, "values",
                  "`values` must be finite, got " + std::to_string(value) + " at unknowns " +
                      std::to_string(std::min(row, column)) + " and " + std::to_string(std::max(row, column)));
    }
  }
  throw Error(ErrorCode::internal, "values", "`values` has an entry that no front holds");
}

}  // namespace

SparseCholeskyAnalysis::SparseCholeskyAnalysis(const SparsePattern& upper, std::span<const Index> order) {
  check_pattern(upper, "upper");
  if (upper.rows != upper.columns) {
    throw Error(ErrorCode::shape_mismatch, "upper", "`upper` must be square");
  }
  for (std::size_t i = 0; i < upper.rows; ++i) {
    const std::span<const Index> row = upper.row(i);
    if (row.empty() || row.front() >= i) continue;
    throw Error(ErrorCode::invalid_argument_value, "upper",
                "`upper` must hold the upper triangle, row " + std::to_string(i) + " has column " +
                    std::to_string(row.front()));
  }
  tree_ = build_fronts(upper, order);
}

std::size_t SparseCholeskyAnalysis::factor_bytes(std::size_t threads) const noexcept {
  std::size_t doubles = tree_.value_count();
  if (threads == 1) {
    doubles += tree_.stack;
  } else {
    if (threads == 0) threads = ThreadPool::default_threads();
    std::size_t largest = tree_.top_stack;
    for (const FrontTask& task : tree_.tasks) {
      largest = std::max(largest, task.stack);
      doubles += square_doubles(tree_.fronts[task.last].below());
    }
    doubles += largest * std::max<std::size_t>(1, std::min(threads, tree_.tasks.size()));
  }
  return doubles * sizeof(double) + tree_.count() * sizeof(double*);
}

SparseCholesky::SparseCholesky(std::shared_ptr<const SparseCholeskyAnalysis> analysis)
    : analysis_(std::move(analysis)) {}

void SparseCholesky::find_empty(std::span<const double> values) {
  const FrontTree& tree = analysis_->tree();
  empty_.clear();
  std::vector<bool> empty(tree.order.size(), false);
  for (std::size_t k = 0; k < tree.order.size(); ++k) {
    empty[k] = tree.diagonal[k] == no_index || values[tree.diagonal[k]] == 0;
  }
  if (std::find(empty.begin(), empty.end(), true) == empty.end()) return;
  for (std::size_t f = 0; f < tree.count(); ++f) {
    const Front& front = tree.fronts[f];
    const std::span<const Index> rows = tree.rows_of(front);
    for (std::size_t e = front.entries; e < tree.fronts[f + 1].entries; ++e) {
      if (values[tree.entry_source[e]] == 0) continue;
      empty[front.first + tree.entry_target[e] / front.rows] = false;
      empty[rows[tree.entry_target[e] % front.rows]] = false;
    }
  }
  for (std::size_t k = 0; k < empty.size(); ++k) {
    if (empty[k]) empty_.push_back(tree.order[k]);
  }
  std::sort(empty_.begin(), empty_.end());
}

FactorResult SparseCholesky::factor(std::span<const double> values, RunControl& control) {
  const FrontTree& tree = analysis_->tree();
  factored_ = false;
  expect_length("values", values.size(), tree.entries);
  double sum = 0;
  for (const double value : values) sum += value * 0.0;
  if (sum != 0) name_bad_entry(tree, values);
  find_empty(values);
  values_.reserve_discarding(tree.value_count());
  Factorization run(tree, values, empty_, values_.data(), control);
  const std::size_t threads = control.threads() == 0 ? ThreadPool::default_threads() : control.threads();
  if (threads == 1) {
    if (stacks_.empty()) stacks_.emplace_back();
    run.run_serially(stacks_.front());
  } else {
    run.run_in_parallel(threads, stacks_);
  }
  const FactorResult result = run.result();
  factored_ = result.status == FactorStatus::factored;
  return result;
}

double SparseCholesky::log_determinant() const {
  expect_factored();
  const FrontTree& tree = analysis_->tree();
  double sum = 0;
  for (std::size_t f = 0; f < tree.count(); ++f) {
    const Front& front = tree.fronts[f];
    for (std::size_t c = 0; c < front.columns; ++c) sum += std::log(columns_of(f)[c * (std::size_t{front.rows} + 1)]);
  }
  return 2 * sum;
}

std::size_t SparseCholesky::bytes() const noexcept {
  std::size_t doubles = values_.size();
  for (const AlignedBuffer<double>& stack : stacks_) doubles += stack.size();
  return doubles * sizeof(double);
}

void SparseCholesky::expect_factored() const {
  if (!factored_) throw Error(ErrorCode::invalid_argument_value, "factor", "`factor` must have succeeded before");
}

}  // namespace dd::linalg
