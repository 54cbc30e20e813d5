// Scratch memory that a thread keeps between calls, one buffer per purpose: routines that call each other never share.
#pragma once

#include <cstddef>

namespace dd::linalg {

enum class Scratch : unsigned char {
  packing,
  operand,
  vector,
  multiply_left,
  multiply_right,
  triangle,
  strip,
  grid,
  count
};

namespace detail {
void* scratch_bytes(Scratch purpose, std::size_t bytes);
}

/// `count` elements at a 64-byte boundary with unspecified contents, valid until this thread asks for the same purpose
/// again. Throws std::bad_alloc.
template <class T>
T* scratch(Scratch purpose, std::size_t count) {
  return static_cast<T*>(detail::scratch_bytes(purpose, count * sizeof(T)));
}

}  // namespace dd::linalg
