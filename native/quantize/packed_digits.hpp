// Lookups of bytes for AVX-512 with VBMI and VNNI: 64 entries a register and four sums an addition, where tables of
// floats have 16 and one. Included by packed.isa.cpp only.
//
// Entries of the tables of a section of columns become whole numbers of one unit, +-8323072 of them for the largest
// sum of absolute values of four activations, and those three digits of eight bits, each with a sign. Sums of digits
// are exact in 32 bits. What is lost is half a unit an entry: over a section of 6 blocks and all planes less than 48
// 2^-24 of the range times the sum of absolute values, which the documented bound of a product allows.
#pragma once

#include "linalg/simd.hpp"
#include "quantize/packed_isa.hpp"

#if defined(__AVX512F__)
#define DD_BYTES __attribute__((target("avx512vbmi,avx512vnni")))

namespace dd::quantize {
namespace {

using Int32s = VectorN<std::int32_t, 16>;
using Bytes16 = VectorN<std::uint8_t, 16>;

constexpr std::size_t section_blocks = packed_table_section_blocks;
constexpr int digits = 3, halves = 2;
constexpr float largest_entry = 0x7f0000p0f;
/// Below it, reciprocals of units overflow.
constexpr float smallest_sum = 0x1p-100f;
/// Bytes of the tables of a block, and the float behind them: the unit of its section.
constexpr std::size_t digit_bytes = digits * halves * 64, unit_at = digit_bytes / sizeof(float);
static_assert(unit_at < packed_table_floats);
/// Planes whose places 1, 2 ... 128 are one byte.
constexpr std::size_t most_planes = 8;

/// The largest sum of absolute values of four activations in a row; not finite where one is not.
inline float largest_sum(const float* x, std::size_t columns) {
  Float32s largest = broadcast(smallest_sum), strange{};
  for (std::size_t k = 0; k < columns; k += 16) {
    const Float32s value = load(x + k), size = value < Float32s{} ? -value : value;
    const Float32s pair =
        size + __builtin_shufflevector(size, size, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
    const Float32s sum =
        pair + __builtin_shufflevector(pair, pair, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    largest = sum > largest ? sum : largest;
    strange += sum - sum;
  }
  float of_four = 0;
  for (int lane = 0; lane < 16; lane += 4) {
    of_four = (largest[lane] > of_four ? largest[lane] : of_four) + strange[lane];
  }
  return of_four;
}

/// The table of four activations, entry after entry: digit d in the bytes from `to` + 128 d.
DD_INLINE void make_digits(const float* x, float per_unit, std::uint8_t* to) {
  Int32s index;
  DD_UNROLL for (int e = 0; e < 16; ++e) index[e] = e;
  Float32s entry{};
  DD_UNROLL for (int k = 0; k < 4; ++k) {
    const Float32s half = __builtin_convertvector((index >> k & 1) * 2 - 1, Float32s) * 0.5f;
    entry = multiply_add(half, broadcast(x[k] * per_unit), entry);
  }
  // With 128 added to each digit carries are right, and taken away again what is left are digits of -128 to 127.
  const Int32s middle = Int32s{} + 0x808080;
  const Int32s value = ((Int32s)_mm512_maskz_cvtps_epi32(0xffff, entry) + middle) ^ middle;
  DD_UNROLL for (int d = 0; d < digits; ++d)
      store(to + d * halves * 64, __builtin_convertvector(value >> 8 * d, Bytes16));
}

inline void make_digit_tables(const PackedTablesArguments& a) {
  for (std::size_t first = 0; first < a.blocks; first += section_blocks) {
    const std::size_t end = a.blocks - first < section_blocks ? a.blocks : first + section_blocks;
    const float sum = largest_sum(a.x + first * packed_block_columns, (end - first) * packed_block_columns);
    const float per_unit = 2 * largest_entry / sum, unit = sum / (2 * largest_entry);
    for (std::size_t block = first; block < end; ++block) {
      float* const tables = a.tables + block * packed_table_floats;
      auto* const bytes = reinterpret_cast<std::uint8_t*>(tables);
      // A byte of a row's word has two groups of four columns: its low half and its high one.
      for (std::size_t group = 0; group < packed_block_columns / 4; ++group) {
        make_digits(a.x + block * packed_block_columns + 4 * group, per_unit, bytes + group % 2 * 64 + group / 2 * 16);
      }
      tables[unit_at] = unit;
    }
  }
}

DD_INLINE __m512i load_bytes(const void* from) { return _mm512_maskz_loadu_epi32(0xffff, from); }

/// sums += the product of one block with `Planes` planes of `groups` groups of rows.
template <int Planes>
DD_BYTES inline void add_digits(const std::uint8_t* tables, std::size_t groups, std::size_t bits,
                                const std::uint32_t* words, Int32s (*sums)[digits]) {
  __m512i table[digits * halves];
  DD_UNROLL for (int t = 0; t < digits * halves; ++t) table[t] = load_bytes(tables + t * 64);
  const __m512i half_mask = _mm512_set1_epi8(15), byte_of_word = _mm512_set1_epi32(0x30201000);
  for (std::size_t group = 0; group < groups; ++group, words += bits * packed_group_rows) {
    __m512i sum[digits];
    DD_UNROLL for (int d = 0; d < digits; ++d) sum[d] = (__m512i)sums[group][d];
    DD_UNROLL for (int plane = 0; plane < Planes; ++plane) {
      __m512i word = load_bytes(words + static_cast<std::size_t>(plane) * packed_group_rows);
      // One load, not one per half: g++ would fold it into each of them.
      __asm__("" : "+v"(word));
      const __m512i place = _mm512_set1_epi8(static_cast<char>(1 << plane));
      __m512i entry[halves][digits];
      DD_UNROLL for (int half = 0; half < halves; ++half) {
        const __m512i shifted = half == 0 ? word : (__m512i)((Int32s)word >> 4);
        const __m512i index = _mm512_ternarylogic_epi32(shifted, half_mask, byte_of_word, 0xea);  // (a & b) | c
        DD_UNROLL for (int d = 0; d < digits; ++d) {
          entry[half][d] = _mm512_maskz_permutexvar_epi8(~__mmask64{0}, index, table[d * halves + half]);
        }
      }

      DD_UNROLL for (int half = 0; half < halves; ++half) {
        DD_UNROLL for (int d = 0; d < digits; ++d) sum[d] = _mm512_dpbusd_epi32(sum[d], place, entry[half][d]);
      }
    }
    DD_UNROLL for (int d = 0; d < digits; ++d) sums[group][d] = (Int32s)sum[d];
  }
}

DD_BYTES inline void add_planes(std::size_t planes, const std::uint8_t* tables, std::size_t groups, std::size_t bits,
                                const std::uint32_t* words, Int32s (*sums)[digits]) {
  switch (planes) {
    case 1:
      return add_digits<1>(tables, groups, bits, words, sums);
    case 2:
      return add_digits<2>(tables, groups, bits, words, sums);
    case 3:
      return add_digits<3>(tables, groups, bits, words, sums);
    case 4:
      return add_digits<4>(tables, groups, bits, words, sums);
    case 5:
      return add_digits<5>(tables, groups, bits, words, sums);
    case 6:
      return add_digits<6>(tables, groups, bits, words, sums);
    case 7:
      return add_digits<7>(tables, groups, bits, words, sums);
    default:
      return add_digits<8>(tables, groups, bits, words, sums);
  }
}

/// sums += unit * the numbers that the digits are; these become zero.
DD_INLINE void carry_over(Int32s (*counts)[digits], std::size_t groups, float unit, float* sums) {
  for (std::size_t group = 0; group < groups; ++group) {
    Float32s value{};
    DD_UNROLL for (int d = digits - 1; d >= 0; --d) {
      value = multiply_add(value, broadcast(256.0f), __builtin_convertvector(counts[group][d], Float32s));
      counts[group][d] = Int32s{};
    }
    float* const to = sums + group * packed_group_rows;
    store(to, multiply_add(broadcast(unit), value, load(static_cast<const float*>(to))));
  }
}

inline void multiply_digits(const PackedProductArguments& a) {
  const std::size_t block_words = a.groups * a.bits * packed_group_rows;
  Int32s counts[packed_panel_groups][digits] = {};
  for (std::size_t token = 0; token < a.tokens; ++token) {
    const float* const token_tables = a.tables + token * a.tables_stride;
    float* const sums = a.sums + token * packed_panel_rows;
    float place = 1;
    for (std::size_t plane = 0; plane < a.bits; plane += most_planes, place *= 256) {
      const std::size_t planes = a.bits - plane < most_planes ? a.bits - plane : most_planes;
      for (std::size_t block = 0; block < a.blocks; ++block) {
        const float* const tables = token_tables + block * packed_table_floats;
        add_planes(planes, reinterpret_cast<const std::uint8_t*>(tables), a.groups, a.bits,
                   a.words + block * block_words + plane * packed_group_rows, counts);
        const bool last = block + 1 == a.blocks || (block + 1) % section_blocks == 0;
        if (last) carry_over(counts, a.groups, place * tables[unit_at], sums);
      }
    }
  }
}

}  // namespace
}  // namespace dd::quantize

#undef DD_BYTES
#endif
