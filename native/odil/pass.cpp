#include "odil/pass.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/thread_pool.hpp"
#include "odil/flat_runner.hpp"
#include "odil/packed_runner.hpp"

namespace dd::odil {
namespace {

constexpr std::size_t task_points = 16384;  // what one task covers: depends on sizes only

bool accumulates(const std::vector<Output>& outputs) {
  return std::any_of(outputs.begin(), outputs.end(),
                     [](const Output& output) { return output.kind == OutputKind::accumulate; });
}
bool sums_up(const std::vector<Output>& outputs) {
  return std::any_of(outputs.begin(), outputs.end(),
                     [](const Output& output) { return output.kind == OutputKind::sum; });
}

std::vector<Shape> shapes_of(const std::vector<Operand>& operands) {
  std::vector<Shape> shapes(operands.size());
  std::transform(operands.begin(), operands.end(), shapes.begin(),
                 [](const Operand& operand) { return operand.shape; });
  return shapes;
}

/// What the box reads lies beyond an end, so that its distance is not that of the shift.
bool wraps(const Shape& operand, const Box& box, const Shift& shift) {
  for (std::size_t axis = operand.repeated; axis < operand.axes; ++axis) {
    const std::int32_t at = box.begin[axis] + shift[axis];
    if (at < 0 || at >= operand.count[axis]) return true;
  }
  return false;
}

/// How many of the last axes have the same distances in memory in both.
std::size_t axes_alike(const Shape& a, const Shape& b) {
  const auto of_a = a.strides(), of_b = b.strides();
  std::size_t alike = 0;
  while (alike < a.axes && of_a[a.axes - 1 - alike] == of_b[a.axes - 1 - alike]) ++alike;
  return alike;
}

/// How many of the last axes of a box may be run through as one.
std::size_t flattened_axes(const Graph& graph, const Domain& domain, const Shape& shape, const RegionOutputs& region) {
  std::vector<NodeId> roots;
  for (const Output& output : region.outputs) roots.push_back(output.root);
  const std::vector<bool> needed = reachable(graph, roots);
  std::size_t alike = shape.axes;  // of the last axes: along them everything lies as the block does
  for (NodeId id = 0; id < needed.size(); ++id) {
    if (!needed[id] || graph[id].op != Op::access) continue;
    const Shape& operand = domain.operands[static_cast<std::size_t>(graph[id].id)].shape;
    if (wraps(operand, region.box, graph[id].shift)) return 0;
    alike = std::min(alike, axes_alike(shape, operand));
  }
  for (std::size_t k = 0; k < region.outputs.size(); ++k) {
    if (region.outputs[k].kind == OutputKind::sum) continue;
    if (wraps(region.targets[k].shape, region.box, region.targets[k].shift)) return 0;
    alike = std::min(alike, axes_alike(shape, region.targets[k].shape));
  }
  const auto extent = [&](std::size_t axis) { return region.box.end[axis] - region.box.begin[axis]; };
  std::size_t flattened = 1;
  if (!accumulates(region.outputs) && !sums_up(region.outputs)) {
    // An axis joins as long as the ones within it are nearly whole, so that little is computed in vain.
    while (flattened < alike && 5 * extent(shape.axes - flattened) >= 4 * shape.count[shape.axes - flattened]) {
      ++flattened;
    }
  }
  return Runs(shape, region.box, flattened).length() >= shortest_run ? flattened : 0;
}

template <class T>
void add_sums(std::span<const double> from, std::span<const Target> targets, const std::vector<Output>& outputs,
              std::span<double> to) {
  std::size_t number = 0;
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    if (outputs[k].kind == OutputKind::sum) to[targets[k].array] += from[number++];
  }
}

}  // namespace

Pass::Pass(Graph& graph, const Domain& domain, const Shape& shape, std::vector<RegionOutputs> regions) : shape_(shape) {
  const std::vector<Shape> operands = shapes_of(domain.operands);
  for (RegionOutputs& region : regions) {
    if (region.outputs.empty()) continue;
    for (std::size_t k = 0; k < region.outputs.size(); ++k) {
      if (region.outputs[k].kind == OutputKind::store && region.targets[k].shift != Shift{}) {
        throw Error(ErrorCode::internal, "", "a pass that stores beside its points");
      }
    }
    Compiled compiled;
    compiled.box = region.box;
    compiled.flattened = flattened_axes(graph, domain, shape, region);
    compiled.adds = accumulates(region.outputs);
    const RowKind kind = compiled.flattened > 0 ? RowKind::flat : RowKind::packed;
    compiled.rows = CompiledProgram(graph, region.outputs, kind, shape.axes - 1, std::move(region.targets));
    uniforms_ += compiled.rows.uniforms.size();
    if (compiled.flattened > 0) {
      compiled.moving = moving_rows(compiled.rows, shape, operands);
    } else {
      compiled.linear = is_linear_program(compiled.rows.program);
      // All points of a box wrap alike: one distance serves them all.
      for (const External& external : compiled.rows.program.externals) {
        const bool reads = external.kind == External::Kind::operand;
        compiled.sources.push_back(
            reads ? Place(operands[static_cast<std::size_t>(external.id)], compiled.box, external.shift) : Place());
      }
      for (const Target& target : compiled.rows.targets) {
        compiled.destinations.emplace_back(target.shape, compiled.box, target.shift);
      }
    }
    regions_.push_back(std::move(compiled));
  }
  adds_ = std::any_of(regions_.begin(), regions_.end(), [](const Compiled& region) { return region.adds; });
  std::stable_sort(regions_.begin(), regions_.end(),
                   [](const Compiled& a, const Compiled& b) { return a.flattened > b.flattened; });
}

/// The order of a run: slab after slab, each through all regions while it is in the cache, so that edges find what the
/// interior has just read.
struct PassRunner {
  /// Boxes of about task_points points, cut along one axis; axes before it are cut to single indices.
  struct Slabs {
    Slabs(const Shape& shape, const Box& within) : box(within), axes(shape.axes) {
      std::size_t points = 1;
      for (std::size_t axis = 0; axis < axes; ++axis) points *= extent(axis);
      while (cut + 1 < axes && points / extent(cut) > task_points) points /= extent(cut++);
      thickness = std::max<std::size_t>(1, task_points / (points / extent(cut)));
      groups = (extent(cut) + thickness - 1) / thickness;
      count = groups;
      for (std::size_t axis = 0; axis < cut; ++axis) count *= extent(axis);
    }

    std::size_t extent(std::size_t axis) const { return static_cast<std::size_t>(box.end[axis] - box.begin[axis]); }

    Box slab(std::size_t number) const {
      Box slab = box;
      slab.begin[cut] += static_cast<std::int32_t>(number % groups * thickness);
      slab.end[cut] = std::min(slab.end[cut], slab.begin[cut] + static_cast<std::int32_t>(thickness));
      number /= groups;
      for (std::size_t axis = cut; axis-- > 0;) {
        slab.begin[axis] += static_cast<std::int32_t>(number % extent(axis));
        slab.end[axis] = slab.begin[axis] + 1;
        number /= extent(axis);
      }
      return slab;
    }

    Box box;
    std::size_t axes, cut = 0, thickness = 1, groups = 1, count = 1;
  };

  template <class T>
  static void run(const Pass& pass, const Pass::Compiled& region, std::span<const T> uniforms, const Box& box,
                  std::size_t most_flattened, const Arrays<T>& arrays, std::span<double> sums) {
    const Runs runs(pass.shape_, box, std::min(region.flattened, most_flattened));
    if (region.linear) {
      const LineRunner<T> runner(region.rows, region.sources, region.destinations, runs.line(), arrays, uniforms);
      for (std::size_t run = 0; run < runs.count(); ++run) runner.run(runs.first(run), runs.length());
      return;
    }
    Workspace<T> workspace(region.rows, uniforms);
    if (region.flattened == 0) {
      PackedRunner<T> runner(region.rows, region.sources, region.destinations, runs.line(), arrays, workspace);
      for (std::size_t run = 0; run < runs.count(); ++run) runner.add_run(runs.first(run), runs.length());
      runner.flush();
    } else {
      FlatRunner<T> runner(region.rows, region.moving, pass.shape_, arrays, workspace);
      for (std::size_t run = 0; run < runs.count(); ++run) {
        const auto start = static_cast<std::size_t>(pass.shape_.flat(runs.first(run)));
        runner.run(start, start + runs.length());
      }
    }
    add_sums<T>(workspace.sums(), region.rows.targets, region.rows.program.outputs, sums);
  }

  template <class T>
  static void run(const Pass& pass, const Box& within, const Arrays<T>& arrays, std::size_t threads, AfterPiece then) {
    if (within.empty(pass.shape_.axes)) return;
    std::vector<T> uniforms(pass.uniforms_);
    std::span<T> left = uniforms;
    for (const Pass::Compiled& region : pass.regions_) {
      evaluate_uniforms<T>(region.rows.uniforms, arrays.parameters, left);
      left = left.subspan(region.rows.uniforms.size());
    }
    const Slabs slabs(pass.shape_, within);
    std::vector<double> sums(slabs.count * arrays.sums.size(), 0);
    ThreadPool::shared().run_tasks(pass.adds_ ? 1 : threads, slabs.count, [&](std::size_t s) {
      const Box slab = slabs.slab(s);
      std::span<const T> rest = uniforms;
      for (const Pass::Compiled& region : pass.regions_) {
        const std::span<const T> own = rest.first(region.rows.uniforms.size());
        rest = rest.subspan(own.size());
        const Box box = slab.intersection(region.box, pass.shape_.axes);
        if (box.empty(pass.shape_.axes)) continue;
        run<T>(pass, region, own, box, pass.shape_.axes - slabs.cut, arrays,
               std::span(sums).subspan(s * arrays.sums.size(), arrays.sums.size()));
      }
      const auto first = static_cast<std::size_t>(pass.shape_.flat(slab.begin));
      then(s, first, first + slab.points(pass.shape_.axes));
    });
    for (std::size_t s = 0; s < slabs.count; ++s) {
      for (std::size_t k = 0; k < arrays.sums.size(); ++k) arrays.sums[k] += sums[s * arrays.sums.size() + k];
    }
  }
};

template <class T>
void Pass::run(const Arrays<T>& arrays, std::size_t threads, AfterPiece then) const {
  if (!regions_.empty()) PassRunner::run<T>(*this, {{}, shape_.count}, arrays, threads, then);
}
template void Pass::run(const Arrays<float>&, std::size_t, AfterPiece) const;
template void Pass::run(const Arrays<double>&, std::size_t, AfterPiece) const;

std::vector<std::size_t> Pass::pieces(const Shape& shape) {
  const PassRunner::Slabs slabs(shape, {{}, shape.count});
  std::vector<std::size_t> begins;
  for (std::size_t s = 0; s < slabs.count; ++s) {
    begins.push_back(static_cast<std::size_t>(shape.flat(slabs.slab(s).begin)));
  }
  begins.push_back(shape.points());
  return begins;
}

template <class T>
void Pass::run(const Arrays<T>& arrays, std::size_t threads) const {
  run<T>(arrays, threads, [](std::size_t, std::size_t, std::size_t) {});
}
template void Pass::run(const Arrays<float>&, std::size_t) const;
template void Pass::run(const Arrays<double>&, std::size_t) const;

template <class T>
void Pass::run_rows(const Arrays<T>& arrays, std::int32_t first, std::int32_t last, std::size_t threads) const {
  if (regions_.empty()) return;
  Box rows{{}, shape_.count};
  rows.begin[0] = std::max(rows.begin[0], first);
  rows.end[0] = std::min(rows.end[0], last);
  PassRunner::run<T>(*this, rows, arrays, threads, [](std::size_t, std::size_t, std::size_t) {});
}
template void Pass::run_rows(const Arrays<float>&, std::int32_t, std::int32_t, std::size_t) const;
template void Pass::run_rows(const Arrays<double>&, std::int32_t, std::int32_t, std::size_t) const;

std::vector<ProgramStatistics> Pass::statistics() const {
  std::vector<ProgramStatistics> result;
  for (const Compiled& region : regions_) {
    const Program& program = region.rows.program;
    result.push_back({program.instructions.size(), program.registers, program.externals.size(),
                      region.box.points(shape_.axes), region.flattened > 0});
  }
  return result;
}

std::size_t FlatPass::common_run(const Shape& shape, const Shape& operand) noexcept {
  const auto of_shape = shape.strides(), of_operand = operand.strides();
  for (std::size_t axis = operand.repeated; axis < shape.axes; ++axis) {
    if (of_shape[axis] != of_operand[axis]) return 0;
  }
  if (operand.repeated == 0) return shape.points();
  return operand.points() < shortest_run ? 0 : operand.points();
}

FlatPass::FlatPass(Graph& graph, const Domain& domain, const Shape& shape, const std::vector<Output>& outputs,
                   std::vector<Target> targets)
    : shape_(shape),
      rows_(graph, outputs, RowKind::flat, shape.axes - 1, std::move(targets)),
      moving_(moving_rows(rows_, shape, shapes_of(domain.operands))),
      longest_(shape.points()) {
  const Program& program = rows_.program;
  for (const External& external : program.externals) {
    if (external.kind != External::Kind::operand) continue;
    longest_ = std::min(longest_, common_run(shape, domain.operands[static_cast<std::size_t>(external.id)].shape));
  }
  for (std::size_t k = 0; k < program.outputs.size(); ++k) {
    if (program.outputs[k].kind != OutputKind::accumulate) continue;
    const std::ptrdiff_t shift = shape.flat(rows_.targets[k].shift);
    reach_ = std::max(reach_, static_cast<std::size_t>(shift < 0 ? -shift : shift));
  }
}

template <class T>
void FlatPass::run(const Arrays<T>& arrays, std::size_t begin, std::size_t end, std::size_t threads) const {
  if (begin >= end) return;
  const std::size_t chunk = std::max(task_points, (2 * reach_ + task_points - 1) / task_points * task_points);
  const std::size_t chunks = (end - begin + chunk - 1) / chunk;
  std::vector<double> sums(chunks * arrays.sums.size(), 0);
  std::vector<T> uniforms(rows_.uniforms.size());
  evaluate_uniforms<T>(rows_.uniforms, arrays.parameters, uniforms);
  const auto run_chunk = [&](std::size_t c) {
    Workspace<T> workspace(rows_, uniforms);
    FlatRunner<T> runner(rows_, moving_, shape_, arrays, workspace);
    const std::size_t last = std::min(begin + (c + 1) * chunk, end);
    for (std::size_t at = begin + c * chunk; at < last;) {
      const std::size_t next = std::min((at / longest_ + 1) * longest_, last);
      runner.run(at, next);
      at = next;
    }
    add_sums<T>(workspace.sums(), rows_.targets, rows_.program.outputs,
                std::span(sums).subspan(c * arrays.sums.size(), arrays.sums.size()));
  };
  // Every other chunk, then those between: neighbours add to the same elements.
  for (std::size_t colour = 0; colour < 2; ++colour) {
    ThreadPool::shared().run_tasks(threads, (chunks + 1 - colour) / 2,
                                   [&](std::size_t k) { run_chunk(2 * k + colour); });
  }
  for (std::size_t c = 0; c < chunks; ++c) {
    for (std::size_t k = 0; k < arrays.sums.size(); ++k) arrays.sums[k] += sums[c * arrays.sums.size() + k];
  }
}
template void FlatPass::run(const Arrays<float>&, std::size_t, std::size_t, std::size_t) const;
template void FlatPass::run(const Arrays<double>&, std::size_t, std::size_t, std::size_t) const;

ProgramStatistics FlatPass::statistics() const {
  const Program& program = rows_.program;
  return {program.instructions.size(), program.registers, program.externals.size(), 0, true};
}

}  // namespace dd::odil
