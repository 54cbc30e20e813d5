// Interpolation between grids row by row. Everything that is not a whole vector happens in scratch rows with slack, so
// the loops over pairs have no ends: one vector of coarse points makes two of fine ones by a shuffle, and only the
// loads and stores of user memory know where a row ends. The scratch of a row stays in the first-level cache.
#include "linalg/axis_transfer_isa.hpp"
#include "linalg/for_vectors.hpp"

namespace dd::linalg {
namespace {

using std::size_t;

template <class T>
constexpr size_t width = static_cast<size_t>(lanes<T>);

/// (even, odd) -> even[0], odd[0], even[1], ... in two vectors.
DD_INLINE void interleave(Vector<double> even, Vector<double> odd, double* to) {
#if defined(__AVX512F__)
  store(to, __builtin_shufflevector(even, odd, 0, 8, 1, 9, 2, 10, 3, 11));
  store(to + 8, __builtin_shufflevector(even, odd, 4, 12, 5, 13, 6, 14, 7, 15));
#elif defined(__AVX2__)
  store(to, __builtin_shufflevector(even, odd, 0, 4, 1, 5));
  store(to + 4, __builtin_shufflevector(even, odd, 2, 6, 3, 7));
#else
  store(to, __builtin_shufflevector(even, odd, 0, 2));
  store(to + 2, __builtin_shufflevector(even, odd, 1, 3));
#endif
}
DD_INLINE void interleave(Vector<float> even, Vector<float> odd, float* to) {
#if defined(__AVX512F__)
  store(to, __builtin_shufflevector(even, odd, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
  store(to + 16, __builtin_shufflevector(even, odd, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31));
#elif defined(__AVX2__)
  store(to, __builtin_shufflevector(even, odd, 0, 8, 1, 9, 2, 10, 3, 11));
  store(to + 8, __builtin_shufflevector(even, odd, 4, 12, 5, 13, 6, 14, 7, 15));
#else
  store(to, __builtin_shufflevector(even, odd, 0, 4, 1, 5));
  store(to + 4, __builtin_shufflevector(even, odd, 2, 6, 3, 7));
#endif
}

template <class T>
struct EvenOdd {
  Vector<T> even, odd;
};

/// The way back.
DD_INLINE EvenOdd<double> deinterleave(const double* from) {
  const Vector<double> a = load(from), b = load(from + width<double>);
#if defined(__AVX512F__)
  return {__builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14),
          __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15)};
#elif defined(__AVX2__)
  return {__builtin_shufflevector(a, b, 0, 2, 4, 6), __builtin_shufflevector(a, b, 1, 3, 5, 7)};
#else
  return {__builtin_shufflevector(a, b, 0, 2), __builtin_shufflevector(a, b, 1, 3)};
#endif
}
DD_INLINE EvenOdd<float> deinterleave(const float* from) {
  const Vector<float> a = load(from), b = load(from + width<float>);
#if defined(__AVX512F__)
  return {__builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30),
          __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)};
#elif defined(__AVX2__)
  return {__builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14),
          __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15)};
#else
  return {__builtin_shufflevector(a, b, 0, 2, 4, 6), __builtin_shufflevector(a, b, 1, 3, 5, 7)};
#endif
}

/// row[i] = a wa + b wb.
template <class T>
DD_INLINE void blend(const T* a, T wa, const T* b, T wb, T* row, size_t count) {
  const Vector<T> first = broadcast(wa), second = broadcast(wb);
  if (wb == T(0)) {
    for_vectors<T>(count, [&](size_t i, auto get, auto put) { put(row + i, first * get(a + i)); });
    return;
  }
  for_vectors<T>(
      count, [&](size_t i, auto get, auto put) { put(row + i, multiply_add(second, get(b + i), first * get(a + i))); });
}

template <class T>
DD_INLINE void widen(const ContiguousTransfer<T>& axis, const T* coarse, T* fine) {
  const Vector<T> near0 = broadcast(axis.near[0]), near1 = broadcast(axis.near[1]);
  const Vector<T> far0 = broadcast(axis.far[0]), far1 = broadcast(axis.far[1]);
  for (size_t p = axis.first; p < axis.last; p += width<T>) {
    const Vector<T> a = load(coarse + p), b = load(coarse + p + 1);
    interleave(multiply_add(far0, b, near0 * a), multiply_add(far1, b, near1 * a), fine + axis.offset + 2 * p);
  }
  const auto single = [&](size_t i) {
    const AxisEntry& e = axis.entries[i];
    fine[i] = static_cast<T>(e.first_weight) * coarse[e.first] + static_cast<T>(e.second_weight) * coarse[e.second];
  };
  const size_t begin = axis.first < axis.last ? axis.offset + 2 * axis.first : 0;
  const size_t end = axis.first < axis.last ? axis.offset + 2 * axis.last : 0;
  for (size_t i = 0; i < begin; ++i) single(i);
  for (size_t i = end; i < axis.fine; ++i) single(i);
}

/// coarse[0 .. axis.coarse) = transpose of `widen`; `spare` holds a row.
template <class T>
DD_INLINE void narrow(const ContiguousTransfer<T>& axis, const T* fine, T* coarse, T* spare) {
  for (size_t c = 0; c < axis.coarse; c += width<T>) store(coarse + c, Vector<T>{});
  size_t begin = 0, end = 0;
  if (axis.first < axis.last) {
    begin = axis.offset + 2 * axis.first;
    end = axis.offset + 2 * axis.last;
    const Vector<T> near0 = broadcast(axis.near[0]), near1 = broadcast(axis.near[1]);
    const Vector<T> far0 = broadcast(axis.far[0]), far1 = broadcast(axis.far[1]);
    for (size_t p = axis.first; p < axis.last; p += width<T>) {
      const EvenOdd<T> pair = deinterleave(fine + axis.offset + 2 * p);
      store(coarse + p, multiply_add(near1, pair.odd, near0 * pair.even));
      store(spare + p, multiply_add(far1, pair.odd, far0 * pair.even));
    }
    // What the last vector wrote beyond the pairs came from elsewhere.
    for (size_t p = axis.last; p < axis.last + width<T>; ++p) coarse[p] = T(0);
    for (size_t p = axis.first; p < axis.last; ++p) coarse[p + 1] += spare[p];
  }
  const auto single = [&](size_t i) {
    const AxisEntry& e = axis.entries[i];
    coarse[e.first] += static_cast<T>(e.first_weight) * fine[i];
    if (e.second_weight != 0) coarse[e.second] += static_cast<T>(e.second_weight) * fine[i];
  };
  for (size_t i = 0; i < begin; ++i) single(i);
  for (size_t i = end; i < axis.fine; ++i) single(i);
}

template <class T>
void widen_plane(const WidenPlane<T>& plane) {
  const ContiguousTransfer<T>& axis = plane.columns;
  T* const coarse = plane.scratch;
  T* const fine = coarse + axis.fine + transfer_slack;
  const Vector<T> scale = broadcast(plane.scale);
  for (size_t row = 0; row < plane.fine_rows; ++row) {
    const AxisEntry& e = plane.rows[row];
    blend(plane.coarse + e.first * axis.coarse, static_cast<T>(e.first_weight), plane.coarse + e.second * axis.coarse,
          static_cast<T>(e.second_weight), coarse, axis.coarse);
    widen(axis, coarse, fine);
    T* const out = plane.fine + row * axis.fine;
    if (plane.addend == nullptr) {
      for_vectors<T>(axis.fine, [&](size_t i, auto, auto put) { put(out + i, scale * load(fine + i)); });
    } else {
      const T* const addend = plane.addend + row * axis.fine;
      for_vectors<T>(axis.fine, [&](size_t i, auto get, auto put) {
        put(out + i, multiply_add(scale, load(fine + i), get(addend + i)));
      });
    }
  }
}

template <class T>
void narrow_plane(const NarrowPlane<T>& plane) {
  const ContiguousTransfer<T>& axis = plane.columns;
  T* const fine = plane.scratch;
  T* const coarse = fine + axis.fine + transfer_slack;
  T* const spare = coarse + axis.fine + transfer_slack;
  const Vector<T> scale = broadcast(plane.scale);
  for (size_t row = 0; row < plane.coarse_rows; ++row) {
    const size_t begin = plane.begin[row], terms = plane.begin[row + 1] - begin;
    for_vectors<T>(axis.fine, [&](size_t i, auto get, auto) {
      Vector<T> total{};
      for (size_t k = begin; k < begin + terms; ++k) {
        total = multiply_add(broadcast(static_cast<T>(plane.weights[k])),
                             get(plane.fine + plane.sources[k] * axis.fine + i), total);
      }
      store(fine + i, total);
    });
    narrow(axis, fine, coarse, spare);
    T* const out = plane.coarse + row * axis.coarse;
    for_vectors<T>(axis.coarse, [&](size_t i, auto, auto put) { put(out + i, scale * load(coarse + i)); });
  }
}

}  // namespace
}  // namespace dd::linalg

DD_ISA_ENTRY(void, widen_plane_float64)(const dd::linalg::WidenPlane<double>* plane) {
  dd::linalg::widen_plane(*plane);
}
DD_ISA_ENTRY(void, widen_plane_float32)(const dd::linalg::WidenPlane<float>* plane) { dd::linalg::widen_plane(*plane); }
DD_ISA_ENTRY(void, narrow_plane_float64)(const dd::linalg::NarrowPlane<double>* plane) {
  dd::linalg::narrow_plane(*plane);
}
DD_ISA_ENTRY(void, narrow_plane_float32)(const dd::linalg::NarrowPlane<float>* plane) {
  dd::linalg::narrow_plane(*plane);
}
