// Rows of operators on grids. Most of the time goes into reading the coefficients, so a colour of every second point is
// taken by computing all points of the row and keeping half: the other half's operands lie in the same cache lines.
#include "linalg/for_vectors.hpp"
#include "linalg/stencil_isa.hpp"

namespace dd::linalg {
namespace {

using std::size_t;

template <class T>
struct MaskOf;
template <>
struct MaskOf<double> {
  using type = Vector<long long>;
};
template <>
struct MaskOf<float> {
  using type = Vector<int>;
};

template <class T>
DD_INLINE Vector<T> select(typename MaskOf<T>::type mask, Vector<T> yes, Vector<T> no) {
  return mask ? yes : no;
}

/// All bits set in every second lane, beginning with lane 0 or 1.
template <class T>
DD_INLINE typename MaskOf<T>::type every_second(size_t first) {
  typename MaskOf<T>::type mask{};
  for (size_t lane = 0; lane < static_cast<size_t>(lanes<T>); ++lane) mask[lane] = lane % 2 == first ? -1 : 0;
  return mask;
}

/// body(i, sum, load, store) with sum = start -+ the terms of the row. `Terms`: their number, 0 where only the row
/// knows it. In a uniform row the coefficients stay in registers.
template <bool Subtract, int Terms, bool Uniform, class T, class Start, class Body>
DD_INLINE void for_sums_of(const StencilRow<T>& row, Start&& start, Body&& body) {
  const size_t terms = Terms == 0 ? row.terms : static_cast<size_t>(Terms);
  Vector<T> same[Terms == 0 ? 1 : Terms];
  const T* coefficients[Terms == 0 ? 1 : Terms];
  const T* sources[Terms == 0 ? 1 : Terms];
  for (int k = 0; k < Terms; ++k) {
    coefficients[k] = row.coefficients[k];
    sources[k] = row.sources[k];
    if (Uniform && row.begin < row.end) same[k] = broadcast(coefficients[k][row.begin]);
  }
  const auto add = [](Vector<T> c, Vector<T> x, Vector<T> total) {
    return Subtract ? negated_multiply_add(c, x, total) : multiply_add(c, x, total);
  };
  for_vectors<T>(row.end - row.begin, [&](size_t offset, auto get, auto put) {
    const size_t i = row.begin + offset;
    Vector<T> total = start(i, get);
    if constexpr (Terms > 0) {
      DD_UNROLL for (int k = 0; k < Terms; ++k) {
        total = add(Uniform ? same[k] : get(coefficients[k] + i), get(sources[k] + i), total);
      }
    } else {
      for (size_t k = 0; k < terms; ++k) {
        const Vector<T> c = Uniform ? broadcast(row.coefficients[k][row.begin]) : get(row.coefficients[k] + i);
        total = add(c, get(row.sources[k] + i), total);
      }
    }
    body(i, total, get, put);
  });
}

template <bool Subtract, int Terms, class T, class Start, class Body>
DD_INLINE void for_sums_of(const StencilRow<T>& row, Start&& start, Body&& body) {
  if (row.uniform) {
    for_sums_of<Subtract, Terms, true>(row, start, body);
  } else {
    for_sums_of<Subtract, Terms, false>(row, start, body);
  }
}

/// The usual numbers of terms: five and nine points in a plane, seven in space, with and without the diagonal.
template <bool Subtract, class T, class Start, class Body>
DD_INLINE void for_sums(const StencilRow<T>& row, Start&& start, Body&& body) {
  switch (row.terms) {
    case 4:
      return for_sums_of<Subtract, 4>(row, start, body);
    case 5:
      return for_sums_of<Subtract, 5>(row, start, body);
#ifndef DD_ISA_IS_baseline  // whose registers do not hold so many coefficients and what goes on beside them
    case 6:
      return for_sums_of<Subtract, 6>(row, start, body);
    case 7:
      return for_sums_of<Subtract, 7>(row, start, body);
    case 8:
      return for_sums_of<Subtract, 8>(row, start, body);
    case 9:
      return for_sums_of<Subtract, 9>(row, start, body);
#endif
    default:
      return for_sums_of<Subtract, 0>(row, start, body);
  }
}

template <class T>
void apply(const StencilApply<T>& a) {
  const auto keep = [&](size_t i, Vector<T> sum, auto, auto put) { put(a.out + i, sum); };
  if (a.right_side == nullptr) {
    for_sums<false>(
        a.row, [](size_t, auto) { return Vector<T>{}; }, keep);
  } else {
    for_sums<true>(
        a.row, [&](size_t i, auto get) { return get(a.right_side + i); }, keep);
  }
}

/// A vector is stored after the next one has been loaded: a load that reaches back into a vector just stored waits for
/// it, and the values of the other parity that it wants are not changed anyway.
template <class T>
void relax(const StencilRelax<T>& a) {
  const auto start = [&](size_t i, auto get) { return get(a.right_side + i); };
  if (a.parity == 2) {
    for_sums<true>(a.row, start, [&](size_t i, Vector<T> sum, auto get, auto put) {
      put(a.x + i, sum * get(a.inverse_diagonal + i));
    });
    return;
  }
  if (a.row.begin >= a.row.end) return;
  const auto mask = every_second<T>((a.row.begin + a.parity) % 2);
  constexpr auto step = static_cast<size_t>(lanes<T>);
  Vector<T> waiting{};
  for_sums<true>(a.row, start, [&](size_t i, Vector<T> sum, auto get, auto) {
    const Vector<T> value = select<T>(mask, sum * get(a.inverse_diagonal + i), get(a.x + i));
    if (i > a.row.begin) store(a.x + i - step, waiting);
    waiting = value;
  });
  const size_t left = (a.row.end - a.row.begin) % step;
  if (left == 0) {
    store(a.x + a.row.end - step, waiting);
  } else {
    store_tail(a.x + a.row.end - left, waiting, Tail<T>(left));
  }
}

}  // namespace
}  // namespace dd::linalg

DD_ISA_ENTRY(void, stencil_apply_float64)(const dd::linalg::StencilApply<double>* a) { dd::linalg::apply(*a); }
DD_ISA_ENTRY(void, stencil_apply_float32)(const dd::linalg::StencilApply<float>* a) { dd::linalg::apply(*a); }
DD_ISA_ENTRY(void, stencil_relax_float64)(const dd::linalg::StencilRelax<double>* a) { dd::linalg::relax(*a); }
DD_ISA_ENTRY(void, stencil_relax_float32)(const dd::linalg::StencilRelax<float>* a) { dd::linalg::relax(*a); }
