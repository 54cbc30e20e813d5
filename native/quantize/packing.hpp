// Codes as bits: the forms in which quantised weights are stored and exchanged. All of them are exact: what is packed
// comes back bit for bit, and what cannot have been packed is refused.
//
// Codes lie row after row; every row starts anew (at a byte, a block of 32 or a word), so rows can be read alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace dd::quantize {

inline constexpr unsigned most_code_bits = 16;
inline constexpr std::uint32_t most_levels = 65536;
/// Columns of a block in the order of GPTQ checkpoints.
inline constexpr std::size_t word_block = 32;

/// Bytes of `rows` rows of `columns` codes as a stream of `bits` bits a code, each row padded to a byte.
/// Throws ERR_OUT_OF_RANGE when bits > 16 or the size does not fit.
std::size_t bit_stream_bytes(std::size_t rows, std::size_t columns, unsigned bits);

/// Words of the same codes in blocks of 32 columns, `bits` words each.
std::size_t bit_block_words(std::size_t rows, std::size_t columns, unsigned bits);

/// How many codes of `levels` levels fit one 64-bit word: the largest k with levels^k <= 2^64; 0 for one level, which
/// needs no words. Throws ERR_OUT_OF_RANGE unless 1 <= levels <= 65536.
std::size_t radix_codes_per_word(std::uint32_t levels);

/// Words of `rows` rows of `columns` codes in mixed radix.
std::size_t radix_words(std::size_t rows, std::size_t columns, std::uint32_t levels);

/// Least significant bit first: bit k of code j is bit (j bits + k) of the row, the first of a byte its lowest; the
/// rest of a row's last byte is zero (quant.md, section 8: the interchange form).
///
/// codes: rows x columns; bytes: bit_stream_bytes. Code is uint8_t or uint16_t.
/// Throws ERR_SHAPE_MISMATCH (a size), ERR_OUT_OF_RANGE (bits, a code that needs more bits; the first one is named).
/// Cost: one pass.
template <class Code>
void pack_bit_stream(std::span<const Code> codes, std::size_t rows, std::size_t columns, unsigned bits,
                     std::span<std::uint8_t> bytes);

/// The inverse. Throws as above, and ERR_INVALID_ARG_VALUE when padding is not zero; ERR_OUT_OF_RANGE when the bits of
/// a code do not fit Code.
template <class Code>
void unpack_bit_stream(std::span<const std::uint8_t> bytes, std::size_t rows, std::size_t columns, unsigned bits,
                       std::span<Code> codes);

/// Where word k of row i lies: row after row, or word after word as in the `qweight` tensor of GPTQ checkpoints
/// (words x rows).
enum class WordOrder : std::uint8_t { row, word };

/// Blocks of 32 columns, `bits` 32-bit words each: code i of the block in bits [i bits, (i + 1) bits) of the
/// little-endian block. For 2, 3, 4 and 8 bits this is the packing of GPTQ checkpoints. Missing columns are zeros.
///
/// codes: rows x columns; words: bit_block_words. Errors as above.
template <class Code>
void pack_bit_blocks(std::span<const Code> codes, std::size_t rows, std::size_t columns, unsigned bits, WordOrder order,
                     std::span<std::uint32_t> words);
template <class Code>
void unpack_bit_blocks(std::span<const std::uint32_t> words, std::size_t rows, std::size_t columns, unsigned bits,
                       WordOrder order, std::span<Code> codes);

/// Mixed radix: k = radix_codes_per_word(levels) codes per word, word = sum_i code_i levels^i. 3 levels take 1.6 bits
/// a code where their entropy is 1.585. Missing codes of a row's last word are zeros.
///
/// codes: rows x columns; words: radix_words. Throws ERR_SHAPE_MISMATCH, ERR_OUT_OF_RANGE (levels, a code).
template <class Code>
void pack_radix(std::span<const Code> codes, std::size_t rows, std::size_t columns, std::uint32_t levels,
                std::span<std::uint64_t> words);
/// The inverse, by multiplications with a reciprocal. Throws as above, and ERR_INVALID_ARG_VALUE when a word is not a
/// number of that many codes.
template <class Code>
void unpack_radix(std::span<const std::uint64_t> words, std::size_t rows, std::size_t columns, std::uint32_t levels,
                  std::span<Code> codes);

}  // namespace dd::quantize
