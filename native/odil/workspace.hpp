// What a thread needs to run a program: how long its blocks are, where its registers lie, and memory that is used again
// and again.
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
  std::vector<T*> slots, begins;
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
  Workspace(const CompiledProgram& rows, std::span<const T> uniforms)
      : program_(rows.program), layout_(rows.layout<T>()), memory_(RowMemory<T>::of_thread()), table_(uniforms.data()) {
    memory_.rows.reserve_discarding(layout_.stride * program_.slots());
    memory_.slots.resize(program_.slots());
    for (std::size_t slot = 0; slot < memory_.slots.size(); ++slot) memory_.slots[slot] = own_row(slot);
    const T* uniform = uniforms.data() + program_.table.size();
    for (std::size_t k = 0; k < program_.externals.size(); ++k) {
      if (program_.externals[k].kind != External::Kind::uniform) continue;
      T* row = own_row(program_.external_slot(k)) - layout_.margin;
      std::fill(row, row + layout_.stride, *uniform++);
    }
    memory_.sums.assign(program_.sums, 0);
  }

  std::size_t length() const { return layout_.length; }
  T* own_row(std::size_t slot) { return memory_.rows.data() + slot * layout_.stride + layout_.margin; }
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
  const RowLayout& layout_;
  RowMemory<T>& memory_;
  const T* table_;
};

}  // namespace dd::odil
