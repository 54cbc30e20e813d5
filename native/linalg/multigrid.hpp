// Geometric multigrid for square operators on grids: the solver of steady forward problems, and with its exact
// transpose the preconditioner of steady inverse ones. Sources: Trottenberg, Oosterlee and Schueller, Multigrid (2001),
// sections 2, 5.1 and 8; specs/odil.md, section 9.2.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/run_control.hpp"
#include "linalg/coarsening.hpp"
#include "linalg/coloured_sweep.hpp"
#include "linalg/sparse/lu.hpp"

namespace dd::linalg {

enum class MultigridCycle : unsigned char {
  v,
  f,  ///< visits every level once more, with V cycles on the way down: for problems where V cycles are slow
};

struct MultigridOptions {
  MultigridCycle cycle = MultigridCycle::v;
  std::size_t pre_sweeps = 1;
  std::size_t post_sweeps = 1;
  /// Coarsening ends at this many points, which are solved directly.
  std::size_t direct_points = 256;
};

enum class MultigridStatus : unsigned char {
  converged,
  stalled,  ///< three cycles in a row took less than a tenth of the residual away
  max_cycles,
  stopped,     ///< cancelled or out of time
  not_finite,  ///< the residual is NaN or infinite
};

struct MultigridSolveOptions {
  double tolerance = 1e-10;  ///< on ||b - A x|| / ||b||
  std::size_t max_cycles = 50;
  /// Begin on the coarsest level (full multigrid) instead of at the given x.
  bool full = true;
};

struct MultigridResult {
  MultigridStatus status = MultigridStatus::max_cycles;
  std::size_t cycles = 0;
  double residual = 0;  ///< ||b - A x|| / ||b|| of the x that is returned, or ||A x|| for b = 0
  /// The same before the first cycle and after each.
  std::vector<double> history;
};

template <class T>
class Multigrid {
 public:
  /// location: 'c' (cells) or 'n' (nodes) for each axis. Any numbers of points; shifts of -1, 0 and 1.
  ///
  /// Coarse operators are Galerkin products. Throws what StencilOperator::check and ColouredSweep throw,
  /// ERR_SHAPE_MISMATCH or ERR_INVALID_ARG_VALUE for another location, ERR_SINGULAR when the coarsest operator is
  /// singular, ERR_OUT_OF_RANGE when no sweep is asked for.
  /// Memory: 2 + shifts vectors on the finest grid (the operator included), about twice that in all.
  Multigrid(StencilOperator<T> a, std::string_view location, const MultigridOptions& options = {},
            std::size_t threads = 1);
  ~Multigrid();
  Multigrid(Multigrid&&) noexcept;
  Multigrid& operator=(Multigrid&&) noexcept;

  const StencilOperator<T>& matrix() const noexcept;
  std::size_t levels() const noexcept { return levels_.size(); }
  const PointGrid& level_grid(std::size_t level) const noexcept;

  /// Improves x by one cycle.
  void cycle(std::span<const T> b, std::span<T> x, std::size_t threads);
  /// x = M b: a cycle from zero, a fixed linear operator near A^-1.
  void apply(std::span<const T> b, std::span<T> x, std::size_t threads);
  /// x = M^T b, the exact transpose. The first call makes the transposed operators, as large as the others.
  void apply_transposed(std::span<const T> b, std::span<T> x, std::size_t threads);

  /// Cycles until the residual is small. Cost: about 10 cycles for 1e-10 on Poisson problems of any size; a cycle is 5
  /// to 8 reads of the operator.
  MultigridResult solve(std::span<const T> b, std::span<T> x, const MultigridSolveOptions& options,
                        RunControl& control);

 private:
  struct Level;

  void descend(std::size_t level, std::span<const T> b, std::span<T> x, MultigridCycle cycle, bool transposed,
               std::size_t threads);
  void solve_coarsest(std::span<const T> b, std::span<T> x, bool transposed);
  void begin_full(std::span<const T> b, std::span<T> x, std::size_t threads);
  void make_transposed();

  MultigridOptions options_;
  std::vector<std::unique_ptr<Level>> levels_;
  std::unique_ptr<SparseLu> coarsest_;
  std::vector<double> coarsest_vector_;
};

}  // namespace dd::linalg
