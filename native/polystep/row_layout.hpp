// Which coordinates the rows (particles) of block mode hold, and which rows are assigned together.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace dd::polystep {

/// Consecutive coordinates whose rows are scaled and assigned without the others; the last of these rows is padded.
struct RowGroup {
  std::size_t coordinates = 0;
  double epsilon_factor = 1, radius_factor = 1;
};

/// Rows that are taken together: consecutive ones from `first` on, or those of a list.
struct RowSet {
  std::size_t first = 0, count = 0;
  const std::uint32_t* list = nullptr;

  std::size_t operator[](std::size_t i) const noexcept { return list != nullptr ? list[i] : first + i; }
};

class RowLayout {
 public:
  struct Group {
    std::size_t begin = 0, end = 0;  ///< rows
    double epsilon_factor = 1, radius_factor = 1;
  };

  RowLayout() = default;
  /// Rows of `width` coordinates over `coordinates` of them. groups: none, or counts that add up to `coordinates`.
  RowLayout(std::size_t coordinates, std::size_t width, std::span<const RowGroup> groups)
      : coordinates_(coordinates), width_(width) {
    if (groups.size() < 2) {
      rows_ = (coordinates + width - 1) / width;
      groups_.push_back(
          {0, rows_, groups.empty() ? 1 : groups[0].epsilon_factor, groups.empty() ? 1 : groups[0].radius_factor});
      return;
    }
    std::size_t at = 0;
    for (const RowGroup& group : groups) {
      const std::size_t begin = firsts_.size(), end = at + group.coordinates;
      for (; at < end; at += std::min(width, end - at)) firsts_.push_back(at);
      groups_.push_back({begin, firsts_.size(), group.epsilon_factor, group.radius_factor});
    }
    rows_ = firsts_.size();
    firsts_.push_back(at);
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      group_of_.insert(group_of_.end(), groups_[g].end - groups_[g].begin, static_cast<unsigned>(g));
    }
  }

  std::size_t coordinates() const noexcept { return coordinates_; }
  std::size_t rows() const noexcept { return rows_; }
  /// Coordinate of the first number of row p.
  std::size_t first(std::size_t p) const noexcept { return firsts_.empty() ? p * width_ : firsts_[p]; }
  /// Numbers of row p that are coordinates; the rest of it is padding.
  std::size_t width(std::size_t p) const noexcept {
    return firsts_.empty() ? std::min(width_, coordinates_ - p * width_) : firsts_[p + 1] - firsts_[p];
  }
  /// Whether rows end to end are the coordinates, with padding behind the last one only.
  bool contiguous() const noexcept { return firsts_.empty(); }
  std::span<const Group> groups() const noexcept { return groups_; }
  const Group& group(std::size_t p) const noexcept { return groups_[group_of_.empty() ? 0 : group_of_[p]]; }

 private:
  std::size_t coordinates_ = 0, width_ = 1, rows_ = 0;
  std::vector<std::size_t> firsts_;  // one more than rows; empty where contiguous
  std::vector<unsigned> group_of_;
  std::vector<Group> groups_;
};

}  // namespace dd::polystep
