// Nothing clever.
#include "dmmv/reference.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace dd::dmmv::reference {

template <class Real>
void one_flip(const OneFlipColumn<Real>& arguments) noexcept {
  for (std::size_t q = 0; q < arguments.step_count; ++q) {
    Real largest = -std::numeric_limits<Real>::infinity();
    for (std::size_t i = 0; i < arguments.rows; ++i) {
      const Real z = arguments.residual[i] + arguments.steps[q] * arguments.column[i];
      const Real violation =
          arguments.upper == nullptr ? std::abs(z) : std::max(z - arguments.upper[i], -z - arguments.lower[i]);
      largest = std::max(largest, violation);
    }
    arguments.out[q] = largest;
  }
}

template <class Real>
void dictionary_penalty(const DictionaryPenalty<Real>& arguments) noexcept {
  for (std::size_t p = 0; p < arguments.pairs; ++p) {
    for (int sign : {1, -1}) {
      double sum = 0;
      for (std::size_t i = 0; i < arguments.rows; ++i) {
        const double z = double{arguments.residual[i]} + sign * double{arguments.moves[i + p * arguments.stride]};
        const double excess = arguments.upper == nullptr
                                  ? std::abs(z) - double{arguments.target}
                                  : std::max(z - double{arguments.upper[i]}, double{arguments.lower[i]} - z);
        sum += double{arguments.weight[i]} * std::max(excess, 0.0);
      }
      arguments.out[2 * p + (sign == 1 ? 0 : 1)] = static_cast<Real>(sum);
    }
  }
}

void walk_step(WalkStep<double>& step) noexcept {
  const auto excess = [&](std::size_t i) {
    const double z = step.residual[i];
    return step.upper == nullptr ? std::abs(z) - step.target : std::max(z - step.upper[i], step.lower[i] - z);
  };
  step.largest = -std::numeric_limits<double>::infinity();
  step.penalty = 0;
  for (std::size_t i = 0; i < step.rows; ++i) {
    if (step.weight[i] > 0 && excess(i) > 0) step.weight[i] += step.increment;
    step.residual[i] += step.sign * step.effect[i];
    if (step.weight[i] > 0) step.largest = std::max(step.largest, excess(i));
    step.penalty += step.weight[i] * std::max(excess(i), 0.0);
  }
}

template <class Real>
void batched_flip(const BatchedFlip<Real>& a) noexcept {
  for (std::size_t s = 0; s < a.states; ++s) {
    for (std::size_t p = 0; p < a.pairs; ++p) {
      Real up = 0, down = 0;
      for (std::size_t i = 0; i < a.rows; ++i) {
        up = std::max(up, std::abs(a.residuals[i + s * a.rows] + a.moves[i + p * a.rows]));
        down = std::max(down, std::abs(a.residuals[i + s * a.rows] - a.moves[i + p * a.rows]));
      }
      a.out[2 * (p + s * a.pairs)] = up;
      a.out[2 * (p + s * a.pairs) + 1] = down;
    }
  }
}

void power_sum(PowerSum& a) noexcept {
  a.largest = 0;
  double sum = 0;
  for (std::size_t i = 0; i < a.rows; ++i) {
    const float v = std::abs(a.residual[i] + a.sign * a.effect[i]);
    a.largest = std::max(a.largest, v);
    const double ratio = std::clamp(double{v} * double{a.scale}, double{a.floor}, 3.0);
    sum += std::pow(ratio, static_cast<double>(1u << a.doublings));
  }
  a.sum = static_cast<float>(sum);
}

void swap_table(const SwapTable& t) noexcept {
  const auto largest = [&](const double* e, const double* f, std::size_t rows) {
    double value = -std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < rows; ++i) {
      const double z = (t.residual[i] + e[i]) - f[i];
      value = std::max(value, t.upper == nullptr ? std::abs(z) : std::max(z - t.upper[i], -z - t.lower[i]));
    }
    return value;
  };
  for (std::size_t a = 0; a < t.firsts; ++a) {
    for (std::size_t b = 0; b < t.seconds; ++b) {
      const double* e = t.moves + static_cast<std::size_t>(t.first[a]) * t.stride;
      const double* f = t.moves + static_cast<std::size_t>(t.second[b]) * t.stride;
      const double screened = largest(e, f, t.screen);
      t.out[b + t.seconds * a] = screened < t.limit ? largest(e, f, t.rows) : screened;
    }
  }
}

void sparse_flip(const SparseFlip& a) noexcept {
  const auto excess = [&](std::size_t i, double z) { return std::max({z - a.upper[i], a.lower[i] - z, 0.0}); };
  for (std::size_t c = 0; c < a.count; ++c) {
    double sum = 0;
    for (std::int32_t k = a.pointers[a.columns[c]]; k < a.pointers[a.columns[c] + 1]; ++k) {
      const auto i = static_cast<std::size_t>(a.rows[k]);
      sum += a.weight[i] * (excess(i, a.residual[i] + a.steps[c] * a.values[k]) - excess(i, a.residual[i]));
    }
    a.out[c] = sum;
  }
}

template void batched_flip(const BatchedFlip<float>&) noexcept;
template void batched_flip(const BatchedFlip<double>&) noexcept;
template void one_flip(const OneFlipColumn<float>&) noexcept;
template void one_flip(const OneFlipColumn<double>&) noexcept;
template void dictionary_penalty(const DictionaryPenalty<float>&) noexcept;
template void dictionary_penalty(const DictionaryPenalty<double>&) noexcept;

}  // namespace dd::dmmv::reference
