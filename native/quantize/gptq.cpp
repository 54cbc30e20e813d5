// GPTQ around the strip kernel: validation, strip-major storage, blocks of columns, tasks of strips.
#include "quantize/gptq.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "core/error.hpp"
#include "core/reductions.hpp"
#include "core/thread_pool.hpp"
#include "linalg/strided.hpp"
#include "quantize/gptq_isa.hpp"

namespace dd::quantize {
namespace {

// Packed columns of U that stay in the second-level cache while all strips of a task go by; 256 to 2048 are equal.
constexpr std::size_t panel_columns = 768;
// Strips that go through all columns together: they share what is read of U, and their weights should stay in a cache.
constexpr std::size_t most_task_strips = 8;
// A task below this is not worth waking a thread for.
constexpr double least_task_flops = 2e6;
constexpr float largest_zero = 0x1p20f;
constexpr float largest_ratio = 0x1p12f;  // times 1023 codes is still a whole number of the right size

std::size_t divide_up(std::size_t a, std::size_t b) noexcept { return (a + b - 1) / b; }

template <class T>
void expect_rows(const MatrixView<T>& view, const char* name, std::size_t rows, std::size_t columns) {
  linalg::expect_shape(name, view.rows, view.columns, rows, columns);
  if constexpr (std::is_const_v<T>) {
    (void)linalg::checked(view, name);
  } else {
    (void)linalg::checked_output(view, name);
  }
  if (columns > 1 && view.column_stride != 1) {
    throw Error(
        ErrorCode::invalid_argument_value, name,
        std::string("`") + name + "` must be row-major: column stride 1, got " + std::to_string(view.column_stride));
  }
}

[[noreturn]] void throw_at(ErrorCode code, const char* name, std::size_t row, std::size_t column, const char* wanted,
                           float got) {
  throw Error(code, name,
              std::string("`") + name + "` must be " + wanted + ", got " + std::to_string(got) + " at row " +
                  std::to_string(row) + ", column " + std::to_string(column));
}

void check_factor(MatrixView<const float> u, std::size_t threads) {
  // The smallest row that fails is reported, whatever thread saw which first.
  std::atomic<std::size_t> failed{u.rows};
  parallel_for(threads, u.rows, 256, [&](std::size_t begin, std::size_t end) {
    for (std::size_t j = begin; j < end; ++j) {
      const std::size_t count = u.columns - j;
      if (u(j, j) > 0 && first_non_finite(std::span<const float>(&u(j, j), count), 1) == count) continue;
      std::size_t smallest = failed.load();
      while (j < smallest && !failed.compare_exchange_weak(smallest, j)) {
      }
      return;
    }
  });
  const std::size_t j = failed;
  if (j == u.rows) return;
  for (std::size_t k = j; k < u.columns; ++k) {
    if (!std::isfinite(u(j, k))) throw_at(ErrorCode::not_finite, "u", j, k, "finite", u(j, k));
  }
  throw_at(ErrorCode::invalid_argument_value, "u", j, j, "positive on the diagonal", u(j, j));
}

void check_grids(const GptqGrids& grids, std::size_t rows, std::size_t columns, std::uint32_t most_levels) {
  const std::size_t groups = grids.scale.columns;
  expect_rows(grids.scale, "scale", rows, groups);
  expect_rows(grids.zero, "zero", rows, groups);
  if (groups == 0)
    throw Error(ErrorCode::shape_mismatch, "scale", "`scale` must have a column for each group, got none");
  if (!grids.group.empty() && grids.group.size() != columns) {
    throw Error(ErrorCode::shape_mismatch, "group",
                "`group` must be empty or have an entry for each of " + std::to_string(columns) + " columns, got " +
                    std::to_string(grids.group.size()));
  }
  for (std::size_t j = 0; j < grids.group.size(); ++j) {
    if (grids.group[j] >= groups) {
      throw Error(ErrorCode::out_of_range, "group",
                  "`group` must be below " + std::to_string(groups) + ", got " + std::to_string(grids.group[j]) +
                      " at column " + std::to_string(j));
    }
  }
  if (grids.levels.size() != 1 && grids.levels.size() != columns) {
    throw Error(ErrorCode::shape_mismatch, "levels",
                "`levels` must have one entry or one for each of " + std::to_string(columns) + " columns, got " +
                    std::to_string(grids.levels.size()));
  }
  for (std::size_t j = 0; j < grids.levels.size(); ++j) {
    if (grids.levels[j] < 1 || grids.levels[j] > most_levels) {
      throw Error(ErrorCode::out_of_range, "levels",
                  "`levels` must be 1 to " + std::to_string(most_levels) + ", got " + std::to_string(grids.levels[j]) +
                      " at column " + std::to_string(j));
    }
  }
  const bool integers = grids.form == GptqGridForm::scale_and_zero;
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t g = 0; g < groups; ++g) {
      const float scale = grids.scale(i, g), zero = grids.zero(i, g);
      if (!std::isfinite(scale)) throw_at(ErrorCode::not_finite, "scale", i, g, "finite", scale);
      if (!(scale > 0)) throw_at(ErrorCode::invalid_argument_value, "scale", i, g, "positive", scale);
      if (!std::isfinite(zero)) throw_at(ErrorCode::not_finite, "zero", i, g, "finite", zero);
      if (!integers && std::fabs(zero) > largest_ratio) {
        throw_at(ErrorCode::out_of_range, "zero", i, g, "a ratio within +-2^12", zero);
      }
      if (integers && (std::fabs(zero) > largest_zero || zero != std::nearbyint(zero))) {
        throw_at(ErrorCode::out_of_range, "zero", i, g, "an integer within +-2^20", zero);
      }
    }
  }
}

template <class T>
T* reserve(AlignedBuffer<T>& buffer, std::size_t count) {
  buffer.reserve_discarding(std::max<std::size_t>(count, 1));
  return buffer.data();
}

/// Whether the last call with this workspace has checked and packed this factor.
bool packed(const GptqWorkspace& workspace, MatrixView<const float> u, const GptqOptions& options) noexcept {
  return options.same_factor && workspace.packed_from == u.data && workspace.packed_columns == u.columns &&
         workspace.packed_for == active_isa();
}

/// One call: sizes, memory, and the steps of a block.
class Quantisation {
 public:
  Quantisation(MatrixView<const float> w, MatrixView<const float> u, const GptqGrids& grids, const GptqOutputs& outputs,
               const GptqOptions& options, GptqWorkspace& workspace)
      : level_(active_isa()),
        w_(w),
        u_(u),
        grids_(grids),
        outputs_(outputs),
        options_(options),
        workspace_(&workspace),
        strip_rows_(gptq_strip_rows.at(level_)()),
        strips_(divide_up(w.rows, strip_rows_)),
        columns_(divide_up(w.columns, gptq_base_columns) * gptq_base_columns),
        strip_size_(columns_ * strip_rows_),
        error_size_(std::min(columns_, gptq_block_columns) * strip_rows_),
        grid_size_(2 * grids.scale.columns * strip_rows_),
        weights_(reserve(workspace.weights, strips_ * strip_size_)),
        errors_(reserve(workspace.errors, strips_ * error_size_)),
        strip_grids_(reserve(workspace.grids, strips_ * grid_size_)),
        blocks_(divide_up(columns_, gptq_block_columns)),
        factor_(reserve(workspace.factor, blocks_ * factor_size)),
        packed_(reserve(workspace.packed, packed_before(blocks_))),
        squares_(outputs.column_losses.empty() ? nullptr : reserve(workspace.squares, strips_ * columns_)),
        group_(columns_),
        largest_code_(columns_),
        divisor_(columns_) {
    const double flops = static_cast<double>(w.rows) * static_cast<double>(w.columns) * static_cast<double>(w.columns);
    threads_ = options.threads == 0 ? ThreadPool::default_threads() : options.threads;
    if (flops < 2 * least_task_flops) threads_ = 1;
    // A few tasks a thread, so that one that was held up does not hold up all; no strip depends on another, so a task
    // goes through all columns without waiting for anybody.
    task_strips_ = divide_up(
        strips_, threads_ == 1 ? divide_up(strips_, most_task_strips)
                               : std::max(divide_up(strips_, most_task_strips), std::min(strips_, 4 * threads_)));
  }

  void load() {
    std::atomic<bool> finite{true};
    for_strips([&](std::size_t begin, std::size_t end) {
      for (std::size_t s = begin; s < end; ++s) {
        if (!load_strip(s)) finite = false;
      }
    });
    if (finite) return;
    for (std::size_t i = 0; i < w_.rows; ++i) {
      for (std::size_t j = 0; j < w_.columns; ++j) {
        if (!std::isfinite(w_(i, j))) throw_at(ErrorCode::not_finite, "w", i, j, "finite", w_(i, j));
      }
    }
  }

  std::size_t run() {
    pack();
    std::atomic<std::size_t> done{w_.columns};
    for_strips([&](std::size_t begin, std::size_t end) {
      const std::size_t reached = run_strips(begin, end);
      std::size_t least = done.load();
      while (reached < least && !done.compare_exchange_weak(least, reached)) {
      }
    });
    if (done == w_.columns) add_losses();
    return done;
  }

 private:
  bool stopped() const noexcept { return options_.control != nullptr && options_.control->should_stop(); }

  template <class Body>
  void for_strips(const Body& body) {
    parallel_for(threads_, strips_, task_strips_, body);
  }

  std::size_t rows_of(std::size_t s) const noexcept { return std::min(strip_rows_, w_.rows - s * strip_rows_); }

  bool load_strip(std::size_t s) {
    const std::size_t row = s * strip_rows_, rows = rows_of(s);
    float* const strip = weights_ + s * strip_size_;
    const GptqLoadArguments copy{rows, w_.columns, &w_(row, 0), w_.row_stride, strip};
    const bool finite = gptq_load_strip.at(level_)(&copy);
    std::fill(strip + w_.columns * strip_rows_, strip + strip_size_, 0.0f);
    float* grid = strip_grids_ + s * grid_size_;
    for (std::size_t g = 0; g < grids_.scale.columns; ++g, grid += 2 * strip_rows_) {
      for (std::size_t i = 0; i < strip_rows_; ++i) {
        grid[i] = i < rows ? grids_.scale(row + i, g) : 1.0f;
        grid[strip_rows_ + i] = i < rows ? grids_.zero(row + i, g) : 0.0f;
      }
    }
    return finite;
  }

  /// Where the packed part of U behind block b begins: all blocks but the last are gptq_block_columns wide.
  std::size_t packed_before(std::size_t b) const noexcept {
    const std::size_t full = b < blocks_ ? b : blocks_ - 1;
    return gptq_block_columns * full * (2 * columns_ - gptq_block_columns * (full + 1)) / 2;
  }
  std::size_t width_of(std::size_t b) const noexcept {
    return std::min(gptq_block_columns, columns_ - b * gptq_block_columns);
  }

  /// What all strips read of U and of the columns' grids.
  void pack() {
    for (std::size_t j = 0; j < columns_; ++j) {
      const bool inside = j < w_.columns;
      const std::uint32_t levels = !inside                     ? gptq_largest_levels
                                   : grids_.levels.size() == 1 ? grids_.levels[0]
                                                               : grids_.levels[j];
      group_[j] = inside && !grids_.group.empty() ? grids_.group[j] : 0;
      largest_code_[j] = static_cast<float>(levels - 1);
      divisor_[j] = std::max(largest_code_[j], 1.0f);
    }
    if (packed(*workspace_, u_, options_)) return;
    parallel_for(threads_, blocks_, 1, [&](std::size_t b, std::size_t) { pack_block(b); });
    workspace_->packed_from = options_.same_factor ? u_.data : nullptr;
    workspace_->packed_columns = u_.columns;
    workspace_->packed_for = level_;
  }

  void pack_block(std::size_t b) {
    const std::size_t first = b * gptq_block_columns, width = width_of(b);
    const std::size_t real = std::min(width, w_.columns - first);
    float* const factor = factor_ + b * factor_size;
    std::fill_n(factor, width * gptq_block_columns, 0.0f);
    for (std::size_t p = 0; p < real; ++p) {
      std::copy_n(&u_(first + p, first + p), real - p, factor + p * gptq_block_columns + p);
    }
    for (std::size_t p = real; p < width; ++p) factor[p * gptq_block_columns + p] = 1;
    const std::size_t behind = first + width;
    if (behind >= columns_) return;
    const GptqPackArguments pack{width,         columns_ - behind,         w_.columns - behind, &u_(first, behind),
                                 u_.row_stride, packed_ + packed_before(b)};
    gptq_pack_factor.at(level_)(&pack);
  }

  /// All columns of some strips. Returns the number of columns done: all, unless the run was stopped.
  std::size_t run_strips(std::size_t begin, std::size_t end) {
    for (std::size_t b = 0; b < blocks_; ++b) {
      const std::size_t first = b * gptq_block_columns, width = width_of(b);
      for (std::size_t s = begin; s < end; ++s) {
        if (stopped()) return first;
        quantise(b, s);
      }
      const std::size_t behind = columns_ - first - width;
      for (std::size_t j = 0; j < behind; j += panel_columns) {
        if (stopped()) return first;
        const GptqUpdateArguments product{end - begin,
                                          std::min(panel_columns, behind - j),
                                          width,
                                          errors_ + begin * error_size_,
                                          error_size_,
                                          packed_ + packed_before(b) + j * width,
                                          weights_ + begin * strip_size_ + (first + width + j) * strip_rows_,
                                          strip_size_};
        gptq_update.at(level_)(&product);
      }
    }
    return w_.columns;
  }

  void quantise(std::size_t b, std::size_t s) {
    const std::size_t first = b * gptq_block_columns, width = width_of(b);
    float* const weights = weights_ + s * strip_size_ + first * strip_rows_;
    float* const errors = errors_ + s * error_size_;
    alignas(64) std::uint32_t codes[gptq_block_columns / 4 * largest_strip];
    const bool ranges = grids_.form == GptqGridForm::range_and_ratio;
    const GptqStripArguments block{width,
                                   weights,
                                   errors,
                                   factor_ + b * factor_size,
                                   strip_grids_ + s * grid_size_,
                                   {&group_[first], &largest_code_[first], ranges ? &divisor_[first] : nullptr},
                                   codes,
                                   squares_ == nullptr ? nullptr : squares_ + s * columns_ + first};
    gptq_strip.at(level_)(&block);
    const std::size_t row = s * strip_rows_, rows = rows_of(s), columns = std::min(width, w_.columns - first);
    if (outputs_.quantized.data != nullptr) store(weights, outputs_.quantized.block(row, first, rows, columns));
    if (outputs_.errors.data != nullptr) store(errors, outputs_.errors.block(row, first, rows, columns));
    if (outputs_.codes.data != nullptr) store_codes(codes, outputs_.codes.block(row, first, rows, columns));
  }

  void store(const float* strip, MatrixView<float> to) {
    const GptqStoreArguments copy{to.rows, to.columns, strip, to.data, to.row_stride};
    gptq_store_strip.at(level_)(&copy);
  }

  /// Four codes are a word, the words of a strip are turned like floats, and a row of words is a row of codes.
  void store_codes(const std::uint32_t* codes, MatrixView<std::uint8_t> to) {
    constexpr std::size_t words = gptq_block_columns / 4;
    alignas(64) float strip[words * largest_strip], turned[words * largest_strip];
    std::memcpy(strip, codes, words * strip_rows_ * sizeof(float));
    store(strip, {turned, to.rows, divide_up(to.columns, 4), words, 1});
    for (std::size_t i = 0; i < to.rows; ++i) std::memcpy(&to(i, 0), turned + i * words, to.columns);
  }

  void add_losses() {
    for (std::size_t j = 0; j < outputs_.column_losses.size(); ++j) {
      double sum = 0;
      for (std::size_t s = 0; s < strips_; ++s) sum += static_cast<double>(squares_[s * columns_ + j]);
      outputs_.column_losses[j] = sum / 2;
    }
  }

  static constexpr std::size_t largest_strip = 48;
  static constexpr std::size_t factor_size = gptq_block_columns * gptq_block_columns;

  IsaLevel level_;
  MatrixView<const float> w_, u_;
  const GptqGrids& grids_;
  const GptqOutputs& outputs_;
  const GptqOptions& options_;
  GptqWorkspace* workspace_;
  std::size_t strip_rows_, strips_, columns_, strip_size_, error_size_, grid_size_;
  float *weights_, *errors_, *strip_grids_;
  std::size_t blocks_;
  float *factor_, *packed_, *squares_;
  std::vector<std::uint32_t> group_;
  std::vector<float> largest_code_, divisor_;
  std::size_t threads_ = 1, task_strips_ = 1;
};

}  // namespace

std::size_t gptq_quantize(MatrixView<const float> w, MatrixView<const float> u, const GptqGrids& grids,
                          const GptqOutputs& outputs, const GptqOptions& options) {
  static_assert(std::endian::native == std::endian::little, "codes are taken out of words byte by byte");
  const std::size_t rows = w.rows, columns = w.columns;
  expect_rows(w, "w", rows, columns);
  expect_rows(u, "u", columns, columns);
  if (outputs.codes.data != nullptr) expect_rows(outputs.codes, "codes", rows, columns);
  if (outputs.quantized.data != nullptr) expect_rows(outputs.quantized, "quantized", rows, columns);
  if (outputs.errors.data != nullptr) expect_rows(outputs.errors, "errors", rows, columns);
  if (!outputs.column_losses.empty() && outputs.column_losses.size() != columns) {
    throw Error(ErrorCode::shape_mismatch, "column_losses",
                "`column_losses` must be empty or have " + std::to_string(columns) + " entries, got " +
                    std::to_string(outputs.column_losses.size()));
  }
  check_grids(grids, rows, columns, outputs.codes.data != nullptr ? gptq_largest_levels : gptq_largest_wide_levels);
  if (options.workspace == nullptr || !packed(*options.workspace, u, options)) check_factor(u, options.threads);
  if (rows == 0 || columns == 0) {
    std::fill(outputs.column_losses.begin(), outputs.column_losses.end(), 0.0);
    return columns;
  }
  GptqWorkspace own;
  Quantisation quantisation(w, u, grids, outputs, options, options.workspace != nullptr ? *options.workspace : own);
  quantisation.load();
  return quantisation.run();
}

}  // namespace dd::quantize
