// Normal numbers of perturbations on blocks: a thread draws a block of four.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/block.hpp"

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
      std::uint32_t w0 = static_cast<std::uint32_t>(block), w1 = static_cast<std::uint32_t>(row), w2 = step,
                    w3 = stream;
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
      double* const to = out + row * columns;
      write_pair(w0, w1, to, 4 * block);
      write_pair(w2, w3, to, 4 * block + 2);
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
