// What packed weights ask of the kernels compiled once per ISA level, and the order of their bits.
//
// Codes are held as bit planes: code = sum_p 2^p bit_p, so sum_j x_j code_ij = sum_p 2^p sum_j x_j bit_p,ij, and a sum
// over four columns is one of 16 numbers that depend on x only: a table in one register, looked up with four bits for
// 16 rows at once. A lookup costs the same whatever it is part of, so time goes with bytes for every width alike, and
// one kernel serves them all. (The lookup of T-MAC, arXiv 2407.00088, with float32 tables, so nothing is rounded that a
// dot product would not round, or with tables of whole numbers that lose less than its bound: packed_digits.hpp.)
//
// Order: rows in panels of 256 (the last one shorter), in a panel the blocks of 32 columns one after the other, in a
// block groups of 16 rows, in a group plane after plane, of a plane one word per row whose bit k belongs to column k.
// A block of a row takes `bits` words, as in the order of GPTQ checkpoints.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/isa.hpp"

namespace dd::quantize {

inline constexpr std::size_t packed_block_columns = 32;
inline constexpr std::size_t packed_group_rows = 16;
inline constexpr std::size_t packed_panel_groups = 16;
inline constexpr std::size_t packed_panel_rows = packed_group_rows * packed_panel_groups;
/// Floats of the tables of one block: at most 8 tables of 16 or 16 of 8.
inline constexpr std::size_t packed_table_floats = 128;

/// Blocks of a run whose tables of digits have one unit, counted from its first block.
inline constexpr std::size_t packed_table_section_blocks = 6;

/// What is looked up.
enum class PackedLookup : std::uint8_t {
  floats,
  digits  ///< three of eight bits; at the AVX-512 level on CPUs with VBMI and VNNI only
};

/// Tables of `blocks` blocks of 32 activations: entries sum_k (bit_k - 1/2) x_k, so that codes count from the middle
/// of their width and sums do not cancel later.
struct PackedTablesArguments {
  PackedLookup lookup;
  std::size_t blocks;
  const float* x;  // 32 per block
  float* tables;   // packed_table_floats per block, 64-byte aligned
};

/// sums[token][row] += sum over the blocks of a run of (code - (2^bits - 1) / 2) x for a panel.
struct PackedProductArguments {
  PackedLookup lookup;
  std::size_t blocks, bits, groups, tokens;
  const std::uint32_t* words;
  const float* tables;
  std::size_t tables_stride;  // from token to token
  float* sums;                // packed_panel_rows per token, 64-byte aligned
};

/// Columns that share a number of levels: their part of the zero point, which depends on the row only.
struct PackedTerm {
  float sum;      // of x over these columns
  float middle;   // (2^bits - 1) / 2
  float largest;  // levels - 1 when zero = round(offset * largest); 0 when zero = offset
};

/// y[row] += scale[row] (sums[row] + sum_terms term.sum (term.middle - zero)).
struct PackedFinishArguments {
  std::size_t rows;  // a multiple of packed_group_rows
  const float* sums;
  const float* scale;
  const float* offset;
  std::size_t terms;
  const PackedTerm* term;
  float* y;
};

/// Codes of one row of a run, as float32.
struct PackedUnpackArguments {
  std::size_t blocks, bits;
  const std::uint32_t* words;  // of this row: plane p of block c at words[c block_stride + p packed_group_rows]
  std::size_t block_stride;
  float* codes;  // 32 per block
};

DD_ISA_KERNEL(packed_tables, void(const PackedTablesArguments*));
DD_ISA_KERNEL(packed_product, void(const PackedProductArguments*));
DD_ISA_KERNEL(packed_finish, void(const PackedFinishArguments*));
DD_ISA_KERNEL(packed_unpack, void(const PackedUnpackArguments*));

}  // namespace dd::quantize
