#include "odil/regions.hpp"

#include <algorithm>
#include <set>

#include "core/error.hpp"

namespace dd::odil {
namespace {

using Cuts = std::array<std::vector<std::int32_t>, max_axes>;  // where a new interval begins; the first is 0

std::int32_t floor_divide(std::int32_t a, std::int32_t b) noexcept { return a >= 0 ? a / b : -((b - 1 - a) / b); }

Cuts find_cuts(const Graph& graph, const Domain& domain, const Shape& shape, const std::vector<bool>& needed) {
  std::array<std::set<std::int32_t>, max_axes> found;
  const auto cut = [&](std::size_t axis, double where) {
    if (where > 0 && where < shape.count[axis]) found[axis].insert(static_cast<std::int32_t>(where));
  };
  for (NodeId id = 0; id < needed.size(); ++id) {
    if (!needed[id]) continue;
    const Node& node = graph[id];
    if (node.op == Op::where_index) cut(static_cast<std::size_t>(node.id), node.value);
    if (node.op != Op::access) continue;
    const Shape& operand = domain.operands[static_cast<std::size_t>(node.id)].shape;
    for (std::size_t axis = operand.repeated; axis < shape.axes; ++axis) {
      // Wherever the access passes an end: a long shift on a short axis goes around several times.
      const std::int32_t count = operand.count[axis], shift = node.shift[axis];
      for (std::int32_t turn = floor_divide(shift, count); turn * count - shift < shape.count[axis]; ++turn) {
        cut(axis, turn * count - shift);
      }
    }
  }
  Cuts cuts;
  for (std::size_t axis = 0; axis < max_axes; ++axis) {
    cuts[axis].push_back(0);
    cuts[axis].insert(cuts[axis].end(), found[axis].begin(), found[axis].end());
  }
  return cuts;
}

/// `root` where the index lies in `box`, on which every condition has one truth.
NodeId specialised(Graph& graph, NodeId root, const Box& box) {
  const std::vector<bool> needed = reachable(graph, std::array{root});
  std::vector<NodeId> here(needed.size());
  for (NodeId id = 0; id < needed.size(); ++id) {
    if (!needed[id]) continue;
    const Node node = graph[id];
    if (node.op == Op::where_index) {
      here[id] = here[node.child[box.begin[static_cast<std::size_t>(node.id)] < node.value ? 0 : 1]];
    } else if (arity(node.op) == 0) {
      here[id] = id;
    } else {
      std::array<NodeId, 4> children{};
      for (std::size_t k = 0; k < arity(node.op); ++k) children[k] = here[node.child[k]];
      here[id] = graph.make(node.op, std::span(children).first(arity(node.op)));
    }
  }
  return here[root];
}

void require_inside(const Graph& graph, const Domain& domain, const Shape& shape, const Region& region,
                    const std::string& block) {
  const std::vector<bool> needed = reachable(graph, std::array{region.root});
  for (NodeId id = 0; id < needed.size(); ++id) {
    if (!needed[id] || graph[id].op != Op::access) continue;
    const Operand& operand = domain.operands[static_cast<std::size_t>(graph[id].id)];
    for (std::size_t axis = operand.shape.repeated; axis < shape.axes; ++axis) {
      const std::int32_t at = region.box.begin[axis] + graph[id].shift[axis];
      if (domain.periodic[axis] || (at >= 0 && at < operand.shape.count[axis])) continue;
      const std::string& axis_name = domain.axis_names[axis];
      std::string message = "`" + block + "` reads `" + operand.name + "` with shift ";
      message += std::to_string(graph[id].shift[axis]);
      message += " on axis " + axis_name;
      message += ", which is outside at index " + std::to_string(region.box.begin[axis]);
      message += ": wrap it in where(at." + axis_name;
      message += graph[id].shift[axis] < 0 ? ".first" : ".last";
      message += ", ...) or declare the axis periodic";
      throw Error(ErrorCode::out_of_range, block, message);
    }
  }
}

/// True when both boxes, neighbours along `axis`, can be one: the same expression, wrapping alike.
bool alike(const Graph& graph, const Domain& domain, const Region& a, const Region& b, std::size_t axis) {
  if (a.root != b.root) return false;
  const std::vector<bool> needed = reachable(graph, std::array{a.root});
  for (NodeId id = 0; id < needed.size(); ++id) {
    if (!needed[id] || graph[id].op != Op::access) continue;
    const Shape& operand = domain.operands[static_cast<std::size_t>(graph[id].id)].shape;
    if (axis < operand.repeated) continue;
    const std::int32_t count = operand.count[axis];
    if (floor_divide(a.box.begin[axis] + graph[id].shift[axis], count) !=
        floor_divide(b.box.begin[axis] + graph[id].shift[axis], count)) {
      return false;
    }
  }
  return true;
}

/// Joins neighbours along `axis` that agree in all other axes.
void join(const Graph& graph, const Domain& domain, std::vector<Region>& regions, std::size_t axis) {
  const auto others_first = [axis](const Region& a, const Region& b) {
    for (std::size_t k = 0; k < max_axes; ++k) {
      if (k != axis && a.box.begin[k] != b.box.begin[k]) return a.box.begin[k] < b.box.begin[k];
    }
    for (std::size_t k = 0; k < max_axes; ++k) {
      if (k != axis && a.box.end[k] != b.box.end[k]) return a.box.end[k] < b.box.end[k];
    }
    return a.box.begin[axis] < b.box.begin[axis];
  };
  std::sort(regions.begin(), regions.end(), others_first);
  std::vector<Region> joined;
  for (const Region& region : regions) {
    if (!joined.empty()) {
      Region& last = joined.back();
      bool neighbours = last.box.end[axis] == region.box.begin[axis];
      for (std::size_t k = 0; k < max_axes; ++k) {
        if (k != axis) {
          neighbours = neighbours && last.box.begin[k] == region.box.begin[k] && last.box.end[k] == region.box.end[k];
        }
      }
      if (neighbours && alike(graph, domain, last, region, axis)) {
        last.box.end[axis] = region.box.end[axis];
        continue;
      }
    }
    joined.push_back(region);
  }
  regions = std::move(joined);
}

}  // namespace

std::vector<Region> make_regions(Graph& graph, const Domain& domain, const Shape& shape, NodeId root,
                                 const std::string& block) {
  const Cuts cuts = find_cuts(graph, domain, shape, reachable(graph, std::array{root}));
  std::vector<Region> regions;
  std::array<std::size_t, max_axes> which{};
  for (bool more = true; more;) {
    Region region;
    for (std::size_t axis = 0; axis < max_axes; ++axis) {
      const std::size_t k = which[axis];
      region.box.begin[axis] = cuts[axis][k];
      region.box.end[axis] =
          k + 1 < cuts[axis].size() ? cuts[axis][k + 1] : (axis < shape.axes ? shape.count[axis] : 1);
    }
    region.root = specialised(graph, root, region.box);
    require_inside(graph, domain, shape, region, block);
    regions.push_back(region);
    more = false;
    for (std::size_t axis = max_axes; axis-- > 0 && !more;) {
      more = ++which[axis] < cuts[axis].size();
      if (!more) which[axis] = 0;
    }
  }
  for (std::size_t axis = 0; axis < shape.axes; ++axis) join(graph, domain, regions, axis);
  std::stable_sort(regions.begin(), regions.end(), [&](const Region& a, const Region& b) {
    return a.box.points(shape.axes) > b.box.points(shape.axes);
  });
  return regions;
}

std::size_t resolve(const Shape& operand, const std::array<std::int32_t, max_axes>& at, const Shift& shift) noexcept {
  std::size_t flat = 0;
  for (std::size_t axis = operand.repeated; axis < operand.axes; ++axis) {
    const std::int32_t count = operand.count[axis];
    std::int32_t index = (at[axis] + shift[axis]) % count;
    if (index < 0) index += count;
    flat = flat * static_cast<std::size_t>(count) + static_cast<std::size_t>(index);
  }
  return flat;
}

std::ptrdiff_t distance(const Shape& operand, const Box& box, const Shift& shift) noexcept {
  if (operand.axes == 0) return 0;
  return static_cast<std::ptrdiff_t>(resolve(operand, box.begin, shift)) - operand.flat(box.begin);
}

}  // namespace dd::odil
