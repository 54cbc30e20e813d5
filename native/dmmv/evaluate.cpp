// Objective, violations and the one-flip table, from scratch.
#include "dmmv/evaluate.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/error.hpp"
#include "core/infinity.hpp"
#include "core/thread_pool.hpp"
#include "dmmv/one_flip.hpp"
#include "dmmv/residual_form.hpp"

namespace dd::dmmv {
namespace {

double row_violation(double activity, double lower, double upper, double weight) {
  return weight * std::max(activity - upper, lower - activity);
}

}  // namespace

RowOffsets row_offsets(std::span<const double> lower, std::span<const double> upper, std::span<const double> weights) {
  const std::size_t rows = lower.size();
  RowOffsets offsets{std::vector<double>(rows), std::vector<double>(rows, 0.0), std::vector<double>(rows, 0.0), true};
  for (std::size_t i = 0; i < rows; ++i) {
    if (lower[i] == -infinity) {
      offsets.centre[i] = upper[i];
      offsets.lower[i] = infinity;
    } else if (upper[i] == infinity) {
      offsets.centre[i] = lower[i];
      offsets.upper[i] = infinity;
    } else {
      offsets.centre[i] = lower[i] == upper[i] ? lower[i] : 0.5 * lower[i] + 0.5 * upper[i];
      offsets.upper[i] = weights[i] * (upper[i] - offsets.centre[i]);
      offsets.lower[i] = weights[i] * (offsets.centre[i] - lower[i]);
    }
    if (offsets.upper[i] != 0 || offsets.lower[i] != 0) offsets.pure = false;
  }
  return offsets;
}

RowOffsets row_offsets(const Problem& problem) {
  return row_offsets(problem.lower(), problem.upper(), problem.weights());
}

std::vector<double> activities(const Matrix& matrix, const LevelSets& levels, std::span<const std::int32_t> indices) {
  std::vector<double> sums(matrix.rows(), 0.0);
  for (std::size_t j = 0; j < matrix.columns(); ++j) {
    const double value = levels.value(j, indices[j]);
    if (value == 0) continue;
    matrix.for_each(j, [&](std::size_t row, double entry) { sums[row] += entry * value; });
  }
  return sums;
}

Evaluation evaluate(const Problem& problem, std::span<const std::int32_t> indices) {
  problem.check_indices(indices, "indices");
  Evaluation result;
  result.activities = activities(problem.matrix(), problem.levels(), indices);
  result.violations.resize(problem.rows());
  result.objective = -std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < problem.rows(); ++i) {
    const double violation =
        row_violation(result.activities[i], problem.lower()[i], problem.upper()[i], problem.weights()[i]);
    result.violations[i] = violation;
    if (violation > result.objective) {
      result.objective = violation;
      result.worst_row = i;
    }
  }
  if (const SoftRows* soft = problem.soft_rows()) {
    const std::vector<double> sums = activities(soft->matrix, problem.levels(), indices);
    for (std::size_t k = 0; k < sums.size(); ++k) {
      result.soft_penalty +=
          std::max(0.0, row_violation(sums[k], soft->lower[k], soft->upper[k], soft->multipliers[k]));
    }
  }
  return result;
}

double objective(const Problem& problem, std::span<const std::int32_t> indices) {
  return evaluate(problem, indices).objective;
}

namespace {

/// Rows that a column does not touch keep their violation: the largest of them is found in the order of violations, at
/// the first one that the column leaves alone. Cost: the entries for every level.
void sparse_one_flips(const Problem& problem, std::span<const std::int32_t> indices, const RowOffsets& offsets,
                      std::span<const double> residual, std::span<const std::size_t> starts, std::size_t threads,
                      std::span<double> out) {
  const std::size_t rows = problem.rows();
  const auto violation = [&](std::size_t i, double z) {
    return offsets.pure ? std::abs(z) : std::max(z - offsets.upper[i], -z - offsets.lower[i]);
  };
  std::vector<double> now(rows);
  std::vector<std::uint32_t> order(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    now[i] = violation(i, residual[i]);
    order[i] = static_cast<std::uint32_t>(i);
  }
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return now[a] > now[b]; });
  parallel_for(threads == 0 ? ThreadPool::default_threads() : threads, problem.variables(), 256,
               [&](std::size_t begin, std::size_t end) {
                 std::vector<std::size_t> touched_by(rows, problem.variables());
                 std::vector<double> near, effect, upper, lower;
                 for (std::size_t j = begin; j < end; ++j) {
                   const std::span<const std::int32_t> touched = problem.matrix().column_rows(j);
                   const std::span<const double> entries = problem.matrix().column_values(j);
                   for (const std::int32_t row : touched) touched_by[static_cast<std::size_t>(row)] = j;
                   std::size_t first = 0;
                   while (first < rows && touched_by[order[first]] == j) ++first;
                   const double others = first < rows ? now[order[first]] : -std::numeric_limits<double>::infinity();
                   const double current = problem.levels().value(j, indices[j]);
                   // The column's own rows gathered once: for all its levels they are a small dense column.
                   const std::size_t count = touched.size();
                   for (std::vector<double>* part : {&near, &effect, &upper, &lower}) part->resize(count);
                   for (std::size_t k = 0; k < count; ++k) {
                     const auto i = static_cast<std::size_t>(touched[k]);
                     near[k] = residual[i];
                     effect[k] = problem.weights()[i] * entries[k];
                     if (offsets.pure) continue;
                     upper[k] = offsets.upper[i];
                     lower[k] = offsets.lower[i];
                   }
                   for (std::int32_t q = 0; q < problem.levels().count(j); ++q) {
                     double& largest = out[starts[j] + static_cast<std::size_t>(q)];
                     largest = now[order[0]];
                     if (q == indices[j]) continue;
                     const double step = problem.levels().value(j, q) - current;
                     const OneFlipColumn<double> own{effect.data(),
                                                     near.data(),
                                                     offsets.pure ? nullptr : upper.data(),
                                                     offsets.pure ? nullptr : lower.data(),
                                                     &step,
                                                     &largest,
                                                     count,
                                                     1};
                     one_flip_float64(&own);
                     largest = std::max(largest, others);
                   }
                 }
               });
}

}  // namespace

void one_flip_table(const Problem& problem, std::span<const std::int32_t> indices, std::size_t threads,
                    std::span<double> out) {
  problem.check_indices(indices, "indices");
  const LevelSets& levels = problem.levels();
  if (out.size() != levels.total()) {
    throw Error(ErrorCode::shape_mismatch, "out",
                "`out` must have length " + std::to_string(levels.total()) + " (all levels of all variables), got " +
                    std::to_string(out.size()));
  }
  const std::size_t rows = problem.rows();
  const RowOffsets offsets = row_offsets(problem);
  std::vector<double> residual = activities(problem.matrix(), levels, indices);
  for (std::size_t i = 0; i < rows; ++i) residual[i] = problem.weights()[i] * (residual[i] - offsets.centre[i]);

  std::vector<std::size_t> starts(problem.variables() + 1, 0);
  for (std::size_t j = 0; j < problem.variables(); ++j) {
    starts[j + 1] = starts[j] + static_cast<std::size_t>(levels.count(j));
  }
  if (problem.matrix().is_sparse()) {
    sparse_one_flips(problem, indices, offsets, residual, starts, threads, out);
    return;
  }
  parallel_for(threads == 0 ? ThreadPool::default_threads() : threads, problem.variables(), 8,
               [&](std::size_t begin, std::size_t end) {
                 std::vector<double> column(rows);
                 std::vector<double> steps;
                 for (std::size_t j = begin; j < end; ++j) {
                   std::fill(column.begin(), column.end(), 0.0);
                   problem.matrix().for_each(
                       j, [&](std::size_t row, double entry) { column[row] = problem.weights()[row] * entry; });
                   steps.resize(static_cast<std::size_t>(levels.count(j)));
                   const double current = levels.value(j, indices[j]);
                   for (std::size_t q = 0; q < steps.size(); ++q) {
                     steps[q] = levels.value(j, static_cast<std::int32_t>(q)) - current;
                   }
                   const OneFlipColumn<double> arguments{column.data(),
                                                         residual.data(),
                                                         offsets.pure ? nullptr : offsets.upper.data(),
                                                         offsets.pure ? nullptr : offsets.lower.data(),
                                                         steps.data(),
                                                         out.data() + starts[j],
                                                         rows,
                                                         steps.size()};
                   one_flip_float64(&arguments);
                 }
               });
}

}  // namespace dd::dmmv
