// Kernels that use every call of the Block interface, for block_test.cpp and, compiled only, for nvcc: a stencil with
// a shared tile, a deterministic argmin, a tiled product with softmax, a histogram, and a loop that one thread ends.
#pragma once

#include "core/block.hpp"

namespace dd::examples {

/// out = 4 u - its four neighbours, zero outside; a 34 x 10 tile with its rim in shared memory.
struct FivePoint {
  static constexpr BlockShape shape{32, 8};
  static constexpr unsigned tile_width = 34;
  static constexpr unsigned tile_height = 10;
  template <class B>
  struct Shared {
    typename B::template Arr<double, tile_width * tile_height> tile;
  };

  const double* u;
  double* out;
  unsigned rows;
  unsigned columns;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>& s) const {
    const unsigned first_row = b.block_y() * B::height;
    const unsigned first_column = b.block_x() * B::width;
    b.each([&](unsigned, unsigned, unsigned t) {
      for (unsigned i = t; i < tile_width * tile_height; i += B::threads) {
        const unsigned row = first_row + i / tile_width;  // one more than the row of the grid
        const unsigned column = first_column + i % tile_width;
        const bool inside = row >= 1 && row <= rows && column >= 1 && column <= columns;
        s.tile[i] = inside ? u[std::size_t{row - 1} * columns + (column - 1)] : 0.0;
      }
    });
    b.each([&](unsigned tx, unsigned ty, unsigned) {
      const unsigned row = first_row + ty;
      const unsigned column = first_column + tx;
      if (row >= rows || column >= columns) return;
      const unsigned centre = (ty + 1) * tile_width + tx + 1;
      const double here = s.tile[centre];
      const double left = s.tile[centre - 1], right = s.tile[centre + 1];
      const double below = s.tile[centre - tile_width], above = s.tile[centre + tile_width];
      out[std::size_t{row} * columns + column] = 4 * here - ((left + right) + (below + above));
    });
  }
};

struct ValueAndIndex {
  float value;
  unsigned index;
};

/// *best = the smallest value and its lowest index; one block; count > 0. `reach` is 0; a test plants a race with 1.
struct ArgMin {
  static constexpr BlockShape shape{128};
  template <class B>
  struct Shared {
    typename B::template Arr<ValueAndIndex, 128> best;
  };

  const float* values;
  ValueAndIndex* best;
  unsigned count;
  unsigned reach;

  DD_DEVICE static ValueAndIndex smaller(ValueAndIndex a, ValueAndIndex b) {
    return b.value < a.value || (b.value == a.value && b.index < a.index) ? b : a;
  }

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>& s) const {
    b.each([&](unsigned t) {
      ValueAndIndex mine{values[0], 0};
      for (unsigned i = t; i < count; i += B::threads) mine = smaller(mine, {values[i], i});
      s.best[t] = mine;
    });
    for (unsigned half = B::threads / 2; half > 0; half /= 2) {
      b.each([&](unsigned t) {
        if (t < half) s.best[t] = smaller(s.best[t], s.best[t + half - reach]);
      });
    }
    b.each([&](unsigned t) {
      if (t == 0) *best = s.best[0];
    });
  }
};

/// Row softmax of a (rows x depth) times b (depth x 32), row-major; 32 columns are one warp, so the row's maximum and
/// sum are warp reductions.
struct ProductSoftmax {
  static constexpr BlockShape shape{32, 8};
  static constexpr unsigned step = 16;
  template <class B>
  struct Shared {
    typename B::template Arr<float, 8 * step> left;
    typename B::template Arr<float, step * 32> right;
  };

  const float* a;
  const float* matrix;
  float* out;
  unsigned rows;
  unsigned depth;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>& s) const {
    const unsigned first_row = b.block_x() * B::height;
    typename B::template Priv<float> sum(b), largest(b), weight(b);
    b.each([&](unsigned t) { sum[t] = 0; });
    for (unsigned k = 0; k < depth; k += step) {
      b.each([&](unsigned tx, unsigned ty, unsigned t) {
        if (t < 8 * step) {
          const unsigned row = first_row + t / step, column = k + t % step;
          s.left[t] = row < rows && column < depth ? a[std::size_t{row} * depth + column] : 0.0f;
        }
        for (unsigned i = ty; i < step; i += B::height) {
          s.right[i * 32 + tx] = k + i < depth ? matrix[std::size_t{k + i} * 32 + tx] : 0.0f;
        }
      });
      b.each([&](unsigned tx, unsigned ty, unsigned t) {
        float total = sum[t];
        for (unsigned i = 0; i < step; ++i) {
          const float left = s.left[ty * step + i], right = s.right[i * 32 + tx];
          total += left * right;
        }
        sum[t] = total;
      });
    }
    b.each([&](unsigned t) { largest[t] = sum[t]; });
    b.warp_reduce(largest, [](float x, float y) { return x > y ? x : y; });
    b.each([&](unsigned t) {
      const float shifted = sum[t] - largest[t];
      sum[t] = expf(shifted);
      weight[t] = sum[t];
    });
    b.warp_reduce(weight, [](float x, float y) { return x + y; });
    b.each([&](unsigned tx, unsigned ty, unsigned t) {
      const unsigned row = first_row + ty;
      if (row < rows) out[std::size_t{row} * 32 + tx] = sum[t] / weight[t];
    });
  }
};

/// bins[v] += how often v occurs in values (below 16), first in shared memory; range = {smallest, largest}.
struct Histogram {
  static constexpr BlockShape shape{64};
  template <class B>
  struct Shared {
    typename B::template Arr<unsigned, 16> bins;
  };

  const unsigned* values;
  std::uint64_t* bins;
  std::int32_t* range;
  unsigned count;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>& s) const {
    b.each([&](unsigned t) {
      if (t < 16) s.bins[t] = 0;
    });
    b.each([&](unsigned t) {
      for (unsigned i = b.block_x() * B::threads + t; i < count; i += b.grid_x() * B::threads) {
        b.atomic_add(s.bins[values[i]], 1u);
        b.atomic_min(range[0], static_cast<std::int32_t>(values[i]));
        b.atomic_max(range[1], static_cast<std::int32_t>(values[i]));
      }
    });
    b.each([&](unsigned t) {
      if (t < 16) {
        const unsigned here = s.bins[t];
        b.atomic_add(bins[t], here);
      }
    });
  }
};

/// Halves `start` until it is 1, as a loop whose end one thread decides and all learn; *turns = how often.
struct CountHalvings {
  static constexpr BlockShape shape{32};
  template <class B>
  struct Shared {
    typename B::template Arr<unsigned, 1> value;
  };

  unsigned* turns;
  unsigned start;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>& s) const {
    typename B::template Priv<unsigned> count(b);
    b.each([&](unsigned t) {
      count[t] = 0;
      if (t == 0) s.value[0] = start;
    });
    while (b.broadcast(s.value, 0) > 1) {
      b.each([&](unsigned t) {
        count[t] += 1;
        if (t == 5) s.value[0] /= 2;
      });
    }
    const unsigned result = b.broadcast(count, 31);
    b.each([&](unsigned t) {
      if (t == 0) *turns = result;
    });
  }
};

}  // namespace dd::examples

DD_BLOCK_KERNEL(example_five_point, dd::examples::FivePoint)
DD_BLOCK_KERNEL(example_argmin, dd::examples::ArgMin)
DD_BLOCK_KERNEL(example_product_softmax, dd::examples::ProductSoftmax)
DD_BLOCK_KERNEL(example_histogram, dd::examples::Histogram)
DD_BLOCK_KERNEL(example_count_halvings, dd::examples::CountHalvings)
