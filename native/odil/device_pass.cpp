#include "odil/device_pass.hpp"

#include <algorithm>
#include <string>

#include "core/error.hpp"

namespace dd::odil {
namespace {

/// Expressions over points hold no values at absolute places (problem.cpp sees to it).

void check_outputs(const RegionOutputs& region) {
  std::vector<std::size_t> written;
  for (std::size_t k = 0; k < region.outputs.size(); ++k) {
    const std::size_t array = region.targets[k].array;
    if (region.outputs[k].kind == OutputKind::sum ||
        std::find(written.begin(), written.end(), array) != written.end()) {
      throw Error(ErrorCode::internal, "", "a pass on a device stores each output in an array of its own");
    }
    written.push_back(array);
  }
}

PointInstruction for_points(const Instruction& instruction) {
  PointInstruction result{.code = instruction.code,
                          .terms = instruction.terms,
                          .destination = instruction.destination,
                          .operand = {},
                          .coefficient = {},
                          .constant = instruction.constant};
  std::copy(instruction.operand.begin(), instruction.operand.end(), result.operand);
  std::copy(instruction.coefficient.begin(), instruction.coefficient.end(), result.coefficient);
  return result;
}

template <class T>
PointRow<T> row_in(T* data, const Shape& shape, const Shape& block, std::ptrdiff_t offset) {
  const auto strides = shape.strides();
  using Form = typename PointRow<T>::Form;
  PointRow<T> row{.data = data,
                  .offset = offset,
                  .stride = {},
                  .form = strides == block.strides() ? Form::as_block : Form::strided};
  std::copy(strides.begin(), strides.end(), row.stride);
  return row;
}

template <class Kernel>
void launch(BlockLauncher& launcher, const Kernel& kernel) {
  launcher.launch(kernel, {blocks_for(kernel.points, Kernel::points_per_block)});
}

template <class T>
struct Launch {
  const PointInstruction* instructions;
  const PointRow<T>* rows;
  const T* table;
  const Program& program;
  const Box& box;
  const Shape& shape;

  template <class Kernel>
  Kernel kernel() const {
    Kernel result{.instructions = instructions,
                  .count = program.instructions.size(),
                  .rows = rows,
                  .table = table,
                  .registers = static_cast<unsigned>(program.registers),
                  .first = {},
                  .extent = {},
                  .stride = {},
                  .points = box.points(shape.axes)};
    const auto strides = shape.strides();
    for (std::size_t axis = 0; axis < max_axes; ++axis) {
      result.stride[axis] = strides[axis];
      const bool exists = axis < shape.axes;
      result.first[axis] = exists ? box.begin[axis] : 0;
      result.extent[axis] = exists ? box.end[axis] - box.begin[axis] : 1;
    }
    return result;
  }

  /// On the variant with the fewest registers that are enough.
  void on(BlockLauncher& launcher) const {
    if (program.registers <= ProgramBlockFew<T>::registers_held) {
      launch(launcher, kernel<ProgramBlockFew<T>>());
    } else if (program.registers <= ProgramBlockMore<T>::registers_held) {
      launch(launcher, kernel<ProgramBlockMore<T>>());
    } else if (program.registers <= ProgramBlockMany<T>::registers_held) {
      launch(launcher, kernel<ProgramBlockMany<T>>());
    } else {
      launch(launcher, kernel<ProgramBlockMost<T>>());
    }
  }
};

}  // namespace

DevicePass::DevicePass(Graph& graph, const Domain& domain, const Shape& shape, std::vector<RegionOutputs> regions)
    : operands_(domain.operands), shape_(shape) {
  for (RegionOutputs& region : regions) {
    if (region.outputs.empty()) continue;
    check_outputs(region);
    Compiled compiled{.box = region.box,
                      .program = lower(graph, region.outputs, RowKind::packed, shape.axes - 1),
                      .uniforms = {},
                      .targets = std::move(region.targets)};
    if (compiled.program.registers > ProgramBlockMost<double>::registers_held) {
      throw Error(ErrorCode::internal, "",
                  "an expression needs " + std::to_string(compiled.program.registers) + " registers, a block has " +
                      std::to_string(ProgramBlockMost<double>::registers_held));
    }
    compiled.uniforms = Uniforms(graph, uniform_roots(compiled.program));
    regions_.push_back(std::move(compiled));
  }
}

std::size_t DevicePass::registers() const noexcept {
  std::size_t most = 0;
  for (const Compiled& region : regions_) most = std::max(most, region.program.registers);
  return most;
}

template <class T>
std::vector<PointRow<T>> DevicePass::rows(const Compiled& region, const Arrays<T>& arrays, T* uniforms) const {
  std::vector<PointRow<T>> result;
  std::ptrdiff_t uniform = 0;
  for (const External& external : region.program.externals) {
    PointRow<T> row{};
    if (external.kind == External::Kind::uniform) {
      row = {.data = uniforms, .offset = uniform++, .stride = {}, .form = PointRow<T>::Form::strided};
    } else if (external.kind == External::Kind::index) {
      row.form = PointRow<T>::Form::index;
      row.stride[external.id] = 1;
    } else {
      const auto operand = static_cast<std::size_t>(external.id);
      const Shape& shape = operands_[operand].shape;
      // Read only: an external is never a destination.
      row =
          row_in(const_cast<T*>(arrays.operands[operand]), shape, shape_, distance(shape, region.box, external.shift));
    }
    result.push_back(row);
  }
  for (const Target& target : region.targets) {
    result.push_back(
        row_in(arrays.targets[target.array], target.shape, shape_, distance(target.shape, region.box, target.shift)));
  }
  return result;
}

template <class T>
void DevicePass::run(BlockLauncher& launcher, const Arrays<T>& arrays) const {
  const AllocationScope scope(launcher);
  for (const Compiled& region : regions_) {
    std::vector<double> values(region.uniforms.size());
    region.uniforms.evaluate(arrays.parameters, no_picks, values);
    const std::vector<T> numbers(values.begin(), values.end());
    T* const table = launcher.allocate<T>(numbers.size());
    launcher.upload(table, std::span<const T>(numbers));

    std::vector<PointInstruction> code;
    std::transform(region.program.instructions.begin(), region.program.instructions.end(), std::back_inserter(code),
                   for_points);
    auto* const instructions = launcher.allocate<PointInstruction>(code.size());
    launcher.upload(instructions, std::span<const PointInstruction>(code));

    const std::vector<PointRow<T>> places = rows(region, arrays, table + region.program.table.size());
    auto* const own_rows = launcher.allocate<PointRow<T>>(places.size());
    launcher.upload(own_rows, std::span<const PointRow<T>>(places));
    Launch<T>{instructions, own_rows, table, region.program, region.box, shape_}.on(launcher);
  }
}
template void DevicePass::run(BlockLauncher&, const Arrays<float>&) const;
template void DevicePass::run(BlockLauncher&, const Arrays<double>&) const;

}  // namespace dd::odil
