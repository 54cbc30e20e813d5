// The inner currency of dense linear algebra: a matrix with signed strides, so that transposing and reversing are views
// and every triangle, side and storage order comes down to one case. Public functions take MatrixView and check it
// here.
#pragma once

#include <cstddef>
#include <string>

#include "core/error.hpp"
#include "core/matrix_view.hpp"

namespace dd::linalg {

template <class T>
struct Strided {
  T* data;
  std::size_t rows, columns;
  std::ptrdiff_t row_stride, column_stride;

  T* at(std::size_t row, std::size_t column) const noexcept {
    return data + static_cast<std::ptrdiff_t>(row) * row_stride + static_cast<std::ptrdiff_t>(column) * column_stride;
  }
  T& operator()(std::size_t row, std::size_t column) const noexcept { return *at(row, column); }
  Strided block(std::size_t row, std::size_t column, std::size_t block_rows, std::size_t block_columns) const noexcept {
    return {block_rows == 0 || block_columns == 0 ? data : at(row, column), block_rows, block_columns, row_stride,
            column_stride};
  }
  Strided transposed() const noexcept { return {data, columns, rows, column_stride, row_stride}; }
  Strided rows_reversed() const noexcept {
    return {rows == 0 ? data : at(rows - 1, 0), rows, columns, -row_stride, column_stride};
  }
  Strided columns_reversed() const noexcept {
    return {columns == 0 ? data : at(0, columns - 1), rows, columns, row_stride, -column_stride};
  }
  Strided reversed() const noexcept { return rows_reversed().columns_reversed(); }

  operator Strided<const T>() const noexcept  // NOLINT(google-explicit-constructor): adds const
      requires(!std::is_const_v<T>) {
    return {data, rows, columns, row_stride, column_stride};
  }
};

/// Checks that offsets fit a signed size (so a negative stride pushed through size_t is refused) and converts.
template <class T>
Strided<T> checked(const MatrixView<T>& view, const char* name) {
  // In floating point, because divisions would be a tenth of the time of a product of order 32.
  const auto reach = [](std::size_t count, std::size_t stride) {
    return count <= 1 ? 0.0 : static_cast<double>(count) * static_cast<double>(stride);
  };
  constexpr double limit = 0x1p62 / sizeof(T);
  if (!(reach(view.rows, view.row_stride) + reach(view.columns, view.column_stride) < limit)) {
    throw Error(ErrorCode::out_of_range, name,
                std::string("`") + name + "` has a stride that is negative or too large");
  }
  if (view.data == nullptr && view.rows != 0 && view.columns != 0) {
    throw Error(ErrorCode::invalid_argument_value, name, std::string("`") + name + "` has no data");
  }
  const auto stride = [](std::size_t count, std::size_t value) {
    return count <= 1 ? std::ptrdiff_t{1} : static_cast<std::ptrdiff_t>(value);  // a single row has no stride to obey
  };
  return {view.data, view.rows, view.columns, stride(view.rows, view.row_stride),
          stride(view.columns, view.column_stride)};
}

/// Also checks that no two elements share memory: required of everything that is written.
template <class T>
Strided<T> checked_output(const MatrixView<T>& view, const char* name) {
  const Strided<T> result = checked(view, name);
  if (view.rows == 0 || view.columns == 0) return result;
  if (view.rows > 1 && view.columns > 1) {
    const bool by_column = result.row_stride <= result.column_stride;
    const auto inner = static_cast<std::size_t>(by_column ? result.row_stride : result.column_stride);
    const auto outer = static_cast<std::size_t>(by_column ? result.column_stride : result.row_stride);
    const std::size_t count = by_column ? view.rows : view.columns;
    if (inner != 0 && outer > inner * (count - 1)) return result;
  } else if ((view.rows <= 1 || view.row_stride != 0) && (view.columns <= 1 || view.column_stride != 0)) {
    return result;
  }
  throw Error(ErrorCode::invalid_argument_value, name,
              std::string("`") + name + "` must not have elements that share memory: its strides are " +
                  std::to_string(view.row_stride) + " and " + std::to_string(view.column_stride));
}

inline std::string shape_text(std::size_t rows, std::size_t columns) {
  return std::to_string(rows) + " x " + std::to_string(columns);
}

inline void expect_shape(const char* name, std::size_t rows, std::size_t columns, std::size_t wanted_rows,
                         std::size_t wanted_columns) {
  if (rows == wanted_rows && columns == wanted_columns) return;
  throw Error(ErrorCode::shape_mismatch, name,
              std::string("`") + name + "` must be " + shape_text(wanted_rows, wanted_columns) + ", got " +
                  shape_text(rows, columns));
}

template <class T>
Strided<T> column_major(T* data, std::size_t rows, std::size_t columns, std::size_t stride) noexcept {
  return {data, rows, columns, 1, static_cast<std::ptrdiff_t>(stride)};
}

/// Leading dimension of own scratch: an odd multiple of 64 bytes, so that columns spread over all sets of a cache
/// (powers of two cost up to a factor of two in products and ten in transposes).
template <class T>
constexpr std::size_t scratch_stride(std::size_t rows) noexcept {
  constexpr std::size_t line = 64 / sizeof(T);
  return ((rows + line - 1) / line | 1) * line;
}

}  // namespace dd::linalg
