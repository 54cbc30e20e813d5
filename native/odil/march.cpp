#include "odil/march.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "core/reductions.hpp"
#include "core/thread_pool.hpp"
#include "linalg/stencil_rows.hpp"

namespace dd::odil {
namespace {

constexpr std::size_t kept_bytes = std::size_t{64} << 20;  // coefficients that vary from row to row
constexpr std::size_t threaded_points = 16384;              // less work per row is not worth waking anybody
constexpr std::size_t most_halvings = 8;

/// out -= (the bands' products), flat; then the entries around the ends.
template <class T>
class BandProduct {
 public:
  void clear() {
    coefficients_.clear();
    sources_.clear();
  }
  void add(const T* coefficient, const T* source) {
    coefficients_.push_back(coefficient);
    sources_.push_back(source);
  }
  void subtract_from(T* out, std::size_t points) const {
    if (coefficients_.empty()) return;
    linalg::stencil_apply(linalg::StencilApply<T>{
        {coefficients_.data(), sources_.data(), coefficients_.size(), 0, points}, out, out});
  }

 private:
  std::vector<const T*> coefficients_, sources_;
};

[[noreturn]] void rethrow_at(const dd::Error& error, const Problem& problem, const Evolution& evolution,
                             std::size_t row) {
  const BlockRow at = *evolution.equations[row];
  const std::string& block = problem.description().blocks[at.block].name;
  throw dd::Error(error.code(), block,
                  "`" + block + "`, row " + std::to_string(at.row) + " of " + problem.description().axis_names[0] +
                      ": " + error.what());
}

}  // namespace

EvolutionPrograms::EvolutionPrograms(const Problem& problem, const Evolution& evolution) {
  programs_.resize(problem.description().blocks.size());
  problem.with_graph([&](Graph& graph) {
    for (const auto& equation : evolution.equations) {
      if (!equation || programs_[equation->block] != nullptr) continue;
      programs_[equation->block] = std::make_unique<RowProgram>(graph, problem, equation->block);
    }
  });
}

std::size_t EvolutionPrograms::reach() const noexcept {
  std::size_t reach = 0;
  for (const auto& program : programs_) {
    if (program != nullptr) reach = std::max(reach, program->reach());
  }
  return reach;
}

namespace {

template <class T>
std::vector<std::unique_ptr<RowCoefficients<T>>> coefficients_of(const EvolutionPrograms& programs, std::size_t keep) {
  std::vector<std::unique_ptr<RowCoefficients<T>>> result(programs.blocks());
  for (std::size_t b = 0; b < programs.blocks(); ++b) {
    if (programs.program(b) == nullptr) continue;
    result[b] = std::make_unique<RowCoefficients<T>>(*programs.program(b), keep);
  }
  return result;
}

}  // namespace

// ---- linear ------------------------------------------------------------------------------------------------------

template <class T>
LinearMarch<T>::LinearMarch(const Problem& problem, const Evolution& evolution, const EvolutionPrograms& programs)
    : problem_(problem), evolution_(evolution), coefficients_(coefficients_of<T>(programs, kept_bytes)) {}

template <class T>
std::int32_t LinearMarch<T>::own_time(std::size_t row) const noexcept {
  return static_cast<std::int32_t>(row) - evolution_.equations[row]->row;
}

template <class T>
const RowView<T>& LinearMarch<T>::view(std::size_t row, std::size_t threads) {
  const BlockRow at = *evolution_.equations[row];
  return coefficients_[at.block]->row(at.row, threads);
}

template <class T>
void LinearMarch<T>::linearise(const PointSources<T>& sources, double tolerance, RunControl& control) {
  sources_ = sources;
  for (auto& coefficients : coefficients_) {
    if (coefficients != nullptr) coefficients->linearise(sources, control.threads());
  }
  factor_of_.assign(evolution_.rows, 0);
  std::size_t used = 0, last = evolution_.rows;  // the last row that was factored
  for (std::size_t row = 0; row < evolution_.rows; ++row) {
    const auto& at = evolution_.equations[row];
    if (!at) continue;
    if (last < row) {
      const BlockRow before = *evolution_.equations[last];
      const bool same = before.block == at->block && own_time(last) == own_time(row) &&
                        coefficients_[at->block]->same_matrix(before.row, at->row, own_time(row));
      if (same) {
        factor_of_[row] = used - 1;
        continue;
      }
    }
    if (used == factors_.size()) factors_.push_back(used == 0 ? RowFactor<T>{} : RowFactor<T>::like(factors_.back()));
    try {
      factors_[used].factor(view(row, control.threads()), own_time(row), evolution_.row_points,
                            coefficients_[at->block]->guard(), tolerance, control);
    } catch (const dd::Error& error) {
      rethrow_at(error, problem_, evolution_, row);
    }
    factor_of_[row] = used++;
    last = row;
  }
}

template <class T>
template <class Body>
void LinearMarch<T>::for_states(std::size_t count, std::size_t threads, Body&& body) {
  if (scratch_.size() < count) scratch_.resize(count);
  if (count == 1 || threads == 1 || count * evolution_.row_points < threaded_points) {
    for (std::size_t k = 0; k < count; ++k) body(k);
  } else {
    ThreadPool::shared().run_tasks(threads, count, body);
  }
}

template <class T>
bool LinearMarch<T>::forward(std::span<T* const> states, RowBegin begin, RowFill fill, RunControl& control) {
  const std::size_t points = evolution_.row_points;
  for (std::size_t row = 0; row < evolution_.rows; ++row) {
    if (control.should_stop()) return false;
    if (!evolution_.equations[row]) {
      for (T* const state : states) std::fill(state + row * points, state + (row + 1) * points, T(0));
      continue;
    }
    begin(row);
    const RowView<T>& bands = view(row, control.threads());
    const std::int32_t own = own_time(row), first = evolution_.equations[row]->row;
    const RowFactor<T>& factor = factors_[factor_of_[row]];
    for_states(states.size(), control.threads(), [&](std::size_t k) {
      T* const state = states[k];
      T* const here = state + row * points;
      fill(k, row, here);
      BandProduct<T> earlier;
      for (const auto& band : bands.bands) {
        if (band.time == own) continue;
        earlier.add(band.coefficient, state + (first + band.time) * static_cast<std::ptrdiff_t>(points) + band.offset);
      }
      earlier.subtract_from(here, points);
      for (const auto& entry : bands.wrapped) {
        if (entry.time == own) continue;
        const T* const source = state + (first + entry.time) * static_cast<std::ptrdiff_t>(points);
        here[entry.point] -= entry.coefficient * source[entry.column];
      }
      factor.solve(bands, own, here, here, false, scratch_[k]);
    });
  }
  return true;
}

template <class T>
bool LinearMarch<T>::adjoint(std::span<T* const> states, RunControl& control) {
  const std::size_t points = evolution_.row_points;
  for (std::size_t row = evolution_.rows; row-- > 0;) {
    if (control.should_stop()) return false;
    if (!evolution_.equations[row]) {
      for (T* const state : states) std::fill(state + row * points, state + (row + 1) * points, T(0));
      continue;
    }
    const RowView<T>& bands = view(row, control.threads());
    const std::int32_t own = own_time(row), first = evolution_.equations[row]->row;
    const RowFactor<T>& factor = factors_[factor_of_[row]];
    std::int32_t earliest = own;
    for (const auto& band : bands.bands) earliest = std::min(earliest, band.time);
    for_states(states.size(), control.threads(), [&](std::size_t k) {
      T* const state = states[k];
      T* const here = state + row * points;
      factor.solve(bands, own, here, here, true, scratch_[k]);
      BandProduct<T> to_earlier;
      for (std::int32_t time = earliest; time < own; ++time) {
        to_earlier.clear();
        T* const there = state + (first + time) * static_cast<std::ptrdiff_t>(points);
        for (const auto& band : bands.bands) {
          // What point j sends to j + offset, seen from there.
          if (band.time == time) to_earlier.add(band.coefficient - band.offset, here - band.offset);
        }
        to_earlier.subtract_from(there, points);
        for (const auto& entry : bands.wrapped) {
          if (entry.time == time) there[entry.column] -= entry.coefficient * here[entry.point];
        }
      }
    });
  }
  return true;
}

template <class T>
void LinearMarch<T>::parameters(std::size_t row, std::span<T* const> columns, std::size_t threads) const {
  const BlockRow at = *evolution_.equations[row];
  coefficients_[at.block]->parameters(sources_, at.row, columns, threads);
}

template <class T>
std::span<const std::int32_t> LinearMarch<T>::parameters_of(std::size_t row) const {
  if (!evolution_.equations[row]) return {};
  const BlockRow at = *evolution_.equations[row];
  const RowProgram& program = coefficients_[at.block]->program();
  return program.stretches()[program.stretch_of(at.row)].parameters;
}

template <class T>
std::size_t LinearMarch<T>::most_sweeps() const noexcept {
  std::size_t most = 0;
  for (std::size_t row = 0; row < evolution_.rows; ++row) {
    if (evolution_.equations[row]) most = std::max(most, factors_[factor_of_[row]].sweeps());
  }
  return most;
}

template <class T>
std::size_t LinearMarch<T>::sweeps_of_one_march() const noexcept {
  std::size_t sweeps = 0;
  for (std::size_t row = 0; row < evolution_.rows; ++row) {
    if (evolution_.equations[row]) sweeps += factors_[factor_of_[row]].sweeps();
  }
  return sweeps;
}

template class LinearMarch<float>;
template class LinearMarch<double>;

// ---- nonlinear ---------------------------------------------------------------------------------------------------

template <class T>
NonlinearMarch<T>::NonlinearMarch(const Problem& problem, const Evolution& evolution, const EvolutionPrograms& programs)
    : problem_(problem),
      evolution_(evolution),
      coefficients_(coefficients_of<T>(programs, 0)),
      residual_(evolution.row_points, T(0)),
      error_(evolution.row_points, T(0)),
      step_(evolution.row_points, T(0)) {}

template <class T>
typename NonlinearMarch<T>::Error NonlinearMarch<T>::evaluate(std::size_t row, const PointSources<T>& sources,
                                                              Target target, std::size_t threads) {
  const BlockRow at = *evolution_.equations[row];
  problem_.grid_block(at.block)->evaluate_row<T>(sources, at.row, residual_.data(), threads);
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

    for (std::size_t newton = 0;; ++newton) {
      if (options.tolerance > 0 && error.square_mean <= options.tolerance * options.tolerance) break;
      if (error.largest == 0) break;
      RowCoefficients<T>& coefficients = *coefficients_[at.block];
      const RowView<T>& bands = coefficients.row(at.row, threads);
      double largest_diagonal = 0;
      for (const auto& band : bands.bands) {
        if (band.time != own || band.offset != 0) continue;
        largest_diagonal = static_cast<double>(max_abs(std::span<const T>(band.coefficient, points), threads));
      }
      // As small as rounding of the largest term lets it be.
      const double rounding = std::numeric_limits<T>::epsilon() * largest_diagonal *
                              static_cast<double>(max_abs(std::span<const T>(here, points), threads));
      if (error.largest <= 4 * rounding) break;
      if (newton == options.newton_steps) return ended(MarchStatus::not_converged, row, 0);
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
          factor_.factor(bands, own, points, coefficients.guard(), options.sweep_tolerance, control);
        } catch (const dd::Error& failure) {
          if (failure.code() == ErrorCode::not_finite) return ended(MarchStatus::not_finite, row, 0);
          rethrow_at(failure, problem_, evolution_, row);
        }
        factored = row;
      }
      factor_.solve(bands, own, error_.data(), step_.data(), false, scratch_);
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
      // Sweeps leave a share of the error, so slow progress near rounding is the end; elsewhere it is a failure.
      const bool at_rounding = next.largest <= 1024 * rounding && next.square_mean > 0.25 * error.square_mean;
      error = next;
      if (at_rounding) break;
      if (stuck) return ended(MarchStatus::not_converged, row, 0);
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
