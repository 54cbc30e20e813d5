// Boundaries without masks: the grid is cut into boxes on which every static condition has one truth and every
// periodic access wraps in one way, and each box gets expressions of its own.
//
// Source: specs/odil-engine.md, section 1.5.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "odil/expression.hpp"
#include "odil/place.hpp"
#include "odil/shape.hpp"

namespace dd::odil {

/// Fields and arrays that expressions read.
struct Operand {
  std::string name;
  Shape shape;
  std::string location{};  ///< of fields: 'c' or 'n' for each axis
};

struct Domain {
  std::vector<std::string> axis_names;
  std::array<bool, max_axes> periodic{};
  std::vector<Operand> operands;
};

/// A box of points with the expression that holds there. Accesses keep the shifts they were written with; all points of
/// the box wrap in the same way.
struct Region {
  Box box;
  NodeId root = 0;
};

/// Cuts `shape` and specialises `root` to each box; boxes whose expression is the same are joined along an axis. The
/// first region is the largest. Throws Error(out_of_range, block) for an access that leaves an axis that is not
/// periodic, naming axis, shift and index.
std::vector<Region> make_regions(Graph& graph, const Domain& domain, const Shape& shape, NodeId root,
                                 const std::string& block);

}  // namespace dd::odil
