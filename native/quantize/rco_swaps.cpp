#include "quantize/rco_swaps.hpp"

#include <cmath>
#include <numeric>

namespace dd::quantize {

RcoSwaps::RcoSwaps(std::span<const RcoBlock> blocks, std::size_t groups, std::size_t options,
                   KnapsackConstraint constraint)
    : blocks_(blocks), groups_(groups), options_(options), constraint_(constraint), block_of_(groups), place_(groups) {
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    for (std::size_t i = 0; i < blocks[b].groups.size(); ++i) {
      block_of_[blocks[b].groups[i]] = b;
      place_[blocks[b].groups[i]] = i;
    }
  }
  const std::size_t cells = groups * options;
  stride_ = static_cast<std::size_t>(0.6180339887498949 * static_cast<double>(cells) * static_cast<double>(cells));
  while (std::gcd(stride_, cells) != 1) ++stride_;
}

void RcoSwaps::start(std::span<const std::int32_t> base, double loss) {
  base_.assign(base.begin(), base.end());
  base_loss_ = loss;
  spent_.assign(blocks_.size(), 0);
  for (std::size_t group = 0; group < groups_; ++group) {
    spent_[block_of_[group]] += unit_cost(group, static_cast<std::size_t>(base_[group]));
  }
  move_ = 0;
  since_improvement_ = 0;
}

std::int64_t RcoSwaps::unit_cost(std::size_t group, std::size_t option) const {
  return blocks_[block_of_[group]].costs[place_[group] * options_ + option];
}

/// Every pair of (group, option) is a move; a stride without a common divisor with their number comes by all of them
/// in an order that spreads over the groups, so that a few evaluations go a long way. False after a whole round
/// without improvement.
bool RcoSwaps::advance() {
  const std::size_t cells = groups_ * options_, moves = cells * cells;
  if (since_improvement_ == moves) return false;
  ++since_improvement_;
  move_ = (move_ + stride_) % moves;
  const std::size_t a = move_ / cells, b = move_ % cells;
  cursor_ = {a / options_, a % options_, b / options_, b % options_};
  return true;
}

bool RcoSwaps::allowed() const {
  const auto [i, k, j, l] = cursor_;
  if (j < i || (j == i && l != k)) return false;  // another move is the same
  const auto now = static_cast<std::size_t>(base_[i]);
  if (k == now) return false;
  const std::int64_t change = unit_cost(i, k) - unit_cost(i, now);
  const std::size_t block = block_of_[i];
  if (j == i) return keeps(block, spent_[block] + change);
  const auto other = static_cast<std::size_t>(base_[j]);
  if (l == other) return false;
  const std::int64_t other_change = unit_cost(j, l) - unit_cost(j, other);
  const std::size_t other_block = block_of_[j];
  if (block == other_block) return keeps(block, spent_[block] + change + other_change);
  return keeps(block, spent_[block] + change) && keeps(other_block, spent_[other_block] + other_change);
}

bool RcoSwaps::keeps(std::size_t block, std::int64_t spent) const {
  if (constraint_ == KnapsackConstraint::at_most) return spent <= blocks_[block].budget;
  return spent == spent_[block];
}

bool RcoSwaps::next(std::vector<std::int32_t>& question, RunControl& control) {
  constexpr std::size_t poll = 1 << 16;
  while (advance()) {
    if (since_improvement_ % poll == 0 && control.should_stop()) return false;
    if (!allowed()) continue;
    question = base_;
    question[cursor_.i] = static_cast<std::int32_t>(cursor_.k);
    question[cursor_.j] = static_cast<std::int32_t>(cursor_.l);
    return true;
  }
  return false;
}

void RcoSwaps::take(std::span<const std::int32_t> question, double loss) {
  // A gain of rounding alone would let two assignments take turns for ever.
  if (!(loss < base_loss_ - 1e-13 * std::abs(base_loss_))) return;
  for (const std::size_t group : {cursor_.i, cursor_.j}) {
    // The second time round a lone change has nothing left to do.
    spent_[block_of_[group]] += unit_cost(group, static_cast<std::size_t>(question[group])) -
                                unit_cost(group, static_cast<std::size_t>(base_[group]));
    base_[group] = question[group];
  }
  base_loss_ = loss;
  since_improvement_ = 0;
}

}  // namespace dd::quantize
