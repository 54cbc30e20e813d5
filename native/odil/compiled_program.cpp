#include "odil/compiled_program.hpp"

#include <algorithm>
#include <utility>

namespace dd::odil {
namespace {

constexpr std::size_t first_level_bytes = 32 * 1024;

std::size_t rounded_up(std::size_t count) noexcept { return (count + 15) / 16 * 16; }

}  // namespace

RowLayout::RowLayout(const Program& program, std::size_t element_bytes) noexcept {
  const std::size_t rows = program.registers + program.externals.size() + 1;
  length = std::clamp<std::size_t>(first_level_bytes / (element_bytes * rows) / 64 * 64, 64, 512);
  std::int32_t low = program.low, high = program.high;
  for (const External& external : program.externals) {
    low = std::min(low, external.low);
    high = std::max(high, external.high);
  }
  // What an instruction writes begins at a cache line where the row that reaches furthest does: vectors across two
  // lines take twice as long.
  margin = rounded_up(static_cast<std::size_t>(-low)) + static_cast<std::size_t>(-program.low) % 16;
  stride = rounded_up(length + margin + static_cast<std::size_t>(high)) + 16;
}

CompiledProgram::CompiledProgram(Graph& graph, const std::vector<Output>& outputs, RowKind kind,
                                 std::size_t contiguous_axis, std::vector<Target> where)
    : program(lower(graph, outputs, kind, contiguous_axis)),
      uniforms(graph, uniform_roots(program)),
      targets(std::move(where)),
      layouts{RowLayout(program, sizeof(float)), RowLayout(program, sizeof(double))} {}

std::vector<MovingRow> moving_rows(const CompiledProgram& rows, const Shape& points,
                                   const std::vector<Shape>& operands) {
  const Program& program = rows.program;
  std::vector<MovingRow> result;
  for (std::size_t k = 0; k < program.externals.size(); ++k) {
    const External& external = program.externals[k];
    if (external.kind != External::Kind::operand) continue;
    const auto array = static_cast<std::size_t>(external.id);
    result.push_back({program.external_slot(k), array, false, RunPlace(points, operands[array], external.shift)});
  }
  for (std::size_t k = 0; k < program.outputs.size(); ++k) {
    if (program.outputs[k].kind == OutputKind::sum) continue;
    const Target& target = rows.targets[k];
    result.push_back({program.output_slot(k), target.array, true, RunPlace(points, target.shape, target.shift)});
  }
  return result;
}

bool is_linear_program(const Program& program) noexcept {
  const bool only_operands =
      std::all_of(program.externals.begin(), program.externals.end(),
                  [](const External& external) { return external.kind == External::Kind::operand; });
  return only_operands && program.registers == 0 &&
         std::all_of(program.instructions.begin(), program.instructions.end(),
                     [](const Instruction& instruction) { return instruction.code == Code::combine; });
}

}  // namespace dd::odil
