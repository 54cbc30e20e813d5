// Checks and copies the description of a problem; nothing below this file sees an argument that was not checked.
#include "dmmv/problem.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/error.hpp"

namespace dd::dmmv {
namespace {

std::string at(const char* argument, std::size_t index) {
  return std::string(argument) + "[" + std::to_string(index) + "]";
}

void check_length(const char* argument, std::size_t got, std::size_t expected, const char* per) {
  if (got != expected) {
    fail(ErrorCode::shape_mismatch, argument,
         "must have length " + std::to_string(expected) + " (one entry per " + per + "), got " + std::to_string(got));
  }
}

void check_finite(const char* argument, std::span<const double> values) {
  for (std::size_t k = 0; k < values.size(); ++k) {
    if (!std::isfinite(values[k])) {
      fail(ErrorCode::not_finite, at(argument, k), "must be finite, got " + std::to_string(values[k]));
    }
  }
}

void check_positive(const char* argument, std::span<const double> values) {
  check_finite(argument, values);
  for (std::size_t k = 0; k < values.size(); ++k) {
    if (!(values[k] > 0)) {
      fail(ErrorCode::invalid_argument_value, at(argument, k), "must be > 0, got " + std::to_string(values[k]));
    }
  }
}

void check_intervals(const char* lower_name, const char* upper_name, std::span<const double> lower,
                     std::span<const double> upper, std::size_t rows) {
  check_length(lower_name, lower.size(), rows, "row");
  check_length(upper_name, upper.size(), rows, "row");
  for (std::size_t i = 0; i < rows; ++i) {
    if (std::isnan(lower[i])) fail(ErrorCode::not_finite, at(lower_name, i), "must not be NaN");
    if (std::isnan(upper[i])) fail(ErrorCode::not_finite, at(upper_name, i), "must not be NaN");
    const bool lower_infinite = std::isinf(lower[i]);
    const bool upper_infinite = std::isinf(upper[i]);
    if (lower_infinite && lower[i] > 0) {
      fail(ErrorCode::invalid_argument_value, at(lower_name, i), "must be finite or -Infinity, got Infinity");
    }
    if (upper_infinite && upper[i] < 0) {
      fail(ErrorCode::invalid_argument_value, at(upper_name, i), "must be finite or Infinity, got -Infinity");
    }
    if (lower_infinite && upper_infinite) {
      fail(ErrorCode::invalid_argument_value, at(lower_name, i),
           "and `" + at(upper_name, i) + "` must not both be infinite");
    }
    if (lower[i] > upper[i]) {
      fail(
          ErrorCode::invalid_argument_value, at(lower_name, i),
          "must be <= `" + at(upper_name, i) + "`, got " + std::to_string(lower[i]) + " > " + std::to_string(upper[i]));
    }
  }
}

void check_ascending(const std::string& name, std::span<const double> values) {
  if (values.empty()) fail(ErrorCode::invalid_argument_value, name, "must hold at least one level, got none");
  if (values.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    fail(ErrorCode::invalid_argument_value, name, "must hold fewer than 2^31 levels");
  }
  check_finite(name.c_str(), values);
  for (std::size_t q = 1; q < values.size(); ++q) {
    if (!(values[q] > values[q - 1])) {
      fail(ErrorCode::invalid_argument_value, at(name.c_str(), q),
           "must be greater than the level before it (levels ascend, none twice), got " + std::to_string(values[q]) +
               " after " + std::to_string(values[q - 1]));
    }
  }
}

/// Step of equally spaced levels, within a few units in the last place of the largest; 0 if they are not.
double common_step(std::span<const double> values) {
  if (values.size() < 2) return 0;
  const double first = values.front();
  const double step = (values.back() - first) / static_cast<double>(values.size() - 1);
  const double allowance =
      8 * std::numeric_limits<double>::epsilon() * std::max(std::abs(first), std::abs(values.back()));
  for (std::size_t q = 0; q < values.size(); ++q) {
    if (std::abs(values[q] - (first + step * static_cast<double>(q))) > allowance) return 0;
  }
  return step;
}

}  // namespace

void check_sparse_columns(const char* argument, const SparseColumns& sparse) {
  const std::string name(argument);
  if (sparse.column_pointers.size() != sparse.columns + 1) {
    fail(ErrorCode::shape_mismatch, name + ".columnPointers",
         "must have length " + std::to_string(sparse.columns + 1) + " (columns + 1), got " +
             std::to_string(sparse.column_pointers.size()));
  }
  if (sparse.row_indices.size() != sparse.values.size()) {
    fail(ErrorCode::shape_mismatch, name + ".rowIndices",
         "must have the length of `values`, " + std::to_string(sparse.values.size()) + ", got " +
             std::to_string(sparse.row_indices.size()));
  }
  const std::string pointer_name = name + ".columnPointers";
  const auto entries = static_cast<std::int64_t>(sparse.values.size());
  for (std::size_t j = 0; j <= sparse.columns; ++j) {
    const std::int64_t previous = j == 0 ? 0 : sparse.column_pointers[j - 1];
    const std::int64_t pointer = sparse.column_pointers[j];
    const bool good = j == 0 ? pointer == 0 : (pointer >= previous && pointer <= entries);
    if (!good || (j == sparse.columns && pointer != entries)) {
      fail(ErrorCode::out_of_range, at(pointer_name.c_str(), j),
           "must ascend from 0 to the number of entries, " + std::to_string(entries) + ", got " +
               std::to_string(pointer));
    }
  }
  const std::string row_name = name + ".rowIndices";
  for (std::size_t j = 0; j < sparse.columns; ++j) {
    const auto begin = static_cast<std::size_t>(sparse.column_pointers[j]);
    const auto end = static_cast<std::size_t>(sparse.column_pointers[j + 1]);
    for (std::size_t k = begin; k < end; ++k) {
      const std::int32_t row = sparse.row_indices[k];
      if (row < 0 || static_cast<std::size_t>(row) >= sparse.rows) {
        fail(ErrorCode::out_of_range, at(row_name.c_str(), k),
             "must be a row, 0 to " + std::to_string(sparse.rows) + " - 1, got " + std::to_string(row));
      }
      if (k > begin && row <= sparse.row_indices[k - 1]) {
        fail(ErrorCode::invalid_argument_value, at(row_name.c_str(), k),
             "must be greater than the row before it in its column, got " + std::to_string(row) + " after " +
                 std::to_string(sparse.row_indices[k - 1]));
      }
    }
  }
  check_finite((name + ".values").c_str(), sparse.values);
}

std::int32_t LevelSets::nearest(std::size_t j, double target) const noexcept {
  std::int32_t low = 0;
  std::int32_t high = count(j) - 1;
  while (high - low > 1) {
    const std::int32_t middle = low + (high - low) / 2;
    (value(j, middle) <= target ? low : high) = middle;
  }
  return target - value(j, low) <= value(j, high) - target ? low : high;
}

std::size_t LevelSets::total() const noexcept {
  if (!starts_.empty()) return starts_.back() - starts_.front();
  return variables_ * static_cast<std::size_t>(shared_count_);
}

Problem Problem::create(const ProblemDescription& description) {
  Problem problem;
  const auto copy_matrix = [](const MatrixDescription& source, const char* argument) {
    Matrix matrix;
    if (const auto* dense = std::get_if<MatrixView<const double>>(&source)) {
      matrix.rows_ = dense->rows;
      matrix.columns_ = dense->columns;
      matrix.values_.resize(dense->rows * dense->columns);
      for (std::size_t j = 0; j < dense->columns; ++j) {
        double* column = matrix.values_.data() + j * dense->rows;
        for (std::size_t i = 0; i < dense->rows; ++i) {
          column[i] = (*dense)(i, j);
          if (!std::isfinite(column[i])) {
            fail(ErrorCode::not_finite,
                 std::string(argument) + "[" + std::to_string(i) + "][" + std::to_string(j) + "]",
                 "(row, column) must be finite, got " + std::to_string(column[i]));
          }
        }
      }
      return matrix;
    }
    const auto& sparse = std::get<SparseColumns>(source);
    check_sparse_columns(argument, sparse);
    matrix.rows_ = sparse.rows;
    matrix.columns_ = sparse.columns;
    matrix.sparse_ = true;
    matrix.values_.assign(sparse.values.begin(), sparse.values.end());
    matrix.row_indices_.assign(sparse.row_indices.begin(), sparse.row_indices.end());
    matrix.pointers_.reserve(sparse.columns + 1);
    for (const std::int32_t pointer : sparse.column_pointers)
      matrix.pointers_.push_back(static_cast<std::size_t>(pointer));
    return matrix;
  };

  problem.matrix_ = copy_matrix(description.matrix, "matrix");
  const std::size_t rows = problem.rows();
  const std::size_t variables = problem.variables();
  if (rows == 0) {
    fail(ErrorCode::invalid_argument_value, "matrix",
         "must have at least one row: the maximum of nothing is undefined");
  }
  check_intervals("lower", "upper", description.lower, description.upper, rows);
  problem.lower_.assign(description.lower.begin(), description.lower.end());
  problem.upper_.assign(description.upper.begin(), description.upper.end());
  problem.all_equalities_ = problem.lower_ == problem.upper_;
  if (description.weights.empty()) {
    problem.weights_.assign(rows, 1.0);
  } else {
    check_length("weights", description.weights.size(), rows, "row");
    check_positive("weights", description.weights);
    problem.weights_.assign(description.weights.begin(), description.weights.end());
  }

  LevelSets& levels = problem.levels_;
  levels.variables_ = variables;
  if (const auto* uniform = std::get_if<UniformLevels>(&description.levels)) {
    if (!std::isfinite(uniform->offset)) {
      fail(ErrorCode::not_finite, "levels.offset", "must be finite, got " + std::to_string(uniform->offset));
    }
    if (!std::isfinite(uniform->step)) {
      fail(ErrorCode::not_finite, "levels.step", "must be finite, got " + std::to_string(uniform->step));
    }
    if (!(uniform->step > 0)) {
      fail(ErrorCode::invalid_argument_value, "levels.step", "must be > 0, got " + std::to_string(uniform->step));
    }
    if (uniform->count < 1 || uniform->count > std::numeric_limits<std::int32_t>::max()) {
      fail(ErrorCode::invalid_argument_value, "levels.count",
           "must be 1 to 2^31 - 1, got " + std::to_string(uniform->count));
    }
    levels.shared_count_ = static_cast<std::int32_t>(uniform->count);
    levels.offset_ = uniform->offset;
    levels.step_ = uniform->step;
    const double last = levels.value(0, levels.shared_count_ - 1);
    if (!std::isfinite(last)) {
      fail(ErrorCode::not_finite, "levels.step",
           "must keep the last level finite, got " + std::to_string(uniform->step));
    }
    if (levels.shared_count_ > 1 &&
        !(last > levels.value(0, levels.shared_count_ - 2) && levels.value(0, 1) > levels.offset_)) {
      fail(ErrorCode::invalid_argument_value, "levels.step",
           "must be large enough beside the offset for levels to differ, got " + std::to_string(uniform->step));
    }
  } else if (const auto* shared = std::get_if<SharedLevels>(&description.levels)) {
    if (variables > 0 || !shared->values.empty()) check_ascending("levels", shared->values);
    levels.shared_count_ = static_cast<std::int32_t>(shared->values.size());
    levels.table_.assign(shared->values.begin(), shared->values.end());
    levels.step_ = common_step(shared->values);
    levels.equally_spaced_ = levels.shared_count_ == 1 || levels.step_ > 0;
  } else {
    const auto& own = std::get<OwnLevels>(description.levels);
    if (own.starts.size() != variables + 1) {
      fail(ErrorCode::shape_mismatch, "levels",
           "must hold one table per variable, " + std::to_string(variables) + ", got " +
               std::to_string(own.starts.empty() ? 0 : own.starts.size() - 1));
    }
    levels.starts_.resize(variables + 1);
    levels.steps_.resize(variables);
    for (std::size_t j = 0; j < variables; ++j) {
      if (own.starts[j] > own.starts[j + 1] || own.starts[j + 1] > own.values.size()) {
        fail(ErrorCode::out_of_range, at("levels", j), "must start and end inside the values");
      }
      const auto table = own.values.subspan(own.starts[j], own.starts[j + 1] - own.starts[j]);
      check_ascending(at("levels", j), table);
      levels.table_.insert(levels.table_.end(), table.begin(), table.end());
      levels.starts_[j + 1] = levels.table_.size();
      levels.steps_[j] = common_step(table);
      if (table.size() > 1 && levels.steps_[j] == 0) levels.equally_spaced_ = false;
    }
  }

  if (description.soft_rows) {
    const SoftRowsDescription& source = *description.soft_rows;
    SoftRows soft;
    soft.matrix = copy_matrix(source.matrix, "softRows.matrix");
    if (soft.matrix.columns() != variables) {
      fail(ErrorCode::shape_mismatch, "softRows.matrix",
           "must have the " + std::to_string(variables) + " columns of `matrix`, got " +
               std::to_string(soft.matrix.columns()));
    }
    check_intervals("softRows.lower", "softRows.upper", source.lower, source.upper, soft.matrix.rows());
    check_length("softRows.multipliers", source.multipliers.size(), soft.matrix.rows(), "soft row");
    check_positive("softRows.multipliers", source.multipliers);
    soft.lower.assign(source.lower.begin(), source.lower.end());
    soft.upper.assign(source.upper.begin(), source.upper.end());
    soft.multipliers.assign(source.multipliers.begin(), source.multipliers.end());
    if (soft.matrix.rows() > 0) problem.soft_ = std::move(soft);
  }
  return problem;
}

Problem Problem::with_rows(std::span<const std::size_t> rows, std::vector<double> lower,
                           std::vector<double> upper) const {
  Problem problem;
  Matrix& matrix = problem.matrix_;
  matrix.rows_ = rows.size();
  matrix.columns_ = variables();
  matrix.sparse_ = matrix_.sparse_;
  if (matrix.sparse_) {
    constexpr auto dropped = static_cast<std::size_t>(-1);
    std::vector<std::size_t> place(this->rows(), dropped);
    for (std::size_t k = 0; k < rows.size(); ++k) place[rows[k]] = k;
    matrix.pointers_.push_back(0);
    for (std::size_t j = 0; j < variables(); ++j) {
      matrix_.for_each(j, [&](std::size_t i, double value) {
        if (place[i] == dropped) return;
        matrix.row_indices_.push_back(static_cast<std::int32_t>(place[i]));
        matrix.values_.push_back(value);
      });
      matrix.pointers_.push_back(matrix.values_.size());
    }
  } else {
    matrix.values_.reserve(rows.size() * variables());
    for (std::size_t j = 0; j < variables(); ++j) {
      const std::span<const double> column = matrix_.column(j);
      for (const std::size_t i : rows) matrix.values_.push_back(column[i]);
    }
  }
  problem.lower_ = std::move(lower);
  problem.upper_ = std::move(upper);
  for (const std::size_t i : rows) problem.weights_.push_back(weights_[i]);
  problem.levels_ = levels_;
  problem.soft_ = soft_;
  problem.all_equalities_ = problem.lower_ == problem.upper_;
  return problem;
}

Problem Problem::without_soft_rows() const {
  Problem problem = *this;
  problem.soft_.reset();
  return problem;
}

void Problem::check_indices(std::span<const std::int32_t> indices, const char* argument) const {
  check_length(argument, indices.size(), variables(), "variable");
  for (std::size_t j = 0; j < indices.size(); ++j) {
    if (indices[j] < 0 || indices[j] >= levels_.count(j)) {
      fail(ErrorCode::out_of_range, at(argument, j),
           "must be a level index of variable " + std::to_string(j) + ", 0 to " + std::to_string(levels_.count(j) - 1) +
               ", got " + std::to_string(indices[j]));
    }
  }
}

std::vector<std::int32_t> nearest_levels(const Problem& problem, std::span<const double> point) {
  check_length("point", point.size(), problem.variables(), "variable");
  std::vector<std::int32_t> indices(point.size());
  for (std::size_t j = 0; j < point.size(); ++j) {
    if (std::isnan(point[j])) fail(ErrorCode::not_finite, at("point", j), "must not be NaN");
    indices[j] = problem.levels().nearest(j, point[j]);
  }
  return indices;
}

std::vector<double> level_values(const Problem& problem, std::span<const std::int32_t> indices) {
  problem.check_indices(indices, "indices");
  std::vector<double> values(indices.size());
  for (std::size_t j = 0; j < indices.size(); ++j) values[j] = problem.levels().value(j, indices[j]);
  return values;
}

}  // namespace dd::dmmv
