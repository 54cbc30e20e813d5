// Spiking rows on the CPU. A neuron is a chain of four dependent operations a tick, about 13 cycles; several rows are
// followed at once so that the chains overlap.
#include "linalg/simd.hpp"
#include "polystep/objectives/network_isa.hpp"

namespace dd::polystep {
namespace {

using std::size_t;

template <class T>
constexpr int lif_parts = 16 / lanes<T>;
template <class T>
constexpr int lif_rows_at_once = 8 / lif_parts<T> > 1 ? 8 / lif_parts<T> : 1;

template <class T, int Rows, bool Counts>
DD_INLINE void follow(const LifRows<T>& a, size_t row) {
  constexpr int width = lif_parts<T>;
  const Vector<T> beta = broadcast(a.beta), threshold = broadcast(a.threshold);
  const Vector<T> zero = broadcast(T(0)), one = broadcast(T(1));
  const size_t advance = a.current_ticks == 1 ? 0 : 16, current_stride = a.current_ticks * 16;
  const size_t out_stride = Counts ? 16 : a.ticks * 16;
  Vector<T> v[Rows][width], count[Rows][width];
  DD_UNROLL
  for (int i = 0; i < Rows * width; ++i) v[i / width][i % width] = count[i / width][i % width] = zero;
  const T* current = a.currents + row * current_stride;
  T* out = a.out + row * out_stride;
  for (size_t t = 0; t < a.ticks; ++t) {
    DD_UNROLL
    for (int r = 0; r < Rows; ++r) {
      DD_UNROLL
      for (int p = 0; p < width; ++p) {
        const Vector<T> charged =
            beta * v[r][p] + load(current + static_cast<size_t>(r) * current_stride + p * lanes<T>);
        const auto fires = charged >= threshold;
        v[r][p] = fires ? zero : charged;
        const Vector<T> spike = fires ? one : zero;
        if constexpr (Counts) {
          count[r][p] += spike;
        } else {
          store(out + static_cast<size_t>(r) * out_stride + p * lanes<T>, spike);
        }
      }
    }
    current += advance;
    if constexpr (!Counts) out += 16;
  }
  if constexpr (Counts) {
    DD_UNROLL
    for (int r = 0; r < Rows; ++r) {
      DD_UNROLL
      for (int p = 0; p < width; ++p) store(out + static_cast<size_t>(r) * 16 + p * lanes<T>, count[r][p]);
    }
  }
}

/// Tiles of `Rows` rows, then of half as many, down to one.
template <class T, int Rows, bool Counts>
DD_INLINE void follow_all(const LifRows<T>& a, size_t row) {
  for (; row + Rows <= a.rows; row += Rows) follow<T, Rows, Counts>(a, row);
  if constexpr (Rows > 1) {
    if (row < a.rows) follow_all<T, Rows / 2, Counts>(a, row);
  }
}

template <class T>
DD_INLINE void lif(const LifRows<T>& a) {
  if (a.counts) {
    follow_all<T, lif_rows_at_once<T>, true>(a, 0);
  } else {
    follow_all<T, lif_rows_at_once<T>, false>(a, 0);
  }
}

}  // namespace

DD_ISA_ENTRY(void, lif_rows_float64)(const LifRows<double>* arguments) { lif(*arguments); }
DD_ISA_ENTRY(void, lif_rows_float32)(const LifRows<float>* arguments) { lif(*arguments); }

}  // namespace dd::polystep
