// What every objective needs that is none of its own: scoring a batch by many threads in pieces cut by sizes only, and
// the evaluator of losses that have no shorter way than scoring a whole vector.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "core/thread_pool.hpp"
#include "polystep/objective.hpp"

namespace dd::polystep {

/// Points that one call of `evaluate` takes: MAX-SAT packs 64 into a word.
inline constexpr std::size_t points_per_task = 64;

template <class Scalar>
void evaluate_points(const Evaluator<Scalar>& evaluator, MatrixView<const Scalar> points, std::span<double> values,
                     std::size_t threads, std::size_t grain = points_per_task) {
  parallel_for(threads, points.rows, grain, [&](std::size_t begin, std::size_t end) {
    evaluator.evaluate(points.block(begin, 0, end - begin, points.columns), values.subspan(begin, end - begin));
  });
}

/// Losses of whole vectors only. `Loss` has `double operator()(const Scalar* point) const`, safe for many threads.
template <class Scalar, class Loss>
class WholeEvaluator : public Evaluator<Scalar> {
 public:
  WholeEvaluator(std::size_t dimension, Loss loss) : loss_(std::move(loss)), base_(dimension) {}

  void evaluate(MatrixView<const Scalar> points, std::span<double> values) const override {
    std::vector<Scalar> point(base_.size());
    for (std::size_t i = 0; i < points.rows; ++i) {
      for (std::size_t j = 0; j < point.size(); ++j) point[j] = points(i, j);
      values[i] = loss_(point.data());
    }
  }
  double set_base(std::span<const Scalar> base, std::size_t) override {
    std::copy_n(base.begin(), base_.size(), base_.begin());
    return base_loss();
  }
  void evaluate_replacements(std::size_t first, MatrixView<const Scalar> replacements,
                             std::span<double> values) const override {
    std::vector<Scalar> point(base_);
    const std::size_t width = std::min(replacements.columns, base_.size() - first);
    for (std::size_t i = 0; i < replacements.rows; ++i) {
      for (std::size_t j = 0; j < width; ++j) point[first + j] = replacements(i, j);
      values[i] = loss_(point.data());
    }
  }
  void replace(std::size_t first, std::span<const Scalar> values) override {
    std::copy_n(values.begin(), std::min(values.size(), base_.size() - first),
                base_.begin() + static_cast<std::ptrdiff_t>(first));
  }
  double base_loss() const override { return loss_(base_.data()); }

 protected:
  Loss& loss() noexcept { return loss_; }

 private:
  Loss loss_;
  std::vector<Scalar> base_;
};

}  // namespace dd::polystep
