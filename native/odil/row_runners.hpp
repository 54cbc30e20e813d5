// How a program goes over points: one after the other in memory, or gathered from anywhere, block by block.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "odil/pass.hpp"
#include "odil/program_isa.hpp"
#include "odil/uniform.hpp"

namespace dd::odil {

inline constexpr std::size_t shortest_run = 16;     // shorter rows are gathered
inline constexpr std::size_t points_together = 16;  // are gathered from all rows at once
inline constexpr std::size_t first_level_bytes = 24 * 1024;

/// Points of a block: registers and the rows read beside them stay in the first-level cache.
inline std::size_t block_length(const Program& program, std::size_t element_bytes) {
  const std::size_t rows = program.registers + program.externals.size() + 1;
  const std::size_t fitting = first_level_bytes / (element_bytes * rows) / 64 * 64;
  return std::clamp<std::size_t>(fitting, 64, 512);
}

inline void run_block(const BlockRun<float>& run) { run_block_float32(&run); }
inline void run_block(const BlockRun<double>& run) { run_block_float64(&run); }

/// The values of a program's uniforms in the precision of its rows: the same for all points of a run.
template <class T>
void evaluate_uniforms(const Uniforms& uniforms, std::span<const double> parameters, std::span<T> values) {
  if constexpr (sizeof(T) == sizeof(double)) {
    uniforms.evaluate(parameters, no_picks, values);
  } else {
    std::vector<double> exact(uniforms.size());
    uniforms.evaluate(parameters, no_picks, exact);
    std::transform(exact.begin(), exact.end(), values.begin(), [](double value) { return static_cast<T>(value); });
  }
}

/// Points of a run that are gathered one after the other.
struct Segment {
  std::array<std::int32_t, max_axes> at;
  std::size_t place;
  std::size_t length;
};

/// What this thread uses again and again, so that small grids cost no allocations; a thread runs one program at a time.
template <class T>
struct RowMemory {
  AlignedBuffer<T> rows;
  std::vector<T*> slots, moving;
  std::vector<double> sums;
  std::vector<Segment> segments;

  static RowMemory& of_thread() {
    thread_local RowMemory memory;
    return memory;
  }
};

/// What one thread needs to run a program: registers and rows made up or gathered.
template <class T>
class Workspace {
 public:
  /// `uniforms`: values of the program's table, then of its uniform rows.
  Workspace(const Program& program, std::span<const T> uniforms)
      : program_(program),
        length_(block_length(program, sizeof(T))),
        memory_(RowMemory<T>::of_thread()),
        table_(uniforms.data()) {
    std::int32_t low = program.low, high = program.high;
    for (const External& external : program.externals) {
      low = std::min(low, external.low);
      high = std::max(high, external.high);
    }
    margin_ = (static_cast<std::size_t>(-low) + 15) / 16 * 16;
    stride_ = (length_ + margin_ + static_cast<std::size_t>(high) + 15) / 16 * 16 + 16;
    memory_.rows.reserve_discarding(stride_ * program.slots());
    memory_.slots.resize(program.slots());
    for (std::size_t slot = 0; slot < memory_.slots.size(); ++slot) memory_.slots[slot] = own_row(slot);
    const T* uniform = uniforms.data() + program.table.size();
    for (std::size_t k = 0; k < program.externals.size(); ++k) {
      if (program.externals[k].kind != External::Kind::uniform) continue;
      T* row = own_row(program.external_slot(k)) - margin_;
      std::fill(row, row + stride_, *uniform++);
    }
    memory_.sums.assign(program.sums, 0);
  }

  std::size_t length() const { return length_; }
  T* own_row(std::size_t slot) { return memory_.rows.data() + slot * stride_ + margin_; }
  T*& slot(std::size_t number) { return memory_.slots[number]; }
  std::span<double> sums() { return memory_.sums; }
  RowMemory<T>& memory() { return memory_; }

  void execute(std::size_t points) {
    run_block(BlockRun<T>{.instructions = program_.instructions.data(),
                          .count = program_.instructions.size(),
                          .slots = memory_.slots.data(),
                          .table = table_,
                          .sums = memory_.sums.data(),
                          .length = points});
  }

 private:
  const Program& program_;
  std::size_t length_;
  std::size_t margin_ = 0, stride_ = 0;
  RowMemory<T>& memory_;
  const T* table_;
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
        rows_(workspace.memory().moving) {
    rows_.assign(program.slots(), nullptr);
  }

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
    std::size_t longest = first_block();
    for (std::size_t at = begin, points = 0; at < end; at += points, longest = workspace_.length()) {
      points = std::min(longest, end - at);
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
  /// Points of the first block, so that the others write whole cache lines: vectors across two lines take twice as
  /// long. Where rows are summed up, blocks are cut by sizes alone.
  std::size_t first_block() const {
    constexpr std::size_t line = cache_line_bytes / sizeof(T);
    if (program_.sums > 0 || program_.outputs.empty()) return workspace_.length();
    const auto address = reinterpret_cast<std::uintptr_t>(rows_[program_.output_slot(0)]);
    return workspace_.length() - address / sizeof(T) % line;
  }

  const Program& program_;
  std::span<const Target> targets_;
  std::span<const Operand> operands_;
  const Shape& shape_;
  const Arrays<T>& arrays_;
  Workspace<T>& workspace_;
  std::vector<T*>& rows_;  // slot by slot; null for those that do not move
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
  PackedRunner(const Program& program, std::span<const Target> targets, std::span<const Place> sources,
               std::span<const Place> destinations, std::size_t line, const Arrays<T>& arrays, Workspace<T>& workspace)
      : program_(program),
        targets_(targets),
        sources_(sources),
        destinations_(destinations),
        arrays_(arrays),
        workspace_(workspace),
        segments_(workspace.memory().segments),
        line_(line) {
    segments_.clear();
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
    const T* from = arrays_.operands[static_cast<std::size_t>(external.id)] + place(segment.at) +
                    static_cast<std::ptrdiff_t>(first) * step;
    for (std::size_t p = first; p < last; ++p, from += step) to[p] = *from;
  }

  void scatter(const Segment& segment, std::size_t number, std::size_t first, std::size_t last) {
    const OutputKind kind = program_.outputs[number].kind;
    if (kind == OutputKind::sum) return;
    const Place& place = destinations_[number];
    const std::ptrdiff_t step = place.strides[line_];
    const T* const from = workspace_.own_row(program_.output_slot(number)) + segment.place;
    T* to = arrays_.targets[targets_[number].array] + place(segment.at) + static_cast<std::ptrdiff_t>(first) * step;
    if (kind == OutputKind::store) {
      for (std::size_t p = first; p < last; ++p, to += step) *to = from[p];
    } else {
      for (std::size_t p = first; p < last; ++p, to += step) *to += from[p];
    }
  }

  const Program& program_;
  std::span<const Target> targets_;
  std::span<const Place> sources_, destinations_;
  const Arrays<T>& arrays_;
  Workspace<T>& workspace_;
  std::vector<Segment>& segments_;
  std::size_t line_;
  std::size_t points_ = 0;
};

}  // namespace dd::odil
