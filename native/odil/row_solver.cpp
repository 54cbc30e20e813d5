#include "odil/row_solver.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/thread_pool.hpp"
#include "odil/row_solver_isa.hpp"

namespace dd::odil {
namespace {

constexpr double largest_dominance = 0.9;  // above it sweeps are slower than a factorisation
constexpr double least_pivot = 1e-10;      // of the diagonal: below it Thomas would lose the answer
constexpr std::size_t shortest_chunk = 2048;
constexpr std::size_t least_shared_chunks = 12;  // with fewer, threads wait for each other for as long as they work

void chebyshev_start(const ChebyshevStart<double>& a) { chebyshev_start_float64(&a); }
void chebyshev_start(const ChebyshevStart<float>& a) { chebyshev_start_float32(&a); }
void chebyshev_sweep(const ChebyshevSweep<double>& a) { chebyshev_sweep_float64(&a); }
void chebyshev_sweep(const ChebyshevSweep<float>& a) { chebyshev_sweep_float32(&a); }
void thomas_solve(const ThomasSolve<double>& a) { thomas_solve_float64(&a); }
void thomas_solve(const ThomasSolve<float>& a) { thomas_solve_float32(&a); }

/// The order of sweeps over chunks, where a chunk of a sweep needs that chunk and its neighbours of the sweep before,
/// and overwrites the chunk of the sweep before that. Every number is the one that whole sweeps give.
struct SweepSchedule {
  std::size_t chunks, sweeps, threads;

  template <class Start, class Sweep>
  void run(const Start& start, const Sweep& sweep) const {
    if (threads < 2 || chunks < least_shared_chunks) return run_half(chunks, 0, start, sweep);
    // Two halves from the outer ends inwards, each as far as it gets without the other; then, sweep by sweep, what both
    // are needed for.
    const std::size_t middle = chunks / 2;
    const auto mirrored = [&](std::size_t at) { return chunks - 1 - at; };
    ThreadPool& pool = ThreadPool::shared();
    pool.run_tasks(2, 2, [&](std::size_t half) {
      if (half == 0) return run_half(middle, 1, start, sweep);
      run_half(
          chunks - middle, 1, [&](std::size_t at) { start(mirrored(at)); },
          [&](std::size_t k, std::size_t at) { sweep(k, mirrored(at)); });
    });
    for (std::size_t k = 0; k < sweeps; ++k) {
      pool.run_tasks(2, 2, [&](std::size_t half) {
        if (half == 0) {
          for (std::size_t at = middle - std::min(middle, k + 1); at < middle; ++at) sweep(k, at);
        } else {
          for (std::size_t at = middle; at < std::min(chunks, middle + k + 1); ++at) sweep(k, at);
        }
      });
    }
  }

 private:
  /// Chunks [0, count) of the start and, of sweep k, those before count - shrink * (k + 1). Every sweep is one chunk
  /// behind the sweep before it: the chunks of all sweeps stay in the cache.
  template <class Start, class Sweep>
  void run_half(std::size_t count, std::size_t shrink, const Start& start, const Sweep& sweep) const {
    for (std::size_t step = 0; step < count + sweeps; ++step) {
      if (step < count) start(step);
      for (std::size_t k = 0; k < std::min(sweeps, step); ++k) {
        const std::size_t at = step - k - 1;
        if (at + shrink * (k + 1) < count) sweep(k, at);
      }
    }
  }
};

}  // namespace

std::size_t sweeps_for(double dominance, double tolerance) noexcept {
  if (dominance <= 0) return 0;
  const double factor = dominance / (1 + std::sqrt(1 - dominance * dominance));
  // 2 f^k / (1 + f^2k) <= tolerance after k products with the inverse diagonal.
  double power = factor;
  std::size_t products = 1;
  while (2 * power / (1 + power * power) > tolerance && products < 1000) {
    power *= factor;
    ++products;
  }
  return products - 1;
}

template <class T>
RowFactor<T> RowFactor<T>::like(const RowFactor& other) {
  RowFactor factor;
  factor.lu_ = other.lu_;
  factor.lu_bands_ = other.lu_bands_;
  return factor;
}

template <class T>
void RowFactor<T>::read_structure(const RowView<T>& view, std::int32_t own) {
  bands_.clear();
  reach_ = 0;
  wraps_ = false;
  for (std::size_t k = 0; k < view.bands.size(); ++k) {
    const auto& band = view.bands[k];
    if (band.time != own) continue;
    if (band.offset == 0) {
      diagonal_ = k;
      continue;
    }
    bands_.push_back(k);
    reach_ = std::max(reach_, static_cast<std::size_t>(band.offset < 0 ? -band.offset : band.offset));
  }
  for (const auto& entry : view.wrapped) wraps_ = wraps_ || entry.time == own;
}

template <class T>
double RowFactor<T>::find_dominance(const RowView<T>& view, std::int32_t own) const {
  std::vector<T> sums(points_, T(0));
  for (const std::size_t k : bands_) {
    const T* const coefficient = view.bands[k].coefficient;
    for (std::size_t i = 0; i < points_; ++i) sums[i] += std::fabs(coefficient[i]);
  }
  for (const auto& entry : view.wrapped) {
    if (entry.time == own) sums[entry.point] += std::fabs(entry.coefficient);
  }
  const T* const diagonal = view.bands[diagonal_].coefficient;
  T largest = 0;
  bool bad = false;
  for (std::size_t i = 0; i < points_; ++i) {
    const T share = sums[i] / std::fabs(diagonal[i]);
    bad = bad || !(share < T(1e30));
    largest = std::max(largest, share);
  }
  return bad ? INFINITY : static_cast<double>(largest);
}

/// False where a pivot is too small.
template <class T>
bool RowFactor<T>::factor_tridiagonal(const RowView<T>& view) {
  const T *below = nullptr, *above = nullptr;
  for (const std::size_t k : bands_) (view.bands[k].offset < 0 ? below : above) = view.bands[k].coefficient;
  const T* const diagonal = view.bands[diagonal_].coefficient;
  lower_.reserve_discarding(points_ + 2);
  inverse_.reserve_discarding(points_ + 2);
  upper_.reserve_discarding(points_ + 2);
  T* const lower = lower_.data() + 1;
  T* const inverse = inverse_.data() + 1;
  T* const upper = upper_.data() + 1;
  lower[-1] = lower[0] = lower[points_] = upper[-1] = T(0);
  T before = 0;  // upper of the previous point times its pivot
  for (std::size_t i = 0; i < points_; ++i) {
    lower[i] = i > 0 && below != nullptr ? below[i] * inverse[i - 1] : T(0);
    const T pivot = diagonal[i] - lower[i] * before;
    if (!(std::fabs(pivot) > static_cast<T>(least_pivot) * std::fabs(diagonal[i]))) return false;
    inverse[i] = 1 / pivot;
    before = i + 1 < points_ && above != nullptr ? above[i] : T(0);
    upper[i] = before * inverse[i];
  }
  return true;
}

template <class T>
void RowFactor<T>::factor_sparse(const RowView<T>& view, std::int32_t own, RunControl& control) {
  std::vector<linalg::Triplet> triplets;
  const auto count = static_cast<std::ptrdiff_t>(points_);
  const auto add_band = [&](std::size_t k) {
    const auto& band = view.bands[k];
    for (std::ptrdiff_t i = 0; i < count; ++i) {
      const std::ptrdiff_t column = i + band.offset;
      if (column < 0 || column >= count) continue;
      // Zeros at the ends of rows of several axes stay: the pattern is that of the bands.
      triplets.push_back({static_cast<linalg::Index>(i), static_cast<linalg::Index>(column),
                          static_cast<double>(band.coefficient[i])});
    }
  };
  add_band(diagonal_);
  for (const std::size_t k : bands_) add_band(k);
  for (const auto& entry : view.wrapped) {
    if (entry.time != own) continue;
    triplets.push_back({entry.point, entry.column, static_cast<double>(entry.coefficient)});
  }
  const linalg::SparseMatrix matrix = linalg::from_triplets(points_, points_, triplets);
  for (const double value : matrix.values) {
    if (!std::isfinite(value)) throw Error(ErrorCode::not_finite, "", "a derivative is not finite");
  }
  if (lu_ == nullptr || lu_bands_ != bands_) {
    lu_ = std::make_shared<linalg::SparseLu>(matrix.pattern);
    lu_bands_ = bands_;
  } else if (lu_.use_count() > 1) {
    lu_ = std::make_shared<linalg::SparseLu>(*lu_);
  }
  if (lu_->factor_entries() == 0) {
    control.require_memory(static_cast<double>(lu_->expected_factor_bytes()),
                           "the sparse LU factors of one row of time");
  }
  const linalg::FactorResult result = lu_->factor(matrix, control);
  if (result.status == linalg::FactorStatus::singular) {
    throw Error(ErrorCode::singular, "", "the derivatives by the row's own values are singular");
  }
}

template <class T>
void RowFactor<T>::factor(const RowView<T>& view, std::int32_t own, std::size_t points, std::size_t guard,
                          double tolerance, RunControl& control) {
  points_ = points;
  guard_ = guard;
  read_structure(view, own);
  sweeps_ = 0;
  dominance_ = find_dominance(view, own);
  const bool tridiagonal = reach_ <= 1 && !wraps_;
  if (reach_ == 0 && !wraps_) {
    if (!std::isfinite(dominance_)) throw Error(ErrorCode::singular, "", "a derivative by a row's own value is 0");
    method_ = RowMethod::diagonal;
  } else if (tridiagonal && factor_tridiagonal(view)) {
    method_ = RowMethod::thomas;
  } else if (dominance_ < largest_dominance && !tridiagonal) {
    method_ = RowMethod::sweeps;
    sweeps_ = sweeps_for(dominance_, tolerance);
  } else {
    method_ = RowMethod::lu;
    factor_sparse(view, own, control);
  }
}

template <class T>
void RowFactor<T>::solve_by_sweeps(const RowView<T>& view, std::int32_t own, const T* b, T* x, bool transposed,
                                   std::size_t threads, RowScratch<T>& scratch) const {
  const std::size_t guard = guard_, size = points_ + 2 * guard;
  if (scratch.first.size() < size) {
    scratch.first = AlignedBuffer<T>(size, T(0));
    scratch.second = AlignedBuffer<T>(size, T(0));
    scratch.inverse = AlignedBuffer<T>(size, T(0));
  }
  T* const buffers[2] = {scratch.first.data() + guard, scratch.second.data() + guard};
  T* const inverse = scratch.inverse.data() + guard;
  const std::size_t terms = bands_.size();
  // Coefficients, then the sources for the sweeps that read the first and the second buffer.
  scratch.coefficients.resize(terms);
  scratch.sources.resize(2 * terms);
  for (std::size_t k = 0; k < terms; ++k) {
    const auto& band = view.bands[bands_[k]];
    // Row i of the transpose has, for every band, the coefficient of the point that reads i.
    scratch.coefficients[k] = transposed ? band.coefficient - band.offset : band.coefficient;
    for (std::size_t which = 0; which < 2; ++which) {
      scratch.sources[which * terms + k] = transposed ? buffers[which] - band.offset : buffers[which] + band.offset;
    }
  }
  std::vector<T> weights(sweeps_);
  double weight = 0;
  for (std::size_t k = 0; k < sweeps_; ++k) {
    const double square = dominance_ * dominance_;
    weight = k == 0 ? 2 / (2 - square) : 1 / (1 - square * weight / 4);
    weights[k] = static_cast<T>(weight);
  }
  if (sweeps_ > 0) std::fill(buffers[1], buffers[1] + points_, T(0));

  const auto start = [&](std::size_t begin, std::size_t end) {
    chebyshev_start({view.bands[diagonal_].coefficient, b, inverse, sweeps_ == 0 ? x : buffers[0], begin, end});
  };
  // Sweep k reads buffer k mod 2 and writes over the other one; the last writes the result.
  const auto sweep = [&](std::size_t k, std::size_t begin, std::size_t end) {
    T* const previous = buffers[(k + 1) % 2];
    chebyshev_sweep({{scratch.coefficients.data(), scratch.sources.data() + (k % 2) * terms, terms, begin, end},
                     b,
                     inverse,
                     previous,
                     k + 1 == sweeps_ && !wraps_ ? x : previous,
                     weights[k]});
  };
  if (wraps_) {
    start(0, points_);
    for (std::size_t k = 0; k < sweeps_; ++k) {
      sweep(k, 0, points_);
      T* const out = buffers[(k + 1) % 2];
      const T* const source = buffers[k % 2];
      for (const auto& entry : view.wrapped) {
        if (entry.time != own) continue;
        const std::uint32_t to = transposed ? entry.column : entry.point,
                            from = transposed ? entry.point : entry.column;
        out[to] -= weights[k] * inverse[to] * entry.coefficient * source[from];
      }
    }
    if (sweeps_ > 0) std::copy(buffers[sweeps_ % 2], buffers[sweeps_ % 2] + points_, x);
    return;
  }
  const std::size_t chunk = std::max(reach_, shortest_chunk);
  const SweepSchedule schedule{(points_ + chunk - 1) / chunk, sweeps_, threads};
  schedule.run([&](std::size_t at) { start(at * chunk, std::min((at + 1) * chunk, points_)); },
               [&](std::size_t k, std::size_t at) { sweep(k, at * chunk, std::min((at + 1) * chunk, points_)); });
}

template <class T>
void RowFactor<T>::solve(const RowView<T>& view, std::int32_t own, const T* b, T* x, bool transposed,
                         std::size_t threads, RowScratch<T>& scratch) const {
  switch (method_) {
    case RowMethod::diagonal: {
      const T* const diagonal = view.bands[diagonal_].coefficient;
      for (std::size_t i = 0; i < points_; ++i) x[i] = b[i] / diagonal[i];
      return;
    }
    case RowMethod::thomas: {
      const T* const lower = lower_.data() + 1;
      const T* const upper = upper_.data() + 1;
      // (L D U)^T = U^T D L^T: the two change places, moved by one.
      thomas_solve(
          {transposed ? upper - 1 : lower, inverse_.data() + 1, transposed ? lower + 1 : upper, b, x, points_});
      return;
    }
    case RowMethod::sweeps:
      return solve_by_sweeps(view, own, b, x, transposed, threads, scratch);
    case RowMethod::lu:
      scratch.wide.assign(b, b + points_);
      if (transposed) {
        lu_->solve_transposed(scratch.wide);
      } else {
        lu_->solve(scratch.wide);
      }
      std::transform(scratch.wide.begin(), scratch.wide.end(), x, [](double value) { return static_cast<T>(value); });
      return;
  }
}

template class RowFactor<float>;
template class RowFactor<double>;

}  // namespace dd::odil
