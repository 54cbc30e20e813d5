// Passes on block kernels against passes on rows: random residuals and all their derivatives at once, on the checking
// executor.
#include "odil/device_pass.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "core/error.hpp"
#include "odil/derivative.hpp"
#include "random_problem.hpp"

using namespace dd::odil;

namespace {

/// Every residual block of a case as a pass, and with `derivatives` a second output: its derivative by u at the point
/// itself.
template <class PassType>
PassType pass_of(Graph& graph, const Case& given, const BlockDescription& block, bool derivatives) {
  std::vector<RegionOutputs> regions;
  for (const Region& region : make_regions(graph, given.domain, block.shape, block.roots[0], block.name)) {
    RegionOutputs outputs{region.box, {{region.root, OutputKind::store}}, {{0, block.shape, {}}}};
    if (derivatives) {
      const NodeId here = graph.access(0, Shift{});
      for (const Adjoint& adjoint : reverse(graph, region.root, graph.constant(1), std::array{here})) {
        outputs.outputs.push_back({adjoint.value, OutputKind::accumulate});
        outputs.targets.push_back({1, block.shape, {}});
      }
    }
    regions.push_back(std::move(outputs));
  }
  return PassType(graph, given.domain, block.shape, std::move(regions));
}

}  // namespace

TEST_SUITE_BEGIN("odil");

TEST_CASE("passes on block kernels agree with passes on rows") {
  std::size_t most_registers = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    const Case given = random_case(seed);
    Graph graph = given.problem->description().graph;
    const std::size_t points = given.domain.operands[0].shape.points();
    const double* operands[] = {given.unknowns.data(), given.unknowns.data() + points, given.arrays[0].data()};
    for (const BlockDescription& block : given.problem->description().blocks) {
      if (block.scalar) continue;
      const auto device = pass_of<DevicePass>(graph, given, block, true);
      const auto rows = pass_of<Pass>(graph, given, block, true);
      std::vector<double> value(block.shape.points()), slope(block.shape.points(), 0.5);
      std::vector<double> value_on_device = value, slope_on_device = slope;
      const std::span<const double> parameters = std::span(given.unknowns).last(2);
      double* const targets[] = {value.data(), slope.data()};
      double* const device_targets[] = {value_on_device.data(), slope_on_device.data()};
      rows.run<double>({operands, targets, parameters, {}}, 1);
      dd::HostLauncher launcher(seed % 2 == 0 ? dd::HostExecutor::checking : dd::HostExecutor::threaded, seed);
      device.run<double>(launcher, {operands, device_targets, parameters, {}});
      REQUIRE(largest_difference(value_on_device, value) < 1e-12);
      REQUIRE(largest_difference(slope_on_device, slope) < 1e-11);
      most_registers = std::max(most_registers, device.registers());
    }
  }
  // Otherwise only the smallest variant of the kernel was tried.
  CHECK(most_registers > ProgramBlockFew<double>::registers_held);
}

TEST_CASE("programs of many registers run on the variants that hold them; more than any holds is refused") {
  const Shape shape{1, {40, 1, 1, 1, 1}};
  const Domain domain{.axis_names = {"x"}, .periodic = {true}, .operands = {{"u", shape}}};
  const auto pass_with = [&](int values) {
    Graph graph;
    // All made before the first is used: |u| - 1, |u| - 2, ..., then their product from the last one on.
    std::vector<NodeId> made;
    for (int k = 0; k < values; ++k) {
      const NodeId shifted = graph.add(graph.access(0, Shift{}), graph.constant(k + 1.5));
      made.push_back(graph.apply(Op::sqrt, shifted));
    }
    NodeId product = made.back();
    for (std::size_t k = made.size() - 1; k-- > 0;) product = graph.multiply(product, made[k]);
    return DevicePass(graph, domain, shape,
                      {{{{}, {40, 1, 1, 1, 1}}, {{product, OutputKind::store}}, {{0, shape, {}}}}});
  };
  std::vector<double> u(40), result(40);
  for (std::size_t i = 0; i < u.size(); ++i) u[i] = 0.1 * static_cast<double>(i);
  const double* operands[] = {u.data()};
  double* const targets[] = {result.data()};
  for (const int values : {2, 9, 30, 100}) {
    CAPTURE(values);
    const DevicePass pass = pass_with(values);
    CHECK(pass.registers() >= static_cast<std::size_t>(values));
    dd::HostLauncher launcher(dd::HostExecutor::checking, 1);
    pass.run<double>(launcher, {operands, targets, {}, {}});
    for (std::size_t i = 0; i < u.size(); ++i) {
      double expected = 1;
      for (int k = values; k-- > 0;) expected *= std::sqrt(u[i] + k + 1.5);
      REQUIRE(result[i] == doctest::Approx(expected).epsilon(1e-12));
    }
  }
  CHECK_THROWS_WITH_AS(pass_with(200), doctest::Contains("registers"), dd::Error);
}

TEST_CASE("outputs that points would have to add up together are refused on a device") {
  const Shape shape{1, {8, 1, 1, 1, 1}};
  const Domain domain{.axis_names = {"x"}, .periodic = {true}, .operands = {{"u", shape}}};
  Graph graph;
  const Output sum{graph.access(0, Shift{}), OutputKind::sum}, added{graph.access(0, Shift{}), OutputKind::accumulate};
  const Box box{{}, {8, 1, 1, 1, 1}};
  CHECK_THROWS_AS(DevicePass(graph, domain, shape, {{box, {sum}, {{0, shape, {}}}}}), dd::Error);
  CHECK_THROWS_AS(DevicePass(graph, domain, shape, {{box, {added, added}, {{0, shape, {}}, {0, shape, Shift{1}}}}}),
                  dd::Error);
}

TEST_SUITE_END();
