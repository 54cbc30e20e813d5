// Rows of operators on grids. Everything is bound by reading the coefficients, so a colour of every second point is
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

/// body(i, sum, load, store) with sum = start -+ the terms of the row.
template <bool Subtract, class T, class Start, class Body>
DD_INLINE void for_sums(const StencilRow<T>& row, Start&& start, Body&& body) {
  const T* const* const coefficients = row.coefficients;
  const T* const* const sources = row.sources;
  const size_t terms = row.terms;
  for_vectors<T>(row.end - row.begin, [&](size_t offset, auto get, auto put) {
    const size_t i = row.begin + offset;
    Vector<T> total = start(i, get);
    for (size_t k = 0; k < terms; ++k) {
      const Vector<T> c = get(coefficients[k] + i), x = get(sources[k] + i);
      total = Subtract ? negated_multiply_add(c, x, total) : multiply_add(c, x, total);
    }
    body(i, total, get, put);
  });
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

template <class T>
void relax(const StencilRelax<T>& a) {
  const auto start = [&](size_t i, auto get) { return get(a.right_side + i); };
  if (a.parity == 2) {
    for_sums<true>(a.row, start, [&](size_t i, Vector<T> sum, auto get, auto put) {
      put(a.x + i, sum * get(a.inverse_diagonal + i));
    });
    return;
  }
  const auto mask = every_second<T>((a.row.begin + a.parity) % 2);
  for_sums<true>(a.row, start, [&](size_t i, Vector<T> sum, auto get, auto put) {
    put(a.x + i, select<T>(mask, sum * get(a.inverse_diagonal + i), get(a.x + i)));
  });
}

}  // namespace
}  // namespace dd::linalg

DD_ISA_ENTRY(void, stencil_apply_float64)(const dd::linalg::StencilApply<double>* a) { dd::linalg::apply(*a); }
DD_ISA_ENTRY(void, stencil_apply_float32)(const dd::linalg::StencilApply<float>* a) { dd::linalg::apply(*a); }
DD_ISA_ENTRY(void, stencil_relax_float64)(const dd::linalg::StencilRelax<double>* a) { dd::linalg::relax(*a); }
DD_ISA_ENTRY(void, stencil_relax_float32)(const dd::linalg::StencilRelax<float>* a) { dd::linalg::relax(*a); }
