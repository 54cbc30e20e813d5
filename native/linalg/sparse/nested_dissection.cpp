// Nested dissection by coordinates: separators cost nothing to find on a grid, leaves are ordered on the true graph.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "core/error.hpp"
#include "linalg/sparse/ordering.hpp"

namespace dd::linalg {
namespace {

using Extents = std::array<std::size_t, most_grid_axes>;

struct Box {
  Extents low{}, high{};
  std::array<bool, most_grid_axes> wraps{};  // the axis is periodic and not yet cut

  std::size_t length(std::size_t axis) const noexcept { return high[axis] - low[axis]; }
};

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

class Dissection {
 public:
  Dissection(const SparsePattern& neighbours, const GridLayout& grid, std::size_t leaf)
      : grid_(grid), leaf_(std::max<std::size_t>(leaf, 1)), leaves_(neighbours) {
    std::size_t first = 0;
    for (const Extents& extents : grid.fields) {
      first_.push_back(first);
      first += size(extents);
    }
    order_.reserve(first);
  }

  std::vector<Index> run() {
    Box whole;
    for (std::size_t axis = 0; axis < most_grid_axes; ++axis) {
      for (const Extents& extents : grid_.fields) whole.high[axis] = std::max(whole.high[axis], extents[axis]);
      whole.wraps[axis] = axis < grid_.axes && grid_.periodic[axis] && grid_.reach[axis] > 0;
    }
    split(whole);
    return std::move(order_);
  }

  static std::size_t size(const Extents& extents) noexcept { return extents[0] * extents[1] * extents[2] * extents[3]; }

 private:
  /// Calls body(unknown) for the unknowns of all fields inside a box, `slowest` being the axis that changes last.
  template <class Body>
  void for_each(const Box& box, std::size_t slowest, Body body) const {
    Extents axes{0, 1, 2, 3};
    std::swap(axes[0], axes[slowest]);
    std::sort(axes.begin() + 1, axes.end());
    for (std::size_t f = 0; f < grid_.fields.size(); ++f) {
      const Extents& extents = grid_.fields[f];
      Extents step{extents[1] * extents[2] * extents[3], extents[2] * extents[3], extents[3], 1}, high;
      for (std::size_t a = 0; a < most_grid_axes; ++a) high[a] = std::min(box.high[a], extents[a]);
      Extents at{};
      for (at[0] = box.low[axes[0]]; at[0] < high[axes[0]]; ++at[0]) {
        for (at[1] = box.low[axes[1]]; at[1] < high[axes[1]]; ++at[1]) {
          for (at[2] = box.low[axes[2]]; at[2] < high[axes[2]]; ++at[2]) {
            for (at[3] = box.low[axes[3]]; at[3] < high[axes[3]]; ++at[3]) {
              body(static_cast<Index>(first_[f] + at[0] * step[axes[0]] + at[1] * step[axes[1]] +
                                      at[2] * step[axes[2]] + at[3] * step[axes[3]]));
            }
          }
        }
      }
    }
  }

  std::size_t unknowns(const Box& box) const noexcept {
    std::size_t count = 0;
    for (const Extents& extents : grid_.fields) {
      std::size_t product = 1;
      for (std::size_t a = 0; a < most_grid_axes; ++a) {
        const std::size_t high = std::min(box.high[a], extents[a]);
        product *= high > box.low[a] ? high - box.low[a] : 0;
      }
      count += product;
    }
    return count;
  }

  /// The axis whose separator holds the smallest share of the box, or most_grid_axes when none leaves two halves.
  std::size_t best_axis(const Box& box) const noexcept {
    std::size_t best = most_grid_axes;
    double smallest = 0.5;
    for (std::size_t axis = 0; axis < grid_.axes; ++axis) {
      const std::size_t planes = (box.wraps[axis] ? 2 : 1) * grid_.reach[axis];
      if (box.length(axis) < planes + 2) continue;
      const double share = static_cast<double>(planes) / static_cast<double>(box.length(axis));
      if (share < smallest) {
        smallest = share;
        best = axis;
      }
    }
    return best;
  }

  void split(const Box& box) {
    const std::size_t axis = unknowns(box) <= leaf_ ? most_grid_axes : best_axis(box);
    if (axis == most_grid_axes) {
      std::vector<Index> inside;
      for_each(box, 0, [&](Index unknown) { inside.push_back(unknown); });
      // A box that no axis splits may be large; bit sets of its square would not fit.
      if (inside.size() <= 8 * leaf_) {
        leaves_.append(inside, order_);
      } else {
        order_.insert(order_.end(), inside.begin(), inside.end());
      }
      return;
    }
    const std::size_t reach = grid_.reach[axis];
    Box first = box, second = box, separator = box;
    first.wraps[axis] = second.wraps[axis] = false;
    // The seam of a periodic axis is a separator of its own, at the low end.
    if (box.wraps[axis]) first.low[axis] += reach;
    const std::size_t middle = first.low[axis] + (first.length(axis) - reach) / 2;
    first.high[axis] = separator.low[axis] = middle;
    second.low[axis] = separator.high[axis] = middle + reach;
    split(first);
    split(second);
    const auto append = [&](Index unknown) { order_.push_back(unknown); };
    if (box.wraps[axis]) {
      Box seam = box;
      seam.high[axis] = box.low[axis] + reach;
      for_each(seam, axis, append);
    }
    for_each(separator, axis, append);
  }

  const GridLayout& grid_;
  std::size_t leaf_;
  LeafOrdering leaves_;
  std::vector<std::size_t> first_;
  std::vector<Index> order_;
};

}  // namespace

std::size_t GridLayout::unknowns() const noexcept {
  std::size_t count = 0;
  for (const Extents& extents : fields) count += Dissection::size(extents);
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
  return Dissection(symmetric_neighbours(upper), grid, leaf).run();
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
