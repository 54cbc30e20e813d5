// Adam (Kingma and Ba, arXiv 1412.6980) in the form of the official odil code: epsilon outside the corrected step.
#pragma once

#include "odil/first_order.hpp"

namespace dd::odil {

struct AdamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-7;
};

/// learning_rate sqrt(1 - beta2^step) / (1 - beta1^step), step from 1.
double adam_rate(const AdamOptions& options, std::uint64_t step) noexcept;

/// m += (g - m)(1 - beta1), v += (g^2 - v)(1 - beta2), x -= adam_rate m / (sqrt(v) + epsilon). One pass.
template <class T>
void adam_update(const AdamOptions& options, std::uint64_t step, std::span<const T> gradient, std::span<T> x,
                 std::span<T> first_moment, std::span<T> second_moment, std::size_t threads);

/// Memory: seven vectors of the length of z while it runs.
template <class T>
class Adam final : public DirectMethod<T> {
 public:
  /// Throws ERR_OUT_OF_RANGE for a learning rate or epsilon that is not positive and for betas outside [0, 1).
  Adam(const AdamOptions& options, std::span<const T> initial);
  Adam(const AdamOptions& options, const Checkpoint& checkpoint);

  Checkpoint save() const override;

 private:
  const char* name() const noexcept override { return "adam"; }
  void step(std::span<const T> gradient, std::size_t threads) override;

  AdamOptions options_;
  AlignedBuffer<T> first_moment_, second_moment_;
};

}  // namespace dd::odil
