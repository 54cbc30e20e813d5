// Quantising the weights of one layer: round to nearest, GPTQ, and BAQ's allocation of levels to columns around it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/matrix_view.hpp"
#include "core/run_control.hpp"
#include "quantize/grid.hpp"
#include "quantize/hessian.hpp"

namespace dd::quantize {

enum class Method : std::uint8_t { round_to_nearest, gptq, baq };

/// How BAQ finds the levels of each column.
enum class Allocation : std::uint8_t {
  official,  ///< as the published code: sensitivities of a uniform pass, any number of levels, no budget, its defects
  integer,   ///< whole bits by the same sensitivities: c_j 4^-b, exact budget
  table,     ///< whole bits by measured tables of every column and option, exact budget
  levels     ///< the same with 28 numbers of levels from 1 to 256, or 36 to 1024 where max_bits is 10
};

/// What `average_bits` speak of.
enum class Budget : std::uint8_t {
  codes,  ///< log2(levels) of the columns
  stored  ///< all that files keep: codes as they are packed, ranges, levels of columns, groups
};

struct LayerOptions {
  Method method = Method::baq;
  Allocation allocation = Allocation::table;
  double average_bits = 4;
  Budget budget = Budget::codes;  ///< `stored`: BAQ but for `official`
  /// BAQ and GPTQ with a range grid: levels of each column instead of any allocation, 1 to 65536.
  std::span<const std::uint32_t> levels = {};
  Symmetry symmetry = Symmetry::asymmetric;
  GridSearch search = GridSearch::none;
  bool ternary = false;
  bool per_tensor = false;
  std::size_t group_size = 0;  ///< columns of a group; 0: a grid per row. BAQ: a range per row and group
  bool allow_tail = false;     ///< the last group, which may be the only one, may be smaller
  /// All grids from the original weights, groups of stored columns; else groups in processing order, each from the
  /// weights as corrected when the pass reaches it (BAQ: in the pass before).
  bool static_groups = false;
  bool exact_groups = true;         ///< a group's grid from all corrections so far; else from those of earlier blocks
  std::size_t block_columns = 128;  ///< the blocks that `exact_groups = false` means
  bool act_order = false;
  double damping = 0.01;
  /// Table and levels: times that tables are measured and solved, on a sample where rows are many, but the last table
  /// of a run on all of them.
  std::size_t rounds = 3;
  std::size_t range_fits = 3;   ///< table and levels: further such rounds, the rows' ranges being fitted before each
  std::uint32_t max_bits = 8;   ///< of a column in BAQ; at most 8, or 10 for `levels`
  std::size_t sweeps = 0;       ///< of coordinate descent over the codes
  bool refit = false;           ///< a scale for each row after that
  bool measure_energy = false;  ///< QuantizedLayer::energy, in 2 rows columns^2 operations
};

enum class LayerStatus : std::uint8_t { complete, time_limit, cancelled };
/// "complete", "time" or "cancelled".
const char* layer_status_name(LayerStatus status) noexcept;

struct LayerSeconds {
  double factor = 0, grid = 0, quantize = 0, allocate = 0, refine = 0;
};

/// Codes rows x columns, row-major, columns in their original order; in `wide` when a column has more than 256 levels.
struct QuantizedLayer {
  std::size_t rows = 0, columns = 0;
  std::vector<std::uint8_t> codes;
  std::vector<std::uint16_t> wide;
  std::vector<std::uint32_t> levels;
  CodedGrid grid;
  double loss = 0;    ///< 1/2 tr((W - Q) Hd (W - Q)^T), dead columns of W taken as zeros except by round to nearest
  double energy = 0;  ///< 1/2 tr(W Hd W^T), what the loss is relative to; 0 unless asked for
  std::vector<double> column_losses;  ///< of the pass that made the codes, before any refinement; original order
  std::vector<double> sensitivities;  ///< BAQ: losses of the uniform pass; original order
  double gain = 1;                    ///< BAQ: geometric over arithmetic mean of those
  double damping = 0;
  std::vector<std::uint32_t> dead;
  LayerStatus status = LayerStatus::complete;
  LayerSeconds seconds;
};

/// What quantize_layer throws before work starts, without the work.
void check_layer(MatrixView<const float> weights, bool has_hessian, const LayerOptions& options,
                 std::size_t threads = 1);

/// Chooses codes for `weights` (rows x columns, row-major) that make 1/2 tr((W - Q) Hd (W - Q)^T) small.
///
/// hessian: columns x columns as of HessianSum::write, or empty: H = I without damping (round to nearest only).
/// A stopped run gives the best complete pass so far, or rounding to the nearest when there is none, and says so.
/// Same bits for any number of threads.
/// Throws dd::Error before work starts: ERR_SHAPE_MISMATCH, ERR_OUT_OF_RANGE, ERR_NOT_FINITE (weights, with the first
/// place), ERR_INVALID_ARG_VALUE (options that do not go together).
/// Cost: 2/3 columns^3 for the factor and rows columns^2 a pass: one for GPTQ, `rounds` + 1 for tables; a sweep of
/// coordinate descent up to 2 rows columns^2.
/// Sources: GPTQ, arXiv 2210.17323; BAQ, arXiv 2506.05664.
QuantizedLayer quantize_layer(MatrixView<const float> weights, std::span<const double> hessian,
                              const LayerOptions& options, RunControl& control);

/// How `damp_and_factor` makes what the form below takes.
HessianOptions hessian_options(const LayerOptions& options, std::size_t threads) noexcept;

/// The same with H damped and factored by `hessian_options` before: for layers that share their inputs, and for one
/// layer at several rates. No columns: H = I (round to nearest only).
QuantizedLayer quantize_layer(MatrixView<const float> weights, const DampedHessian& hessian,
                              const LayerOptions& options, RunControl& control);

/// Q, rows x columns, row-major, bit for bit what lib/quantize/coded-weights.ts says.
void dequantize(const QuantizedLayer& layer, std::span<float> values, std::size_t threads);

}  // namespace dd::quantize
