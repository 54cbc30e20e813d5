// Lookup products on bit planes (packed_isa.hpp). AVX-512 and NEON look up 16 entries with four bits, AVX2 has
// permutations of eight entries and takes three bits (ten times, and two at the end of the word); the baseline has no
// variable permutation and looks up lane by lane.
#include "linalg/simd.hpp"
#include "quantize/packed_digits.hpp"
#include "quantize/packed_isa.hpp"

namespace dd::quantize {
namespace {

using std::size_t;
using std::uint32_t;

using Words = Vector<uint32_t>;
constexpr size_t vector_rows = lanes<float>;
constexpr int parts = static_cast<int>(packed_group_rows / vector_rows);

#if defined(__AVX2__) && !defined(__AVX512F__)
constexpr int index_bits = 3;
#else
constexpr int index_bits = 4;
#endif
constexpr int entries = 1 << index_bits;
constexpr int table_count = (32 + index_bits - 1) / index_bits;
/// Sums that one row's additions take turns in, because each waits for the one before it.
constexpr int chains = 2;
static_assert(table_count * entries <= static_cast<int>(packed_table_floats));

DD_INLINE void make_table(const float* x, int columns, float* table) {
  // Each column doubles the table; the order of additions is that of the columns.
  float base = 0;
  for (int k = 0; k < columns; ++k) base -= 0.5f * x[k];
  table[0] = base;
  for (int k = 0; k < columns; ++k) {
    for (int e = 0; e < (1 << k); ++e) table[(1 << k) + e] = table[e] + x[k];
  }
  for (int e = 1 << columns; e < entries; ++e) table[e] = 0;
}

#if defined(__AVX512F__)
using Table = Float32s;
DD_INLINE Table load_table(const float* from) { return load(from); }
/// Entry (index & 15) of the table.
DD_INLINE Float32s look_up(Table table, Words index) {
  return _mm512_maskz_permutexvar_ps(0xffff, (__m512i)index, table);
}
#elif defined(__AVX2__)
using Table = Float32s;
DD_INLINE Table load_table(const float* from) { return load(from); }
DD_INLINE Float32s look_up(Table table, Words index) { return _mm256_permutevar8x32_ps(table, (__m256i)index); }
#elif defined(__aarch64__)
using Table = uint8x16x4_t;
DD_INLINE Table load_table(const float* from) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(from);
  return {{vld1q_u8(bytes), vld1q_u8(bytes + 16), vld1q_u8(bytes + 32), vld1q_u8(bytes + 48)}};
}
DD_INLINE Float32s look_up(const Table& table, Words index) {
  const uint32x4_t masked = vandq_u32((uint32x4_t)index, vdupq_n_u32(15));
  const uint32x4_t bytes = vmlaq_u32(vdupq_n_u32(0x03020100u), masked, vdupq_n_u32(0x04040404u));
  return (Float32s)vqtbl4q_u8(table, (uint8x16_t)bytes);
}
#else
struct Table {
  const float* entry;
};
DD_INLINE Table load_table(const float* from) { return {from}; }
DD_INLINE Float32s look_up(Table table, Words index) {
  Float32s value{};
  DD_UNROLL for (int lane = 0; lane < lanes<float>; ++lane) value[lane] = table.entry[index[lane] & 15u];
  return value;
}
#endif

/// Adds weight times the sum of all tables at the bits of one word per row. Multiply-adds where additions would do:
/// additions share their ports with the shifts.
DD_INLINE void look_up_all(const Table* tables, Words word, Float32s weight, Float32s* sum) {
  DD_UNROLL for (int t = 0; t < table_count; ++t) {
    const Float32s value = look_up(tables[t], word >> static_cast<uint32_t>(index_bits * t));
    sum[t % chains] = multiply_add(value, weight, sum[t % chains]);
  }
}

/// Groups of rows taken together, so that enough sums are under way for the latency of a multiply-add.
constexpr int together = vector_bytes == 64 ? 2 : 1;

/// sums += the product of `Groups` groups of rows with the columns of the tables.
template <int Groups>
DD_INLINE void add_groups(const Table* tables, size_t bits, const uint32_t* words, float* sums) {
  Float32s sum[Groups * parts][chains] = {};
  Float32s weight = broadcast(1.0f);
  for (size_t plane = 0; plane < bits; ++plane) {
    DD_UNROLL for (int v = 0; v < Groups * parts; ++v) {
      const uint32_t* from = words + (static_cast<size_t>(v / parts) * bits + plane) * packed_group_rows;
      Words word = load_as<Words>(from + v % parts * lanes<float>);
#if defined(__AVX512F__)
      // One load, not one per shift: g++ would fold it into each of them.
      __asm__("" : "+v"(word));
#endif
      look_up_all(tables, word, weight, sum[v]);
    }
    weight += weight;
  }
  DD_UNROLL for (int v = 0; v < Groups * parts; ++v) {
    const Float32s before = load(static_cast<const float*>(sums + v * lanes<float>));
    store(sums + v * lanes<float>, before + (sum[v][0] + sum[v][1]));
  }
}

}  // namespace

DD_ISA_ENTRY(void, packed_tables)(const PackedTablesArguments* arguments) {
#if defined(__AVX512F__)
  if (arguments->lookup == PackedLookup::digits) return make_digit_tables(*arguments);
#endif
  for (size_t block = 0; block < arguments->blocks; ++block) {
    const float* x = arguments->x + block * packed_block_columns;
    float* tables = arguments->tables + block * packed_table_floats;
    DD_UNROLL for (int t = 0; t < 32 / index_bits; ++t) {
      make_table(x + index_bits * t, index_bits, tables + entries * t);
    }
    if (32 % index_bits != 0) {
      make_table(x + 32 / index_bits * index_bits, 32 % index_bits, tables + entries * (32 / index_bits));
    }
  }
}

DD_ISA_ENTRY(void, packed_product)(const PackedProductArguments* arguments) {
#if defined(__AVX512F__)
  if (arguments->lookup == PackedLookup::digits) return multiply_digits(*arguments);
#endif
  const size_t bits = arguments->bits, groups = arguments->groups;
  const size_t block_words = groups * bits * packed_group_rows;
  for (size_t block = 0; block < arguments->blocks; ++block) {
    for (size_t token = 0; token < arguments->tokens; ++token) {
      const float* from = arguments->tables + token * arguments->tables_stride + block * packed_table_floats;
      Table tables[table_count];
      DD_UNROLL for (int t = 0; t < table_count; ++t) tables[t] = load_table(from + entries * t);
      const uint32_t* words = arguments->words + block * block_words;
      float* sums = arguments->sums + token * packed_panel_rows;
      size_t group = 0;
      for (; group + together <= groups; group += together) {
        add_groups<together>(tables, bits, words, sums);
        words += together * bits * packed_group_rows;
        sums += together * packed_group_rows;
      }
      for (; group < groups; ++group) {
        add_groups<1>(tables, bits, words, sums);
        words += bits * packed_group_rows;
        sums += packed_group_rows;
      }
    }
  }
}

DD_ISA_ENTRY(void, packed_finish)(const PackedFinishArguments* arguments) {
  // Adding 1.5 2^23 leaves no bits behind the point, by rounding half to even; offsets are within +-2^20.
  const Float32s shift = broadcast(12582912.0f);
  for (size_t row = 0; row < arguments->rows; row += vector_rows) {
    const Float32s offset = load(arguments->offset + row);
    Float32s sum = load(arguments->sums + row);
    for (size_t t = 0; t < arguments->terms; ++t) {
      const PackedTerm term = arguments->term[t];
      const Float32s zero = term.largest > 0 ? (offset * broadcast(term.largest) + shift) - shift : offset;
      sum = multiply_add(broadcast(term.sum), broadcast(term.middle) - zero, sum);
    }
    const Float32s y = load(static_cast<const float*>(arguments->y + row));
    store(arguments->y + row, multiply_add(load(arguments->scale + row), sum, y));
  }
}

DD_ISA_ENTRY(void, packed_unpack)(const PackedUnpackArguments* arguments) {
  Words lane{};
  for (int k = 0; k < lanes<float>; ++k) lane[k] = static_cast<uint32_t>(k);
  for (size_t block = 0; block < arguments->blocks; ++block) {
    const uint32_t* words = arguments->words + block * arguments->block_stride;
    float* codes = arguments->codes + block * packed_block_columns;
    for (uint32_t first = 0; first < packed_block_columns; first += static_cast<uint32_t>(lanes<float>)) {
      Words code{};
      for (size_t plane = 0; plane < arguments->bits; ++plane) {
        const Words word = Words{} + words[plane * packed_group_rows];
        code |= ((word >> (lane + first)) & 1u) << static_cast<uint32_t>(plane);
      }
      typedef int Integers __attribute__((vector_size(vector_bytes)));
      store(codes + first, __builtin_convertvector((Integers)code, Float32s));
    }
  }
}

}  // namespace dd::quantize
