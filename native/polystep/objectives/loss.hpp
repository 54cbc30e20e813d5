// Losses of a network's outputs: each group of 16 samples gives a partial result, partial results add up in the order
// of the groups.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "polystep/objectives/samples.hpp"

namespace dd::polystep {

enum class Loss : std::uint8_t {
  cross_entropy,  ///< mean over the samples
  zero_one,       ///< share of wrong predictions
  f1,             ///< 1 - 2 TP / (2 TP + FP + FN + 1e-9), class 1 being positive
  mean_square,    ///< mean over samples and outputs
};
inline constexpr std::size_t losses = 4;

struct PartialLoss {
  double sum = 0;
  std::uint32_t true_positive = 0;
  std::uint32_t false_positive = 0;
  std::uint32_t false_negative = 0;

  PartialLoss& operator+=(const PartialLoss& other) noexcept {
    sum += other.sum;
    true_positive += other.true_positive;
    false_positive += other.false_positive;
    false_negative += other.false_negative;
    return *this;
  }
};

/// `outputs` rows of 16 values; one row predicts class 1 where it is above zero, more rows the first largest.
template <class Scalar>
PartialLoss group_loss(Loss loss, std::size_t outputs, const Scalar* values, const Batch<Scalar>& batch,
                       std::size_t group);

/// Losses of single samples, whose sum in order is `group_loss`: of the cross-entropy and of wrong predictions.
template <class Scalar>
void sample_losses(Loss loss, std::size_t outputs, const Scalar* values, const std::int32_t* labels, Scalar* each);

double finish_loss(Loss loss, const PartialLoss& total, std::size_t samples, std::size_t outputs) noexcept;

}  // namespace dd::polystep
