// Registration of compiled programs: stencils of the problems that are there, and an expression that uses every
// instruction, evaluated at all points by the row interpreter, by the block kernels and node by node.
#include "odil/program_kernels.hpp"

#include <array>
#include <limits>

#include "odil/device_pass.hpp"
#include "odil/reference.hpp"

namespace dd::odil {
namespace {

constexpr double parameter = 0.7;  // of every expression

/// An expression of u (operand 0), a (operand 1) and one parameter, on a grid of three axes that all wrap.
struct Sample {
  Graph graph;
  Domain domain;
  Shape shape;
  NodeId root = 0;

  explicit Sample(const KernelSize& size) : shape{3, {}} {
    shape.count.fill(1);
    for (std::size_t axis = 0; axis < 3; ++axis) shape.count[axis] = static_cast<std::int32_t>(size[axis + 1]);
    Shape steady = shape;  // the same at all times
    steady.repeated = 1;
    steady.count[0] = 1;
    domain = {.axis_names = {"t", "x", "y"}, .periodic = {true, true, true}, .operands = {{"u", shape}, {"a", steady}}};
    constexpr std::array make{&Sample::wave,         &Sample::laplacian,
                              &Sample::heat,         &Sample::all_instructions,
                              &Sample::some_at_once, &Sample::very_many_at_once};
    root = (this->*make[size[0]])();
  }

  NodeId u(std::int32_t t, std::int32_t x, std::int32_t y) { return graph.access(0, Shift{t, x, y}); }
  NodeId a(std::int32_t x, std::int32_t y) { return graph.access(1, Shift{0, x, y}); }
  NodeId times(double factor, NodeId node) { return graph.multiply(graph.constant(factor), node); }
  NodeId second_difference(std::int32_t t) {
    const NodeId sides = graph.add(graph.add(u(t, -1, 0), u(t, 1, 0)), graph.add(u(t, 0, -1), u(t, 0, 1)));
    return graph.add(sides, times(-4, u(t, 0, 0)));
  }

  /// One instruction: three levels in time.
  NodeId wave() {
    const NodeId acceleration = graph.add(graph.add(u(-1, 0, 0), times(-2, u(0, 0, 0))), u(1, 0, 0));
    return graph.subtract(acceleration,
                          times(0.25, graph.add(u(0, -1, 0), graph.add(u(0, 1, 0), times(-2, u(0, 0, 0))))));
  }
  /// Seven points, with walls along x and y.
  NodeId laplacian() {
    const NodeId inside = graph.subtract(graph.add(second_difference(0), graph.add(u(-1, 0, 0), u(1, 0, 0))), a(0, 0));
    const NodeId below = graph.where_index(1, 1, times(2, u(0, 0, 0)), inside);
    return graph.where_index(2, shape.count[2] - 1, below, times(3, u(0, 0, 0)));
  }
  /// Conductivity exp(-(u - p)^2 / 2) on both faces.
  NodeId heat() {
    const auto flux = [&](std::int32_t left, std::int32_t right) {
      const NodeId centre = graph.subtract(times(0.5, graph.add(u(0, 0, left), u(0, 0, right))), graph.parameter(0));
      const NodeId conductivity = graph.apply(Op::exp, times(-0.5, graph.multiply(centre, centre)));
      return graph.multiply(conductivity, graph.subtract(u(0, 0, right), u(0, 0, left)));
    };
    return graph.subtract(graph.subtract(u(0, 0, 0), u(-1, 0, 0)), graph.subtract(flux(0, 1), flux(-1, 0)));
  }
  NodeId all_instructions() {
    const NodeId here = u(0, 0, 0), other = u(0, 1, -1), known = a(0, 0);
    NodeId sum = graph.multiply(graph.parameter(0), here);
    for (const Op op : {Op::absolute, Op::sign, Op::exp, Op::sin, Op::cos, Op::tanh, Op::sigmoid}) {
      sum = graph.add(sum, graph.multiply(known, graph.apply(op, here)));
    }
    for (const Op op : {Op::log, Op::sqrt}) sum = graph.add(sum, graph.apply(op, known));
    for (const Op op : {Op::minimum, Op::maximum, Op::divide}) {
      sum = graph.add(sum, graph.make(op, std::array{here, known}));
    }
    sum = graph.add(sum, graph.make(Op::power, std::array{known, here}));
    sum = graph.add(sum, graph.select_less(here, other, graph.multiply(other, other), known));
    sum = graph.add(sum, graph.multiply(graph.index(1, Shift{0, 2, 0}), graph.apply(Op::freeze, known)));
    sum = graph.add(sum, graph.where_index(0, 1, graph.parameter(0), graph.apply(Op::exp, graph.parameter(0))));
    for (std::int32_t y = 0; y < 10; ++y) sum = graph.add(sum, times(0.1 * (y + 1), u(1, -1, y)));  // more than fit one
    return sum;
  }

  /// The first value is needed last, so that all of them take registers.
  NodeId at_once(std::size_t count) {
    std::vector<NodeId> values;
    for (std::size_t k = 0; k < count; ++k) {
      values.push_back(graph.apply(Op::cos, times(1 + static_cast<double>(k), u(0, 0, 0))));
    }
    NodeId product = values.back();
    for (std::size_t k = count - 1; k-- > 0;)
      product = graph.multiply(times(0.5, values[k]), graph.add(product, values[k]));
    return product;
  }
  NodeId some_at_once() { return at_once(30); }
  NodeId very_many_at_once() { return at_once(100); }

  std::vector<RegionOutputs> outputs() {
    std::vector<RegionOutputs> result;
    for (const Region& region : make_regions(graph, domain, shape, root, "sample")) {
      result.push_back({region.box, {{region.root, OutputKind::store}}, {{0, shape, {}}}});
    }
    return result;
  }
};

template <class T>
struct ProgramKernel {
  static constexpr std::string_view name = sizeof(T) == 4 ? "odil.program.float32" : "odil.program.float64";
  static constexpr std::string_view formula = "F_i = f(u at i and its neighbours, a, p)";
  static constexpr std::array<std::string_view, 4> size_names{"expression", "cells0", "cells1", "cells2"};
  static constexpr double eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  // Some thirty terms of size one in the longest sum.
  static constexpr Tolerance tolerance{.relative = 16 * eps, .absolute = 128 * eps};

  static std::vector<KernelSize> test_sizes() {
    std::vector<KernelSize> sizes{{{1, 2, 3, 700}}, {{2, 1, 1, 1031}}, {{4, 2, 1, 33}}, {{5, 2, 1, 33}}};
    for (std::size_t expression = 0; expression < 4; ++expression) {
      sizes.push_back({{expression, 1, 1, 1}});
      sizes.push_back({{expression, 3, 4, 17}});
      sizes.push_back({{expression, 5, 9, 33}});
    }
    return sizes;
  }
  static std::vector<KernelSize> benchmark_sizes() {
    return {{{0, 512, 1, 512}}, {{1, 96, 96, 96}}, {{2, 512, 1, 512}}, {{3, 64, 64, 64}}};
  }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    const std::size_t plane = size[2] * size[3];
    return {{"u", data_type_of<T>(), BufferRole::input, size[1] * plane},
            {"a", data_type_of<T>(), BufferRole::input, plane},
            {"residual", data_type_of<T>(), BufferRole::output, size[1] * plane}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    for (T& u : workload.buffer<T>("u")) u = static_cast<T>(2 * random.next_uniform() - 1);
    for (T& a : workload.buffer<T>("a")) a = static_cast<T>(random.next_uniform() + 0.5);
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    const Sample sample(size);
    const auto wide = [&](std::size_t buffer, std::size_t count) {
      const T* values = static_cast<const T*>(buffers[buffer]);
      return std::vector<double>(values, values + count);
    };
    const std::size_t points = sample.shape.points();
    const std::vector<double> u = wide(0, points), a = wide(1, points / size[1]);
    const std::span<const double> operands[] = {u, a};
    for (std::size_t point = 0; point < points; ++point) {
      static_cast<T*>(buffers[2])[point] = static_cast<T>(reference::value_at<double>(
          sample.graph, sample.root, sample.domain, sample.shape.index(point), operands, std::array{parameter}));
    }
  }
  template <class Run>
  static void run(std::span<void* const> buffers, Run run) {
    const T* const operands[] = {static_cast<const T*>(buffers[0]), static_cast<const T*>(buffers[1])};
    T* const targets[] = {static_cast<T*>(buffers[2])};
    run(Arrays<T>{operands, targets, std::span(&parameter, 1), {}});
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    Sample sample(size);
    const Pass pass(sample.graph, sample.domain, sample.shape, sample.outputs());
    run(buffers, [&](const Arrays<T>& arrays) { pass.run<T>(arrays, threads); });
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    Sample sample(size);
    const DevicePass pass(sample.graph, sample.domain, sample.shape, sample.outputs());
    run(buffers, [&](const Arrays<T>& arrays) { pass.run<T>(launcher, arrays); });
  }
  /// Counted by hand; an elementary function as one.
  static double flops(const KernelSize& size) {
    constexpr std::array per_point{11.0, 14.0, 15.0, 50.0, 150.0, 500.0};
    return per_point[size[0]] * static_cast<double>(size[1] * size[2] * size[3]);
  }
  static double bytes(const KernelSize& size) {
    return sizeof(T) * static_cast<double>((2 * size[1] + 1) * size[2] * size[3]);
  }
};

constexpr std::array entries{kernel_entry<ProgramKernel<float>>(), kernel_entry<ProgramKernel<double>>()};

}  // namespace

std::span<const KernelEntry> program_kernels() noexcept { return entries; }

}  // namespace dd::odil
