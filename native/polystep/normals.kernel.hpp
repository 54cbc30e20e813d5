// Normal numbers of perturbations on blocks: a thread draws a block of four.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/block.hpp"
#include "core/philox.hpp"

namespace dd::polystep {

/// Rows of normal numbers (polystep/normals_isa.hpp), row r those of particle r from block 0 on. Grid:
/// ceil(rows ceil(columns / 4) / 128).
struct NormalsBlock {
  static constexpr BlockShape shape{128};
  template <class B>
  using Shared = NoShared;

  std::uint64_t seed;
  std::uint32_t step, stream;
  std::size_t rows, columns;
  double* out;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    b.each([&](unsigned t) {
      const std::size_t per_row = (columns + 3) / 4, index = std::size_t{b.block_x()} * B::threads + t;
      if (index >= rows * per_row) return;
      const std::size_t row = index / per_row, block = index % per_row;
      const PhiloxKey key{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
      const PhiloxCounter words =
          philox4x32({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(row), step, stream}, key);
      double* const to = out + row * columns;
      write_pair(words[0], words[1], to, 4 * block);
      write_pair(words[2], words[3], to, 4 * block + 2);
    });
  }

 private:
  DD_DEVICE void write_pair(std::uint32_t first, std::uint32_t second, double* to, std::size_t at) const {
    if (at >= columns) return;
    const double radius = square_root(-2 * logarithm((first + 0.5) * 0x1p-32));
    double cosine = 0, sine = 0;
    wave((second + 0.5) * 0x1p-32, cosine, sine);
    to[at] = radius * cosine;
    if (at + 1 < columns) to[at + 1] = radius * sine;
  }
#ifdef __CUDACC__
  DD_DEVICE static double logarithm(double x) { return ::log(x); }
  DD_DEVICE static double square_root(double x) { return ::sqrt(x); }
  DD_DEVICE static void wave(double turns, double& cosine, double& sine) { ::sincospi(2 * turns, &sine, &cosine); }
#else
  static double logarithm(double x) { return std::log(x); }
  static double square_root(double x) { return std::sqrt(x); }
  static void wave(double turns, double& cosine, double& sine) {
    cosine = std::cos(6.283185307179586 * turns);
    sine = std::sin(6.283185307179586 * turns);
  }
#endif
};

}  // namespace dd::polystep

DD_BLOCK_KERNEL(polystep_normals_block, dd::polystep::NormalsBlock)
