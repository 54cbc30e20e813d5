// Layers on the CPU: rows of a layer over a group of 16 samples. A tile of rows by 16 columns is eight vectors of sums
// at most; each term loads its inputs once and one weight a row, which the multiplication broadcasts. Without fused
// operations (thresholds behind the sums must fall alike everywhere) that is two operations a product.
#include "linalg/simd.hpp"
#include "polystep/objectives/lane_functions.hpp"
#include "polystep/objectives/network_isa.hpp"

namespace dd::polystep {
namespace {

using std::size_t;

template <class T>
constexpr int parts = 16 / lanes<T>;
template <class T>
constexpr int tile_rows = 8 / parts<T> > 1 ? 8 / parts<T> : 1;

template <class T, int Rows>
DD_INLINE void dense_tile(const DenseRows<T>& a, size_t row, size_t column) {
  Vector<T> sum[Rows][parts<T>];
  DD_UNROLL
  for (int r = 0; r < Rows; ++r) {
    const Vector<T> bias = broadcast(a.bias == nullptr ? T(0) : a.bias[row + static_cast<size_t>(r)]);
    DD_UNROLL
    for (int p = 0; p < parts<T>; ++p) {
      const T* const start = a.start + (row + static_cast<size_t>(r)) * a.columns + column + p * lanes<T>;
      sum[r][p] = a.start == nullptr ? bias : a.bias == nullptr ? load(start) : load(start) + bias;
    }
  }
  for (size_t k = 0; k < a.terms; ++k) {
    const size_t at = a.weight_columns == nullptr ? k : a.weight_columns[k];
    const T* const input = a.inputs + (a.input_rows == nullptr ? k : a.input_rows[k]) * a.columns + column;
    Vector<T> x[parts<T>];
    DD_UNROLL
    for (int p = 0; p < parts<T>; ++p) x[p] = load(input + p * lanes<T>);
    DD_UNROLL
    for (int r = 0; r < Rows; ++r) {
      const Vector<T> weight = broadcast(a.weights[(row + static_cast<size_t>(r)) * a.weight_stride + at]);
      DD_UNROLL
      for (int p = 0; p < parts<T>; ++p) sum[r][p] += weight * x[p];
    }
  }
  DD_UNROLL
  for (int r = 0; r < Rows; ++r) {
    DD_UNROLL
    for (int p = 0; p < parts<T>; ++p) {
      store(a.out + (row + static_cast<size_t>(r)) * a.columns + column + p * lanes<T>, sum[r][p]);
    }
  }
}

template <class T>
DD_INLINE void dense(const DenseRows<T>& a) {
  size_t row = 0;
  for (; row + tile_rows<T> <= a.rows; row += tile_rows<T>) {
    for (size_t column = 0; column < a.columns; column += 16) dense_tile<T, tile_rows<T>>(a, row, column);
  }
  for (; row < a.rows; ++row) {
    for (size_t column = 0; column < a.columns; column += 16) dense_tile<T, 1>(a, row, column);
  }
}

template <class T>
DD_INLINE Vector<T> logistic(Vector<T> x) {
  return broadcast(T(1)) / (broadcast(T(1)) + lane_exp<T>(-x));
}

/// The largest whole number not above x, |x| < 2^22.
template <class T>
DD_INLINE Vector<T> floor_small(Vector<T> x) {
  constexpr T shift = sizeof(T) == 8 ? T(6755399441055744.0) : T(12582912.0);
  const Vector<T> nearest = (x + broadcast(shift)) - broadcast(shift);
  return nearest > x ? nearest - broadcast(T(1)) : nearest;
}

template <class T, class F>
DD_INLINE void each(const Activate<T>& a, F&& f) {
  for (size_t i = 0; i < a.count; i += static_cast<size_t>(lanes<T>)) store(a.out + i, f(load(a.in + i)));
}

template <class T>
DD_INLINE void activate_all(const Activate<T>& a) {
  const Vector<T> zero = broadcast(T(0)), one = broadcast(T(1)), minus = broadcast(T(-1));
  const Vector<T> levels = broadcast(a.levels);
  switch (a.kind) {
    case 1:  // relu; NaN stays
      return each(a, [&](Vector<T> x) { return x < zero ? zero : x; });
    case 2:  // sign
      return each(a, [&](Vector<T> x) { return x > zero ? one : (x < zero ? minus : x - x); });
    case 3:  // staircase
      return each(a, [&](Vector<T> x) { return floor_small<T>(levels * logistic<T>(x)) / levels; });
    case 4:  // tanh, from the side where nothing overflows
      return each(a, [&](Vector<T> x) {
        const Vector<T> size = x < zero ? -x : x;
        const Vector<T> e = lane_exp<T>(size * broadcast(T(-2)));
        const Vector<T> t = (one - e) / (one + e);
        return x < zero ? -t : t;
      });
    case 5:  // step
      return each(a, [&](Vector<T> x) { return x > zero ? one : zero; });
    default:
      return each(a, [](Vector<T> x) { return x; });
  }
}

template <class T>
DD_INLINE void respond(const ResponseSums<T>& a) {
  using Counts = decltype(Vector<T>{} >= Vector<T>{});
  using Count = typename LaneBits<T>::element;
  for (size_t i = 0; i < a.candidates; ++i) {
    const T* const differences = a.differences + i * a.terms;
    Vector<T> sum[parts<T>];
    DD_UNROLL
    for (int p = 0; p < parts<T>; ++p) sum[p] = load(a.pre + p * lanes<T>);
    for (size_t k = 0; k < a.terms; ++k) {
      const T* const input = a.inputs + size_t{a.input_rows[k]} * 16;
      const Vector<T> weight = broadcast(differences[k]);
      DD_UNROLL
      for (int p = 0; p < parts<T>; ++p) sum[p] += weight * load(input + p * lanes<T>);
    }
    if (a.kind != 0) {
      T values[16];
      DD_UNROLL
      for (int p = 0; p < parts<T>; ++p) store(values + p * lanes<T>, sum[p]);
      activate_all(Activate<T>{a.kind, a.levels, values, values, 16});
      DD_UNROLL
      for (int p = 0; p < parts<T>; ++p) sum[p] = load(values + p * lanes<T>);
    }
    // Comparisons give -1 where they hold.
    Counts reached[parts<T>] = {};
    for (size_t j = 0; j < a.steps; ++j) {
      const Vector<T> step = broadcast(a.step[j]);
      DD_UNROLL
      for (int p = 0; p < parts<T>; ++p) reached[p] -= sum[p] >= step;
    }
    Count rows[16];
    DD_UNROLL
    for (int p = 0; p < parts<T>; ++p) {
      const Counts defined = sum[p] == sum[p];
      const Counts last = Counts{} + static_cast<Count>(a.steps + 1);
      store(rows + p * lanes<T>, (reached[p] & defined) | (last & ~defined));
    }
    double total = 0;
    for (size_t c = 0; c < a.valid; ++c) total += double{a.losses[static_cast<size_t>(rows[c]) * 16 + c]};
    a.sums[i] += total;
  }
}

}  // namespace

DD_ISA_ENTRY(void, response_sums_float64)(const ResponseSums<double>* arguments) { respond(*arguments); }
DD_ISA_ENTRY(void, response_sums_float32)(const ResponseSums<float>* arguments) { respond(*arguments); }
DD_ISA_ENTRY(void, dense_rows_float64)(const DenseRows<double>* arguments) { dense(*arguments); }
DD_ISA_ENTRY(void, dense_rows_float32)(const DenseRows<float>* arguments) { dense(*arguments); }
DD_ISA_ENTRY(void, activate_float64)(const Activate<double>* arguments) { activate_all(*arguments); }
DD_ISA_ENTRY(void, activate_float32)(const Activate<float>* arguments) { activate_all(*arguments); }

}  // namespace dd::polystep
