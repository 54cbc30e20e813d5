// Philox, uniform numbers and points of the unit circle, one in each lane of a vector. Multiplications and additions
// only, so all levels give the same bits. Included by ISA files only.
#pragma once

#include <cstdint>

#include "linalg/simd.hpp"

namespace dd::polystep {
namespace {

using Words = VectorN<unsigned long long, lanes<double>>;  // 32-bit words, one in each 64-bit lane

DD_INLINE Words every(unsigned long long word) { return word - Words{}; }

struct WordBlocks {
  Words word[4];
};

/// core/philox.hpp, a counter in each lane.
DD_INLINE WordBlocks philox(WordBlocks c, std::uint64_t seed) {
  const Words low = every(0xffffffffu), first = every(0xD2511F53u), second = every(0xCD9E8D57u);
  std::uint32_t key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const Words product0 = first * c.word[0], product1 = second * c.word[2];
    c = {{(product1 >> 32) ^ c.word[1] ^ every(key0), product1 & low, (product0 >> 32) ^ c.word[3] ^ every(key1),
          product0 & low}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return c;
}

/// (word + 1/2) / 2^32: a word in the low bits of 2^52 becomes a number without a conversion.
DD_INLINE Float64s uniform(Words word) {
  const Float64s shifted = (Float64s)(word | every(0x4330000000000000u));
  return (shifted - broadcast(4503599627370496.0) + broadcast(0.5)) * broadcast(0x1p-32);
}

struct Wave {
  Float64s cosine, sine;
};

/// Of 2 pi u, 0 < u < 1: an exact reduction to a quarter of a turn, then Cephes' polynomials on [-pi/4, pi/4].
DD_INLINE Wave wave(Float64s u) {
  const Float64s shift = broadcast(6755399441055744.0), quarters = u * broadcast(4.0), shifted = quarters + shift;
  const Words quarter = (Words)shifted;
  const Float64s x = (quarters - (shifted - shift)) * broadcast(1.5707963267948966), z = x * x;
  Float64s s = broadcast(1.58962301576546568060E-10) * z + broadcast(-2.50507477628578072866E-8);
  s = s * z + broadcast(2.75573136213857245213E-6);
  s = s * z + broadcast(-1.98412698295895385996E-4);
  s = s * z + broadcast(8.33333333332211858878E-3);
  s = s * z + broadcast(-1.66666666666666307295E-1);
  s = x + x * (z * s);
  Float64s c = broadcast(-1.13585365213876817300E-11) * z + broadcast(2.08757008419747316778E-9);
  c = c * z + broadcast(-2.75573141792967388112E-7);
  c = c * z + broadcast(2.48015872888517045348E-5);
  c = c * z + broadcast(-1.38888888888730564116E-3);
  c = c * z + broadcast(4.16666666666665929218E-2);
  c = (broadcast(1.0) - z * broadcast(0.5)) + z * z * c;
  const auto odd = (quarter & every(1)) != every(0);
  const Float64s cosine = odd ? s : c, sine = odd ? c : s;
  // Signs: the cosine's is that of quarters 1 and 2, the sine's that of 2 and 3.
  return {(Float64s)((Words)cosine ^ (((quarter + every(1)) & every(2)) << 62)),
          (Float64s)((Words)sine ^ ((quarter & every(2)) << 62))};
}

}  // namespace
}  // namespace dd::polystep
