// What the plain side of GPTQ asks of the kernels compiled once per ISA level. Rows of W are independent and U is
// shared, so lanes are rows: a strip of R rows (R = gptq_strip_rows(), a register tile's height) lies column by column,
// element (row, column) at column R + row. Columns come in multiples of 8; the padding is columns of zeros whose part
// of U is the identity, and the last strip is padded with rows of zeros.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/isa.hpp"

namespace dd::quantize {

/// Columns between two updates of everything behind them. Results depend on it, so it is the same at every level.
inline constexpr std::size_t gptq_block_columns = 128;
/// Columns that the registers of the in-block phase hold at once.
inline constexpr std::size_t gptq_base_columns = 8;

/// The grids of the columns of a block. Grid g of a strip lies at grids + 2 g R: R scales and R zeros; where `divisor`
/// is not null: R ranges and R ratios, of which column j makes scale = range / divisor_j, zero = round(ratio
/// largest_code_j).
struct GptqColumns {
  const std::uint32_t* grid;
  const float* largest_code;
  const float* divisor;
};

/// The columns of one block of one strip, quantised one after the other, each correcting those behind it in the block.
struct GptqStripArguments {
  std::size_t columns;
  float* weights;       // columns x R: in W, out Q
  float* errors;        // columns x R: out E
  const float* factor;  // the diagonal block of U, rows gptq_block_columns apart
  const float* grids;
  GptqColumns column;
  std::uint32_t* codes;  // columns / 4 x R words of four codes, the first column lowest
  float* squares;        // per column sum_rows e^2; may be null
};

/// W -= E U for the columns behind a block: `strips` strips, `columns` columns each.
struct GptqUpdateArguments {
  std::size_t strips, columns, depth;
  const float* errors;
  std::size_t errors_stride;  // from strip to strip
  const float* factor;        // packed by gptq_pack_factor
  float* weights;
  std::size_t weights_stride;
};

/// Rows of U, element (p, j) at u[p stride + j], into the order in which the update reads them; `valid` of the columns
/// exist, the others become zeros.
struct GptqPackArguments {
  std::size_t depth, columns, valid;
  const float* u;
  std::size_t stride;
  float* to;
};

/// Row-major rows x columns (rows `stride` apart) into a strip; the rows it has not become zeros.
struct GptqLoadArguments {
  std::size_t rows, columns;
  const float* from;
  std::size_t stride;
  float* strip;
};
/// And back.
struct GptqStoreArguments {
  std::size_t rows, columns;
  const float* strip;
  float* to;
  std::size_t stride;
};

DD_ISA_KERNEL(gptq_strip_rows, std::size_t());
DD_ISA_KERNEL(gptq_strip, void(const GptqStripArguments*));
DD_ISA_KERNEL(gptq_update, void(const GptqUpdateArguments*));
DD_ISA_KERNEL(gptq_pack_factor, void(const GptqPackArguments*));
/// False when something that was read is not finite.
DD_ISA_KERNEL(gptq_load_strip, bool(const GptqLoadArguments*));
DD_ISA_KERNEL(gptq_store_strip, void(const GptqStoreArguments*));

}  // namespace dd::quantize
