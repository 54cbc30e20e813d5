// How a program goes over points that lie one after the other in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "odil/workspace.hpp"

namespace dd::odil {

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
  FlatRunner(const CompiledProgram& rows, std::span<const MovingRow> moving, const Shape& shape,
             const Arrays<T>& arrays, Workspace<T>& workspace)
      : program_(rows.program),
        moving_(moving),
        shape_(shape),
        arrays_(arrays),
        workspace_(workspace),
        begins_(workspace.memory().begins) {
    begins_.resize(moving.size());
    for (const External& external : program_.externals) indices_ |= external.kind == External::Kind::index;
  }

  void run(std::size_t begin, std::size_t end) {
    for (std::size_t k = 0; k < moving_.size(); ++k) {
      const MovingRow& row = moving_[k];
      T* const array = row.is_target ? arrays_.targets[row.array] : const_cast<T*>(arrays_.operands[row.array]);
      begins_[k] = array + row.place(begin);
    }
    std::size_t longest = first_block();
    for (std::size_t at = begin, points = 0; at < end; at += points, longest = workspace_.length()) {
      points = std::min(longest, end - at);
      for (std::size_t k = 0; k < moving_.size(); ++k) workspace_.slot(moving_[k].slot) = begins_[k] + (at - begin);
      if (indices_) fill_indices(at, points);
      workspace_.execute(points);
    }
  }

 private:
  void fill_indices(std::size_t at, std::size_t points) {
    for (std::size_t k = 0; k < program_.externals.size(); ++k) {
      const External& external = program_.externals[k];
      if (external.kind != External::Kind::index) continue;
      fill_index(workspace_.own_row(program_.external_slot(k)) + external.low,
                 static_cast<std::ptrdiff_t>(at) + external.low,
                 points + static_cast<std::size_t>(external.high - external.low), shape_,
                 static_cast<std::size_t>(external.id));
    }
  }

  /// Points of the first block, so that the others write whole cache lines: vectors across two lines take twice as
  /// long. Where rows are summed up, blocks are cut by sizes alone.
  std::size_t first_block() const {
    constexpr std::size_t line = cache_line_bytes / sizeof(T);
    if (program_.sums > 0 || moving_.empty() || !moving_.back().is_target) return workspace_.length();
    const auto address = reinterpret_cast<std::uintptr_t>(begins_.back());
    return workspace_.length() - address / sizeof(T) % line;
  }

  const Program& program_;
  std::span<const MovingRow> moving_;
  const Shape& shape_;
  const Arrays<T>& arrays_;
  Workspace<T>& workspace_;
  std::vector<T*>& begins_;  // of the moving rows
  bool indices_ = false;
};

}  // namespace dd::odil
