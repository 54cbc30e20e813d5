// Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC 2011): random words addressed by a counter, never by history, so
// that any element can be drawn by any thread in any order. The meaning of the counter's four words is the caller's.
#pragma once

#include <array>
#include <cstdint>

namespace dd {

using PhiloxCounter = std::array<std::uint32_t, 4>;
using PhiloxKey = std::array<std::uint32_t, 2>;

constexpr PhiloxCounter philox4x32(PhiloxCounter counter, PhiloxKey key) noexcept {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(product0)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

/// A sequence drawn from one Philox address (seed, stream): counter = [block low, block high, stream, purpose].
class PhiloxStream {
 public:
  constexpr PhiloxStream(std::uint64_t seed, std::uint32_t stream, std::uint32_t purpose = 0) noexcept
      : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)},
        stream_(stream),
        purpose_(purpose) {}

  constexpr std::uint32_t next_uint32() noexcept {
    if (used_ == 4) {
      block_ = philox4x32(
          {static_cast<std::uint32_t>(next_block_), static_cast<std::uint32_t>(next_block_ >> 32), stream_, purpose_},
          key_);
      ++next_block_;
      used_ = 0;
    }
    return block_[used_++];
  }
  /// Uniform in [0, 1): 53 bits, the first word is the high part.
  constexpr double next_uniform() noexcept {
    const std::uint64_t high = next_uint32() >> 5;
    const std::uint64_t low = next_uint32() >> 6;
    return static_cast<double>((high << 26) | low) * 0x1p-53;
  }
  /// Uniform in {0, ..., bound - 1} by multiplication (Lemire, arXiv 1805.10941) with rejection; bound > 0.
  constexpr std::uint32_t next_below(std::uint32_t bound) noexcept {
    std::uint64_t product = std::uint64_t{next_uint32()} * bound;
    if (static_cast<std::uint32_t>(product) < bound) {
      const std::uint32_t threshold = (0u - bound) % bound;
      while (static_cast<std::uint32_t>(product) < threshold) product = std::uint64_t{next_uint32()} * bound;
    }
    return static_cast<std::uint32_t>(product >> 32);
  }

 private:
  PhiloxKey key_;
  std::uint32_t stream_;
  std::uint32_t purpose_;
  std::uint64_t next_block_ = 0;
  PhiloxCounter block_{};
  int used_ = 4;
};

}  // namespace dd
