// Copies of operand blocks into the order in which the register tile reads them. Missing rows and columns of the last
// panel are zeros; they only ever meet elements that are not stored. Included by ISA files only.
#pragma once

#include "linalg/micro_kernel.hpp"

namespace dd {
namespace {

template <class T>
constexpr std::size_t padded_rows(std::size_t rows) {
  return (rows + lanes<T> - 1) / lanes<T> * lanes<T>;
}

/// `to` of leading dimension to_stride gets the transpose of the rows x columns block at `from` (rows from_stride
/// apart, unit stride along a row): squares in registers, the rest one by one.
template <class T>
DD_INLINE void transpose_block(std::size_t rows, std::size_t columns, const T* from, std::ptrdiff_t from_stride, T* to,
                               std::ptrdiff_t to_stride) {
  constexpr std::size_t side = transpose_side<T>;
  std::size_t i = 0;
  for (; i + side <= rows; i += side) {
    const T* source = from + static_cast<std::ptrdiff_t>(i) * from_stride;
    std::size_t j = 0;
    for (; j + side <= columns; j += side) {
      transpose_square(source + j, from_stride, to + static_cast<std::ptrdiff_t>(j) * to_stride + i, to_stride);
    }
    for (; j < columns; ++j) {
      for (std::size_t r = 0; r < side; ++r) {
        to[static_cast<std::ptrdiff_t>(j) * to_stride + i + r] =
            source[static_cast<std::ptrdiff_t>(r) * from_stride + j];
      }
    }
  }
  for (; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      to[static_cast<std::ptrdiff_t>(j) * to_stride + i] = from[static_cast<std::ptrdiff_t>(i) * from_stride + j];
    }
  }
}

/// One panel: element (i, p) to panel[p width + i], width = padded_rows(rows).
template <class T>
DD_INLINE void pack_row_panel(std::size_t rows, std::size_t k, const T* a, std::ptrdiff_t row_stride,
                              std::ptrdiff_t column_stride, T* __restrict panel) {
  const std::size_t width = padded_rows<T>(rows);
  if (row_stride == 1) {
    const std::size_t whole = rows / lanes<T>;
    const std::size_t rest = rows % lanes<T>;
    const Tail<T> tail(rest);
    for (std::size_t p = 0; p < k; ++p) {
      const T* column = a + static_cast<std::ptrdiff_t>(p) * column_stride;
      for (std::size_t v = 0; v < whole; ++v) store(panel + v * lanes<T>, load(column + v * lanes<T>));
      if (rest != 0) store(panel + whole * lanes<T>, load_tail(column + whole * lanes<T>, tail));
      panel += width;
    }
    return;
  }
  for (std::size_t i = rows; i < width; ++i) {
    for (std::size_t p = 0; p < k; ++p) panel[p * width + i] = T(0);
  }
  if (column_stride == 1) {
    transpose_block(rows, k, a, row_stride, panel, static_cast<std::ptrdiff_t>(width));
    return;
  }
  for (std::size_t p = 0; p < k; ++p) {
    const T* column = a + static_cast<std::ptrdiff_t>(p) * column_stride;
    for (std::size_t i = 0; i < rows; ++i) panel[p * width + i] = column[static_cast<std::ptrdiff_t>(i) * row_stride];
  }
}

template <class T>
DD_INLINE void pack_rows(std::size_t m, std::size_t k, const T* a, std::ptrdiff_t row_stride,
                         std::ptrdiff_t column_stride, T* __restrict to) {
  for (std::size_t i = 0; i < m; i += tile_rows<T>) {
    const std::size_t rows = m - i < tile_rows<T> ? m - i : tile_rows<T>;
    pack_row_panel(rows, k, a + static_cast<std::ptrdiff_t>(i) * row_stride, row_stride, column_stride, to + i * k);
  }
}

/// Rows of B with unit stride: whole cache lines are read at a time, each filling the same row of several panels.
template <int Panels, class T>
DD_INLINE void pack_contiguous_rows(std::size_t k, const T* from, std::ptrdiff_t row_stride, T* __restrict panel) {
  constexpr std::size_t width = tile_columns;
  for (std::size_t p = 0; p < k; ++p) {
    const T* row = from + static_cast<std::ptrdiff_t>(p) * row_stride;
    DD_UNROLL for (int q = 0; q < Panels; ++q) {
      __builtin_memcpy(panel + (q * k + p) * width, row + q * width, width * sizeof(T));
    }
  }
}

/// Panels of tile_columns columns: element (p, j) to panel[p tile_columns + j].
template <class T>
DD_INLINE void pack_columns(std::size_t k, std::size_t n, const T* b, std::ptrdiff_t row_stride,
                            std::ptrdiff_t column_stride, T* __restrict to) {
  constexpr std::size_t width = tile_columns;
  constexpr int together = width * sizeof(T) >= 64 ? 1 : 64 / (width * sizeof(T));
  for (std::size_t first = 0; first < n;) {
    const std::size_t columns = n - first < width ? n - first : width;
    const T* from = b + static_cast<std::ptrdiff_t>(first) * column_stride;
    T* panel = to + first * k;
    if (column_stride == 1 && n - first >= together * width) {
      pack_contiguous_rows<together>(k, from, row_stride, panel);
      first += together * width;
      continue;
    }
    if (columns == width && column_stride == 1) {
      pack_contiguous_rows<1>(k, from, row_stride, panel);
    } else if (columns == width && row_stride == 1 && width >= static_cast<std::size_t>(transpose_side<T>)) {
      transpose_block(width, k, from, column_stride, panel, static_cast<std::ptrdiff_t>(width));
    } else {
      for (std::size_t p = 0; p < k; ++p) {
        const T* row = from + static_cast<std::ptrdiff_t>(p) * row_stride;
        for (std::size_t j = 0; j < columns; ++j) {
          panel[p * width + j] = row[static_cast<std::ptrdiff_t>(j) * column_stride];
        }
        for (std::size_t j = columns; j < width; ++j) panel[p * width + j] = T(0);
      }
    }
    first += width;
  }
}

}  // namespace
}  // namespace dd
