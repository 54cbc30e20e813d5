#include "odil/discrete_loss.hpp"

#include <algorithm>
#include <utility>

#include "core/reductions.hpp"

namespace dd::odil {

template <class T>
DiscreteLoss<T>::DiscreteLoss(const Problem& problem, Normalization normalization, BlockWeights weights,
                              std::vector<Decomposition> decompositions)
    : problem_(problem),
      normalization_(normalization),
      weights_(std::move(weights)),
      decompositions_(std::move(decompositions)),
      unknowns_(problem.unknowns()),
      scales_(scales_at(problem, normalization, weights_, 0)),
      residuals_(problem.residuals()) {
  if (decompositions_.empty()) return;
  state_ = AlignedBuffer<T>(problem.unknowns());
  state_gradient_ = AlignedBuffer<T>(problem.unknowns());
  unknowns_ = problem.description().parameters;
  for (const Decomposition& decomposition : decompositions_) unknowns_ += decomposition.unknowns();
}

template <class T>
void DiscreteLoss<T>::decompose(std::span<const T> state, std::span<T> z) const {
  std::size_t at = 0;
  for (std::size_t f = 0; f < decompositions_.size(); ++f) {
    const Decomposition& one = decompositions_[f];
    one.decompose<T>(state.subspan(problem_.field_offset(f), one.field_points()), z.subspan(at, one.unknowns()));
    at += one.unknowns();
  }
  const auto rest = state.subspan(decompositions_.empty() ? 0 : problem_.grid_unknowns());
  std::copy(rest.begin(), rest.end(), z.begin() + static_cast<std::ptrdiff_t>(at));
}

template <class T>
void DiscreteLoss<T>::compose(std::span<const T> z, std::span<T> state, std::size_t threads) const {
  std::size_t at = 0;
  for (std::size_t f = 0; f < decompositions_.size(); ++f) {
    const Decomposition& one = decompositions_[f];
    one.compose<T>(z.subspan(at, one.unknowns()), state.subspan(problem_.field_offset(f), one.field_points()), threads);
    at += one.unknowns();
  }
  const auto rest = z.subspan(at);
  std::copy(rest.begin(), rest.end(),
            state.begin() + static_cast<std::ptrdiff_t>(decompositions_.empty() ? 0 : problem_.grid_unknowns()));
}

template <class T>
std::span<const T> DiscreteLoss<T>::state_of(std::span<const T> z) {
  if (decompositions_.empty()) return z;
  compose(z, state_.span(), threads_);
  return std::as_const(state_).span();
}

template <class T>
double DiscreteLoss<T>::evaluate(std::span<const T> z, std::span<T> gradient) {
  const bool levels = !decompositions_.empty();
  const std::span<T> slope = levels ? state_gradient_.span() : gradient;
  const double value = problem_.gradient<T>(state_of(z), residuals_.span(), slope, scales_, threads_);
  if (!levels) return value;
  std::size_t at = 0;
  for (std::size_t f = 0; f < decompositions_.size(); ++f) {
    const Decomposition& one = decompositions_[f];
    one.compose_transposed<T>(std::span<const T>(slope).subspan(problem_.field_offset(f), one.field_points()),
                              gradient.subspan(at, one.unknowns()), threads_);
    at += one.unknowns();
  }
  std::copy(slope.begin() + static_cast<std::ptrdiff_t>(problem_.grid_unknowns()), slope.end(),
            gradient.begin() + static_cast<std::ptrdiff_t>(at));
  return value;
}

template <class T>
double DiscreteLoss<T>::loss(std::span<const T> z) {
  problem_.evaluate<T>(state_of(z), residuals_.span(), threads_);
  return problem_.loss<T>(std::as_const(residuals_).span(), scales_, threads_);
}

template <class T>
bool DiscreteLoss<T>::begin(std::uint64_t iteration) {
  if (!decays(weights_)) return false;
  scales_ = scales_at(problem_, normalization_, weights_, iteration);
  return true;
}

template <class T>
typename DiscreteLoss<T>::Failure DiscreteLoss<T>::failure() {
  const std::span<const T> state = state_of(failed_);
  problem_.evaluate<T>(state, residuals_.span(), threads_);
  const std::size_t bad = first_non_finite(std::as_const(residuals_).span(), threads_);
  if (bad < residuals_.size()) {
    const std::string name = problem_.residual_name(bad);
    return {name, "the residual " + name + " is not finite"};
  }
  AlignedBuffer<T> slope(problem_.unknowns());
  problem_.gradient<T>(state, residuals_.span(), slope.span(), scales_, threads_);
  const std::size_t unknown = first_non_finite(std::as_const(slope).span(), threads_);
  if (unknown < slope.size()) {
    const std::string name = problem_.unknown_name(unknown);
    return {name, "the derivative of the loss by " + name + " is not finite"};
  }
  return {"loss", "the loss is larger than any number"};
}

std::vector<Decomposition> decompose_fields(const Problem& problem, std::size_t levels,
                                            std::span<const double> factors) {
  std::vector<Decomposition> result;
  for (const Operand& field : problem.description().fields) {
    std::vector<std::size_t> cells;
    for (std::size_t axis = 0; axis < field.shape.axes; ++axis) {
      const auto points = static_cast<std::size_t>(field.shape.count[axis]);
      cells.push_back(field.location[axis] == 'n' ? points - 1 : points);
    }
    result.emplace_back(cells, field.location, levels, factors);
  }
  return result;
}

template class DiscreteLoss<float>;
template class DiscreteLoss<double>;

}  // namespace dd::odil
