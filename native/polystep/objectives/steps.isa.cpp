// Candidates' layers on the CPU. A thin product keeps eight sums over 16 samples in registers while the inputs go by
// once; ranks above eight go by again.
#include "linalg/simd.hpp"
#include "polystep/objectives/steps_isa.hpp"

namespace dd::polystep {
namespace {

using std::size_t;

template <class T>
constexpr int parts = 16 / lanes<T>;
/// Ranks that are summed at once.
template <class T>
constexpr size_t together = parts<T> >= 4 ? 2 : 8 / static_cast<size_t>(parts<T>);

template <class T>
DD_INLINE void sparse(const SparseRows<T>& a) {
  const size_t size = a.rows * a.columns;
  for (size_t j = 0; j < a.directions; ++j) {
    T* const out = a.out + j * size;
    for (size_t i = 0; i < size; i += static_cast<size_t>(lanes<T>)) store(out + i, broadcast(T(0)));
    for (size_t e = a.starts[j]; e < a.starts[j + 1]; ++e) {
      T* const to = out + a.entry_rows[e] * a.columns;
      const T* const from = a.inputs + a.entry_columns[e] * a.columns;
      const Vector<T> value = broadcast(a.values[e]);
      for (size_t c = 0; c < a.columns; c += static_cast<size_t>(lanes<T>)) {
        store(to + c, load(to + c) + value * load(from + c));
      }
    }
  }
}

/// Ranks first ... first + Count - 1 of one candidate for 16 columns.
template <class T, size_t Count>
DD_INLINE void product(const ProductRows<T>& a, size_t candidate, size_t first, size_t column) {
  const T* const left = a.lefts[candidate] + first;
  const T* const right = a.rights[candidate] + first;
  Vector<T> u[Count][parts<T>];
  DD_UNROLL
  for (size_t k = 0; k < Count; ++k) {
    DD_UNROLL
    for (int p = 0; p < parts<T>; ++p) u[k][p] = broadcast(T(0));
  }
  for (size_t i = 0; i < a.terms; ++i) {
    Vector<T> x[parts<T>];
    DD_UNROLL
    for (int p = 0; p < parts<T>; ++p) x[p] = load(a.inputs + i * a.columns + column + p * lanes<T>);
    DD_UNROLL
    for (size_t k = 0; k < Count; ++k) {
      const Vector<T> b = broadcast(right[i * a.rank + k]);
      DD_UNROLL
      for (int p = 0; p < parts<T>; ++p) u[k][p] += b * x[p];
    }
  }
  T* const out = a.out + candidate * a.rows * a.columns + column;
  for (size_t r = 0; r < a.rows; ++r) {
    T* const to = out + r * a.columns;
    const T* const from = first == 0 ? a.start + r * a.columns + column : to;
    Vector<T> sum[parts<T>];
    DD_UNROLL
    for (int p = 0; p < parts<T>; ++p) sum[p] = load(from + p * lanes<T>);
    DD_UNROLL
    for (size_t k = 0; k < Count; ++k) {
      const Vector<T> weight = broadcast(a.factors[candidate] * left[r * a.rank + k]);
      DD_UNROLL
      for (int p = 0; p < parts<T>; ++p) sum[p] += weight * u[k][p];
    }
    DD_UNROLL
    for (int p = 0; p < parts<T>; ++p) store(to + p * lanes<T>, sum[p]);
  }
}

template <class T>
DD_INLINE void products(const ProductRows<T>& a) {
  for (size_t n = 0; n < a.candidates; ++n) {
    for (size_t column = 0; column < a.columns; column += 16) {
      size_t k = 0;
      for (; k + together<T> <= a.rank; k += together<T>) product<T, together<T>>(a, n, k, column);
      for (; k < a.rank; ++k) product<T, 1>(a, n, k, column);
    }
  }
}

}  // namespace

DD_ISA_ENTRY(void, sparse_rows_float64)(const SparseRows<double>* arguments) { sparse(*arguments); }
DD_ISA_ENTRY(void, sparse_rows_float32)(const SparseRows<float>* arguments) { sparse(*arguments); }
DD_ISA_ENTRY(void, product_rows_float64)(const ProductRows<double>* arguments) { products(*arguments); }
DD_ISA_ENTRY(void, product_rows_float32)(const ProductRows<float>* arguments) { products(*arguments); }

}  // namespace dd::polystep
