// Small time-dependent problems, one for each way a row of time can be solved.
#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "odil/problem.hpp"
#include "odil/row_solver.hpp"

namespace dd::odil {

struct EvolutionCase {
  std::string name;
  RowMethod method;
  std::unique_ptr<Problem> (*make)();
};

/// Writes expressions on a grid with time as axis 0.
struct EvolutionBuilder {
  ProblemDescription description;
  Graph& graph = description.graph;
  Shape shape;

  EvolutionBuilder(std::vector<std::int32_t> counts, bool periodic) {
    const char* const names[] = {"t", "x", "y", "z"};
    shape.axes = counts.size();
    shape.count.fill(1);
    for (std::size_t axis = 0; axis < counts.size(); ++axis) {
      shape.count[axis] = counts[axis];
      description.axis_names.emplace_back(names[axis]);
      description.periodic[axis] = periodic && axis > 0;
    }
    description.fields = {{"u", shape}};
  }
  NodeId u(Shift shift = {}) { return graph.access(0, shift); }
  NodeId number(double value) { return graph.constant(value); }
  NodeId initial(NodeId first, NodeId later) { return graph.where_index(0, 1, first, later); }
  /// The neighbour along `axis`, or the point itself at a wall.
  NodeId neighbour(std::int32_t axis, std::int32_t step, Shift at) {
    Shift moved = at;
    moved[static_cast<std::size_t>(axis)] += step;
    const std::int32_t count = shape.count[static_cast<std::size_t>(axis)];
    if (description.periodic[static_cast<std::size_t>(axis)]) return u(moved);
    return step < 0 ? graph.where_index(axis, 1, u(at), u(moved)) : graph.where_index(axis, count - 1, u(moved), u(at));
  }
  NodeId laplacian(Shift at) {
    NodeId total = number(0);
    for (std::int32_t axis = 1; axis < static_cast<std::int32_t>(shape.axes); ++axis) {
      const NodeId pair = graph.add(neighbour(axis, -1, at), neighbour(axis, 1, at));
      total = graph.add(total, graph.subtract(pair, graph.multiply(number(2), u(at))));
    }
    return total;
  }
  void block(const std::string& name, NodeId root) {
    description.blocks.push_back({name, false, false, shape, {root}});
  }
  std::unique_ptr<Problem> finish() { return std::make_unique<Problem>(std::move(description)); }
};

/// (1 + u^2)-dependent diffusion and growth with a parameter: u - before - scale (1 + c u^2) lap u - k u (1 - u).
inline void add_diffusion(EvolutionBuilder& b, double scale, NodeId growth) {
  Graph& g = b.graph;
  const NodeId u = b.u(), before = b.u(Shift{-1});
  const NodeId spread = g.multiply(b.number(scale), g.multiply(g.add(b.number(1), g.multiply(u, u)), b.laplacian({})));
  const NodeId logistic = g.multiply(g.multiply(b.number(0.1), growth), g.multiply(u, g.subtract(b.number(1), u)));
  const NodeId position = g.multiply(b.number(0.05), g.index(1, {}));
  b.block("diffusion", b.initial(g.subtract(u, g.apply(Op::sin, position)),
                                 g.subtract(g.subtract(u, before), g.add(spread, logistic))));
}

inline std::unique_ptr<Problem> diffusion_on_a_line() {
  EvolutionBuilder b({6, 17}, false);
  b.description.parameters = 1;
  add_diffusion(b, 0.8, b.graph.parameter(0));
  return b.finish();
}
inline std::unique_ptr<Problem> diffusion_in_space() {
  EvolutionBuilder b({5, 7, 6, 9}, false);
  b.description.parameters = 1;
  add_diffusion(b, 0.1, b.graph.parameter(0));
  return b.finish();
}
inline std::unique_ptr<Problem> diffusion_on_a_torus() {
  EvolutionBuilder b({4, 8, 5}, true);
  add_diffusion(b, 0.1, b.number(1));
  return b.finish();
}
inline std::unique_ptr<Problem> fast_diffusion_in_a_plane() {
  EvolutionBuilder b({4, 8, 9}, false);
  add_diffusion(b, 5, b.number(1));
  return b.finish();
}
/// Diffusion through a medium that is the same at all times and known as an array, with two unknown properties: what
/// depends on them and on the array alone is taken out of the programs of rows.
inline std::unique_ptr<Problem> diffusion_through_a_medium() {
  EvolutionBuilder b({5, 6, 11}, true);
  Graph& g = b.graph;
  b.description.parameters = 2;
  Shape row = b.shape;
  row.repeated = 1;
  row.count[0] = 1;
  b.description.arrays = {{"medium", row}};
  const auto medium = [&](Shift at) {
    const NodeId k = g.access(1, at);
    return g.add(g.multiply(g.parameter(0), k), g.divide(g.multiply(k, k), g.parameter(1)));
  };
  const auto flux = [&](Shift at, Shift up) {
    return g.multiply(g.add(medium(at), medium(up)), g.subtract(b.u(up), b.u(at)));
  };
  const auto spread = [&](std::int32_t time) {
    const NodeId x =
        g.subtract(flux(Shift{time, 0, 0}, Shift{time, 1, 0}), flux(Shift{time, -1, 0}, Shift{time, 0, 0}));
    const NodeId y =
        g.subtract(flux(Shift{time, 0, 0}, Shift{time, 0, 1}), flux(Shift{time, 0, -1}, Shift{time, 0, 0}));
    return g.add(x, y);
  };
  const NodeId cubic = g.multiply(medium(Shift{}), g.multiply(b.u(), g.multiply(b.u(), b.u())));
  const NodeId change =
      g.subtract(g.subtract(b.u(), b.u(Shift{-1})), g.multiply(b.number(0.05), g.add(spread(0), spread(-1))));
  b.block("medium", b.initial(g.subtract(b.u(), medium(Shift{})), g.add(change, cubic)));
  auto problem = b.finish();
  std::vector<double> values(66);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.4 + 0.3 * std::sin(static_cast<double>(i));
  problem->set_array(0, values);
  return problem;
}
/// Linear advection around a ring, Crank-Nicolson: no diagonal dominance.
inline std::unique_ptr<Problem> advection_around_a_ring() {
  EvolutionBuilder b({6, 12}, true);
  Graph& g = b.graph;
  const auto slope = [&](std::int32_t time) { return g.subtract(b.u(Shift{time, 1}), b.u(Shift{time, -1})); };
  const NodeId change = g.add(g.subtract(b.u(), b.u(Shift{-1})), g.multiply(b.number(1.3), g.add(slope(0), slope(-1))));
  b.block("advection", b.initial(g.subtract(b.u(), g.apply(Op::cos, g.index(1, {}))), change));
  return b.finish();
}
/// Leapfrog: explicit, two earlier rows, its initial values in a block of their own.
inline std::unique_ptr<Problem> explicit_wave() {
  EvolutionBuilder b({8, 11}, false);
  Graph& g = b.graph;
  const NodeId one = b.u(Shift{-1});
  const NodeId before = g.where_index(0, 2, one, b.u(Shift{-2}));
  const NodeId wave = g.subtract(g.add(g.subtract(b.u(), g.multiply(b.number(2), one)), before),
                                 g.multiply(b.number(0.4), b.laplacian(Shift{-1})));
  b.block("wave", b.initial(b.number(0), wave));
  b.block("start", b.initial(g.subtract(b.u(), g.apply(Op::sin, g.index(1, {}))), b.number(0)));
  return b.finish();
}

inline std::vector<EvolutionCase> evolution_cases() {
  return {{"diffusion on a line", RowMethod::thomas, diffusion_on_a_line},
          {"diffusion in space", RowMethod::sweeps, diffusion_in_space},
          {"diffusion on a torus", RowMethod::sweeps, diffusion_on_a_torus},
          {"diffusion through a medium", RowMethod::sweeps, diffusion_through_a_medium},
          {"fast diffusion in a plane", RowMethod::lu, fast_diffusion_in_a_plane},
          {"advection around a ring", RowMethod::lu, advection_around_a_ring},
          {"explicit wave", RowMethod::diagonal, explicit_wave}};
}

/// Laplace's equation along x alone: rows know nothing of each other.
inline std::unique_ptr<Problem> steady_problem() {
  EvolutionBuilder b({6, 5}, false);
  b.block("laplace", b.graph.subtract(b.laplacian({}), b.u()));
  return b.finish();
}

inline std::unique_ptr<Problem> problem_without_initial_values() {
  EvolutionBuilder b({6, 5}, false);
  b.block("decay", b.initial(b.number(0), b.graph.subtract(b.u(), b.u(Shift{-1}))));
  return b.finish();
}

/// u = before^2 1e60 from 1e30: infinite after a few rows.
inline std::unique_ptr<Problem> exploding_problem() {
  EvolutionBuilder b({6, 4}, false);
  Graph& g = b.graph;
  const NodeId before = b.u(Shift{-1});
  const NodeId next = g.multiply(b.number(1e60), g.multiply(before, before));
  b.block("growth", b.initial(g.subtract(b.u(), b.number(1e30)), g.subtract(b.u(), next)));
  return b.finish();
}

}  // namespace dd::odil
