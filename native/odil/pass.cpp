#include "odil/pass.hpp"

#include <algorithm>
#include <limits>

#include "core/aligned_buffer.hpp"
#include "core/thread_pool.hpp"
#include "odil/program_isa.hpp"

namespace dd::odil {
namespace {

constexpr std::size_t task_points = 32768;   // what one task covers: depends on sizes only
constexpr std::size_t shortest_run = 16;     // shorter rows are gathered
constexpr std::size_t points_together = 16;  // are gathered from all rows at once
constexpr std::size_t first_level_bytes = 24 * 1024;

/// Points of a block: registers and the rows read beside them stay in the first-level cache.
std::size_t block_length(const Program& program, std::size_t element_bytes) {
  const std::size_t rows = program.registers + program.externals.size() + 1;
  const std::size_t fitting = first_level_bytes / (element_bytes * rows) / 64 * 64;
  return std::clamp<std::size_t>(fitting, 64, 512);
}

/// Expressions over points hold no values at absolute places (problem.cpp sees to it).
constexpr auto no_picks = [](std::int32_t, const Shift&) { return std::numeric_limits<double>::quiet_NaN(); };

void run_block(const BlockRun<float>& run) { run_block_float32(&run); }
void run_block(const BlockRun<double>& run) { run_block_float64(&run); }

/// Memory for rows that this thread uses again and again; a thread runs one program at a time.
template <class T>
T* row_memory(std::size_t count) {
  thread_local AlignedBuffer<T> memory;
  memory.reserve_discarding(count);
  return memory.data();
}

/// What one thread needs to run a program: registers, rows made up or gathered, the table in the precision of the rows.
template <class T>
class Workspace {
 public:
  Workspace(const Program& program, const Uniforms& uniforms, std::span<const double> parameters)
      : program_(program), length_(block_length(program, sizeof(T))) {
    std::vector<double> values(uniforms.size());
    uniforms.evaluate(parameters, no_picks, values);
    table_.assign(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(program.table.size()));
    std::int32_t low = program.low, high = program.high;
    for (const External& external : program.externals) {
      low = std::min(low, external.low);
      high = std::max(high, external.high);
    }
    margin_ = static_cast<std::size_t>(-low);
    stride_ = (length_ + margin_ + static_cast<std::size_t>(high) + 15) / 16 * 16 + 16;
    memory_ = row_memory<T>(stride_ * program.slots());
    slots_.resize(program.slots());
    for (std::size_t slot = 0; slot < slots_.size(); ++slot) slots_[slot] = own_row(slot);
    std::size_t uniform = program.table.size();
    for (std::size_t k = 0; k < program.externals.size(); ++k) {
      if (program.externals[k].kind != External::Kind::uniform) continue;
      T* row = own_row(program.external_slot(k)) - margin_;
      std::fill(row, row + stride_, static_cast<T>(values[uniform++]));
    }
    sums_.assign(program.sums, 0);
  }

  std::size_t length() const { return length_; }
  T* own_row(std::size_t slot) { return memory_ + slot * stride_ + margin_; }
  T*& slot(std::size_t number) { return slots_[number]; }
  std::span<double> sums() { return sums_; }

  void execute(std::size_t points) {
    run_block(BlockRun<T>{.instructions = program_.instructions.data(),
                          .count = program_.instructions.size(),
                          .slots = slots_.data(),
                          .table = table_.data(),
                          .sums = sums_.data(),
                          .length = points});
  }

 private:
  const Program& program_;
  std::size_t length_;
  std::size_t margin_ = 0, stride_ = 0;
  T* memory_ = nullptr;
  std::vector<T*> slots_;
  std::vector<T> table_;
  std::vector<double> sums_;
};

/// Index along `axis` of the points from flat position `start` on.
template <class T>
void fill_index(T* row, std::ptrdiff_t start, std::size_t count, const Shape& shape, std::size_t axis) {
  const std::ptrdiff_t stride = shape.strides()[axis], total = static_cast<std::ptrdiff_t>(shape.points());
  start = std::max<std::ptrdiff_t>(start % total + (start < 0 ? total : 0), 0);
  std::ptrdiff_t index = start / stride % shape.count[axis], left = stride - start % stride;
  for (std::size_t p = 0; p < count; ++p) {
    row[p] = static_cast<T>(index);
    if (--left == 0) {
      left = stride;
      index = index + 1 == shape.count[axis] ? 0 : index + 1;
    }
  }
}

/// Runs a program over points that lie one after the other in the block and in everything it reads and writes.
template <class T>
class FlatRunner {
 public:
  FlatRunner(const Program& program, std::span<const Target> targets, std::span<const Operand> operands,
             const Shape& shape, const Arrays<T>& arrays, Workspace<T>& workspace)
      : program_(program),
        targets_(targets),
        operands_(operands),
        shape_(shape),
        arrays_(arrays),
        workspace_(workspace),
        rows_(program.slots()) {}

  void run(std::size_t begin, std::size_t end) {
    const auto first = shape_.index(begin);
    for (std::size_t k = 0; k < program_.externals.size(); ++k) {
      const External& external = program_.externals[k];
      if (external.kind != External::Kind::operand) continue;
      const auto operand = static_cast<std::size_t>(external.id);
      const Shape& shape = operands_[operand].shape;
      rows_[program_.external_slot(k)] =
          const_cast<T*>(arrays_.operands[operand]) + (shape.flat(first) + shape.flat(external.shift));
    }
    for (std::size_t k = 0; k < program_.outputs.size(); ++k) {
      if (program_.outputs[k].kind == OutputKind::sum) continue;
      const Shape& shape = targets_[k].shape;
      rows_[program_.output_slot(k)] =
          arrays_.targets[targets_[k].array] + (shape.flat(first) + shape.flat(targets_[k].shift));
    }
    for (std::size_t at = begin; at < end; at += workspace_.length()) {
      const std::size_t points = std::min(workspace_.length(), end - at);
      for (std::size_t slot = 0; slot < rows_.size(); ++slot) {
        if (rows_[slot] != nullptr) workspace_.slot(slot) = rows_[slot] + (at - begin);
      }
      for (std::size_t k = 0; k < program_.externals.size(); ++k) {
        const External& external = program_.externals[k];
        if (external.kind != External::Kind::index) continue;
        fill_index(workspace_.own_row(program_.external_slot(k)) + external.low,
                   static_cast<std::ptrdiff_t>(at) + external.low,
                   points + static_cast<std::size_t>(external.high - external.low), shape_,
                   static_cast<std::size_t>(external.id));
      }
      workspace_.execute(points);
    }
  }

 private:
  const Program& program_;
  std::span<const Target> targets_;
  std::span<const Operand> operands_;
  const Shape& shape_;
  const Arrays<T>& arrays_;
  Workspace<T>& workspace_;
  std::vector<T*> rows_;  // slot by slot; null for those that do not move
};

/// Runs of points along the last `flattened` axes of a box. Where rows are gathered (0), along the last axis, or along
/// the longest one if the last is short: a column is one run too.
class Runs {
 public:
  Runs(const Shape& shape, const Box& box, std::size_t flattened) : box_(box), axes_(shape.axes) {
    const auto extent = [&](std::size_t axis) { return static_cast<std::size_t>(box.end[axis] - box.begin[axis]); };
    first_inner_ = axes_ - std::max<std::size_t>(flattened, 1);
    last_inner_ = axes_ - 1;
    if (flattened == 0 && extent(last_inner_) < shortest_run) {
      for (std::size_t axis = 0; axis < axes_; ++axis) {
        if (extent(axis) > extent(last_inner_)) first_inner_ = last_inner_ = axis;
      }
    }
    const auto strides = shape.strides();
    for (std::size_t axis = 0; axis < axes_; ++axis) {
      if (!inner(axis)) {
        count_ *= extent(axis);
      } else {
        length_ += (extent(axis) - 1) * (flattened > 0 ? static_cast<std::size_t>(strides[axis]) : 1);
      }
    }
  }
  std::size_t count() const { return count_; }
  std::size_t length() const { return length_; }
  /// Of gathered points, the axis along which a run goes.
  std::size_t line() const { return last_inner_; }
  /// Index of the first point of run `number`.
  std::array<std::int32_t, max_axes> first(std::size_t number) const {
    std::array<std::int32_t, max_axes> at = box_.begin;
    for (std::size_t axis = axes_; axis-- > 0;) {
      if (inner(axis)) continue;
      const auto extent = static_cast<std::size_t>(box_.end[axis] - box_.begin[axis]);
      at[axis] += static_cast<std::int32_t>(number % extent);
      number /= extent;
    }
    return at;
  }

 private:
  bool inner(std::size_t axis) const { return axis >= first_inner_ && axis <= last_inner_; }

  Box box_;
  std::size_t axes_, first_inner_ = 0, last_inner_ = 0, count_ = 1, length_ = 1;
};

/// Gathers rows from anywhere, computes, and puts the results where they belong.
template <class T>
class PackedRunner {
 public:
  /// `line`: the axis along which the runs go.
  PackedRunner(const Program& program, std::span<const Target> targets, std::span<const Operand> operands,
               const Box& box, std::size_t line, const Arrays<T>& arrays, Workspace<T>& workspace)
      : program_(program), targets_(targets), arrays_(arrays), workspace_(workspace), line_(line) {
    // All points of a box wrap alike: one distance serves them all.
    for (const External& external : program.externals) {
      const bool reads = external.kind == External::Kind::operand;
      sources_.push_back(reads ? place_of(operands[static_cast<std::size_t>(external.id)].shape, box, external.shift)
                               : Place{});
    }
    for (const Target& target : targets) destinations_.push_back(place_of(target.shape, box, target.shift));
  }

  void add_run(std::array<std::int32_t, max_axes> at, std::size_t length) {
    while (length > 0) {
      const std::size_t taken = std::min(length, workspace_.length() - points_);
      segments_.push_back({at, points_, taken});
      points_ += taken;
      length -= taken;
      at[line_] += static_cast<std::int32_t>(taken);
      if (points_ == workspace_.length()) flush();
    }
  }

  void flush() {
    if (points_ == 0) return;
    for_groups([&](const Segment& segment, std::size_t first, std::size_t last) {
      for (std::size_t k = 0; k < program_.externals.size(); ++k) gather(segment, k, first, last);
    });
    for (std::size_t k = 0; k < program_.outputs.size(); ++k) {
      if (program_.outputs[k].kind != OutputKind::accumulate) continue;
      T* row = workspace_.own_row(program_.output_slot(k));
      std::fill(row, row + points_, T(0));
    }
    workspace_.execute(points_);
    for_groups([&](const Segment& segment, std::size_t first, std::size_t last) {
      for (std::size_t k = 0; k < program_.outputs.size(); ++k) scatter(segment, k, first, last);
    });
    segments_.clear();
    points_ = 0;
  }

 private:
  struct Segment {
    std::array<std::int32_t, max_axes> at;
    std::size_t place;
    std::size_t length;
  };
  /// Where the points of a box lie in an array.
  struct Place {
    std::array<std::ptrdiff_t, max_axes> strides{};
    std::ptrdiff_t distance = 0;

    std::ptrdiff_t operator()(const Segment& segment) const {
      std::ptrdiff_t flat = distance;
      for (std::size_t axis = 0; axis < max_axes; ++axis) flat += segment.at[axis] * strides[axis];
      return flat;
    }
  };

  static Place place_of(const Shape& shape, const Box& box, const Shift& shift) {
    return {shape.strides(), odil::distance(shape, box, shift)};
  }

  /// Points [first, last) of a segment; all rows of a few points, then those of the next few: neighbours share the
  /// cache lines they lie in.
  template <class Body>
  void for_groups(Body&& body) const {
    for (const Segment& segment : segments_) {
      for (std::size_t first = 0; first < segment.length; first += points_together) {
        body(segment, first, std::min(first + points_together, segment.length));
      }
    }
  }

  void gather(const Segment& segment, std::size_t number, std::size_t first, std::size_t last) {
    const External& external = program_.externals[number];
    if (external.kind == External::Kind::uniform) return;
    T* const to = workspace_.own_row(program_.external_slot(number)) + segment.place;
    if (external.kind == External::Kind::index) {
      const auto axis = static_cast<std::size_t>(external.id);
      for (std::size_t p = first; p < last; ++p) {
        to[p] = static_cast<T>(segment.at[axis] + (axis == line_ ? static_cast<std::int32_t>(p) : 0));
      }
      return;
    }
    const Place& place = sources_[number];
    const std::ptrdiff_t step = place.strides[line_];
    const T* from = arrays_.operands[static_cast<std::size_t>(external.id)] + place(segment) +
                    static_cast<std::ptrdiff_t>(first) * step;
    for (std::size_t p = first; p < last; ++p, from += step) to[p] = *from;
  }

  void scatter(const Segment& segment, std::size_t number, std::size_t first, std::size_t last) {
    const OutputKind kind = program_.outputs[number].kind;
    if (kind == OutputKind::sum) return;
    const Place& place = destinations_[number];
    const std::ptrdiff_t step = place.strides[line_];
    const T* const from = workspace_.own_row(program_.output_slot(number)) + segment.place;
    T* to = arrays_.targets[targets_[number].array] + place(segment) + static_cast<std::ptrdiff_t>(first) * step;
    if (kind == OutputKind::store) {
      for (std::size_t p = first; p < last; ++p, to += step) *to = from[p];
    } else {
      for (std::size_t p = first; p < last; ++p, to += step) *to += from[p];
    }
  }

  const Program& program_;
  std::span<const Target> targets_;
  const Arrays<T>& arrays_;
  Workspace<T>& workspace_;
  std::size_t line_;
  std::vector<Place> sources_, destinations_;
  std::vector<Segment> segments_;
  std::size_t points_ = 0;
};

bool accumulates(const std::vector<Output>& outputs) {
  return std::any_of(outputs.begin(), outputs.end(),
                     [](const Output& output) { return output.kind == OutputKind::accumulate; });
}
bool sums_up(const std::vector<Output>& outputs) {
  return std::any_of(outputs.begin(), outputs.end(),
                     [](const Output& output) { return output.kind == OutputKind::sum; });
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

Pass::Pass(Graph& graph, const Domain& domain, const Shape& shape, std::vector<RegionOutputs> regions)
    : operands_(domain.operands), shape_(shape) {
  for (RegionOutputs& region : regions) {
    if (region.outputs.empty()) continue;
    Compiled compiled;
    compiled.box = region.box;
    compiled.flattened = flattened_axes(graph, domain, shape, region);
    compiled.adds = accumulates(region.outputs);
    compiled.program =
        lower(graph, region.outputs, compiled.flattened > 0 ? RowKind::flat : RowKind::packed, shape.axes - 1);
    compiled.uniforms = Uniforms(graph, uniform_roots(compiled.program));
    compiled.targets = std::move(region.targets);
    regions_.push_back(std::move(compiled));
  }
  std::stable_sort(regions_.begin(), regions_.end(),
                   [](const Compiled& a, const Compiled& b) { return a.flattened > b.flattened; });
}

/// The tasks of regions that may run side by side.
struct PassRunner {
  struct Task {
    const Pass::Compiled* region;
    Box box;                      // of the points that are asked for
    std::size_t flattened;        // within them
    std::size_t first_run, runs;  // whole runs ...
    std::size_t begin, end;       // ... or a part of one
  };

  /// Rows of the first axis that are asked for.
  struct Rows {
    std::int32_t first = 0;
    std::int32_t last = std::numeric_limits<std::int32_t>::max();
  };

  static std::vector<Task> tasks(const Pass& pass, std::size_t first, std::size_t last, const Rows& rows) {
    std::vector<Task> result;
    for (std::size_t r = first; r < last; ++r) {
      const Pass::Compiled& region = pass.regions_[r];
      Box box = region.box;
      box.begin[0] = std::max(box.begin[0], rows.first);
      box.end[0] = std::min(box.end[0], rows.last);
      if (box.begin[0] >= box.end[0]) continue;
      // A part of the rows is run through within rows only.
      const bool whole = box.begin[0] == region.box.begin[0] && box.end[0] == region.box.end[0];
      const std::size_t inner = std::max<std::size_t>(pass.shape_.axes - 1, 1);
      const std::size_t flattened = whole ? region.flattened : std::min(region.flattened, inner);
      const Runs runs(pass.shape_, box, flattened);
      if (runs.length() >= task_points) {
        for (std::size_t run = 0; run < runs.count(); ++run) {
          for (std::size_t at = 0; at < runs.length(); at += task_points) {
            result.push_back({&region, box, flattened, run, 1, at, std::min(at + task_points, runs.length())});
          }
        }
      } else {
        const std::size_t group = std::max<std::size_t>(1, task_points / runs.length());
        for (std::size_t run = 0; run < runs.count(); run += group) {
          result.push_back({&region, box, flattened, run, std::min(group, runs.count() - run), 0, runs.length()});
        }
      }
    }
    return result;
  }

  template <class T>
  static void run(const Pass& pass, const Task& task, const Arrays<T>& arrays, std::span<double> sums) {
    const Pass::Compiled& region = *task.region;
    const bool packed = region.flattened == 0;
    Workspace<T> workspace(region.program, region.uniforms, arrays.parameters);
    const Runs runs(pass.shape_, task.box, task.flattened);
    if (packed) {
      PackedRunner<T> runner(region.program, region.targets, pass.operands_, region.box, runs.line(), arrays,
                             workspace);
      for (std::size_t run = task.first_run; run < task.first_run + task.runs; ++run) {
        auto at = runs.first(run);
        at[runs.line()] += static_cast<std::int32_t>(task.begin);
        runner.add_run(at, task.end - task.begin);
      }
      runner.flush();
    } else {
      FlatRunner<T> runner(region.program, region.targets, pass.operands_, pass.shape_, arrays, workspace);
      for (std::size_t run = task.first_run; run < task.first_run + task.runs; ++run) {
        const auto start = static_cast<std::size_t>(pass.shape_.flat(runs.first(run)));
        runner.run(start + task.begin, start + task.end);
      }
    }
    add_sums<T>(workspace.sums(), region.targets, region.program.outputs, sums);
  }

  template <class T>
  static void run(const Pass& pass, const Rows& rows, const Arrays<T>& arrays, std::size_t threads) {
    const auto& regions = pass.regions_;
    for (std::size_t first = 0; first < regions.size();) {
      std::size_t last = first;
      bool adds = false;
      while (last < regions.size() && regions[last].flattened == regions[first].flattened) {
        adds = adds || regions[last].adds;
        ++last;
      }
      const std::vector<Task> list = tasks(pass, first, last, rows);
      std::vector<double> sums(list.size() * arrays.sums.size(), 0);
      ThreadPool::shared().run_tasks(adds ? 1 : threads, list.size(), [&](std::size_t t) {
        run<T>(pass, list[t], arrays, std::span(sums).subspan(t * arrays.sums.size(), arrays.sums.size()));
      });
      for (std::size_t t = 0; t < list.size(); ++t) {
        for (std::size_t k = 0; k < arrays.sums.size(); ++k) arrays.sums[k] += sums[t * arrays.sums.size() + k];
      }
      first = last;
    }
  }
};

template <class T>
void Pass::run(const Arrays<T>& arrays, std::size_t threads) const {
  PassRunner::run<T>(*this, PassRunner::Rows{}, arrays, threads);
}
template void Pass::run(const Arrays<float>&, std::size_t) const;
template void Pass::run(const Arrays<double>&, std::size_t) const;

template <class T>
void Pass::run_rows(const Arrays<T>& arrays, std::int32_t first, std::int32_t last, std::size_t threads) const {
  PassRunner::run<T>(*this, PassRunner::Rows{first, last}, arrays, threads);
}
template void Pass::run_rows(const Arrays<float>&, std::int32_t, std::int32_t, std::size_t) const;
template void Pass::run_rows(const Arrays<double>&, std::int32_t, std::int32_t, std::size_t) const;

std::vector<ProgramStatistics> Pass::statistics() const {
  std::vector<ProgramStatistics> result;
  for (const Compiled& region : regions_) {
    result.push_back({region.program.instructions.size(), region.program.registers, region.program.externals.size(),
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
    : operands_(domain.operands),
      shape_(shape),
      program_(lower(graph, outputs, RowKind::flat, shape.axes - 1)),
      uniforms_(graph, uniform_roots(program_)),
      targets_(std::move(targets)),
      longest_(shape.points()) {
  for (const External& external : program_.externals) {
    if (external.kind != External::Kind::operand) continue;
    longest_ = std::min(longest_, common_run(shape, operands_[static_cast<std::size_t>(external.id)].shape));
  }
  for (std::size_t k = 0; k < program_.outputs.size(); ++k) {
    if (program_.outputs[k].kind != OutputKind::accumulate) continue;
    const std::ptrdiff_t shift = shape.flat(targets_[k].shift);
    reach_ = std::max(reach_, static_cast<std::size_t>(shift < 0 ? -shift : shift));
  }
}

template <class T>
void FlatPass::run(const Arrays<T>& arrays, std::size_t begin, std::size_t end, std::size_t threads) const {
  if (begin >= end) return;
  const std::size_t chunk = std::max(task_points, (2 * reach_ + task_points - 1) / task_points * task_points);
  const std::size_t chunks = (end - begin + chunk - 1) / chunk;
  std::vector<double> sums(chunks * arrays.sums.size(), 0);
  const auto run_chunk = [&](std::size_t c) {
    Workspace<T> workspace(program_, uniforms_, arrays.parameters);
    FlatRunner<T> runner(program_, targets_, operands_, shape_, arrays, workspace);
    const std::size_t last = std::min(begin + (c + 1) * chunk, end);
    for (std::size_t at = begin + c * chunk; at < last;) {
      const std::size_t next = std::min((at / longest_ + 1) * longest_, last);
      runner.run(at, next);
      at = next;
    }
    add_sums<T>(workspace.sums(), targets_, program_.outputs,
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
  return {program_.instructions.size(), program_.registers, program_.externals.size(), 0, true};
}

}  // namespace dd::odil
