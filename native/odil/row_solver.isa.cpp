// Solves with the matrix of one row of time. Chebyshev sweeps are bound by reading coefficients; Thomas' recurrences by
// the latency of one fused multiply-add per point and direction, so divisions and products with pivots stay outside.
#include "linalg/for_vectors.hpp"
#include "odil/row_solver_isa.hpp"

namespace dd::odil {
namespace {

using std::size_t;

template <class T>
void start(const ChebyshevStart<T>& a) {
  const Vector<T> one = broadcast(T(1));
  for_vectors<T>(a.end - a.begin, [&](size_t offset, auto get, auto put) {
    const size_t i = a.begin + offset;
    const Vector<T> inverse = one / get(a.diagonal + i);
    put(a.inverse + i, inverse);
    put(a.x + i, get(a.right_side + i) * inverse);
  });
}

template <int Terms, class T>
DD_INLINE void sweep_of(const ChebyshevSweep<T>& a, size_t terms) {
  const T* coefficients[Terms > 0 ? Terms : 1];
  const T* sources[Terms > 0 ? Terms : 1];
  for (int k = 0; k < Terms; ++k) {
    coefficients[k] = a.row.coefficients[k];
    sources[k] = a.row.sources[k];
  }
  const Vector<T> weight = broadcast(a.weight);
  for_vectors<T>(a.row.end - a.row.begin, [&](size_t offset, auto get, auto put) {
    const size_t i = a.row.begin + offset;
    Vector<T> total = get(a.right_side + i);
    if constexpr (Terms > 0) {
      DD_UNROLL for (int k = 0; k < Terms; ++k) {
        total = negated_multiply_add(get(coefficients[k] + i), get(sources[k] + i), total);
      }
    } else {
      for (size_t k = 0; k < terms; ++k) {
        total = negated_multiply_add(get(a.row.coefficients[k] + i), get(a.row.sources[k] + i), total);
      }
    }
    const Vector<T> previous = get(a.previous + i);
    put(a.out + i, multiply_add(weight, total * get(a.inverse + i) - previous, previous));
  });
}

template <class T>
void sweep(const ChebyshevSweep<T>& a) {
  // Two, four and six neighbours are those of the usual stencils.
  switch (a.row.terms) {
    case 2:
      return sweep_of<2>(a, 2);
    case 4:
      return sweep_of<4>(a, 4);
    case 6:
      return sweep_of<6>(a, 6);
    default:
      return sweep_of<0>(a, a.row.terms);
  }
}

template <class T>
void thomas(const ThomasSolve<T>& a) {
  if (a.count == 0) return;
  T y = a.right_side[0];
  a.x[0] = y;
  for (size_t i = 1; i < a.count; ++i) {
    y = negated_multiply_add(a.lower[i], y, a.right_side[i]);
    a.x[i] = y;
  }
  for_vectors<T>(a.count, [&](size_t i, auto get, auto put) { put(a.x + i, get(a.x + i) * get(a.inverse_pivot + i)); });
  T x = a.x[a.count - 1];
  for (size_t i = a.count - 1; i-- > 0;) {
    x = negated_multiply_add(a.upper[i], x, a.x[i]);
    a.x[i] = x;
  }
}

}  // namespace
}  // namespace dd::odil

DD_ISA_ENTRY(void, chebyshev_start_float64)(const dd::odil::ChebyshevStart<double>* a) { dd::odil::start(*a); }
DD_ISA_ENTRY(void, chebyshev_start_float32)(const dd::odil::ChebyshevStart<float>* a) { dd::odil::start(*a); }
DD_ISA_ENTRY(void, chebyshev_sweep_float64)(const dd::odil::ChebyshevSweep<double>* a) { dd::odil::sweep(*a); }
DD_ISA_ENTRY(void, chebyshev_sweep_float32)(const dd::odil::ChebyshevSweep<float>* a) { dd::odil::sweep(*a); }
DD_ISA_ENTRY(void, thomas_solve_float64)(const dd::odil::ThomasSolve<double>* a) { dd::odil::thomas(*a); }
DD_ISA_ENTRY(void, thomas_solve_float32)(const dd::odil::ThomasSolve<float>* a) { dd::odil::thomas(*a); }
