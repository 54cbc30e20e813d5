// What the optimizer asks of a native objective. An objective is immutable and shared (a formula, a network's shape
// with its data); everything that changes while it is minimised lives in an evaluator, one per optimizer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/matrix_view.hpp"
#include "polystep/candidate_steps.hpp"
#include "polystep/row_layout.hpp"

namespace dd::polystep {

/// Scores candidates of one optimizer. Values are losses in float64, whatever Scalar is; any of them may be NaN or
/// infinite. Methods that are const may be called by many threads at once, the others by one.
template <class Scalar>
class Evaluator {
 public:
  Evaluator() = default;
  Evaluator(const Evaluator&) = delete;
  Evaluator& operator=(const Evaluator&) = delete;
  virtual ~Evaluator() = default;

  /// Fixes what all candidates of step `step` share: a minibatch, starting states. A function of (seed, step) alone.
  virtual void begin_step(std::uint64_t step, std::size_t threads) {
    static_cast<void>(step);
    static_cast<void>(threads);
  }

  /// values[i] = loss of row i of `points` (count x dimension).
  virtual void evaluate(MatrixView<const Scalar> points, std::span<double> values) const = 0;

  /// Block mode: `base` (dimension) is what candidates differ from until the next call. Returns its loss.
  virtual double set_base(std::span<const Scalar> base, std::size_t threads) = 0;

  /// values[i] = loss of the base with coordinates first ... first + columns - 1 replaced by row i of `replacements`.
  /// Coordinates past the dimension (padding of the last block) are ignored.
  virtual void evaluate_replacements(std::size_t first, MatrixView<const Scalar> replacements,
                                     std::span<double> values) const = 0;

  /// The same for several blocks of `replacements.columns` coordinates, whose rows follow each other, equally many
  /// each: block b starts at coordinate b columns. lane: as `enter_lane` has it, 0 outside colours.
  virtual void evaluate_blocks(const RowSet& blocks, MatrixView<const Scalar> replacements, std::span<double> values,
                               std::size_t lane) const {
    static_cast<void>(lane);
    const std::size_t each = blocks.count == 0 ? 0 : replacements.rows / blocks.count, width = replacements.columns;
    for (std::size_t i = 0; i < blocks.count; ++i) {
      evaluate_replacements(blocks[i] * width, replacements.block(i * each, 0, each, width),
                            values.subspan(i * each, each));
    }
  }

  /// Whether `evaluate_along` takes directions in exactly these parameters.
  virtual bool can_follow(std::size_t first, std::size_t parameters) const noexcept {
    static_cast<void>(first);
    static_cast<void>(parameters);
    return false;
  }
  /// values[i] = loss of the base plus sum_j coefficients(i, j) direction j, to rounding.
  virtual void evaluate_along(const Directions<Scalar>& directions, MatrixView<const Scalar> coefficients,
                              std::span<double> values) const {
    static_cast<void>(directions);
    static_cast<void>(coefficients);
    static_cast<void>(values);
  }
  /// Whether `evaluate_products` takes steps through these tensors, which are all parameters in order.
  virtual bool can_multiply(std::span<const StepTensor> tensors) const noexcept {
    static_cast<void>(tensors);
    return false;
  }
  /// values[i] = loss of the base plus step i, to rounding.
  virtual void evaluate_products(const ProductSteps<Scalar>& steps, std::span<double> values) const {
    static_cast<void>(steps);
    static_cast<void>(values);
  }

  /// Sequential updates: coordinates first ... of the base become `values`. With `blocks_by_colour`, blocks of the same
  /// colour may be scored and replaced by different threads at once.
  virtual void replace(std::size_t first, std::span<const Scalar> values) = 0;

  /// Loss of the base as replacements have left it.
  virtual double base_loss() const = 0;

  /// Whether `silent_outputs` means anything.
  virtual bool can_fall_silent() const noexcept { return false; }
  /// Share of the base's outputs that no data of this step make active: what they stand for is lost to candidates near
  /// by.
  virtual double silent_outputs() const { return 0; }

  /// Called by one thread before blocks of a colour are scored and replaced side by side: from then on, until the next
  /// call or `set_base`, values of evaluate_replacements are relative to the base of this moment, so that they do not
  /// depend on how far other threads have come. Without it (serial updates) they are relative to the latest base.
  /// lanes: how many threads will each take its own share of the blocks.
  virtual void begin_colour(std::size_t lanes) { static_cast<void>(lanes); }
  /// Called by the thread that takes share `lane` (below `lanes`) of this colour, before it scores and replaces any
  /// block: evaluators that keep something per thread bring it up to what the other lanes did in earlier colours.
  virtual void enter_lane(std::size_t lane) { static_cast<void>(lane); }
  /// As `replace`, by the thread of `lane`.
  virtual void replace_block(std::size_t first, std::span<const Scalar> values, std::size_t lane) {
    static_cast<void>(lane);
    replace(first, values);
  }

  /// Blocks of `width` coordinates (block b starts at b * width), grouped so that no two of one group meet in any term
  /// of the loss. Empty: everything meets everything, and sequential updates are serial.
  virtual std::vector<std::vector<std::uint32_t>> blocks_by_colour(std::size_t width) const {
    static_cast<void>(width);
    return {};
  }
};

class Objective {
 public:
  Objective() = default;
  Objective(const Objective&) = delete;
  Objective& operator=(const Objective&) = delete;
  virtual ~Objective() = default;

  virtual std::string_view name() const noexcept = 0;
  virtual std::size_t dimension() const noexcept = 0;
  virtual std::size_t bytes() const noexcept = 0;

  virtual std::unique_ptr<Evaluator<float>> float32_evaluator(std::uint64_t seed) const = 0;
  virtual std::unique_ptr<Evaluator<double>> float64_evaluator(std::uint64_t seed) const = 0;
  /// The same, looking at the first `share` of the data of each step only; null where there are no data.
  virtual std::unique_ptr<Evaluator<float>> float32_screen(std::uint64_t seed, double share) const {
    static_cast<void>(seed);
    static_cast<void>(share);
    return nullptr;
  }
  virtual std::unique_ptr<Evaluator<double>> float64_screen(std::uint64_t seed, double share) const {
    static_cast<void>(seed);
    static_cast<void>(share);
    return nullptr;
  }
};

}  // namespace dd::polystep
