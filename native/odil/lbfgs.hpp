// Limited-memory BFGS (Liu and Nocedal, Math. Programming 45, 1989) with a strong Wolfe line search.
#pragma once

#include <deque>

#include "odil/first_order.hpp"
#include "odil/line_search.hpp"

namespace dd::odil {

struct LbfgsOptions {
  std::size_t memory = 50;  ///< pairs of steps and gradient differences that are kept
  LineSearchOptions line_search;
};

/// Memory: 2 memory + 6 vectors of the length of z. An iteration costs 4 memory passes over a vector beside its
/// evaluations, inner products are float64.
template <class T>
class Lbfgs final : public FirstOrderMethod<T> {
 public:
  /// Throws ERR_OUT_OF_RANGE when the memory is 0, or the line search's constants are not 0 < c1 < c2 < 1.
  Lbfgs(const LbfgsOptions& options, std::span<const T> initial);
  Lbfgs(const LbfgsOptions& options, const Checkpoint& checkpoint);

  /// A direction along which nothing is gained is tried once more without the memory.
  FirstOrderResult run(Objective<T>& objective, const StoppingRule& rule, RunControl& control,
                       FirstOrderHistory history) override;
  Checkpoint save() const override;

 private:
  struct Pair {
    AlignedBuffer<T> step, change;  // of z and of the gradient
    double product = 0;             // step . change
  };

  void make_direction(std::span<const T> gradient, std::span<T> direction, std::size_t threads) const;
  void remember(std::span<const T> old_gradient, std::span<const T> gradient, std::span<const T> before,
                std::size_t threads);

  LbfgsOptions options_;
  std::deque<Pair> pairs_;  // oldest first
};

}  // namespace dd::odil
