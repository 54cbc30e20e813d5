// A loop over whole vectors with a partial one at the end, written once. Included by ISA files only.
#pragma once

#include "linalg/simd.hpp"

namespace dd {
namespace {

/// body(index, load, store) for whole vectors, then for what is left of `count` elements.
template <class T, class Body>
DD_INLINE void for_vectors(std::size_t count, Body&& body) {
  constexpr auto step = static_cast<std::size_t>(lanes<T>);
  std::size_t i = 0;
  for (; i + step <= count; i += step) {
    body(
        i, [](const T* from) { return load(from); }, [](T* to, Vector<T> value) { store(to, value); });
  }
  if (i == count) return;
  const Tail<T> tail(count - i);
  body(
      i, [&](const T* from) { return load_tail(from, tail); },
      [&](T* to, Vector<T> value) { store_tail(to, value, tail); });
}

}  // namespace
}  // namespace dd
