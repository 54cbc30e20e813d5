// Random problems, the same for the same seed: two fields, one array, two parameters, on grids of one to three axes of
// which some are periodic.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <span>
#include <vector>

#include "core/philox.hpp"
#include "odil/problem.hpp"

namespace dd::odil {

class Random {
 public:
  explicit Random(std::uint64_t seed) : stream_(seed, 0) {}
  double uniform(double low, double high) { return low + (high - low) * stream_.next_uniform(); }
  int below(int count) { return static_cast<int>(uniform(0, count)); }
  bool chance(double probability) { return uniform(0, 1) < probability; }

 private:
  dd::PhiloxStream stream_;
};

struct Case {
  std::unique_ptr<Problem> problem;
  Domain domain;
  std::vector<double> unknowns;
  std::vector<std::vector<double>> arrays;
};

inline Shape random_shape(Random& random) {
  Shape shape;
  shape.axes = static_cast<std::size_t>(1 + random.below(3));
  shape.count.fill(1);
  const int largest[] = {700, 40, 14};
  for (std::size_t axis = 0; axis < shape.axes; ++axis) {
    shape.count[axis] = random.chance(0.3) ? 2 + random.below(4) : 5 + random.below(largest[shape.axes - 1]);
  }
  return shape;
}

/// An access that stays inside: near edges of axes that are not periodic another expression takes its place.
inline NodeId guarded_access(Graph& graph, Random& random, const Shape& shape,
                             const std::array<bool, max_axes>& periodic) {
  Shift shift{};
  for (std::size_t axis = 0; axis < shape.axes; ++axis) {
    if (!random.chance(0.4)) continue;
    const std::int32_t count = shape.count[axis];
    shift[axis] = std::clamp(random.below(5) - 2, 1 - count, count - 1);
    if (periodic[axis] && random.chance(0.1)) shift[axis] = random.below(5 * count) - 2 * count;  // around and around
  }
  const std::int32_t operand = random.below(3);
  NodeId node = graph.access(operand, shift);
  for (std::size_t axis = 0; axis < shape.axes; ++axis) {
    if (periodic[axis] || shift[axis] == 0) continue;
    Shift inward = shift;
    inward[axis] = 0;
    // The other axes are still guarded by the conditions around this one.
    NodeId halo = graph.access(operand, Shift{});
    halo = graph.add(graph.multiply(graph.constant(1.5), halo), graph.constant(0.25));
    if (shift[axis] < 0) {
      node = graph.where_index(static_cast<std::int32_t>(axis), -shift[axis], halo, node);
    } else {
      node = graph.where_index(static_cast<std::int32_t>(axis), shape.count[axis] - shift[axis], node, halo);
    }
  }
  return node;
}

/// Keeps values moderate, so that the tolerance means something.
inline NodeId bounded(Graph& graph, NodeId node) { return graph.apply(Op::tanh, node); }

inline NodeId random_expression(Graph& graph, Random& random, const Shape& shape,
                                const std::array<bool, max_axes>& periodic, int operations) {
  std::vector<NodeId> pool;
  for (int k = 0; k < 5; ++k) pool.push_back(guarded_access(graph, random, shape, periodic));
  pool.push_back(graph.parameter(0));
  pool.push_back(graph.parameter(1));
  pool.push_back(graph.constant(random.uniform(-2, 2)));
  Shift along{};
  along[0] = random.below(3) - 1;
  pool.push_back(graph.multiply(graph.constant(0.1), graph.index(random.below(static_cast<int>(shape.axes)), along)));
  const auto any = [&] { return pool[static_cast<std::size_t>(random.below(static_cast<int>(pool.size())))]; };
  for (int k = 0; k < operations; ++k) {
    const NodeId a = any(), b = any();
    NodeId made = 0;
    switch (random.below(19)) {
      case 0:
      case 1:
      case 2:
        made = graph.add(graph.multiply(graph.constant(random.uniform(-2, 2)), a), b);
        break;
      case 3:
        made = graph.multiply(graph.parameter(random.below(2)), a);
        break;
      case 4:
        made = graph.multiply(a, b);
        break;
      case 5:
        made = graph.divide(a, graph.add(graph.constant(2), graph.multiply(b, b)));
        break;
      case 6:
        made = graph.make(Op::minimum, std::array{a, b});
        break;
      case 7:
        made = graph.make(Op::maximum, std::array{a, b});
        break;
      case 8:
        made = graph.apply(Op::absolute, a);
        break;
      case 9:
        made = graph.select_less(a, b, any(), any());
        break;
      case 10:
        made = graph.apply(Op::exp, bounded(graph, a));
        break;
      case 11:
        made = graph.apply(Op::log, graph.add(graph.constant(1.5), bounded(graph, a)));
        break;
      case 12:
        made = graph.apply(Op::sin, bounded(graph, a));
        break;
      case 13:
        made = graph.apply(Op::cos, bounded(graph, a));
        break;
      case 14:
        made = graph.apply(Op::sigmoid, a);
        break;
      case 15:
        made = graph.apply(Op::sqrt, graph.add(graph.constant(1), graph.multiply(a, a)));
        break;
      case 16:
        made = graph.make(Op::power, std::array{graph.add(graph.constant(1.5), bounded(graph, a)),
                                                graph.constant(random.chance(0.5) ? 3 : 1.7)});
        break;
      case 17:
        made = graph.subtract(a, b);
        break;
      default:
        made = graph.apply(Op::freeze, bounded(graph, a));
        break;
    }
    pool.push_back(random.chance(0.3) ? bounded(graph, made) : made);
  }
  NodeId root = bounded(graph, pool.back());
  // A block that depends on no unknown is refused.
  root = graph.add(root, graph.multiply(graph.constant(0.5), graph.access(0, Shift{})));
  if (random.chance(0.3)) {
    root = graph.where_index(0, 1 + random.below(2), graph.access(1, Shift{}), root);
  }
  return root;
}

inline Case random_case(std::uint64_t seed) {
  Random random(seed);
  ProblemDescription description;
  const Shape shape = random_shape(random);
  description.axis_names = {"t", "x", "y"};
  for (std::size_t axis = 0; axis < shape.axes; ++axis) description.periodic[axis] = random.chance(0.5);
  description.fields = {{"u", shape}, {"v", shape}};
  Shape array = shape;  // in some cases the same at all times, or on all planes
  array.repeated = static_cast<std::size_t>(random.below(static_cast<int>(shape.axes)));
  for (std::size_t axis = 0; axis < array.repeated; ++axis) array.count[axis] = 1;
  description.arrays = {{"a", array}};
  description.parameters = 2;
  const int blocks = 1 + random.below(2);
  for (int b = 0; b < blocks; ++b) {
    Shape points = shape;
    if (random.chance(0.3)) points.count[0] = 1 + random.below(shape.count[0]);  // not at all times
    const NodeId root =
        random_expression(description.graph, random, points, description.periodic, 3 + random.below(25));
    description.blocks.push_back({b == 0 ? "first" : "second", false, false, points, {root}});
  }
  if (random.chance(0.5)) {
    Graph& graph = description.graph;
    Shift where{};
    for (std::size_t axis = 0; axis < shape.axes; ++axis) where[axis] = random.below(shape.count[axis]);
    const NodeId root = graph.multiply(graph.parameter(1), graph.apply(Op::exp, graph.pick(1, where)));
    description.blocks.push_back({"numbers", true, false, {}, {root, graph.parameter(0)}});
  }
  Case result;
  result.domain.axis_names = description.axis_names;
  result.domain.periodic = description.periodic;
  result.domain.operands = {{"u", shape}, {"v", shape}, {"a", array}};
  result.problem = std::make_unique<Problem>(std::move(description));
  for (std::size_t k = 0; k < result.problem->unknowns(); ++k) result.unknowns.push_back(random.uniform(-1, 1));
  result.arrays.emplace_back();
  for (std::size_t k = 0; k < array.points(); ++k) result.arrays[0].push_back(random.uniform(-1, 1));
  result.problem->set_array(0, result.arrays[0]);
  return result;
}

/// Relative to 1 + |b|; infinite where one of them is NaN.
inline double largest_difference(std::span<const double> a, std::span<const double> b) {
  double worst = 0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    const double difference = std::fabs(a[k] - b[k]) / (1 + std::fabs(b[k]));
    worst = difference >= worst ? difference : std::isnan(difference) ? INFINITY : worst;
  }
  return worst;
}

}  // namespace dd::odil
