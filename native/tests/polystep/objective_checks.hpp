// What every native objective must keep, whatever it computes: a replacement's value is that of the whole vector, and
// replacing leaves what setting the base anew would leave.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "core/philox.hpp"
#include "polystep/objective.hpp"

namespace dd::polystep::test {

template <class Scalar>
std::unique_ptr<Evaluator<Scalar>> evaluator_of(const Objective& objective, std::uint64_t seed) {
  if constexpr (sizeof(Scalar) == 4) {
    return objective.float32_evaluator(seed);
  } else {
    return objective.float64_evaluator(seed);
  }
}

template <class Scalar>
double whole(const Evaluator<Scalar>& evaluator, const std::vector<Scalar>& point) {
  double value = 0;
  evaluator.evaluate(MatrixView<const Scalar>::row_major(point.data(), 1, point.size()), {&value, 1});
  return value;
}

/// Blocks of `width` at random places with a few replacements each; every other one is then taken over. Values are
/// drawn by `draw`, differences up to `tolerance` allowed. Returns how often a replacement changed the loss.
template <class Scalar, class Draw>
int check_replacements(const Objective& objective, std::size_t width, Draw draw, double tolerance, int rounds = 40) {
  PhiloxStream random(7, static_cast<std::uint32_t>(width), 99);
  const auto evaluator = evaluator_of<Scalar>(objective, 3);
  evaluator->begin_step(5, 1);
  const std::size_t n = objective.dimension();
  std::vector<Scalar> base(n);
  for (Scalar& value : base) value = static_cast<Scalar>(draw(random));
  const double start = evaluator->set_base(base, 2);
  CHECK(std::abs(start - whole(*evaluator, base)) <= tolerance);
  int changed = 0;
  double before = start;
  for (int round = 0; round < rounds; ++round) {
    const std::size_t blocks = (n + width - 1) / width;
    const std::size_t first = random.next_below(static_cast<std::uint32_t>(blocks)) * width;
    constexpr std::size_t rows = 5;
    std::vector<Scalar> replacements(rows * width);
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t j = 0; j < width; ++j) {
        const bool keep = first + j < n && random.next_below(2) == 0;
        replacements[r * width + j] = keep ? base[first + j] : static_cast<Scalar>(draw(random));
      }
    }
    std::vector<double> values(rows);
    evaluator->evaluate_replacements(first, MatrixView<const Scalar>::row_major(replacements.data(), rows, width),
                                     values);
    std::vector<Scalar> point;
    for (std::size_t r = 0; r < rows; ++r) {
      point = base;
      std::copy_n(replacements.begin() + static_cast<std::ptrdiff_t>(r * width), std::min(width, n - first),
                  point.begin() + static_cast<std::ptrdiff_t>(first));
      CHECK(std::abs(values[r] - whole(*evaluator, point)) <= tolerance);
      changed += std::abs(values[r] - before) > tolerance ? 1 : 0;
    }
    if (round % 2 == 0) continue;
    evaluator->replace(first, std::span<const Scalar>(replacements).last(width));
    base = point;
    before = evaluator->base_loss();
    CHECK(std::abs(before - values.back()) <= tolerance);
  }
  CHECK(std::abs(evaluator->base_loss() - evaluator->set_base(base, 1)) <= tolerance);
  const auto fresh = evaluator_of<Scalar>(objective, 3);
  fresh->begin_step(5, 1);
  CHECK(std::abs(evaluator->base_loss() - fresh->set_base(base, 1)) <= tolerance);
  return changed;
}

}  // namespace dd::polystep::test
