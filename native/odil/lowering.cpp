// From rows to instructions: how far each row reaches, the order of instructions, and registers.
#include <algorithm>
#include <map>
#include <utility>

#include "core/error.hpp"
#include "odil/program.hpp"
#include "odil/rows.hpp"

namespace dd::odil {
namespace {

class Lowering {
 public:
  Lowering(Graph& graph, const std::vector<Output>& outputs, Rows rows)
      : graph_(graph), outputs_(outputs), rows_(std::move(rows.rows)), finals_(std::move(rows.finals)) {
    program_.sums = rows.sums;
  }

  Program run() {
    measure();
    assign();
    return std::move(program_);
  }

 private:
  // ---- how far each row reaches ------------------------------------------------------------------------------------
  struct Extent {
    bool used = false;
    std::int32_t low = 0, high = 0;
    std::size_t users = 0;
  };

  void reach(const Reference& operand, std::int32_t low, std::int32_t high) {
    Extent& extent = extents_[operand.row];
    const std::int32_t own_low = low + operand.offset, own_high = high + operand.offset;
    extent.low = extent.used ? std::min(extent.low, own_low) : own_low;
    extent.high = extent.used ? std::max(extent.high, own_high) : own_high;
    extent.used = true;
    ++extent.users;
  }

  void measure() {
    extents_.assign(rows_.size(), {});
    for (const Final& final : finals_) {
      for (const Reference& operand : final.row.operands) reach(operand, 0, 0);
    }
    for (std::size_t row = rows_.size(); row-- > 0;) {
      if (!extents_[row].used) continue;
      for (const Reference& operand : rows_[row].operands) reach(operand, extents_[row].low, extents_[row].high);
    }
  }

  // ---- registers ---------------------------------------------------------------------------------------------------
  std::uint32_t table_place(NodeId uniform) {
    const auto [place, added] = table_places_.try_emplace(uniform, static_cast<std::uint32_t>(program_.table.size()));
    if (added) program_.table.push_back(uniform);
    return place->second;
  }

  std::uint32_t constant_place(NodeId uniform) {
    return graph_.is_constant(uniform, 0) ? no_constant : table_place(uniform);
  }

  Instruction encode(const Row& row) {
    Instruction instruction;
    instruction.code = row.code;
    instruction.terms = static_cast<std::uint8_t>(row.operands.size());
    for (std::size_t k = 0; k < row.operands.size(); ++k) {
      instruction.operand[k] = static_cast<std::uint16_t>(row.operands[k].row);  // made a slot below
      instruction.offset[k] = row.operands[k].offset;
    }
    for (std::size_t k = 0; k < row.coefficients.size(); ++k) {
      instruction.coefficient[k] = table_place(row.coefficients[k]);
    }
    if (!row.coefficients.empty() || row.code == Code::combine) instruction.constant = constant_place(row.constant);
    return instruction;
  }

  /// The only row that a final copies is computed in its place.
  bool merges(const Final& final) const {
    if (final.row.code != Code::combine || final.row.operands.size() != 1) return false;
    const Row& row = rows_[final.row.operands[0].row];
    const OutputKind kind = outputs_[final.output].kind;
    return kind == OutputKind::store && !row.external && extents_[final.row.operands[0].row].users == 1 &&
           graph_.is_constant(final.row.coefficients[0], 1) && graph_.is_constant(final.row.constant, 0);
  }

  void assign() {
    if (rows_.size() + outputs_.size() >= 0x10000) {
      throw Error(ErrorCode::invalid_argument_value, "residuals", "an expression needs more than 65 536 rows");
    }
    // The order of instructions: rows as they were found, each final right after the last row that it needs.
    std::vector<std::vector<std::size_t>> finals_after(rows_.size() + 1);
    std::vector<bool> merged(rows_.size(), false);
    for (std::size_t f = 0; f < finals_.size(); ++f) {
      std::size_t last = 0;
      for (const Reference& operand : finals_[f].row.operands) last = std::max<std::size_t>(last, operand.row + 1);
      if (merges(finals_[f])) merged[last - 1] = true;
      finals_after[last].push_back(f);
    }
    std::vector<std::size_t> last_use(rows_.size(), 0), order_of(rows_.size(), 0);
    struct Step {
      Instruction instruction;
      std::int64_t row = -1;  // the row it makes, or -1 for a final
    };
    std::vector<Step> steps;
    const auto emit_finals = [&](std::size_t after) {
      for (const std::size_t f : finals_after[after]) steps.push_back({final_instruction(finals_[f]), -1});
    };
    emit_finals(0);
    std::vector<std::int32_t> external_of(rows_.size(), -1);
    for (std::size_t row = 0; row < rows_.size(); ++row) {
      if (extents_[row].used && rows_[row].external) {
        external_of[row] = static_cast<std::int32_t>(program_.externals.size());
        External source = rows_[row].source;
        source.low = extents_[row].low;
        source.high = extents_[row].high;
        program_.externals.push_back(source);
      } else if (extents_[row].used && !merged[row]) {
        Instruction instruction = encode(rows_[row]);
        instruction.low = extents_[row].low;
        instruction.high = extents_[row].high;
        program_.low = std::min(program_.low, instruction.low);
        program_.high = std::max(program_.high, instruction.high);
        steps.push_back({instruction, static_cast<std::int64_t>(row)});
      }
      emit_finals(row + 1);
    }
    for (std::size_t s = 0; s < steps.size(); ++s) {
      for (std::size_t k = 0; k < operand_count(steps[s].instruction); ++k) {
        const std::uint16_t row = steps[s].instruction.operand[k];
        if (row != own_output) last_use[row] = s;
      }
    }
    allocate(steps, last_use, external_of);
  }

  static constexpr std::uint16_t own_output = 0xFFFF;  // while rows are numbered: the output that is added to
  static std::size_t operand_count(const Instruction& instruction) { return instruction.terms; }

  Instruction final_instruction(const Final& final) {
    Instruction instruction;
    if (merges(final)) {
      const Reference at = final.row.operands[0];
      instruction = encode(rows_[at.row]);
      instruction.low = at.offset;
      instruction.high = at.offset;
      instruction.destination_offset = -at.offset;
    } else {
      instruction = encode(final.row);
    }
    if (final.row.code == Code::sum) {
      instruction.destination = static_cast<std::uint16_t>(final.sum);
      return instruction;
    }
    if (outputs_[final.output].kind == OutputKind::accumulate) {
      instruction.operand[instruction.terms] = own_output;
      instruction.coefficient[instruction.terms] = table_place(graph_.constant(1));
      ++instruction.terms;
    }
    instruction.destination = static_cast<std::uint16_t>(final.output);
    return instruction;
  }

  template <class Steps>
  void allocate(Steps& steps, const std::vector<std::size_t>& last_use, const std::vector<std::int32_t>& external_of) {
    std::vector<std::int32_t> register_of(rows_.size(), -1);
    std::vector<std::int32_t> free;
    std::int32_t count = 0;
    for (std::size_t s = 0; s < steps.size(); ++s) {
      // The destination is taken before operands are given back: instructions never write over what they read.
      if (steps[s].row >= 0) {
        std::int32_t taken = count;
        if (free.empty()) {
          ++count;
        } else {
          taken = free.back();
          free.pop_back();
        }
        register_of[static_cast<std::size_t>(steps[s].row)] = taken;
      }
      for (std::size_t k = 0; k < operand_count(steps[s].instruction); ++k) {
        const std::uint16_t row = steps[s].instruction.operand[k];
        if (row == own_output || last_use[row] != s || register_of[row] < 0) continue;
        if (std::find(free.begin(), free.end(), register_of[row]) == free.end()) free.push_back(register_of[row]);
      }
    }
    program_.registers = static_cast<std::size_t>(count);
    program_.outputs = outputs_;
    for (auto& step : steps) {
      Instruction& instruction = step.instruction;
      const bool is_sum = instruction.code == Code::sum;
      const std::size_t output = instruction.destination;
      for (std::size_t k = 0; k < operand_count(instruction); ++k) {
        const std::uint16_t row = instruction.operand[k];
        std::size_t slot = 0;
        if (row == own_output) {
          slot = program_.output_slot(output);
        } else {
          slot = external_of[row] >= 0 ? program_.external_slot(static_cast<std::size_t>(external_of[row]))
                                       : static_cast<std::size_t>(register_of[row]);
        }
        instruction.operand[k] = static_cast<std::uint16_t>(slot);
      }
      if (step.row >= 0) {
        instruction.destination = static_cast<std::uint16_t>(register_of[static_cast<std::size_t>(step.row)]);
      } else if (!is_sum) {
        instruction.destination = static_cast<std::uint16_t>(program_.output_slot(output));
      }
      program_.instructions.push_back(instruction);
    }
  }

  Graph& graph_;
  const std::vector<Output>& outputs_;
  std::vector<Row> rows_;
  std::vector<Final> finals_;
  std::vector<Extent> extents_;
  std::map<NodeId, std::uint32_t> table_places_;
  Program program_;
};

}  // namespace

Program lower(Graph& graph, const std::vector<Output>& outputs, RowKind rows, std::size_t contiguous_axis) {
  return Lowering(graph, outputs, make_rows(graph, outputs, rows, contiguous_axis)).run();
}

std::vector<NodeId> uniform_roots(const Program& program) {
  std::vector<NodeId> roots = program.table;
  for (const External& external : program.externals) {
    if (external.kind == External::Kind::uniform) roots.push_back(external.uniform);
  }
  return roots;
}

}  // namespace dd::odil
