// Kernel K3 on blocks: tiles of 16 moves by 8 states, rows staged through shared memory 32 at a time, so that an entry
// of the dictionary is loaded once for eight states.
#pragma once

#include "core/block.hpp"

namespace dd::dmmv {

/// out as in batched_flip.hpp. Grid: ceil(pairs / 16) x ceil(states / 8).
template <class T>
struct BatchedFlipBlock {
  static constexpr BlockShape shape{128};
  static constexpr unsigned tile_moves = 16, tile_states = 8, tile_rows = 32;
  template <class B>
  struct Shared {
    typename B::template Arr<T, tile_rows * tile_moves> moves;
    typename B::template Arr<T, tile_rows * tile_states> residuals;
  };

  const T* moves;
  const T* residuals;
  T* out;
  std::size_t rows;
  std::size_t pairs;
  std::size_t states;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>& s) const {
    const std::size_t first_move = std::size_t{b.block_x()} * tile_moves;
    const std::size_t first_state = std::size_t{b.block_y()} * tile_states;
    typename B::template Priv<T> plus(b), minus(b);
    b.each([&](unsigned t) { plus[t] = minus[t] = T(0); });
    for (std::size_t first = 0; first < rows; first += tile_rows) {
      b.each([&](unsigned t) {
        // What lies outside is zero, which no maximum of magnitudes notices.
        for (unsigned k = t; k < tile_rows * tile_moves; k += B::threads) {
          const std::size_t row = first + k % tile_rows, move = first_move + k / tile_rows;
          s.moves[k] = row < rows && move < pairs ? moves[row + rows * move] : T(0);
        }
        for (unsigned k = t; k < tile_rows * tile_states; k += B::threads) {
          const std::size_t row = first + k % tile_rows, state = first_state + k / tile_rows;
          s.residuals[k] = row < rows && state < states ? residuals[row + rows * state] : T(0);
        }
      });
      b.each([&](unsigned t) {
        const unsigned move = t % tile_moves, state = t / tile_moves;
        T up = plus[t];
        T down = minus[t];
        for (unsigned i = 0; i < tile_rows; ++i) {
          const T g = s.moves[i + tile_rows * move];
          const T r = s.residuals[i + tile_rows * state];
          const T sum = r + g;
          const T difference = r - g;
          const T above = sum < 0 ? -sum : sum;
          const T below = difference < 0 ? -difference : difference;
          up = above > up ? above : up;
          down = below > down ? below : down;
        }
        plus[t] = up;
        minus[t] = down;
      });
    }
    b.each([&](unsigned t) {
      const std::size_t move = first_move + t % tile_moves, state = first_state + t / tile_moves;
      if (move >= pairs || state >= states) return;
      out[2 * (move + pairs * state)] = plus[t];
      out[2 * (move + pairs * state) + 1] = minus[t];
    });
  }
};

}  // namespace dd::dmmv

DD_BLOCK_KERNEL(dmmv_batched_flip_float32, dd::dmmv::BatchedFlipBlock<float>)
DD_BLOCK_KERNEL(dmmv_batched_flip_float64, dd::dmmv::BatchedFlipBlock<double>)
