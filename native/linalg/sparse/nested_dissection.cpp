// Nested dissection by coordinates: separators cost nothing to find on a grid, leaves are ordered on the true graph.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <string>
#include <unordered_map>
#include <utility>

#include "core/error.hpp"
#include "linalg/sparse/ordering.hpp"

namespace dd::linalg {
namespace {

using Extents = std::array<std::size_t, most_grid_axes>;

/// Minimum degree on a few hundred vertices as bit sets. Only the vertices inside are eliminated; those around them
/// count as neighbours, because they are there when the leaf goes.
class LeafOrdering {
 public:
  explicit LeafOrdering(const SparsePattern& neighbours) : neighbours_(neighbours), local_(neighbours.rows, no_index) {}

  void append(const std::vector<Index>& inside, std::vector<Index>& order) {
    collect(inside);
    // Leaves of a regular grid repeat: equal graphs have equal orders.
    auto [found, is_new] = known_.try_emplace(graph_);
    if (is_new) found->second = eliminate(inside.size());
    for (const Index vertex : found->second) order.push_back(inside[vertex]);
    for (const Index vertex : touched_) local_[vertex] = no_index;
  }

 private:
  struct Hash {
    std::size_t operator()(const std::vector<std::uint64_t>& words) const noexcept {
      std::uint64_t hash = words.size();
      for (const std::uint64_t word : words) hash = (hash ^ word) * 0x9E3779B97F4A7C15u + (hash >> 29);
      return static_cast<std::size_t>(hash ^ (hash >> 32));
    }
  };

  /// graph_: the number of vertices inside, then one bit set per vertex inside.
  void collect(const std::vector<Index>& inside) {
    touched_ = inside;
    for (std::size_t v = 0; v < inside.size(); ++v) local_[inside[v]] = static_cast<Index>(v);
    for (const Index vertex : inside) {
      for (const Index other : neighbours_.row(vertex)) {
        if (local_[other] != no_index) continue;
        local_[other] = static_cast<Index>(touched_.size());
        touched_.push_back(other);
      }
    }
    words_ = (touched_.size() + 63) / 64;
    graph_.assign(1 + inside.size() * words_, 0);
    graph_[0] = inside.size();
    for (std::size_t v = 0; v < inside.size(); ++v) {
      std::uint64_t* const row = graph_.data() + 1 + v * words_;
      row[v / 64] |= std::uint64_t{1} << (v % 64);
      for (const Index other : neighbours_.row(inside[v])) {
        row[local_[other] / 64] |= std::uint64_t{1} << (local_[other] % 64);
      }
    }
  }

  std::vector<Index> eliminate(std::size_t count) const {
    std::vector<std::uint64_t> rows(graph_.begin() + 1, graph_.end());
    const auto size = [&](std::size_t v) {
      int bits = 0;
      for (std::size_t w = 0; w < words_; ++w) bits += std::popcount(rows[v * words_ + w]);
      return bits;
    };
    std::vector<int> degree(count);
    for (std::size_t v = 0; v < count; ++v) degree[v] = size(v);
    std::vector<bool> done(count, false);
    std::vector<Index> order;
    for (std::size_t step = 0; step < count; ++step) {
      std::size_t best = count;
      for (std::size_t v = 0; v < count; ++v) {
        if (!done[v] && (best == count || degree[v] < degree[best])) best = v;
      }
      done[best] = true;
      order.push_back(static_cast<Index>(best));
      std::uint64_t* const pivot = rows.data() + best * words_;
      pivot[best / 64] &= ~(std::uint64_t{1} << (best % 64));
      for (std::size_t v = 0; v < count; ++v) {
        if (done[v] || (pivot[v / 64] >> (v % 64) & 1) == 0) continue;
        std::uint64_t* const row = rows.data() + v * words_;
        for (std::size_t w = 0; w < words_; ++w) row[w] |= pivot[w];
        row[best / 64] &= ~(std::uint64_t{1} << (best % 64));
        degree[v] = size(v);
      }
    }
    return order;
  }

  const SparsePattern& neighbours_;
  std::vector<Index> local_, touched_;
  std::vector<std::uint64_t> graph_;
  std::size_t words_ = 0;
  std::unordered_map<std::vector<std::uint64_t>, std::vector<Index>, Hash> known_;
};

std::size_t volume(const Extents& extents) noexcept { return extents[0] * extents[1] * extents[2] * extents[3]; }

/// A family of parallel planes that may separate: an axis, or the sum or difference of two. A stencil that couples
/// cells at distance 2 along the axes and along no more than that diagonally needs two planes of either kind, but a
/// diagonal plane holds fewer cells for its length.
struct Direction {
  std::array<std::int32_t, most_grid_axes> factor{};
  std::size_t width = 0;  // planes that have to go

  bool uses(std::size_t axis) const noexcept { return factor[axis] != 0; }
};

/// Where a region is cut: planes [cut, cut + width) of a direction, on a periodic axis that is not yet cut also the
/// planes [seam, seam + width).
struct Cut {
  double score = std::numeric_limits<double>::infinity();
  std::size_t direction = 0;
  std::int32_t seam = 0, cut = 0;
};

class Dissection {
 public:
  Dissection(const SparsePattern& neighbours, const GridLayout& grid, std::size_t leaf)
      : grid_(grid), neighbours_(neighbours), leaf_(std::max<std::size_t>(leaf, 1)), leaves_(neighbours) {}

  std::vector<Index> run() {
    place_unknowns();
    list_directions();
    points_.resize(neighbours_.rows);
    std::iota(points_.begin(), points_.end(), Index{0});
    moved_.resize(points_.size());
    order_.reserve(points_.size());
    split(0, points_.size(), grid_.periodic);
    return std::move(order_);
  }

 private:
  using Wraps = std::array<bool, most_grid_axes>;

  void place_unknowns() {
    places_.reserve(neighbours_.rows);
    for (const Extents& extents : grid_.fields) {
      std::array<std::int32_t, most_grid_axes> at{};
      for (std::size_t a = 0; a < most_grid_axes; ++a) extents_[a] = std::max(extents_[a], extents[a]);
      for (std::size_t k = 0; k < volume(extents); ++k) {
        places_.push_back(at);
        for (std::size_t a = most_grid_axes; a-- > 0;) {
          if (static_cast<std::size_t>(++at[a]) < extents[a]) break;
          at[a] = 0;
        }
      }
    }
  }

  /// Widths are read off the matrix: the largest distance of two coupled unknowns, around the seam where that is
  /// nearer.
  void list_directions() {
    for (std::size_t a = 0; a < grid_.axes; ++a) {
      directions_.emplace_back().factor[a] = 1;
      for (std::size_t b = 0; b < a; ++b) {
        for (const std::int32_t sign : {1, -1}) {
          Direction& diagonal = directions_.emplace_back();
          diagonal.factor[a] = sign;
          diagonal.factor[b] = 1;
        }
      }
    }
    for (std::size_t u = 0; u < neighbours_.rows; ++u) {
      for (const Index v : neighbours_.row(u)) {
        if (v < u) continue;
        std::array<std::int32_t, most_grid_axes> apart{};
        for (std::size_t a = 0; a < grid_.axes; ++a) {
          apart[a] = places_[v][a] - places_[u][a];
          const auto extent = static_cast<std::int32_t>(extents_[a]);
          if (!grid_.periodic[a]) continue;
          if (2 * apart[a] > extent) apart[a] -= extent;
          if (2 * apart[a] < -extent) apart[a] += extent;
        }
        for (Direction& direction : directions_) {
          direction.width = std::max(direction.width, static_cast<std::size_t>(std::abs(along(direction, apart))));
        }
      }
    }
  }

  static std::int32_t along(const Direction& direction,
                            const std::array<std::int32_t, most_grid_axes>& place) noexcept {
    return direction.factor[0] * place[0] + direction.factor[1] * place[1] + direction.factor[2] * place[2] +
           direction.factor[3] * place[3];
  }

  /// The cut with the smallest separator for its balance.
  Cut best_cut(std::size_t begin, std::size_t end, const Wraps& wraps) {
    Cut best;
    std::array<std::int32_t, most_grid_axes> low, high;
    low.fill(std::numeric_limits<std::int32_t>::max());
    high.fill(std::numeric_limits<std::int32_t>::min());
    for (std::size_t k = begin; k < end; ++k) {
      for (std::size_t a = 0; a < grid_.axes; ++a) {
        low[a] = std::min(low[a], places_[points_[k]][a]);
        high[a] = std::max(high[a], places_[points_[k]][a]);
      }
    }
    for (std::size_t d = 0; d < directions_.size(); ++d) {
      const Direction& direction = directions_[d];
      bool wrapped = false, single = true;
      std::size_t axes = 0;
      std::int32_t first = 0, last = 0;
      for (std::size_t a = 0; a < grid_.axes; ++a) {
        if (!direction.uses(a)) continue;
        ++axes;
        wrapped = wrapped || wraps[a];
        first += direction.factor[a] > 0 ? low[a] : -high[a];
        last += direction.factor[a] > 0 ? high[a] : -low[a];
      }
      single = axes == 1;
      if (wrapped && !single) continue;
      const std::size_t planes = static_cast<std::size_t>(last - first) + 1, width = direction.width;
      const std::size_t seam = wrapped ? width : 0;
      if (planes < seam + width + 2) continue;
      // before[p]: points on planes below p.
      before_.assign(planes + 1, 0);
      for (std::size_t k = begin; k < end; ++k) {
        ++before_[static_cast<std::size_t>(along(direction, places_[points_[k]]) - first) + 1];
      }
      for (std::size_t p = 0; p < planes; ++p) before_[p + 1] += before_[p];
      for (std::size_t p = seam + 1; p + width < planes; ++p) {
        const double left = static_cast<double>(before_[p] - before_[seam]);
        const double right = static_cast<double>(before_[planes] - before_[p + width]);
        const double separator = static_cast<double>(before_[p + width] - before_[p] + before_[seam]);
        const double smaller = std::min(left, right), larger = std::max(left, right);
        if (smaller <= 0) continue;
        const double score = separator * std::pow(larger / smaller, 0.5);
        if (score < best.score) best = {score, d, first, first + static_cast<std::int32_t>(p)};
      }
    }
    return best;
  }

  void split(std::size_t begin, std::size_t end, Wraps wraps) {
    const std::size_t count = end - begin;
    const Cut cut = count <= leaf_ ? Cut{} : best_cut(begin, end, wraps);
    // A separator that holds most of a region is none.
    if (!(cut.score < static_cast<double>(count) / 2)) {
      const std::vector<Index> inside(points_.begin() + static_cast<std::ptrdiff_t>(begin),
                                      points_.begin() + static_cast<std::ptrdiff_t>(end));
      // Bit sets of the square of a large region would not fit.
      if (count <= 8 * leaf_) {
        leaves_.append(inside, order_);
      } else {
        order_.insert(order_.end(), inside.begin(), inside.end());
      }
      return;
    }
    const Direction& direction = directions_[cut.direction];
    const auto width = static_cast<std::int32_t>(direction.width);
    std::int32_t seam_end = cut.seam;
    for (std::size_t a = 0; a < grid_.axes; ++a) {
      if (direction.uses(a) && std::exchange(wraps[a], false)) seam_end += width;
    }
    // Stable: left, right, then the separator.
    std::size_t left = begin, right = 0, separator = 0;
    for (std::size_t k = begin; k < end; ++k) {
      const Index point = points_[k];
      const std::int32_t at = along(direction, places_[point]);
      if (at < seam_end || (at >= cut.cut && at < cut.cut + width)) {
        moved_[end - ++separator] = point;
      } else if (at < cut.cut) {
        points_[left++] = point;
      } else {
        moved_[begin + right++] = point;
      }
    }
    const auto from = moved_.begin();
    std::copy(from + static_cast<std::ptrdiff_t>(begin), from + static_cast<std::ptrdiff_t>(begin + right),
              points_.begin() + static_cast<std::ptrdiff_t>(left));
    std::reverse_copy(from + static_cast<std::ptrdiff_t>(end - separator), from + static_cast<std::ptrdiff_t>(end),
                      points_.begin() + static_cast<std::ptrdiff_t>(end - separator));
    // Plane by plane, so that a child's rows are long runs in its parent.
    std::stable_sort(points_.begin() + static_cast<std::ptrdiff_t>(end - separator),
                     points_.begin() + static_cast<std::ptrdiff_t>(end),
                     [&](Index a, Index b) { return along(direction, places_[a]) < along(direction, places_[b]); });
    split(begin, left, wraps);
    split(left, end - separator, wraps);
    order_.insert(order_.end(), points_.begin() + static_cast<std::ptrdiff_t>(end - separator),
                  points_.begin() + static_cast<std::ptrdiff_t>(end));
  }

  const GridLayout& grid_;
  const SparsePattern& neighbours_;
  std::size_t leaf_;
  LeafOrdering leaves_;
  Extents extents_{};
  std::vector<std::array<std::int32_t, most_grid_axes>> places_;  // of every unknown
  std::vector<Direction> directions_;
  std::vector<Index> points_, moved_, order_;
  std::vector<std::size_t> before_;
};

}  // namespace

std::size_t GridLayout::unknowns() const noexcept {
  std::size_t count = 0;
  for (const Extents& extents : fields) count += volume(extents);
  return count;
}

std::vector<Index> nested_dissection(const SparsePattern& upper, const GridLayout& grid, std::size_t leaf) {
  if (grid.axes == 0 || grid.axes > most_grid_axes) {
    throw Error(ErrorCode::out_of_range, "axes", "`axes` must be 1 to 4, got " + std::to_string(grid.axes));
  }
  for (const Extents& extents : grid.fields) {
    for (std::size_t axis = grid.axes; axis < most_grid_axes; ++axis) {
      if (extents[axis] == 1) continue;
      throw Error(ErrorCode::out_of_range, "fields", "`fields` must have extent 1 along the axes that are not there");
    }
  }
  expect_length("upper", upper.rows, grid.unknowns());
  const SparsePattern neighbours = symmetric_neighbours(upper);
  return Dissection(neighbours, grid, leaf).run();
}

SparsePattern symmetric_neighbours(const SparsePattern& upper) {
  SparsePattern both;
  both.rows = both.columns = upper.rows;
  both.starts.assign(upper.rows + 1, 0);
  for (std::size_t i = 0; i < upper.rows; ++i) {
    for (const Index j : upper.row(i)) {
      if (j == i) continue;
      ++both.starts[i + 1];
      ++both.starts[j + 1];
    }
  }
  for (std::size_t i = 0; i < upper.rows; ++i) both.starts[i + 1] += both.starts[i];
  both.indices.resize(both.starts.back());
  std::vector<std::size_t> next(both.starts.begin(), both.starts.end() - 1);
  // Row i gets its smaller neighbours while their rows go by, before its own row comes: ascending without a sort.
  for (std::size_t i = 0; i < upper.rows; ++i) {
    for (const Index j : upper.row(i)) {
      if (j == i) continue;
      both.indices[next[i]++] = j;
      both.indices[next[j]++] = static_cast<Index>(i);
    }
  }
  return both;
}

}  // namespace dd::linalg
