// x -= learning_rate g: the plainest of the gradient methods.
#pragma once

#include "linalg/vectors.hpp"
#include "odil/first_order.hpp"

namespace dd::odil {

struct GradientDescentOptions {
  double learning_rate = 1e-3;
};

template <class T>
class GradientDescent final : public DirectMethod<T> {
 public:
  /// Throws ERR_OUT_OF_RANGE for a learning rate that is not positive.
  GradientDescent(const GradientDescentOptions& options, std::span<const T> initial)
      : DirectMethod<T>(initial), options_(options) {
    require_positive(options.learning_rate, "learningRate");
  }
  GradientDescent(const GradientDescentOptions& options, const Checkpoint& checkpoint)
      : DirectMethod<T>(checkpoint, 0, 0), options_(options) {
    require_positive(options.learning_rate, "learningRate");
  }

 private:
  const char* name() const noexcept override { return "gradient-descent"; }
  void step(std::span<const T> gradient, std::size_t threads) override {
    linalg::add_scaled<T>(static_cast<T>(-options_.learning_rate), gradient, this->current_.span(), threads);
  }

  GradientDescentOptions options_;
};

}  // namespace dd::odil
