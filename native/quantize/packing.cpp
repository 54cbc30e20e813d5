// Codes into bit streams, blocks of words and mixed radix, and back.
#include "quantize/packing.hpp"

#include <limits>
#include <string>

#include "core/error.hpp"

namespace dd::quantize {
namespace {

constexpr std::size_t quotient_up(std::size_t a, std::size_t b) noexcept { return a / b + (a % b != 0); }

std::size_t product(std::size_t a, std::size_t b) {
  if (b != 0 && a > std::numeric_limits<std::size_t>::max() / 32 / b) {
    throw Error(
        ErrorCode::out_of_range, "rows",
        "`rows` and columns must make a size that fits memory, got " + std::to_string(a) + " x " + std::to_string(b));
  }
  return a * b;
}

void expect_bits(unsigned bits) {
  if (bits > most_code_bits) {
    throw Error(ErrorCode::out_of_range, "bits", "`bits` must be 0 to 16, got " + std::to_string(bits));
  }
}

void expect_levels(std::uint32_t levels) {
  if (levels < 1 || levels > most_levels) {
    throw Error(ErrorCode::out_of_range, "levels", "`levels` must be 1 to 65536, got " + std::to_string(levels));
  }
}

[[noreturn]] void throw_code(std::size_t index, std::uint32_t limit, std::uint32_t code) {
  throw Error(ErrorCode::out_of_range, "codes",
              "`codes` must be below " + std::to_string(limit) + ", got " + std::to_string(code) + " at index " +
                  std::to_string(index));
}

[[noreturn]] void throw_corrupt(const char* name, std::size_t row, const char* what) {
  throw Error(ErrorCode::invalid_argument_value, name,
              std::string("`") + name + "` must be packed codes: " + what + " of row " + std::to_string(row));
}

/// Codes are read as Code: streams of wider ones cannot be unpacked into it.
template <class Code>
void expect_fits(std::uint32_t levels) {
  if (levels - 1 > std::numeric_limits<Code>::max()) {
    throw Error(ErrorCode::out_of_range, "codes",
                "`codes` must have 16 bits each for " + std::to_string(levels) + " levels, got 8");
  }
}

/// Bits of one row into units of Unit, the lowest bits first; unit k goes to to[k stride].
template <class Unit, class Code>
void pack_row(const Code* codes, std::size_t first, std::size_t columns, unsigned bits, Unit* to, std::size_t stride,
              std::size_t units) {
  constexpr unsigned unit_bits = 8 * sizeof(Unit);
  const std::uint32_t limit = 1u << bits;
  std::uint64_t pending = 0;
  unsigned held = 0;
  std::size_t unit = 0;
  for (std::size_t j = 0; j < columns; ++j) {
    const std::uint32_t code = codes[j];
    if (code >= limit) throw_code(first + j, limit, code);
    pending |= std::uint64_t{code} << held;
    held += bits;
    while (held >= unit_bits) {
      to[unit++ * stride] = static_cast<Unit>(pending);
      pending >>= unit_bits;
      held -= unit_bits;
    }
  }
  for (; unit < units; ++unit) {
    to[unit * stride] = static_cast<Unit>(pending);
    pending >>= unit_bits;
  }
}

/// The inverse; false when a bit behind the last code is set.
template <class Unit, class Code>
bool unpack_row(const Unit* from, std::size_t stride, std::size_t units, std::size_t columns, unsigned bits,
                Code* codes) {
  constexpr unsigned unit_bits = 8 * sizeof(Unit);
  const std::uint32_t mask = (1u << bits) - 1;
  std::uint64_t pending = 0;
  unsigned held = 0;
  std::size_t unit = 0;
  for (std::size_t j = 0; j < columns; ++j) {
    while (held < bits) {
      pending |= std::uint64_t{from[unit++ * stride]} << held;
      held += unit_bits;
    }
    codes[j] = static_cast<Code>(pending & mask);
    pending >>= bits;
    held -= bits;
  }
  for (; unit < units; ++unit) pending |= from[unit * stride];
  return pending == 0;
}

std::uint64_t multiply_high(std::uint64_t a, std::uint64_t b) noexcept {
  const std::uint64_t low = 0xffffffffu;
  const std::uint64_t middle = (a >> 32) * (b & low) + (((a & low) * (b & low)) >> 32);
  const std::uint64_t other = (a & low) * (b >> 32) + (middle & low);
  return (a >> 32) * (b >> 32) + (middle >> 32) + (other >> 32);
}

/// Division of any 64-bit number by a divisor of at least 2 (Granlund and Montgomery, "Division by invariant integers
/// using multiplication", figure 4.1).
class Reciprocal {
 public:
  explicit Reciprocal(std::uint32_t divisor) noexcept {
    while ((std::uint64_t{1} << shift_) < divisor) ++shift_;
    // floor(2^64 (2^shift - divisor) / divisor) + 1, in two digits of 2^32; the high part is below the divisor.
    const std::uint64_t high = ((std::uint64_t{1} << shift_) - divisor) << 32;
    const std::uint64_t digit = high / divisor;
    multiplier_ = (digit << 32) + ((high % divisor) << 32) / divisor + 1;
  }
  std::uint64_t divide(std::uint64_t value) const noexcept {
    const std::uint64_t part = multiply_high(multiplier_, value);
    return (part + ((value - part) >> 1)) >> (shift_ - 1);
  }

 private:
  unsigned shift_ = 0;
  std::uint64_t multiplier_ = 0;
};

}  // namespace

std::size_t bit_stream_bytes(std::size_t rows, std::size_t columns, unsigned bits) {
  expect_bits(bits);
  return product(rows, quotient_up(product(columns, bits), 8));
}

std::size_t bit_block_words(std::size_t rows, std::size_t columns, unsigned bits) {
  expect_bits(bits);
  return product(rows, quotient_up(columns, word_block) * bits);
}

std::size_t radix_codes_per_word(std::uint32_t levels) {
  expect_levels(levels);
  if (levels == 1) return 0;
  std::size_t count = 0;
  // levels^count <= 2^64 without leaving 64 bits: the largest code of a word is levels^count - 1.
  for (std::uint64_t largest = 0; largest <= (~std::uint64_t{0} - (levels - 1)) / levels; ++count) {
    largest = largest * levels + (levels - 1);
  }
  return count;
}

std::size_t radix_words(std::size_t rows, std::size_t columns, std::uint32_t levels) {
  const std::size_t together = radix_codes_per_word(levels);
  return together == 0 ? 0 : product(rows, quotient_up(columns, together));
}

template <class Code>
void pack_bit_stream(std::span<const Code> codes, std::size_t rows, std::size_t columns, unsigned bits,
                     std::span<std::uint8_t> bytes) {
  expect_size("codes", codes.size(), product(rows, columns));
  expect_size("bytes", bytes.size(), bit_stream_bytes(rows, columns, bits));
  const std::size_t units = bit_stream_bytes(1, columns, bits);
  for (std::size_t i = 0; i < rows; ++i) {
    pack_row(codes.data() + i * columns, i * columns, columns, bits, bytes.data() + i * units, 1, units);
  }
}

template <class Code>
void unpack_bit_stream(std::span<const std::uint8_t> bytes, std::size_t rows, std::size_t columns, unsigned bits,
                       std::span<Code> codes) {
  expect_size("codes", codes.size(), product(rows, columns));
  expect_size("bytes", bytes.size(), bit_stream_bytes(rows, columns, bits));
  expect_fits<Code>(1u << bits);
  const std::size_t units = bit_stream_bytes(1, columns, bits);
  for (std::size_t i = 0; i < rows; ++i) {
    if (!unpack_row(bytes.data() + i * units, 1, units, columns, bits, codes.data() + i * columns)) {
      throw_corrupt("bytes", i, "a bit is set in the padding");
    }
  }
}

template <class Code>
void pack_bit_blocks(std::span<const Code> codes, std::size_t rows, std::size_t columns, unsigned bits, WordOrder order,
                     std::span<std::uint32_t> words) {
  expect_size("codes", codes.size(), product(rows, columns));
  expect_size("words", words.size(), bit_block_words(rows, columns, bits));
  const std::size_t units = bit_block_words(1, columns, bits);
  for (std::size_t i = 0; i < rows; ++i) {
    const bool by_row = order == WordOrder::row;
    pack_row(codes.data() + i * columns, i * columns, columns, bits, words.data() + (by_row ? i * units : i),
             by_row ? 1 : rows, units);
  }
}

template <class Code>
void unpack_bit_blocks(std::span<const std::uint32_t> words, std::size_t rows, std::size_t columns, unsigned bits,
                       WordOrder order, std::span<Code> codes) {
  expect_size("codes", codes.size(), product(rows, columns));
  expect_size("words", words.size(), bit_block_words(rows, columns, bits));
  expect_fits<Code>(1u << bits);
  const std::size_t units = bit_block_words(1, columns, bits);
  for (std::size_t i = 0; i < rows; ++i) {
    const bool by_row = order == WordOrder::row;
    if (!unpack_row(words.data() + (by_row ? i * units : i), by_row ? 1 : rows, units, columns, bits,
                    codes.data() + i * columns)) {
      throw_corrupt("words", i, "a bit is set in the padding");
    }
  }
}

template <class Code>
void pack_radix(std::span<const Code> codes, std::size_t rows, std::size_t columns, std::uint32_t levels,
                std::span<std::uint64_t> words) {
  expect_size("words", words.size(), radix_words(rows, columns, levels));
  expect_size("codes", codes.size(), product(rows, columns));
  for (std::size_t e = 0; e < codes.size(); ++e) {
    if (codes[e] >= levels) throw_code(e, levels, codes[e]);
  }
  const std::size_t together = radix_codes_per_word(levels);
  if (together == 0) return;
  std::size_t word = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; j += together) {
      std::uint64_t value = 0;
      for (std::size_t k = columns - j < together ? columns - j : together; k-- > 0;) {
        value = value * levels + codes[i * columns + j + k];
      }
      words[word++] = value;
    }
  }
}

template <class Code>
void unpack_radix(std::span<const std::uint64_t> words, std::size_t rows, std::size_t columns, std::uint32_t levels,
                  std::span<Code> codes) {
  expect_size("words", words.size(), radix_words(rows, columns, levels));
  expect_size("codes", codes.size(), product(rows, columns));
  expect_fits<Code>(levels);
  const std::size_t together = radix_codes_per_word(levels);
  if (together == 0) {
    for (Code& code : codes) code = 0;
    return;
  }
  const Reciprocal reciprocal(levels);
  std::size_t word = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; j += together) {
      std::uint64_t value = words[word++];
      const std::size_t count = columns - j < together ? columns - j : together;
      for (std::size_t k = 0; k < count; ++k) {
        const std::uint64_t rest = reciprocal.divide(value);
        codes[i * columns + j + k] = static_cast<Code>(value - rest * levels);
        value = rest;
      }
      if (value != 0) throw_corrupt("words", i, "a word is too large in the codes");
    }
  }
}

#define DD_PACKING(Code)                                                                                               \
  template void pack_bit_stream<Code>(std::span<const Code>, std::size_t, std::size_t, unsigned,                       \
                                      std::span<std::uint8_t>);                                                        \
  template void unpack_bit_stream<Code>(std::span<const std::uint8_t>, std::size_t, std::size_t, unsigned,             \
                                        std::span<Code>);                                                              \
  template void pack_bit_blocks<Code>(std::span<const Code>, std::size_t, std::size_t, unsigned, WordOrder,            \
                                      std::span<std::uint32_t>);                                                       \
  template void unpack_bit_blocks<Code>(std::span<const std::uint32_t>, std::size_t, std::size_t, unsigned, WordOrder, \
                                        std::span<Code>);                                                              \
  template void pack_radix<Code>(std::span<const Code>, std::size_t, std::size_t, std::uint32_t,                       \
                                 std::span<std::uint64_t>);                                                            \
  template void unpack_radix<Code>(std::span<const std::uint64_t>, std::size_t, std::size_t, std::uint32_t,            \
                                   std::span<Code>);
DD_PACKING(std::uint8_t)
DD_PACKING(std::uint16_t)
#undef DD_PACKING

}  // namespace dd::quantize
