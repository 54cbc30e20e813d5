// Uniform numbers and rotations of the plane on blocks: a thread draws those of a row.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/block.hpp"

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
      std::uint32_t w0 = 0, w1 = first + static_cast<std::uint32_t>(row), w2 = step, w3 = stream;
      std::uint32_t key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
      for (int round = 0; round < 10; ++round) {
        const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * w0, product1 = std::uint64_t{0xCD9E8D57u} * w2;
        w0 = static_cast<std::uint32_t>(product1 >> 32) ^ w1 ^ key0;
        w2 = static_cast<std::uint32_t>(product0 >> 32) ^ w3 ^ key1;
        w1 = static_cast<std::uint32_t>(product1);
        w3 = static_cast<std::uint32_t>(product0);
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
      }
      out[row] = (w0 + 0.5) * 0x1p-32;
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
