// x -= rate g: the plainest of the gradient methods.
#pragma once

#include "linalg/vectors.hpp"
#include "odil/first_order.hpp"

namespace dd::odil {

struct GradientDescentOptions {
  double rate = 1e-3;
};

template <class T>
class GradientDescent final : public DirectMethod<T> {
 public:
  GradientDescent(const GradientDescentOptions& options, std::span<const T> initial)
      : DirectMethod<T>(initial), options_(options) {
    require_positive(options.rate, "rate");
  }
  GradientDescent(const GradientDescentOptions& options, const Checkpoint& checkpoint)
      : DirectMethod<T>(checkpoint, 0, 0), options_(options) {
    require_positive(options.rate, "rate");
  }

  FirstOrderResult run(Objective<T> objective, const StoppingRule& rule, RunControl& control,
                       FirstOrderHistory history) {
    return this->run_steps(objective, rule, control, history, [&](std::span<const T> gradient) {
      linalg::add_scaled<T>(static_cast<T>(-options_.rate), gradient, this->current_.span(), control.threads());
    });
  }
  Checkpoint save() const {
    Checkpoint checkpoint;
    this->save_into(checkpoint);
    return checkpoint;
  }

 private:
  GradientDescentOptions options_;
};

}  // namespace dd::odil
