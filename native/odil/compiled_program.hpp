// A program with what does not change between its runs: its constants, where its results go, how rows are laid out.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "odil/place.hpp"
#include "odil/program.hpp"
#include "odil/uniform.hpp"

namespace dd::odil {

/// Where an output goes: array number `array`, of that shape, at the point moved by `shift`. A sum goes to sum number
/// `array`.
struct Target {
  std::size_t array = 0;
  Shape shape;
  Shift shift{};
};

/// Points of a block and where its rows lie in a thread's memory: registers and the rows read beside them stay in the
/// first-level cache.
struct RowLayout {
  RowLayout() = default;
  RowLayout(const Program& program, std::size_t element_bytes) noexcept;

  std::size_t length = 0;
  std::size_t margin = 0;  ///< before the first point
  std::size_t stride = 0;  ///< from row to row
};

struct CompiledProgram {
  CompiledProgram() = default;
  CompiledProgram(Graph& graph, const std::vector<Output>& outputs, RowKind kind, std::size_t contiguous_axis,
                  std::vector<Target> where);

  template <class T>
  const RowLayout& layout() const noexcept {
    return layouts[sizeof(T) == sizeof(double) ? 1 : 0];
  }

  Program program;
  Uniforms uniforms;  ///< the table, then the uniform rows
  std::vector<Target> targets;
  std::array<RowLayout, 2> layouts;  ///< in float32 and in float64
};

/// An array that a program goes through with its points.
struct MovingRow {
  std::size_t slot = 0;
  std::size_t array = 0;
  bool is_target = false;
  RunPlace place;
};

/// Operands, then targets.
std::vector<MovingRow> moving_rows(const CompiledProgram& rows, const Shape& points,
                                   const std::vector<Shape>& operands);

/// True where every instruction is a linear combination of what operands hold, written or added to a target: such a
/// program needs no rows, so points far apart are best computed where they are.
bool is_linear_program(const Program& program) noexcept;

}  // namespace dd::odil
