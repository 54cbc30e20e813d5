// Solves with the matrix of one row of time and with its transpose, so that marching forwards and backwards are exact
// transposes of each other.
//
// Rows without neighbours are divisions; rows of one axis of space are solved by Thomas' recurrences; others by a fixed
// number of Chebyshev-accelerated Jacobi sweeps while their off-diagonal sums stay below 0.9 of the diagonal, which is
// a fixed linear operator whose transpose are the same sweeps with the transposed matrix; what is left goes to sparse
// LU. Source: specs/odil-engine.md, section 3.4.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/run_control.hpp"
#include "linalg/sparse/lu.hpp"
#include "odil/row_coefficients.hpp"

namespace dd::odil {

enum class RowMethod : std::uint8_t { diagonal, thomas, sweeps, lu };

/// Sweeps after the first product with the inverse diagonal that leave at most `tolerance` of an error, where
/// `dominance` bounds the sums of off-diagonals over the diagonal.
std::size_t sweeps_for(double dominance, double tolerance) noexcept;

/// Memory of one solve; one per thread.
template <class T>
struct RowScratch {
  AlignedBuffer<T> first, second, inverse;
  std::vector<const T*> coefficients, sources;
  std::vector<double> wide;
};

/// What is kept of a row's matrix. The bands themselves stay where they are: sweeps read them at every solve.
template <class T>
class RowFactor {
 public:
  /// Shares the analysis of `other`'s pattern, not its numbers.
  static RowFactor like(const RowFactor& other);

  /// `own`: the time of the row's own bands in the view. `guard`: zeros around the coefficients. `tolerance`: of
  /// sweeps, relative. Throws Error(singular or not_finite, "", message) without a place, which the caller knows.
  void factor(const RowView<T>& view, std::int32_t own, std::size_t points, std::size_t guard, double tolerance,
              RunControl& control);

  /// x = A^-1 b or A^-T b; x may be b. `view` is the one it was factored from. Sweeps use two threads where there are.
  void solve(const RowView<T>& view, std::int32_t own, const T* b, T* x, bool transposed, std::size_t threads,
             RowScratch<T>& scratch) const;

  RowMethod method() const noexcept { return method_; }
  std::size_t sweeps() const noexcept { return sweeps_; }
  double dominance() const noexcept { return dominance_; }

 private:
  void read_structure(const RowView<T>& view, std::int32_t own);
  double find_dominance(const RowView<T>& view, std::int32_t own) const;
  bool factor_tridiagonal(const RowView<T>& view);
  void factor_sparse(const RowView<T>& view, std::int32_t own, RunControl& control);
  void solve_by_sweeps(const RowView<T>& view, std::int32_t own, const T* b, T* x, bool transposed, std::size_t threads,
                       RowScratch<T>& scratch) const;

  RowMethod method_ = RowMethod::diagonal;
  std::size_t points_ = 0, guard_ = 0, reach_ = 0, sweeps_ = 0;
  double dominance_ = 0;
  std::vector<std::size_t> bands_;  // numbers of the row's own bands without the diagonal
  std::size_t diagonal_ = 0;
  bool wraps_ = false;
  AlignedBuffer<T> lower_, inverse_, upper_;  // of Thomas, with one element before and after
  std::shared_ptr<linalg::SparseLu> lu_;
  std::vector<std::size_t> lu_bands_;  // what its pattern was made of
};

}  // namespace dd::odil
