// Random programs on random grids, against complex steps of the point-by-point reference: values, products with the
// Jacobian and its transpose, the Jacobian itself, for any number of threads.
#include "odil/problem.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "odil/reference.hpp"
#include "random_problem.hpp"

using namespace dd::odil;
using Complex = std::complex<double>;

namespace {

/// Residuals by the reference; with a direction, their derivative along it.
std::vector<double> by_reference(const Case& given, const std::vector<double>* direction) {
  constexpr double step = 1e-100;
  const ProblemDescription& description = given.problem->description();
  std::vector<Complex> unknowns(given.unknowns.begin(), given.unknowns.end());
  if (direction != nullptr) {
    for (std::size_t k = 0; k < unknowns.size(); ++k) unknowns[k] += Complex(0, step * (*direction)[k]);
  }
  const std::vector<Complex> array(given.arrays[0].begin(), given.arrays[0].end());
  const std::size_t points = description.fields[0].shape.points();
  const std::span<const Complex> operands[] = {std::span(unknowns).first(points),
                                               std::span(unknowns).subspan(points, points), array};
  const std::span<const Complex> parameters = std::span(unknowns).last(2);
  std::vector<double> result;
  const auto push = [&](NodeId root, const std::array<std::int32_t, max_axes>& at) {
    const Complex value = reference::value_at<Complex>(description.graph, root, given.domain, at, operands, parameters);
    result.push_back(direction == nullptr ? value.real() : value.imag() / step);
  };
  for (const BlockDescription& block : description.blocks) {
    if (block.scalar) {
      for (const NodeId root : block.roots) push(root, {});
      continue;
    }
    Box all;
    all.end.fill(1);
    for (std::size_t axis = 0; axis < block.shape.axes; ++axis) all.end[axis] = block.shape.count[axis];
    for_each_run(block.shape, all, [&](std::size_t, std::array<std::int32_t, max_axes> at) {
      const std::size_t last = block.shape.axes - 1;
      for (; at[last] < block.shape.count[last]; ++at[last]) push(block.roots[0], at);
    });
  }
  return result;
}

}  // namespace

TEST_SUITE_BEGIN("odil");

TEST_CASE("random programs: values, products and Jacobians agree with complex steps") {
  double worst_value = 0, worst_product = 0, worst_transposed = 0, worst_matrix = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    const Case given = random_case(seed);
    const Problem& problem = *given.problem;
    Random random(seed + 1'000'000);
    std::vector<double> direction(problem.unknowns()), weights(problem.residuals());
    for (double& x : direction) x = random.uniform(-1, 1);
    for (double& x : weights) x = random.uniform(-1, 1);

    const std::vector<double> value = by_reference(given, nullptr), slope = by_reference(given, &direction);
    std::vector<double> residuals(problem.residuals()), product(problem.residuals());
    problem.evaluate<double>(given.unknowns, residuals, 1);
    problem.product<double>(given.unknowns, direction, product, 1);
    worst_value = std::max(worst_value, largest_difference(residuals, value));
    worst_product = std::max(worst_product, largest_difference(product, slope));

    // <w, J v> = <J^T w, v>, and J^T w entry by entry against the matrix.
    std::vector<double> transposed(problem.unknowns(), 0), from_matrix(problem.unknowns(), 0);
    problem.add_transposed_product<double>(given.unknowns, weights, transposed, 1);
    dd::linalg::SparseMatrix matrix = problem.pattern();
    problem.jacobian(given.unknowns, matrix, 1);
    std::vector<double> by_rows(problem.residuals(), 0);
    for (std::size_t r = 0; r < matrix.pattern.rows; ++r) {
      for (std::size_t k = matrix.pattern.starts[r]; k < matrix.pattern.starts[r + 1]; ++k) {
        const auto column = static_cast<std::size_t>(matrix.pattern.indices[k]);
        by_rows[r] += matrix.values[k] * direction[column];
        from_matrix[column] += matrix.values[k] * weights[r];
      }
    }
    worst_matrix = std::max(worst_matrix, largest_difference(by_rows, slope));
    worst_transposed = std::max(worst_transposed, largest_difference(transposed, from_matrix));
    REQUIRE(worst_value < 1e-12);
    REQUIRE(worst_product < 1e-11);
    REQUIRE(worst_matrix < 1e-11);
    REQUIRE(worst_transposed < 1e-11);

    std::vector<double> again(problem.unknowns(), 0), residuals_again(problem.residuals());
    problem.add_transposed_product<double>(given.unknowns, weights, again, 7);
    problem.evaluate<double>(given.unknowns, residuals_again, 3);
    REQUIRE(again == transposed);
    REQUIRE(residuals_again == residuals);
  }
  MESSAGE("values " << worst_value << ", J v " << worst_product << ", J " << worst_matrix << ", J^T w "
                    << worst_transposed);
}

TEST_CASE("float32 agrees with float64 to its precision") {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    const Case given = random_case(seed);
    const Problem& problem = *given.problem;
    const std::vector<float> unknowns(given.unknowns.begin(), given.unknowns.end());
    std::vector<float> residuals(problem.residuals());
    problem.evaluate<float>(unknowns, residuals, 2);
    std::vector<double> exact(problem.residuals());
    const std::vector<double> rounded(unknowns.begin(), unknowns.end());
    problem.evaluate<double>(rounded, exact, 1);
    // Comparisons of values that differ by a rounding may fall to either side.
    std::size_t far = 0;
    for (std::size_t k = 0; k < exact.size(); ++k) {
      if (!(std::fabs(static_cast<double>(residuals[k]) - exact[k]) < 2e-4 * (1 + std::fabs(exact[k])))) ++far;
    }
    CHECK(far * 200 <= exact.size());
  }
}

TEST_CASE("what an expression would be where it does not hold never reaches the gradient") {
  // Along a row u grows, from the last point of a row to the first of the next it falls: there the root is NaN.
  ProblemDescription description;
  description.axis_names = {"x", "y"};
  const Shape shape{2, {9, 40, 1, 1, 1}};
  description.fields = {{"u", shape}};
  Graph& graph = description.graph;
  const NodeId step = graph.subtract(graph.access(0, Shift{0, 1}), graph.access(0, Shift{}));
  const NodeId root = graph.where_index(1, 39, graph.apply(Op::sqrt, step), graph.constant(0));
  description.blocks.push_back({"slope", false, false, shape, {root}});
  const Problem problem(std::move(description));
  std::vector<double> unknowns(problem.unknowns()), residuals(problem.residuals()), gradient(problem.unknowns());
  for (std::size_t k = 0; k < unknowns.size(); ++k) {
    unknowns[k] = 0.5 * static_cast<double>(k % 40) - static_cast<double>(k / 40);
  }
  const double loss = problem.gradient<double>(unknowns, residuals, gradient, Normalization::sum, 1);
  CHECK(loss == doctest::Approx(9 * 39 * 0.5));
  for (std::size_t k = 0; k < gradient.size(); ++k) {
    CAPTURE(k);
    CHECK(gradient[k] == doctest::Approx(k % 40 == 0 ? -1 : k % 40 == 39 ? 1 : 0));
  }
}

TEST_CASE("fluxes that neighbours share have the derivatives of the Jacobian") {
  for (const bool periodic : {false, true}) {
    CAPTURE(periodic);
    ProblemDescription description;
    description.axis_names = {"t", "x"};
    description.periodic[1] = periodic;
    const Shape shape{2, {9, 40, 1, 1, 1}};
    description.fields = {{"u", shape}, {"v", shape}};
    description.parameters = 1;
    Graph& g = description.graph;
    const auto flux = [&](std::int32_t x) {  // p exp(-(u + u before)^2) (u_right - u) / (2 + v^2)
      const NodeId u = g.access(0, Shift{0, x}), v = g.access(1, Shift{0, x});
      const NodeId sum = g.add(u, g.access(0, Shift{-1, x}));
      const NodeId size = g.multiply(g.parameter(0), g.apply(Op::exp, g.negate(g.multiply(sum, sum))));
      const NodeId rise = g.subtract(g.access(0, Shift{0, x + 1}), u);
      return g.divide(g.multiply(size, rise), g.add(g.constant(2), g.multiply(v, v)));
    };
    const NodeId u = g.access(0, Shift{}), v = g.access(1, Shift{});
    const NodeId spread = g.subtract(g.multiply(g.constant(3), flux(0)), g.multiply(g.constant(2), flux(-1)));
    NodeId root = g.add(g.subtract(u, spread), g.multiply(v, g.access(0, Shift{-1})));
    if (!periodic) root = g.where_index(1, 1, v, g.where_index(1, 39, root, u));
    description.blocks.push_back({"balance", false, false, shape, {g.where_index(0, 1, u, root)}});
    const Problem problem(std::move(description));
    Random random(7);
    std::vector<double> unknowns(problem.unknowns()), weights(problem.residuals());
    for (double& value : unknowns) value = random.uniform(-1, 1);
    for (double& value : weights) value = random.uniform(-1, 1);
    auto jacobian = problem.pattern();
    problem.jacobian(unknowns, jacobian, 1);
    std::vector<double> expected(unknowns.size(), 0), found(unknowns.size(), 0), shared(unknowns.size(), 0);
    for (std::size_t r = 0; r < weights.size(); ++r) {
      for (std::size_t k = jacobian.pattern.starts[r]; k < jacobian.pattern.starts[r + 1]; ++k) {
        expected[jacobian.pattern.indices[k]] += jacobian.values[k] * weights[r];
      }
    }
    problem.add_transposed_product<double>(unknowns, weights, found, 1);
    problem.add_transposed_product<double>(unknowns, weights, shared, 3);
    CHECK(found == shared);
    for (std::size_t k = 0; k < found.size(); ++k) CHECK(found[k] == doctest::Approx(expected[k]).epsilon(1e-12));
  }
}

TEST_CASE("roots at both faces of a cell that do not exist across the end of a row never reach the gradient") {
  ProblemDescription description;
  description.axis_names = {"x", "y"};
  const Shape shape{2, {9, 40, 1, 1, 1}};
  description.fields = {{"u", shape}};
  Graph& graph = description.graph;
  const auto face = [&](std::int32_t y) {
    return graph.apply(Op::sqrt, graph.subtract(graph.access(0, Shift{0, y + 1}), graph.access(0, Shift{0, y})));
  };
  const NodeId root = graph.where_index(1, 1, graph.constant(0),
                                        graph.where_index(1, 39, graph.add(face(0), face(-1)), graph.constant(0)));
  description.blocks.push_back({"slope", false, false, shape, {root}});
  const Problem problem(std::move(description));
  std::vector<double> unknowns(problem.unknowns()), residuals(problem.residuals()), gradient(problem.unknowns());
  for (std::size_t k = 0; k < unknowns.size(); ++k) {
    unknowns[k] = 0.25 * static_cast<double>(k % 40) - static_cast<double>(k / 40);
  }
  problem.gradient<double>(unknowns, residuals, gradient, Normalization::sum, 1);
  for (std::size_t k = 0; k < gradient.size(); ++k) {  // 2 F dF/du, F = 1, each root with slope 1
    CAPTURE(k);
    const std::size_t y = k % 40;
    CHECK(gradient[k] == doctest::Approx(y < 2 ? -2 : y > 37 ? 2 : 0));
  }
}

TEST_CASE("an access that leaves an axis names the axis, the shift and the remedy") {
  ProblemDescription description;
  description.axis_names = {"x"};
  const Shape shape{1, {8, 1, 1, 1, 1}};
  description.fields = {{"u", shape}};
  const NodeId root = description.graph.access(0, Shift{-1});
  description.blocks.push_back({"pde", false, false, shape, {root}});
  try {
    const Problem problem(std::move(description));
    FAIL("must throw");
  } catch (const dd::Error& error) {
    CHECK(error.code() == dd::ErrorCode::out_of_range);
    CHECK(std::string(error.what()).find("shift -1 on axis x, which is outside at index 0") != std::string::npos);
  }
}

TEST_SUITE_END();
