// Residuals and gradients of odil's compiled programs against loops written by hand for the machine, in turn in the
// same run. CPU time of one thread. One JSON object per case on standard output.
//
//   dd_bench_odil [--samples=9] [--quick] [--only=heat|wave|poisson]
//
// A residual's peers are hand loops, its `maxDifference` the largest relative one between the two. A gradient's peer is
// the residual of the same problem. Rates count the fields read and the residuals written, once each.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "core/isa.hpp"
#include "core/philox.hpp"
#include "odil/problem.hpp"
#include "odil_hand_loops.hpp"
#include "options.hpp"

namespace dd::bench {
namespace {

using namespace odil;

constexpr double sample_seconds = 2e-3;  // a sample repeats the call until it lasts about so long

struct Contestant {
  std::string name;
  std::function<void()> call;
  std::size_t repetitions = 1;
  std::vector<double> seconds{};
};

double percentile(std::vector<double> values, double fraction) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(fraction * static_cast<double>(values.size() - 1) + 0.5)];
}

double seconds_of(const Contestant& one) {
  const double start = thread_cpu_seconds();
  for (std::size_t k = 0; k < one.repetitions; ++k) one.call();
  return (thread_cpu_seconds() - start) / static_cast<double>(one.repetitions);
}

void compete(std::vector<Contestant>& contestants, std::size_t samples) {
  for (Contestant& one : contestants) {
    one.call();
    while (seconds_of(one) * static_cast<double>(one.repetitions) < sample_seconds) one.repetitions *= 2;
  }
  for (std::size_t sample = 0; sample < samples; ++sample) {
    for (Contestant& one : contestants) one.seconds.push_back(seconds_of(one));
  }
}

struct Case {
  std::string name;
  std::vector<std::size_t> sizes;
  ProblemDescription description;
  std::vector<double> array;  ///< initial values or the right-hand side
  std::vector<std::pair<std::string, std::function<void(const double* u, const double* array, double* residual)>>> hand;
};

/// Nodes of one problem with a field `u` and a constant array, both on the grid's axes.
struct Builder {
  ProblemDescription description;
  Graph& graph = description.graph;
  Shape shape;

  explicit Builder(const std::vector<std::size_t>& counts) {
    const char* const names[] = {"x", "y", "z"};
    shape.axes = counts.size();
    shape.count.fill(1);
    for (std::size_t axis = 0; axis < counts.size(); ++axis) {
      shape.count[axis] = static_cast<std::int32_t>(counts[axis]);
      description.axis_names.emplace_back(names[axis]);
    }
    description.fields = {{"u", shape}};
  }
  NodeId u(Shift shift = {}) { return graph.access(0, shift); }
  NodeId times(double factor, NodeId a) { return graph.multiply(graph.constant(factor), a); }
  /// The value beyond a zero wall.
  NodeId halo(NodeId inner, NodeId edge) { return times(1.0 / 3, graph.subtract(inner, times(6, edge))); }
  void finish(const std::string& name, NodeId root) {
    description.blocks.push_back({name, false, false, shape, {root}});
  }
};

Shape one_row(Shape shape) {
  shape.count[0] = 1;
  shape.repeated = 1;
  return shape;
}

Case heat(std::size_t cells) {
  Builder b({cells, cells});
  Graph& g = b.graph;
  b.description.arrays = {{"first", one_row(b.shape)}};
  const auto n = static_cast<double>(cells);
  const auto count = static_cast<std::int32_t>(cells);
  const auto before = [&](std::int32_t step) {
    const NodeId known = g.access(1, Shift{0, step});
    return g.where_index(0, 1, g.subtract(b.times(2, known), b.u(Shift{0, step})), b.u(Shift{-1, step}));
  };
  struct Row {
    NodeId minus, centre, plus;
  };
  const auto row = [&](auto&& value) {
    const NodeId minus = value(-1), centre = value(0), plus = value(1);
    return Row{g.where_index(1, 1, b.halo(plus, centre), minus), centre,
               g.where_index(1, count - 1, plus, b.halo(minus, centre))};
  };
  const Row q = row([&](std::int32_t step) { return b.u(Shift{0, step}); });
  const Row p = row(before);
  const auto flux = [&](NodeId low, NodeId high) {
    const NodeId distance = g.add(g.constant(-0.5), b.times(0.25, g.add(low, high)));
    const NodeId k = b.times(0.02, g.apply(Op::exp, b.times(-20, g.multiply(distance, distance))));
    return g.multiply(k, b.times(n / 2, g.subtract(high, low)));
  };
  const NodeId minus = g.add(q.minus, p.minus), centre = g.add(q.centre, p.centre), plus = g.add(q.plus, p.plus);
  const NodeId spread = b.times(n, g.subtract(flux(centre, plus), flux(minus, centre)));
  b.finish("heat", g.subtract(b.times(n, g.subtract(q.centre, p.centre)), spread));
  Case result{"heat", {cells, cells}, std::move(b.description), {}, {}};
  for (std::size_t j = 0; j < cells; ++j) {
    result.array.push_back(std::exp(-50 * std::pow((static_cast<double>(j) + 0.5) / n - 0.5, 2)));
  }
  result.hand = {{"hand loop, both faces", [cells](const double* u, const double* first,
                                                   double* r) { hand::heat_two_faces(u, first, r, cells, cells); }},
                 {"hand loop", [cells](const double* u, const double* first, double* r) {
                    hand::heat_one_face(u, first, r, cells, cells);
                  }}};
  return result;
}

Case wave(std::size_t cells) {
  Builder b({cells, cells});
  Graph& g = b.graph;
  b.description.arrays = {{"first", one_row(b.shape)}};
  const double square = static_cast<double>(cells) * static_cast<double>(cells);
  const auto count = static_cast<std::int32_t>(cells);
  const NodeId one = b.u(Shift{-1});
  const NodeId two = g.where_index(0, 2, one, b.u(Shift{-2}));
  const NodeId left = b.u(Shift{-1, -1}), right = b.u(Shift{-1, 1});
  const NodeId minus = g.where_index(1, 1, b.halo(right, one), left);
  const NodeId plus = g.where_index(1, count - 1, right, b.halo(left, one));
  const NodeId rate = g.add(g.subtract(b.u(), b.times(2, one)), two);
  const NodeId bend = g.add(g.subtract(minus, b.times(2, one)), plus);
  const NodeId first = g.subtract(b.u(), g.access(1, {}));
  b.finish("wave", g.where_index(0, 1, first, g.subtract(b.times(square, rate), b.times(square, bend))));
  Case result{"wave", {cells, cells}, std::move(b.description), {}, {}};
  for (std::size_t j = 0; j < cells; ++j) result.array.push_back(std::sin(static_cast<double>(j)));
  result.hand = {{"hand loop",
                  [cells](const double* u, const double* start, double* r) { hand::wave(u, start, r, cells, cells); }}};
  return result;
}

Case poisson(std::size_t cells) {
  Builder b({cells, cells, cells});
  Graph& g = b.graph;
  b.description.arrays = {{"q", b.shape}};
  const auto count = static_cast<std::int32_t>(cells);
  const NodeId centre = b.u();
  NodeId sum = b.times(-6, centre);
  for (std::int32_t axis = 0; axis < 3; ++axis) {
    Shift down{}, up{};
    down[static_cast<std::size_t>(axis)] = -1;
    up[static_cast<std::size_t>(axis)] = 1;
    sum = g.add(sum, g.where_index(axis, 1, b.halo(b.u(up), centre), b.u(down)));
    sum = g.add(sum, g.where_index(axis, count - 1, b.u(up), b.halo(b.u(down), centre)));
  }
  const double square = static_cast<double>(cells) * static_cast<double>(cells);
  b.finish("poisson", g.subtract(b.times(square, sum), g.access(1, {})));
  Case result{"poisson", {cells, cells, cells}, std::move(b.description), {}, {}};
  for (std::size_t k = 0; k < cells * cells * cells; ++k) result.array.push_back(std::sin(static_cast<double>(k)));
  result.hand = {
      {"hand loop", [cells](const double* u, const double* q, double* r) { hand::poisson(u, q, r, cells); }}};
  return result;
}

void print(const Case& one, const char* what, const std::vector<Contestant>& contestants, double bytes,
           double difference) {
  const Contestant& ours = contestants[0];
  const double median = percentile(ours.seconds, 0.5);
  std::printf(
      "{\"family\":\"odil\",\"routine\":\"%s %s\",\"dtype\":\"float64\",\"sizes\":{\"m\":%zu,\"n\":%zu,\"k\":%zu},"
      "\"isa\":\"%s\",\"threads\":1,\"ours\":{\"p10Seconds\":%.6g,\"medianSeconds\":%.6g,\"gigabytes\":%.4g},"
      "\"samples\":%zu,\"peakPercent\":0,\"peers\":{",
      one.name.c_str(), what, one.sizes[0], one.sizes[1], one.sizes.size() > 2 ? one.sizes[2] : 0,
      isa_name(active_isa()), percentile(ours.seconds, 0.1), median, bytes / median * 1e-9, ours.seconds.size());
  for (std::size_t k = 1; k < contestants.size(); ++k) {
    const double theirs = percentile(contestants[k].seconds, 0.5);
    std::printf("%s\"%s\":{\"medianSeconds\":%.6g,\"ratio\":%.4g}", k > 1 ? "," : "", contestants[k].name.c_str(),
                theirs, theirs / median);
  }
  std::printf("},\"maxDifference\":%.3g}\n", difference);
  std::fflush(stdout);
}

void measure(Case one, std::size_t samples) {
  Problem problem(std::move(one.description));
  problem.set_array(0, one.array);
  PhiloxStream random(1, 0);
  std::vector<double> u(problem.unknowns()), gradient(u.size()), by_hand(problem.residuals());
  std::vector<double> residuals(by_hand.size()), scratch(by_hand.size());
  for (double& value : u) value = random.next_uniform();
  std::vector<Contestant> contestants{{"residual", [&] { problem.evaluate<double>(u, residuals, 1); }}};
  for (const auto& [name, loop] : one.hand) {
    contestants.push_back({name, [&, call = loop] { call(u.data(), one.array.data(), by_hand.data()); }});
  }
  compete(contestants, samples);
  double difference = 0, largest = 0;
  for (std::size_t i = 0; i < residuals.size(); ++i) {
    difference = std::max(difference, std::fabs(residuals[i] - by_hand[i]));
    largest = std::max(largest, std::fabs(by_hand[i]));
  }
  if (!(difference <= 1e-12 * largest)) throw std::runtime_error(one.name + ": the loops do not agree");
  const double bytes = 16 * static_cast<double>(u.size());
  print(one, "residual", contestants, bytes, difference / largest);

  std::vector<Contestant> both{
      {"gradient", [&] { problem.gradient<double>(u, scratch, gradient, Normalization::mean, 1); }},
      {"residual", [&] { problem.evaluate<double>(u, residuals, 1); }}};
  compete(both, samples);
  print(one, "gradient", both, bytes, 0);
}

void run(int count, char** arguments) {
  std::size_t samples = 9;
  bool quick = false;
  std::string only;
  read_options(count, arguments, [&](const std::string& name, const std::string& value) {
    if (name == "--quick") {
      quick = true;
    } else if (name == "--samples") {
      samples = std::stoul(value);
    } else if (name == "--only") {
      only = value;
    } else {
      return false;
    }
    return true;
  });
  for (const std::size_t cells : quick ? std::vector<std::size_t>{64} : std::vector<std::size_t>{64, 256, 1024}) {
    if (only.empty() || only == "heat") measure(heat(cells), samples);
    if (only.empty() || only == "wave") measure(wave(cells), samples);
  }
  for (const std::size_t cells : quick ? std::vector<std::size_t>{48} : std::vector<std::size_t>{48, 128}) {
    if (only.empty() || only == "poisson") measure(poisson(cells), samples);
  }
}

}  // namespace
}  // namespace dd::bench

int main(int count, char** arguments) {
  try {
    dd::bench::run(count, arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
