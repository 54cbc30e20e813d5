// The second moment of a layer's inputs: what every quantiser of this room minimises against, and its factor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/matrix_view.hpp"
#include "core/run_control.hpp"

namespace dd::quantize {

/// H = (2 / n) sum_t x_t x_t^T over all tokens t, n counting sequences (calibration samples), not tokens: the scale of
/// the published codes. The sum is kept unnormalised in float64 and divided once.
class HessianSum {
 public:
  /// Throws ERR_OUT_OF_RANGE for no columns.
  explicit HessianSum(std::size_t columns);

  /// activations: tokens x columns, any strides; `sequences` of them together (0: one). Cost: tokens columns^2.
  /// Results depend on how tokens are split into calls in the last bits of float32, never on `threads`.
  /// Throws ERR_SHAPE_MISMATCH (columns, no tokens) or ERR_NOT_FINITE with the first place, before anything is added.
  void add(MatrixView<const float> activations, std::size_t sequences = 1, std::size_t threads = 1);
  /// The same bits on the threads of `control`, which is asked at least every 512 tokens: false when it stopped the
  /// batch, of which nothing has been added then. From 4096 tokens on that takes a copy of the sum, 4 columns^2 bytes;
  /// shorter batches are stopped only before they begin.
  bool add(MatrixView<const float> activations, std::size_t sequences, RunControl& control);

  std::size_t columns() const noexcept { return columns_; }
  std::size_t sequences() const noexcept { return sequences_; }
  std::size_t tokens() const noexcept { return tokens_; }

  /// H, columns x columns with both triangles, into `matrix`. Throws ERR_INVALID_ARG_VALUE while nothing was added.
  void write(std::span<double> matrix, std::size_t threads = 1) const;

 private:
  void check(MatrixView<const float> activations, std::size_t threads) const;
  void accumulate(MatrixView<const float> activations, std::size_t threads);

  std::size_t columns_, sequences_ = 0, tokens_ = 0;
  AlignedBuffer<double> sum_;  // lower triangle, row-major
};

struct HessianOptions {
  double damping = 0.01;   ///< lambda as a part of the mean of the diagonal; at least 0
  bool act_order = false;  ///< columns by falling diagonal (before damping), equal ones by index
  std::size_t threads = 1;
};

/// Hd = H + lambda I in processing order with its factor.
struct DampedHessian {
  std::size_t columns = 0;
  std::vector<std::uint32_t> order;  ///< position p holds column order[p]
  std::vector<std::uint32_t> dead;   ///< columns with H_jj = 0, ascending; there H_jj = 1 was put in before damping
  AlignedBuffer<double> matrix;      ///< Hd, row-major, both triangles, rows and columns in processing order
  AlignedBuffer<float> factor;       ///< U, row-major: upper triangle of U^T U = Hd^-1, zeros below
  double damping = 0;                ///< really used: more than was asked for when the factorisation failed with that
  bool float64 = true;               ///< precision in which the factor was computed

  MatrixView<const double> matrix_view() const noexcept {
    return MatrixView<const double>::row_major(matrix.data(), columns, columns);
  }
  MatrixView<const float> factor_view() const noexcept {
    return MatrixView<const float>::row_major(factor.data(), columns, columns);
  }
};

/// Damps and factors `hessian` (columns x columns, symmetric, both triangles).
///
/// One Cholesky factorisation of the matrix with rows and columns reversed, J Hd J = L L^T, and U = J L^-1 J: half the
/// operations of inverting and factoring again. In float64 up to 512 columns and wherever float32 fails. When that
/// fails, too, damping grows to max(10 damping, 1e-4), at most five times.
/// Throws ERR_SHAPE_MISMATCH, ERR_OUT_OF_RANGE (damping), ERR_NOT_FINITE, and ERR_SINGULAR after the last attempt.
/// Cost: 2/3 columns^3. Source: GPTQ, arXiv 2210.17323, section 4 (step 3), with the factor taken directly.
DampedHessian damp_and_factor(std::span<const double> hessian, std::size_t columns, const HessianOptions& options = {});
/// The same in the memory of `hessian`, which becomes the result's `matrix`.
DampedHessian damp_and_factor(AlignedBuffer<double>&& hessian, std::size_t columns, const HessianOptions& options = {});

}  // namespace dd::quantize
