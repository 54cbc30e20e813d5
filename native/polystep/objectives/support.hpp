// What every objective needs that is none of its own: scoring a batch by many threads, in pieces cut by sizes only.
#pragma once

#include <cstddef>
#include <span>

#include "core/thread_pool.hpp"
#include "polystep/objective.hpp"

namespace dd::polystep {

/// Points that one call of `evaluate` takes: MAX-SAT packs 64 into a word.
inline constexpr std::size_t points_per_task = 64;

template <class Scalar>
void evaluate_points(const Evaluator<Scalar>& evaluator, MatrixView<const Scalar> points, std::span<double> values,
                     std::size_t threads) {
  parallel_for(threads, points.rows, points_per_task, [&](std::size_t begin, std::size_t end) {
    evaluator.evaluate(points.block(begin, 0, end - begin, points.columns), values.subspan(begin, end - begin));
  });
}

}  // namespace dd::polystep
