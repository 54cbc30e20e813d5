// The run-time form of coded weights: products with the codes as they are packed, never with a matrix of floats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "quantize/packed_isa.hpp"

namespace dd::quantize {

/// How codes become values (lib/quantize/coded-weights.ts has the formulas; all operations in float32).
enum class GridForm : std::uint8_t {
  range,   ///< first: range, second: ratio; one group
  scale,   ///< first: scale, second: zero
  ternary  ///< first: low, second: high
};

/// Coded weights in the caller's memory.
struct CodedWeights {
  std::size_t rows = 0, columns = 0;
  std::variant<std::span<const std::uint8_t>, std::span<const std::uint16_t>> codes;  ///< rows x columns
  std::span<const std::uint32_t> levels;                                              ///< columns
  GridForm form = GridForm::range;
  std::size_t groups = 1;
  std::span<const float> first, second;  ///< rows x groups
  std::span<const std::int32_t> group;   ///< columns; empty: all in group 0
};

/// Where columns lie once they are sorted by group and falling width: a function of levels and groups alone.
struct PackedStructure {
  /// Blocks of 32 columns of one width, filled up with columns of one bit less.
  struct Run {
    std::size_t first_block, blocks, bits;
    std::size_t first_word;  ///< words of a row before this run
  };
  /// Slots of one run whose columns have the same number of levels.
  struct Term {
    std::size_t first_slot, slots;
    float middle, largest;
  };
  /// Runs and terms that share a scale and an offset per row.
  struct Section {
    std::size_t first_run, runs, first_term, terms;
  };
  enum class Bit : std::uint8_t { code, low, high };  ///< what a slot holds: the code, or whether it is 0 or 2

  std::size_t rows = 0, columns = 0;
  std::vector<std::int32_t> column;  ///< of each slot; -1 where a block is padded
  std::vector<float> divisor;        ///< of each slot's activation: levels - 1 for ranges, else 1
  std::vector<Run> runs;
  std::vector<Term> terms;
  std::vector<Section> sections;
  std::vector<Bit> section_bit;
  std::vector<std::size_t> section_group;
  std::size_t row_words = 0;  ///< of one row

  PackedStructure() = default;
  PackedStructure(std::size_t row_count, std::span<const std::uint32_t> levels, GridForm form, std::size_t groups,
                  std::span<const std::int32_t> group);

  std::size_t padded_rows() const noexcept {
    return (rows + packed_group_rows - 1) / packed_group_rows * packed_group_rows;
  }
  std::size_t blocks() const noexcept { return column.size() / packed_block_columns; }
  std::size_t words() const noexcept { return padded_rows() * row_words; }
  std::size_t panels() const noexcept { return (rows + packed_panel_rows - 1) / packed_panel_rows; }
  std::size_t panel_groups(std::size_t panel) const noexcept {
    const std::size_t groups = padded_rows() / packed_group_rows - panel * packed_panel_groups;
    return groups < packed_panel_groups ? groups : packed_panel_groups;
  }
  /// Position of the word of plane 0 in a run's block of index `block`; the next plane's is packed_group_rows on, the
  /// next block's panel_groups() * bits * packed_group_rows.
  std::size_t word(std::size_t row, const Run& run, std::size_t block) const noexcept;
};

/// The form of lookup that is fastest at the active level.
PackedLookup fastest_lookup() noexcept;

/// Y = X W^T on packed words: x tokens x columns, y tokens x rows, row-major; scale and offset sections x padded_rows.
/// Same bits for any number of threads, and for a token whatever tokens are beside it. `lookup`: one that the active
/// level has.
void packed_multiply(const PackedStructure& structure, std::span<const std::uint32_t> words,
                     std::span<const float> scale, std::span<const float> offset, std::span<const float> x,
                     std::size_t tokens, std::span<float> y, std::size_t threads,
                     PackedLookup lookup = fastest_lookup());

/// Values in the original order of columns, rows x columns.
void packed_dequantize(const PackedStructure& structure, std::span<const std::uint32_t> words,
                       std::span<const float> scale, std::span<const float> offset, std::span<float> values,
                       std::size_t threads);

class PackedWeights {
 public:
  /// Checks and packs; the caller's arrays may change afterwards.
  /// Throws ERR_SHAPE_MISMATCH, ERR_OUT_OF_RANGE (levels, codes not below them, groups, zero points beyond +-2^20, more
  /// than 3 levels of a ternary grid), ERR_NOT_FINITE, ERR_INVALID_ARG_VALUE (a range or scale that is not positive, a
  /// zero that is not whole). Cost: one pass.
  static PackedWeights create(const CodedWeights& weights, std::size_t threads);

  std::size_t rows() const noexcept { return structure_.rows; }
  std::size_t columns() const noexcept { return structure_.columns; }
  /// Bytes held: words with their padding, scales and offsets, the permutation.
  std::size_t bytes() const noexcept;

  /// y = W x for every token: x tokens x columns, y tokens x rows.
  ///
  /// With W the float32 values that `dequantize` gives, ranges R_i, ratios rho_i and n columns of d different numbers
  /// of levels: |y_i - sum_j w_ij x_j| <= 4 (n / 32 + d + 24) 2^-24 R_i (1 + |rho_i|) sum_j |x_j| to first order. That
  /// is the rounding of a dot product whose terms are as large as the range, not as the weights. For grids of scales,
  /// R_i (1 + |rho_i|) is the largest scale (levels - 1 + |zero|), and n / 32 + d the blocks, widths and groups
  /// together. Activations below 2^-100 may count as zero.
  ///
  /// threads: 0 means the size of the shared pool. Throws ERR_SHAPE_MISMATCH.
  /// Cost: rows columns bits / 4 lookups per token; reads every packed byte once for up to 8 tokens.
  void multiply(std::span<const float> x, std::size_t tokens, std::span<float> y, std::size_t threads) const;

  /// rows x columns, the same bits as the formulas of coded weights.
  void dequantize(std::span<float> values, std::size_t threads) const;

 private:
  PackedStructure structure_;
  AlignedBuffer<std::uint32_t> words_;
  AlignedBuffer<float> scale_, offset_;
};

}  // namespace dd::quantize
