#include "odil/linear_march.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/thread_pool.hpp"
#include "linalg/stencil_rows.hpp"

namespace dd::odil {
namespace {

constexpr std::size_t kept_row_bytes = std::size_t{64} << 20;  // coefficients that vary from row to row
constexpr std::size_t threaded_points = 16384;                 // less work per row is not worth waking anybody

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
  void subtract_from(T* out, std::size_t points, std::size_t threads) const {
    if (coefficients_.empty()) return;
    parallel_for(threads, points, threaded_points, [&](std::size_t begin, std::size_t end) {
      linalg::stencil_apply(
          linalg::StencilApply<T>{{coefficients_.data(), sources_.data(), coefficients_.size(), begin, end}, out, out});
    });
  }

 private:
  std::vector<const T*> coefficients_, sources_;
};

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

template <class T>
std::vector<std::unique_ptr<RowCoefficients<T>>> EvolutionPrograms::coefficients(std::size_t keep) const {
  std::vector<std::unique_ptr<RowCoefficients<T>>> result(programs_.size());
  for (std::size_t b = 0; b < programs_.size(); ++b) {
    if (programs_[b] != nullptr) result[b] = std::make_unique<RowCoefficients<T>>(*programs_[b], keep);
  }
  return result;
}
template std::vector<std::unique_ptr<RowCoefficients<float>>> EvolutionPrograms::coefficients(std::size_t) const;
template std::vector<std::unique_ptr<RowCoefficients<double>>> EvolutionPrograms::coefficients(std::size_t) const;

void throw_row_error(const Error& error, const Problem& problem, const Evolution& evolution, std::size_t row) {
  const BlockRow at = *evolution.equations[row];
  const std::string& block = problem.description().blocks[at.block].name;
  throw Error(error.code(), block,
              "`" + block + "`, row " + std::to_string(at.row) + " of " + problem.description().axis_names[0] + ": " +
                  error.what());
}

template <class T>
LinearMarch<T>::LinearMarch(const Problem& problem, const Evolution& evolution, const EvolutionPrograms& programs)
    : problem_(problem), evolution_(evolution), coefficients_(programs.coefficients<T>(kept_row_bytes)) {}

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
      throw_row_error(error, problem_, evolution_, row);
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
bool LinearMarch<T>::forward(std::span<const RowStore<T>> states, std::size_t rows, RowBegin begin, RowFill fill,
                             RunControl& control) {
  const std::size_t points = evolution_.row_points;
  const std::size_t threads_of_each = states.size() > 1 ? 1 : control.threads();
  for (std::size_t row = 0; row < rows; ++row) {
    if (control.should_stop()) return false;
    if (!evolution_.equations[row]) {
      for (const RowStore<T>& state : states) std::fill_n(state.row(row, points), points, T(0));
      continue;
    }
    begin(row);
    const RowView<T>& bands = view(row, control.threads());
    const std::int32_t own = own_time(row), first = evolution_.equations[row]->row;
    const RowFactor<T>& factor = factors_[factor_of_[row]];
    for_states(states.size(), control.threads(), [&](std::size_t k) {
      const RowStore<T>& state = states[k];
      const auto row_at = [&](std::int32_t time) {
        return state.row(static_cast<std::size_t>(std::ptrdiff_t{first} + time), points);
      };
      T* const here = state.row(row, points);
      fill(k, row, here);
      BandProduct<T> earlier;
      for (const auto& band : bands.bands) {
        if (band.time == own) continue;
        earlier.add(band.coefficient, row_at(band.time) + band.offset);
      }
      earlier.subtract_from(here, points, threads_of_each);
      for (const auto& entry : bands.wrapped) {
        if (entry.time == own) continue;
        here[entry.point] -= entry.coefficient * row_at(entry.time)[entry.column];
      }
      factor.solve(bands, own, here, here, false, threads_of_each, scratch_[k]);
    });
  }
  return true;
}

template <class T>
bool LinearMarch<T>::adjoint(std::span<T* const> states, RunControl& control) {
  const std::size_t points = evolution_.row_points;
  const std::size_t threads_of_each = states.size() > 1 ? 1 : control.threads();
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
      factor.solve(bands, own, here, here, true, threads_of_each, scratch_[k]);
      BandProduct<T> to_earlier;
      for (std::int32_t time = earliest; time < own; ++time) {
        to_earlier.clear();
        T* const there = state + (first + time) * static_cast<std::ptrdiff_t>(points);
        for (const auto& band : bands.bands) {
          // What point j sends to j + offset, seen from there.
          if (band.time == time) to_earlier.add(band.coefficient - band.offset, here - band.offset);
        }
        to_earlier.subtract_from(there, points, threads_of_each);
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
  coefficients_[at.block]->parameters(at.row, columns, threads);
}

template <class T>
std::span<const std::int32_t> LinearMarch<T>::parameters_of(std::size_t row) const {
  if (!evolution_.equations[row]) return {};
  const BlockRow at = *evolution_.equations[row];
  const RowProgram& program = coefficients_[at.block]->program();
  return program.stretches()[program.stretch_of(at.row)].parameters;
}

template <class T>
std::size_t LinearMarch<T>::depth() const noexcept {
  std::int32_t depth = 0;
  for (std::size_t row = 0; row < evolution_.rows; ++row) {
    if (!evolution_.equations[row]) continue;
    const BlockRow at = *evolution_.equations[row];
    const RowProgram& program = coefficients_[at.block]->program();
    for (const auto& term : program.stretches()[program.stretch_of(at.row)].terms) {
      depth = std::max(depth, own_time(row) - term.time);
    }
  }
  return static_cast<std::size_t>(depth);
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

}  // namespace dd::odil
