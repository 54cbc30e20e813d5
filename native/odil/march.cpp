#include "odil/march.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "core/reductions.hpp"

namespace dd::odil {
namespace {

constexpr std::size_t most_halvings = 8;
constexpr double slow = 0.01;  // of the squares: less progress in a step asks for the derivatives at the new state

}  // namespace

template <class T>
NonlinearMarch<T>::NonlinearMarch(const Problem& problem, const Evolution& evolution, const EvolutionPrograms& programs)
    : problem_(problem),
      evolution_(evolution),
      coefficients_(programs.coefficients<T>(0)),
      residual_(evolution.row_points, T(0)),
      error_(evolution.row_points, T(0)),
      step_(evolution.row_points, T(0)) {}

template <class T>
typename NonlinearMarch<T>::Error NonlinearMarch<T>::evaluate(std::size_t row, const PointSources<T>& sources,
                                                              Target target, std::size_t threads) {
  const BlockRow at = *evolution_.equations[row];
  coefficients_[at.block]->residuals(sources, at.row, residual_.data(), threads);
  std::copy(residual_.begin(), residual_.end(), error_.begin());
  target(row, error_.data());
  Error result;
  const std::span<const T> errors = error_.span();
  result.largest = static_cast<double>(max_abs(errors, threads));
  result.finite = std::isfinite(result.largest);
  if (!result.finite) {
    result.worst = first_non_finite(errors, threads);
    return result;
  }
  result.square_mean = dot(errors, errors, threads) / static_cast<double>(errors.size());
  return result;
}

template <class T>
MarchResult NonlinearMarch<T>::run(const PointSources<T>& sources, T* state, const MarchOptions& options, Target target,
                                   AfterRow after_row, RunControl& control) {
  MarchResult result;
  const std::size_t points = evolution_.row_points, threads = control.threads();
  for (auto& coefficients : coefficients_) {
    if (coefficients != nullptr) coefficients->linearise(sources, threads);
  }
  const auto ended = [&](MarchStatus status, std::size_t row, std::size_t place) {
    const BlockRow at = *evolution_.equations[row];
    result.status = status;
    result.row = row;
    result.residual = problem_.block_offset(at.block) + static_cast<std::size_t>(at.row) * points + place;
    return result;
  };
  std::size_t factored = evolution_.rows;  // the row whose matrix `factor_` holds, while it may be used again
  for (std::size_t row = 0; row < evolution_.rows; ++row) {
    if (control.should_stop()) {
      result.status = MarchStatus::stopped;
      result.row = row;
      return result;
    }
    if (!evolution_.equations[row]) continue;
    const BlockRow at = *evolution_.equations[row];
    const auto own = static_cast<std::int32_t>(row) - at.row;
    T* const here = state + row * points;
    if (options.start_from_previous_row && row > 0) std::copy(here - points, here, here);
    Error error = evaluate(row, sources, target, threads);
    if (!error.finite) return ended(MarchStatus::not_finite, row, error.worst);

    RowCoefficients<T>& coefficients = *coefficients_[at.block];
    bool slow_progress = false;
    const RowView<T>* bands = nullptr;
    double largest_diagonal = 0;
    bool current = false;  // the matrix belongs to the state as it is, not to one of a few steps before
    for (std::size_t newton = 0;; ++newton) {
      if (options.tolerance > 0 && error.square_mean <= options.tolerance * options.tolerance) break;
      if (error.largest == 0) break;
      if (!current && (bands == nullptr || slow_progress)) {
        bands = &coefficients.row(at.row, threads);
        current = true;
        largest_diagonal = 0;
        for (const auto& band : bands->bands) {
          if (band.time != own || band.offset != 0) continue;
          largest_diagonal = static_cast<double>(max_abs(std::span<const T>(band.coefficient, points), threads));
        }
        bool reuse = false;
        if (factored < row) {
          const BlockRow before = *evolution_.equations[factored];
          reuse = before.block == at.block && static_cast<std::int32_t>(factored) - before.row == own &&
                  coefficients.same_matrix(before.row, at.row, own);
        } else if (factored == row) {
          reuse = coefficients.same_matrix(at.row, at.row, own);
        }
        if (!reuse) {
          try {
            factor_.factor(*bands, own, points, coefficients.guard(), options.sweep_tolerance, control);
          } catch (const dd::Error& failure) {
            if (failure.code() == ErrorCode::not_finite) return ended(MarchStatus::not_finite, row, 0);
            throw_row_error(failure, problem_, evolution_, row);
          }
          factored = row;
        }
      }
      // As small as rounding of the largest term lets it be.
      const double rounding = std::numeric_limits<T>::epsilon() * largest_diagonal *
                              static_cast<double>(max_abs(std::span<const T>(here, points), threads));
      if (error.largest <= 4 * rounding) break;
      if (newton == options.newton_steps) return ended(MarchStatus::not_converged, row, 0);
      factor_.solve(*bands, own, error_.data(), step_.data(), false, threads, scratch_);
      ++result.newton_steps;
      result.sweeps += factor_.sweeps();
      for (std::size_t i = 0; i < points; ++i) here[i] -= step_[i];
      Error next = evaluate(row, sources, target, threads);
      // Half the step, and half again, where the whole one leads away.
      T taken = 1;
      for (std::size_t halving = 0; halving < most_halvings; ++halving) {
        if (next.finite && (next.square_mean < error.square_mean || next.largest <= 64 * rounding)) break;
        taken /= 2;
        for (std::size_t i = 0; i < points; ++i) here[i] += taken * step_[i];
        next = evaluate(row, sources, target, threads);
      }
      if (!next.finite) return ended(MarchStatus::not_finite, row, next.worst);
      const bool stuck = next.square_mean >= error.square_mean;
      // Sweeps leave a share of the error, so slow progress near rounding is the end; elsewhere it is a failure, unless
      // the matrix was an old one.
      const bool at_rounding = next.largest <= 1024 * rounding && next.square_mean > 0.25 * error.square_mean;
      slow_progress = next.square_mean > slow * error.square_mean;
      error = next;
      if (at_rounding && (current || next.largest <= 64 * rounding)) break;
      if (stuck && current) return ended(MarchStatus::not_converged, row, 0);
      current = false;
    }
    if (!after_row(row, residual_.data())) {
      result.status = MarchStatus::abandoned;
      result.row = row;
      return result;
    }
  }
  return result;
}

template class NonlinearMarch<float>;
template class NonlinearMarch<double>;

void throw_march_error(const Problem& problem, const MarchResult& result) {
  const std::string name = problem.residual_name(result.residual);
  if (result.status == MarchStatus::not_finite) {
    throw dd::Error(ErrorCode::not_finite, name, "the residual " + name + " is not finite while marching");
  }
  throw dd::Error(ErrorCode::not_converged, name,
                  "Newton's method finds no state for which the residuals from " + name +
                      " on are 0: give smaller steps of time, or use 'gauss-newton'");
}

template <class T>
MarchResult march(const Problem& problem, const Evolution& evolution, std::span<T> state,
                  std::span<const double> parameters, std::size_t newton_steps, RunControl& control) {
  if (evolution.has_data) {
    throw dd::Error(ErrorCode::invalid_argument_value, "method",
                    "`method` 'marching' needs residuals that are all equations of an evolution; here some are data: "
                    "use 'control-space' or 'gauss-newton'");
  }
  const EvolutionPrograms programs(problem, evolution);
  NonlinearMarch<T> marching(problem, evolution, programs);
  const PointSources<T> sources = problem.sources<T>(state, parameters);
  std::size_t rows = 0;
  const MarchResult result = marching.run(
      sources, state.data(), {.newton_steps = newton_steps}, [](std::size_t, T*) {},
      [&](std::size_t, const T*) {
        control.report({.phase = "marching",
                        .fraction = static_cast<double>(++rows) / static_cast<double>(evolution.rows),
                        .iterations = rows,
                        .best = {}});
        return true;
      },
      control);
  if (result.status == MarchStatus::not_finite || result.status == MarchStatus::not_converged) {
    throw_march_error(problem, result);
  }
  return result;
}
template MarchResult march(const Problem&, const Evolution&, std::span<float>, std::span<const double>, std::size_t,
                           RunControl&);
template MarchResult march(const Problem&, const Evolution&, std::span<double>, std::span<const double>, std::size_t,
                           RunControl&);

}  // namespace dd::odil
