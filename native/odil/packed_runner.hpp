// How a program goes over points that are gathered from anywhere.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "odil/workspace.hpp"

namespace dd::odil {

inline constexpr std::size_t shortest_run = 16;     // shorter rows are gathered
inline constexpr std::size_t points_together = 16;  // are gathered from all rows at once

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
  PackedRunner(const CompiledProgram& rows, std::span<const Place> sources, std::span<const Place> destinations,
               std::size_t line, const Arrays<T>& arrays, Workspace<T>& workspace)
      : program_(rows.program),
        targets_(rows.targets),
        sources_(sources),
        destinations_(destinations),
        arrays_(arrays),
        workspace_(workspace),
        segments_(workspace.memory().segments),
        begins_(workspace.memory().begins),
        line_(line) {
    segments_.clear();
    begins_.resize(std::max(program_.externals.size(), program_.outputs.size()));
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
    for (const Segment& segment : segments_) gather(segment);
    for (std::size_t k = 0; k < program_.outputs.size(); ++k) {
      if (program_.outputs[k].kind != OutputKind::accumulate) continue;
      T* row = workspace_.own_row(program_.output_slot(k));
      std::fill(row, row + points_, T(0));
    }
    workspace_.execute(points_);
    for (const Segment& segment : segments_) scatter(segment);
    segments_.clear();
    points_ = 0;
  }

 private:
  /// Points [first, last) of a segment; all rows of a few points, then those of the next few: neighbours share the
  /// cache lines they lie in.
  template <class Body>
  static void for_groups(const Segment& segment, Body&& body) {
    for (std::size_t first = 0; first < segment.length; first += points_together) {
      body(first, std::min(first + points_together, segment.length));
    }
  }

  void gather(const Segment& segment) {
    const std::size_t rows = program_.externals.size();
    for (std::size_t k = 0; k < rows; ++k) {
      const External& external = program_.externals[k];
      if (external.kind != External::Kind::operand) continue;
      begins_[k] = const_cast<T*>(arrays_.operands[static_cast<std::size_t>(external.id)]) + sources_[k](segment.at);
    }
    for_groups(segment, [&](std::size_t first, std::size_t last) {
      for (std::size_t k = 0; k < rows; ++k) {
        const External& external = program_.externals[k];
        if (external.kind == External::Kind::uniform) continue;
        T* const to = workspace_.own_row(program_.external_slot(k)) + segment.place;
        if (external.kind == External::Kind::index) {
          const auto axis = static_cast<std::size_t>(external.id);
          for (std::size_t p = first; p < last; ++p) {
            to[p] = static_cast<T>(segment.at[axis] + (axis == line_ ? static_cast<std::int32_t>(p) : 0));
          }
          continue;
        }
        const std::ptrdiff_t step = sources_[k].strides[line_];
        const T* from = begins_[k] + static_cast<std::ptrdiff_t>(first) * step;
        for (std::size_t p = first; p < last; ++p, from += step) to[p] = *from;
      }
    });
  }

  void scatter(const Segment& segment) {
    const std::size_t rows = program_.outputs.size();
    for (std::size_t k = 0; k < rows; ++k) {
      if (program_.outputs[k].kind != OutputKind::sum) {
        begins_[k] = arrays_.targets[targets_[k].array] + destinations_[k](segment.at);
      }
    }
    for_groups(segment, [&](std::size_t first, std::size_t last) {
      for (std::size_t k = 0; k < rows; ++k) {
        const OutputKind kind = program_.outputs[k].kind;
        if (kind == OutputKind::sum) continue;
        const std::ptrdiff_t step = destinations_[k].strides[line_];
        const T* const from = workspace_.own_row(program_.output_slot(k)) + segment.place;
        T* to = begins_[k] + static_cast<std::ptrdiff_t>(first) * step;
        if (kind == OutputKind::store) {
          for (std::size_t p = first; p < last; ++p, to += step) *to = from[p];
        } else {
          for (std::size_t p = first; p < last; ++p, to += step) *to += from[p];
        }
      }
    });
  }

  const Program& program_;
  std::span<const Target> targets_;
  std::span<const Place> sources_, destinations_;
  const Arrays<T>& arrays_;
  Workspace<T>& workspace_;
  std::vector<Segment>& segments_;
  std::vector<T*>& begins_;  // where a segment begins in what is read, then in what is written
  std::size_t line_;
  std::size_t points_ = 0;
};

inline void run_line(const LineCombination<float>& line) { run_line_float32(&line); }
inline void run_line(const LineCombination<double>& line) { run_line_float64(&line); }

/// Computes lines of points where they are; of linear programs (is_linear_program).
template <class T>
class LineRunner {
 public:
  LineRunner(const CompiledProgram& rows, std::span<const Place> sources, std::span<const Place> destinations,
             std::size_t line, const Arrays<T>& arrays, std::span<const T> table)
      : rows_(rows), sources_(sources), destinations_(destinations), arrays_(arrays), table_(table), line_(line) {}

  void run(const std::array<std::int32_t, max_axes>& at, std::size_t length) const {
    const Program& program = rows_.program;
    for (const Instruction& instruction : program.instructions) {
      const std::size_t output = instruction.destination - program.output_slot(0);
      const Place& destination = destinations_[output];
      T* const to = arrays_.targets[rows_.targets[output].array] + destination(at);
      LineCombination<T> combination;
      combination.to = to;
      combination.to_step = destination.strides[line_];
      combination.count = length;
      combination.terms = instruction.terms;
      combination.constant = instruction.constant == no_constant ? nullptr : &table_[instruction.constant];
      for (std::size_t k = 0; k < instruction.terms; ++k) {
        combination.coefficient[k] = table_[instruction.coefficient[k]];
        const std::size_t number = instruction.operand[k] - program.external_slot(0);
        if (number < program.externals.size()) {
          combination.from[k] =
              arrays_.operands[static_cast<std::size_t>(program.externals[number].id)] + sources_[number](at);
          combination.step[k] = sources_[number].strides[line_];
        } else {  // what is added to
          combination.from[k] = to;
          combination.step[k] = combination.to_step;
        }
      }
      run_line(combination);
    }
  }

 private:
  const CompiledProgram& rows_;
  std::span<const Place> sources_, destinations_;
  const Arrays<T>& arrays_;
  std::span<const T> table_;
  std::size_t line_;
};

}  // namespace dd::odil
