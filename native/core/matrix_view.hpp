// Shapes that travel with the pointer: a matrix in somebody else's memory, any strides.
#pragma once

#include <cstddef>
#include <type_traits>

namespace dd {

/// rows x columns elements; element (i, j) is data[i * row_stride + j * column_stride]. Strides count elements.
template <class Element>
struct MatrixView {
  Element* data = nullptr;
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t row_stride = 1;
  std::size_t column_stride = 0;

  static constexpr MatrixView column_major(Element* data, std::size_t rows, std::size_t columns) noexcept {
    return {data, rows, columns, 1, rows};
  }
  static constexpr MatrixView row_major(Element* data, std::size_t rows, std::size_t columns) noexcept {
    return {data, rows, columns, columns, 1};
  }

  constexpr Element& operator()(std::size_t row, std::size_t column) const noexcept {
    return data[row * row_stride + column * column_stride];
  }
  constexpr MatrixView block(std::size_t row, std::size_t column, std::size_t block_rows,
                             std::size_t block_columns) const noexcept {
    return {data + row * row_stride + column * column_stride, block_rows, block_columns, row_stride, column_stride};
  }
  constexpr MatrixView transposed() const noexcept { return {data, columns, rows, column_stride, row_stride}; }

  constexpr operator MatrixView<const Element>() const noexcept  // NOLINT(google-explicit-constructor): adds const
      requires(!std::is_const_v<Element>) {
    return {data, rows, columns, row_stride, column_stride};
  }
};

}  // namespace dd
