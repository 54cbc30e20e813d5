// Losses, sample by sample in float64 but for the cross-entropy, which is computed in the precision of the network.
#include "polystep/objectives/loss.hpp"

#include <array>
#include <cmath>
#include <limits>

#include "polystep/objectives/network_graph.hpp"
#include "polystep/objectives/network_isa.hpp"

namespace dd::polystep {
namespace {

/// Class of each sample, -1 where an output is NaN: right for nobody.
template <class Scalar>
std::array<std::int32_t, group_samples> predict(std::size_t outputs, const Scalar* values) noexcept {
  std::array<std::int32_t, group_samples> classes{};
  for (std::size_t lane = 0; lane < group_samples; ++lane) {
    Scalar best = values[lane];
    std::int32_t label = outputs == 1 && best > 0 ? 1 : 0;
    bool defined = best == best;
    for (std::size_t r = 1; r < outputs; ++r) {
      const Scalar value = values[r * group_samples + lane];
      defined = defined && value == value;
      if (value > best) {
        best = value;
        label = static_cast<std::int32_t>(r);
      }
    }
    classes[lane] = defined ? label : -1;
  }
  return classes;
}

}  // namespace

template <class Scalar>
void sample_losses(Loss loss, std::size_t outputs, const Scalar* values, const std::int32_t* labels, Scalar* each) {
  if (loss == Loss::cross_entropy) return cross_entropy(CrossEntropy<Scalar>{outputs, values, labels, each});
  const auto classes = predict(outputs, values);
  for (std::size_t lane = 0; lane < group_samples; ++lane) {
    each[lane] = classes[lane] != labels[lane] ? Scalar{1} : Scalar{0};
  }
}
template void sample_losses(Loss, std::size_t, const float*, const std::int32_t*, float*);
template void sample_losses(Loss, std::size_t, const double*, const std::int32_t*, double*);

template <class Scalar>
PartialLoss group_loss(Loss loss, std::size_t outputs, const Scalar* values, const Batch<Scalar>& batch,
                       std::size_t group) {
  PartialLoss part;
  const std::size_t valid = batch.valid(group);
  const std::int32_t* const labels = batch.labels.data() + group * group_samples;
  if (loss == Loss::cross_entropy) {
    std::array<Scalar, group_samples> each;
    sample_losses(loss, outputs, values, labels, each.data());
    for (std::size_t lane = 0; lane < valid; ++lane) part.sum += double{each[lane]};
    return part;
  }
  if (loss == Loss::mean_square) {
    const double* const targets = batch.targets.data() + group * outputs * group_samples;
    for (std::size_t lane = 0; lane < valid; ++lane) {
      for (std::size_t r = 0; r < outputs; ++r) {
        const double error = double{values[r * group_samples + lane]} - targets[r * group_samples + lane];
        part.sum += error * error;
      }
    }
    return part;
  }
  const auto classes = predict(outputs, values);
  for (std::size_t lane = 0; lane < valid; ++lane) {
    if (classes[lane] != labels[lane]) part.sum += 1;
    if (classes[lane] == 1 && labels[lane] == 1) ++part.true_positive;
    if (classes[lane] == 1 && labels[lane] != 1) ++part.false_positive;
    if (classes[lane] != 1 && labels[lane] == 1) ++part.false_negative;
  }
  return part;
}
template PartialLoss group_loss(Loss, std::size_t, const float*, const Batch<float>&, std::size_t);
template PartialLoss group_loss(Loss, std::size_t, const double*, const Batch<double>&, std::size_t);

double finish_loss(Loss loss, const PartialLoss& total, std::size_t samples, std::size_t outputs) noexcept {
  if (loss == Loss::f1) {
    const double hits = 2.0 * total.true_positive;
    return 1 - hits / (hits + total.false_positive + total.false_negative + 1e-9);
  }
  const auto count = static_cast<double>(samples);
  return loss == Loss::mean_square ? total.sum / (count * static_cast<double>(outputs)) : total.sum / count;
}

}  // namespace dd::polystep
