// Uniform numbers and rotations of the plane on blocks: a thread draws those of a row.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/block.hpp"
#include "core/philox.hpp"

namespace dd::polystep {

/// As RowUniforms (polystep/row_draws_isa.hpp), rows from `first` on. Grid: ceil(count / 128).
struct RowUniformsBlock {
  static constexpr BlockShape shape{128};
  template <class B>
  using Shared = NoShared;

  std::uint64_t seed;
  std::uint32_t step, stream, first;
  std::size_t count;
  double* out;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    b.each([&](unsigned t) {
      const std::size_t row = std::size_t{b.block_x()} * B::threads + t;
      if (row >= count) return;
      const PhiloxKey key{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
      const PhiloxCounter words = philox4x32({0, first + static_cast<std::uint32_t>(row), step, stream}, key);
      out[row] = (words[0] + 0.5) * 0x1p-32;
    });
  }
};

/// As PlaneRotations (polystep/row_draws_isa.hpp). Grid: ceil(count / 128).
struct PlaneRotationsBlock {
  static constexpr BlockShape shape{128};
  template <class B>
  using Shared = NoShared;

  std::size_t count;
  const double* turns;
  double* out;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    b.each([&](unsigned t) {
      const std::size_t row = std::size_t{b.block_x()} * B::threads + t;
      if (row >= count) return;
      double cosine = 0, sine = 0;
      wave(turns[row], cosine, sine);
      double* const to = out + 4 * row;
      to[0] = cosine;
      to[1] = -sine;
      to[2] = sine;
      to[3] = cosine;
    });
  }

 private:
#ifdef __CUDACC__
  DD_DEVICE static void wave(double turns, double& cosine, double& sine) { ::sincospi(2 * turns, &sine, &cosine); }
#else
  static void wave(double turns, double& cosine, double& sine) {
    cosine = std::cos(6.283185307179586 * turns);
    sine = std::sin(6.283185307179586 * turns);
  }
#endif
};

}  // namespace dd::polystep

DD_BLOCK_KERNEL(polystep_row_uniforms_block, dd::polystep::RowUniformsBlock)
DD_BLOCK_KERNEL(polystep_plane_rotations_block, dd::polystep::PlaneRotationsBlock)
