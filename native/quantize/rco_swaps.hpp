// Single changes and pair swaps of an assignment that keep every budget, one after the other until none helps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/run_control.hpp"
#include "quantize/knapsack.hpp"
#include "quantize/rco_block.hpp"

namespace dd::quantize {

class RcoSwaps {
 public:
  /// `blocks` must outlive it.
  RcoSwaps(std::span<const RcoBlock> blocks, std::size_t groups, std::size_t options, KnapsackConstraint constraint);

  void start(std::span<const std::int32_t> base, double loss);
  /// Makes `question` the next assignment to try; false when a whole round has brought nothing, or the run must stop.
  bool next(std::vector<std::int32_t>& question, RunControl& control);
  /// The loss of the question.
  void take(std::span<const std::int32_t> question, double loss);

 private:
  struct Cursor {
    std::size_t i = 0, k = 0, j = 0, l = 0;  ///< group i to option k, group j >= i to l
  };
  std::int64_t unit_cost(std::size_t group, std::size_t option) const;
  bool advance();
  bool allowed() const;
  bool keeps(std::size_t block, std::int64_t spent) const;

  std::span<const RcoBlock> blocks_;
  std::size_t groups_, options_;
  KnapsackConstraint constraint_;
  std::vector<std::size_t> block_of_, place_;  // by group
  std::vector<std::int32_t> base_;
  double base_loss_ = 0;
  std::vector<std::int64_t> spent_;  // by block
  Cursor cursor_;
  std::size_t move_ = 0, stride_ = 1, since_improvement_ = 0;
};

}  // namespace dd::quantize
