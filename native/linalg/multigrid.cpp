// The hierarchy and the cycles on it.
#include "linalg/multigrid.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/reductions.hpp"

namespace dd::linalg {
namespace {

/// A on a grid of a few points, for the direct solver.
template <class T>
SparseMatrix to_sparse(const StencilOperator<T>& a) {
  const PointGrid& grid = a.grid();
  const auto strides = grid.strides();
  std::vector<Triplet> triplets;
  for (std::size_t k = 0; k < a.shifts().size(); ++k) {
    for (std::size_t i = 0; i < grid.points(); ++i) {
      const T value = a.coefficients(k)[i];
      if (value == T(0)) continue;
      std::size_t column = 0;
      for (std::size_t axis = 0; axis < grid.axes; ++axis) {
        const std::size_t count = grid.count[axis], at = i / strides[axis] % count;
        column += (at + count + static_cast<std::size_t>(a.shifts()[k][axis])) % count * strides[axis];
      }
      triplets.push_back({static_cast<Index>(i), static_cast<Index>(column), static_cast<double>(value)});
    }
  }
  return from_triplets(grid.points(), grid.points(), triplets);
}

template <class T>
double norm(std::span<const T> x, std::size_t threads) {
  return std::sqrt(dot(x, x, threads));
}

}  // namespace

template <class T>
struct Multigrid<T>::Level {
  StencilOperator<T> a, transposed;
  ColouredSweep<T> sweep, transposed_sweep;
  AlignedBuffer<T> residual;
  // To and from the next coarser level, with its right-hand side and correction.
  std::unique_ptr<GridTransfer> prolongation, restriction;
  AlignedBuffer<T> coarse_b, coarse_x;
};

template <class T>
Multigrid<T>::~Multigrid() = default;
template <class T>
Multigrid<T>::Multigrid(Multigrid&&) noexcept = default;
template <class T>
Multigrid<T>& Multigrid<T>::operator=(Multigrid&&) noexcept = default;

template <class T>
Multigrid<T>::Multigrid(StencilOperator<T> a, std::string_view location, const MultigridOptions& options,
                        std::size_t threads)
    : options_(options) {
  if (location.size() != a.grid().axes) {
    throw Error(ErrorCode::shape_mismatch, "location",
                "`location` must have one character for each of " + std::to_string(a.grid().axes) + " axes, got \"" +
                    std::string(location) + "\"");
  }
  if (location.find_first_not_of("cn") != std::string_view::npos) {
    throw Error(ErrorCode::invalid_argument_value, "location",
                "`location` is made of 'c' and 'n', got \"" + std::string(location) + "\"");
  }
  if (options.pre_sweeps + options.post_sweeps == 0) {
    throw Error(ErrorCode::out_of_range, "sweeps", "`sweeps` must be at least 1 before or after the coarse grid");
  }
  a.check("operator");
  GridGeometry geometry = finest_geometry(a, {location.data(), location.size()});
  levels_.push_back(std::make_unique<Level>());
  levels_.back()->a = std::move(a);
  for (;;) {
    Level& fine = *levels_.back();
    fine.a.find_uniform_rows(threads);
    fine.sweep = ColouredSweep<T>(fine.a);
    // One axis is a band, which the direct solver takes in linear time.
    if (fine.a.grid().points() <= options.direct_points || fine.a.grid().axes == 1) break;
    std::optional<CoarseLevel<T>> coarse = coarsen(fine.a, geometry, threads);
    if (!coarse) break;
    fine.residual = AlignedBuffer<T>(fine.a.grid().points());
    fine.prolongation = std::make_unique<GridTransfer>(std::move(coarse->prolongation));
    fine.restriction = std::make_unique<GridTransfer>(std::move(coarse->restriction));
    fine.coarse_b = AlignedBuffer<T>(coarse->a.grid().points());
    fine.coarse_x = AlignedBuffer<T>(coarse->a.grid().points());
    geometry = std::move(coarse->geometry);
    levels_.push_back(std::make_unique<Level>());
    levels_.back()->a = std::move(coarse->a);
  }
  const SparseMatrix matrix = to_sparse(levels_.back()->a);
  coarsest_ = std::make_unique<SparseLu>(matrix.pattern);
  RunControl control(threads);
  if (coarsest_->factor(matrix, control).status != FactorStatus::factored) {
    throw Error(ErrorCode::singular, "operator",
                "`operator` is singular on the coarsest grid, of " + std::to_string(matrix.pattern.rows) + " points");
  }
  coarsest_vector_.resize(matrix.pattern.rows);
}

template <class T>
const StencilOperator<T>& Multigrid<T>::matrix() const noexcept {
  return levels_.front()->a;
}

template <class T>
const PointGrid& Multigrid<T>::level_grid(std::size_t level) const noexcept {
  return levels_[level]->a.grid();
}

template <class T>
void Multigrid<T>::solve_coarsest(std::span<const T> b, std::span<T> x, bool transposed) {
  std::copy(b.begin(), b.end(), coarsest_vector_.begin());
  if (transposed) {
    coarsest_->solve_transposed(coarsest_vector_);
  } else {
    coarsest_->solve(coarsest_vector_);
  }
  std::transform(coarsest_vector_.begin(), coarsest_vector_.end(), x.begin(),
                 [](double v) { return static_cast<T>(v); });
}

// The transpose of a cycle: the steps in reverse, each transposed. A forward sweep's is a backward sweep with A^T.
template <class T>
void Multigrid<T>::descend(std::size_t number, std::span<const T> b, std::span<T> x, MultigridCycle cycle,
                           bool transposed, std::size_t threads) {
  if (number + 1 == levels_.size()) return solve_coarsest(b, x, transposed);
  Level& level = *levels_[number];
  const StencilOperator<T>& a = transposed ? level.transposed : level.a;
  const ColouredSweep<T>& sweep = transposed ? level.transposed_sweep : level.sweep;
  const auto relax = [&](std::size_t times) {
    for (; times > 0; --times) sweep.sweep(a, b, x, transposed, threads);
  };
  relax(transposed ? options_.post_sweeps : options_.pre_sweeps);
  a.residual(b, x, level.residual.span(), threads);
  const std::span<const T> residual = level.residual.span();
  const std::span<T> coarse_b = level.coarse_b.span(), coarse_x = level.coarse_x.span();
  if (transposed) {
    level.prolongation->template to_coarse<T>(residual, T(1), coarse_b, threads);
  } else {
    level.restriction->template to_coarse<T>(residual, T(1), coarse_b, threads);
  }
  std::fill(coarse_x.begin(), coarse_x.end(), T(0));
  const bool twice = cycle == MultigridCycle::f && number + 2 < levels_.size();
  const MultigridCycle first = twice && transposed ? MultigridCycle::v : cycle;
  descend(number + 1, coarse_b, coarse_x, first, transposed, threads);
  if (twice) {
    const MultigridCycle second = transposed ? MultigridCycle::f : MultigridCycle::v;
    descend(number + 1, coarse_b, coarse_x, second, transposed, threads);
  }
  if (transposed) {
    level.restriction->template to_fine<T>(coarse_x, T(1), x, x, threads);
  } else {
    level.prolongation->template to_fine<T>(coarse_x, T(1), x, x, threads);
  }
  relax(transposed ? options_.pre_sweeps : options_.post_sweeps);
}

template <class T>
void Multigrid<T>::cycle(std::span<const T> b, std::span<T> x, std::size_t threads) {
  descend(0, b, x, options_.cycle, false, threads);
}

template <class T>
void Multigrid<T>::apply(std::span<const T> b, std::span<T> x, std::size_t threads) {
  std::fill(x.begin(), x.end(), T(0));
  descend(0, b, x, options_.cycle, false, threads);
}

template <class T>
void Multigrid<T>::apply_transposed(std::span<const T> b, std::span<T> x, std::size_t threads) {
  make_transposed();
  std::fill(x.begin(), x.end(), T(0));
  descend(0, b, x, options_.cycle, true, threads);
}

template <class T>
void Multigrid<T>::make_transposed() {
  if (levels_.size() == 1 || levels_.front()->transposed.grid().axes != 0) return;
  for (std::size_t l = 0; l + 1 < levels_.size(); ++l) {
    levels_[l]->transposed = levels_[l]->a.transposed();
    levels_[l]->transposed.find_uniform_rows(1);
    levels_[l]->transposed_sweep = ColouredSweep<T>(levels_[l]->transposed);
  }
}

// Right-hand sides go all the way down, the solution comes up with a cycle on every level.
template <class T>
void Multigrid<T>::begin_full(std::span<const T> b, std::span<T> x, std::size_t threads) {
  std::span<const T> right_side = b;
  for (std::size_t l = 0; l + 1 < levels_.size(); ++l) {
    levels_[l]->restriction->template to_coarse<T>(right_side, T(1), levels_[l]->coarse_b.span(), threads);
    right_side = levels_[l]->coarse_b.span();
  }
  for (std::size_t l = levels_.size(); l-- > 0;) {
    const std::span<const T> own_b = l == 0 ? b : levels_[l - 1]->coarse_b.span();
    const std::span<T> own_x = l == 0 ? x : levels_[l - 1]->coarse_x.span();
    if (l + 1 < levels_.size()) {
      levels_[l]->prolongation->template to_fine<T>(levels_[l]->coarse_x.span(), T(1), {}, own_x, threads);
    }
    if (l > 0) descend(l, own_b, own_x, MultigridCycle::v, false, threads);
  }
}

template <class T>
MultigridResult Multigrid<T>::solve(std::span<const T> b, std::span<T> x, const MultigridSolveOptions& options,
                                    RunControl& control) {
  const std::size_t points = matrix().grid().points(), threads = control.threads();
  for (const auto& [size, name] : {std::pair{b.size(), "b"}, std::pair{x.size(), "x"}}) {
    if (size == points) continue;
    throw Error(
        ErrorCode::shape_mismatch, name,
        std::string("`") + name + "` must have " + std::to_string(points) + " elements, got " + std::to_string(size));
  }
  const std::size_t bad = first_non_finite(b, threads);
  if (bad < points) {
    throw Error(ErrorCode::not_finite, "b",
                "`b` must be finite, got " + std::to_string(b[bad]) + " at " + point_name(matrix().grid(), bad));
  }
  MultigridResult result;
  if (options.full) begin_full(b, x, threads);
  const double scale = norm(b, threads);
  AlignedBuffer<T> residual(points);
  const auto measure = [&] {
    matrix().residual(b, x, residual.span(), threads);
    result.residual = norm(std::as_const(residual).span(), threads) / (scale > 0 ? scale : 1);
    result.history.push_back(result.residual);
  };
  measure();
  for (std::size_t slow = 0;;) {
    if (!std::isfinite(result.residual)) {
      result.status = MultigridStatus::not_finite;
    } else if (result.residual <= options.tolerance) {
      result.status = MultigridStatus::converged;
    } else if (slow == 3) {
      result.status = MultigridStatus::stalled;
    } else if (result.cycles == options.max_cycles) {
      result.status = MultigridStatus::max_cycles;
    } else if (control.should_stop()) {
      result.status = MultigridStatus::stopped;
    } else {
      const double before = result.residual;
      cycle(b, x, threads);
      ++result.cycles;
      measure();
      slow = result.residual > 0.9 * before ? slow + 1 : 0;
      control.report({.phase = "multigrid", .iterations = result.cycles, .objective = result.residual, .best = {}});
      continue;
    }
    return result;
  }
}

template class Multigrid<float>;
template class Multigrid<double>;

}  // namespace dd::linalg
