// Sums over the residuals of a block, in an order that depends on sizes only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "core/reductions.hpp"
#include "core/thread_pool.hpp"

namespace dd::odil {

inline constexpr std::size_t sum_grain = 4096;

/// Sum of f(value) in float64 by pieces of a fixed size.
template <class T, class F>
double sum_of(std::span<const T> values, std::size_t threads, F f) {
  std::vector<double> pieces((values.size() + sum_grain - 1) / sum_grain, 0);
  parallel_for(threads, values.size(), sum_grain, [&](std::size_t begin, std::size_t end) {
    double lanes[8] = {};
    std::size_t i = begin;
    for (; i + 8 <= end; i += 8) {
      for (std::size_t lane = 0; lane < 8; ++lane) lanes[lane] += f(static_cast<double>(values[i + lane]));
    }
    for (; i < end; ++i) lanes[0] += f(static_cast<double>(values[i]));
    pieces[begin / sum_grain] =
        ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
  });
  return sum(pieces, 1);
}

template <class T>
double plain_sum(std::span<const T> values, std::size_t threads) {
  return sum_of(values, threads, [](double x) { return x; });
}

/// Sum of squares in float64, piece by piece (Pass::pieces).
template <class T>
double sum_of_squares(std::span<const T> values, std::span<const std::size_t> begins, std::size_t threads) {
  std::vector<double> pieces(begins.size() - 1);
  ThreadPool::shared().run_tasks(threads, pieces.size(), [&](std::size_t k) {
    const std::span<const T> piece = values.subspan(begins[k], begins[k + 1] - begins[k]);
    pieces[k] = dot(piece, piece, 1);
  });
  return sum(pieces, 1);
}

}  // namespace dd::odil
