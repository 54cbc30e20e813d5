// Descent on t itself by what a walk over single steps cannot do: a variable to any of its levels, two variables at
// once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/function_ref.hpp"
#include "dmmv/moves.hpp"
#include "dmmv/problem.hpp"

namespace dd::dmmv {

class SwapDescent {
 public:
  SwapDescent(const Problem& problem, const SearchRows& rows);

  /// Lowers t from `indices` until neither helps:
  ///  - the best level of one variable (t is convex along it: binary search over its levels, kernel K1);
  ///  - the best pair of variables of which one rises by a level and the other falls by one (kernel K4): the 100 most
  ///    violated rows screen the pairs, and rows that no pair can bring up to t are left out.
  /// Soft rows play no part. Returns whether t is lower. Cost: m n log(levels) and at most m n^2 a step.
  /// Source: arXiv 2508.13437 (swaps, their screen and row filter); specs/dmmv.md P2, P3, P5, P6.
  bool run(std::vector<std::int32_t>& indices, FunctionRef<bool()> should_stop);

 private:
  double largest_violation() const;
  double violation(std::size_t row) const;
  /// t after moving variable `variable` to level q.
  double level_value(std::size_t variable, std::int32_t q) const;
  bool improve_levels();
  bool improve_pair();
  void move(std::size_t variable, std::int32_t level);

  const Problem& problem_;
  const SearchRows& rows_;
  std::vector<std::size_t> free_;
  AlignedBuffer<double> columns_, residual_;
  std::vector<std::int32_t> indices_;
  double value_ = 0;
};

}  // namespace dd::dmmv
