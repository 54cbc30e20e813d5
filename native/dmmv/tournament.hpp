// The largest of many numbers that change one at a time: a tree of winners, O(log n) a change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace dd::dmmv {

class Tournament {
 public:
  explicit Tournament(std::size_t count) {
    while (leaves_ < count) leaves_ *= 2;
    winners_.assign(2 * leaves_, 0);
    values_.assign(leaves_, -std::numeric_limits<double>::infinity());
  }

  /// All values at once: O(n).
  void set_all(std::span<const double> values) {
    for (std::size_t i = 0; i < values.size(); ++i) values_[i] = values[i];
    for (std::size_t i = 0; i < leaves_; ++i) winners_[leaves_ + i] = static_cast<std::uint32_t>(i);
    for (std::size_t node = leaves_; node-- > 1;) play(node);
  }
  void set(std::size_t i, double value) {
    values_[i] = value;
    for (std::size_t node = (leaves_ + i) / 2; node > 0; node /= 2) play(node);
  }
  double largest() const noexcept { return values_[winner()]; }
  /// The lowest place of the largest value.
  std::size_t winner() const noexcept { return leaves_ == 1 ? 0 : winners_[1]; }
  double value(std::size_t i) const noexcept { return values_[i]; }

 private:
  void play(std::size_t node) {
    const std::uint32_t a = winners_[2 * node], b = winners_[2 * node + 1];
    winners_[node] = values_[b] > values_[a] ? b : a;
  }

  std::size_t leaves_ = 1;
  std::vector<std::uint32_t> winners_;
  std::vector<double> values_;
};

}  // namespace dd::dmmv
