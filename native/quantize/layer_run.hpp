// What the steps of one layer's quantisation share: its data in processing order and the best result so far. Internal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/clock.hpp"
#include "core/run_control.hpp"
#include "quantize/gptq.hpp"
#include "quantize/layer.hpp"

namespace dd::quantize {

/// Codes and values of a complete pass, columns in processing order.
struct LayerCodes {
  AlignedBuffer<float> values;
  AlignedBuffer<std::uint8_t> codes;
  std::vector<std::uint16_t> wide;  ///< instead of `codes` when a column has more than 256 levels
  std::vector<std::uint32_t> levels;
  std::vector<double> column_losses;
  CodedGrid grid;
  double loss = std::numeric_limits<double>::infinity();
};

struct LayerRun {
  const LayerOptions& options;
  RunControl& control;
  MatrixView<const float> given;  ///< as the caller stores it
  std::size_t rows, columns;
  const DampedHessian& hessian;  ///< no columns: H = I
  AlignedBuffer<float> w;        ///< processing order, dead columns zero
  LayerCodes best;
  std::vector<double> sensitivities;
  double gain = 1;
  LayerSeconds seconds;
  GptqWorkspace workspace;
  AlignedBuffer<float> last_errors = {};  ///< E of the last pass, or what was made of it
  bool errors_of_best = false;            ///< whether those are the E of `best`

  std::size_t threads() const noexcept { return control.threads(); }
  MatrixView<const float> weights() const noexcept {
    return MatrixView<const float>::row_major(w.data(), rows, columns);
  }
  template <class T>
  MatrixView<T> view(AlignedBuffer<T>& buffer) const noexcept {
    return MatrixView<T>::row_major(buffer.data(), rows, columns);
  }
  MatrixView<std::uint16_t> view(std::vector<std::uint16_t>& codes) const noexcept {
    return MatrixView<std::uint16_t>::row_major(codes.data(), rows, columns);
  }
  bool finished() const noexcept { return best.loss < std::numeric_limits<double>::infinity(); }
  void report(const char* phase, double fraction) {
    Progress progress;
    progress.phase = phase;
    progress.fraction = fraction;
    progress.objective = finished() ? best.loss : std::numeric_limits<double>::quiet_NaN();
    control.report(progress);
  }
  /// Codes of the columns' levels on `grid` without any correction, into `best`.
  void round_to_nearest(const CodedGrid& grid, std::vector<std::uint32_t> levels);
  /// Ranges of rows, or of rows and groups as they are stored, that suit `w` (in processing order), with the symmetry
  /// of the options and a search for columns of `levels` levels.
  CodedGrid range_grid(MatrixView<const float> w, std::uint32_t levels) const;
  /// `whole` with every range shrunk to the best of a few parts of it for the weights as they were corrected.
  CodedGrid fitted_grid(const CodedGrid& whole, std::span<const std::uint32_t> levels,
                        MatrixView<const float> corrected);
  /// table[p options + k]: what column p of `corrected` loses on the grid of levels[k] levels, over U_pp^2.
  void measure(const CodedGrid& grid, MatrixView<const float> corrected, std::span<const std::uint32_t> levels,
               std::span<double> table);
  /// GPTQ on `grid` (scale or range) into `codes`, with E in `errors` unless that is null; up to 1024 levels. False
  /// when it was stopped.
  bool pass(const CodedGrid& grid, std::vector<std::uint32_t> levels, LayerCodes& codes, AlignedBuffer<float>* errors);
  /// The same with any number of levels up to 65536, and ternary grids; slower.
  bool wide_pass(const CodedGrid& grid, std::vector<std::uint32_t> levels, LayerCodes& codes);
};

/// Adds the seconds of its life to a sum.
class PhaseTimer {
 public:
  explicit PhaseTimer(double& sum) noexcept : sum_(sum), start_(wall_seconds()) {}
  ~PhaseTimer() { sum_ += wall_seconds() - start_; }
  PhaseTimer(const PhaseTimer&) = delete;
  PhaseTimer& operator=(const PhaseTimer&) = delete;

 private:
  double& sum_;
  double start_;
};

/// GPTQ with one number of levels for all columns, or the levels that were given, into run.best.
void quantize_uniform(LayerRun& run);
/// BAQ in any of its modes, into run.best.
void quantize_allocated(LayerRun& run);

}  // namespace dd::quantize
