#include "odil/row_losses.hpp"

#include <algorithm>

#include "core/reductions.hpp"

namespace dd::odil {

template <class T>
RowLosses<T>::RowLosses(const Problem& problem, const Evolution& evolution, std::vector<double> scales)
    : problem_(problem), evolution_(evolution), scales_(std::move(scales)), waiting_(evolution.rows) {
  std::size_t longest = evolution.row_points, first = 0;
  while (first < evolution.rows && !evolution.equations[first]) ++first;
  for (std::size_t b = 0; b < evolution.residuals.size(); ++b) {
    const auto& rows = evolution.residuals[b];
    if (rows.empty()) continue;
    longest = std::max(longest, problem.description().blocks[b].residuals() / rows.size());
    for (std::size_t row = 0; row < rows.size(); ++row) {
      if (rows[row].zero || rows[row].equation) continue;
      const std::size_t last = std::max(first, static_cast<std::size_t>(std::max(rows[row].last_read, 0)));
      waiting_[last].push_back({b, static_cast<std::int32_t>(row)});
    }
  }
  residuals_ = AlignedBuffer<T>(longest, T(0));
  sums_.assign(evolution.residuals.size(), 0);
}

template <class T>
void RowLosses<T>::begin() {
  std::fill(sums_.begin(), sums_.end(), 0);
  partial_ = 0;
}

template <class T>
void RowLosses<T>::add_row(std::size_t block, std::span<const T> residuals) {
  const double squares = dot(residuals, residuals, 1);
  sums_[block] += squares;
  partial_ += scales_[block] * squares;
}

template <class T>
void RowLosses<T>::add(const PointSources<T>& sources, std::size_t row, const T* equation, std::size_t threads) {
  add_row(evolution_.equations[row]->block, {equation, evolution_.row_points});
  for (const BlockRow& at : waiting_[row]) {
    const std::size_t count =
        problem_.description().blocks[at.block].residuals() / evolution_.residuals[at.block].size();
    problem_.grid_block(at.block)->evaluate_row<T>(sources, at.row, residuals_.data(), threads);
    add_row(at.block, {residuals_.data(), count});
  }
}

template <class T>
double RowLosses<T>::finish(const PointSources<T>& sources) {
  double total = 0;
  for (std::size_t b = 0; b < sums_.size(); ++b) {
    if (const ScalarBlock* const block = problem_.scalar_block(b)) {
      std::vector<double> residuals(block->residuals());
      block->evaluate<T>(sources.operands, sources.parameters, residuals);
      for (const double residual : residuals) sums_[b] += residual * residual;
    }
    total += scales_[b] * sums_[b];
  }
  return total;
}

template <class T>
double RowLosses<T>::evaluate(const PointSources<T>& sources, T* equations, std::size_t threads) {
  begin();
  for (std::size_t row = 0; row < evolution_.rows; ++row) {
    T* const to = equations + row * evolution_.row_points;
    if (!evolution_.equations[row]) {
      std::fill(to, to + evolution_.row_points, T(0));
      continue;
    }
    const BlockRow at = *evolution_.equations[row];
    problem_.grid_block(at.block)->evaluate_row<T>(sources, at.row, to, threads);
    add(sources, row, to, threads);
  }
  return finish(sources);
}

template class RowLosses<float>;
template class RowLosses<double>;

}  // namespace dd::odil
