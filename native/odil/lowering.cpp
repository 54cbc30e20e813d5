// From expressions to instructions: sums flattened to linear combinations, values shared between neighbouring points,
// rows assigned to registers (specs/odil-engine.md, sections 1.2 and 1.3).
#include <algorithm>
#include <map>
#include <tuple>

#include "core/error.hpp"
#include "odil/program.hpp"

namespace dd::odil {

Code code_of(Op op) {
  switch (op) {
    case Op::multiply:
      return Code::multiply;
    case Op::divide:
      return Code::divide;
    case Op::minimum:
      return Code::minimum;
    case Op::maximum:
      return Code::maximum;
    case Op::absolute:
      return Code::absolute;
    case Op::sign:
      return Code::sign;
    case Op::select_less:
      return Code::select_less;
    case Op::exp:
      return Code::exp;
    case Op::log:
      return Code::log;
    case Op::sin:
      return Code::sin;
    case Op::cos:
      return Code::cos;
    case Op::tanh:
      return Code::tanh;
    case Op::sigmoid:
      return Code::sigmoid;
    case Op::sqrt:
      return Code::sqrt;
    case Op::power:
      return Code::power;
    default:
      throw Error(ErrorCode::internal, "", "an operation that has no instruction");
  }
}

namespace {

/// A row, moved along the contiguous axis.
struct Reference {
  std::uint32_t row = 0;
  std::int32_t offset = 0;
  bool operator==(const Reference&) const = default;
  bool operator<(const Reference& other) const { return row != other.row ? row < other.row : offset < other.offset; }
};

struct Term {
  Reference at;
  NodeId coefficient = 0;
};

/// constant + sum of terms; the constant is a uniform expression.
struct Form {
  std::vector<Term> terms;
  NodeId constant = 0;
};

/// A row before registers are known.
struct Row {
  bool external = false;
  External source;  // of an external row
  Code code = Code::combine;
  std::vector<Reference> operands;
  std::vector<NodeId> coefficients;
  NodeId constant = 0;
  auto key() const {
    return std::tie(external, source.kind, source.id, source.shift, source.uniform, code, operands, coefficients,
                    constant);
  }
  bool operator<(const Row& other) const { return key() < other.key(); }
};

class Lowering {
 public:
  Lowering(Graph& graph, const std::vector<Output>& outputs, RowKind kind, std::size_t contiguous_axis)
      : graph_(graph), outputs_(outputs), packed_(kind == RowKind::packed), axis_(contiguous_axis) {}

  Program run() {
    read_graph();
    for (std::size_t number = 0; number < outputs_.size(); ++number) finish_output(number);
    measure();
    assign();
    return std::move(program_);
  }

 private:
  // ---- expressions to rows ---------------------------------------------------------------------------------------
  void read_graph() {
    std::vector<NodeId> roots;
    for (const Output& output : outputs_) roots.push_back(output.root);
    const std::vector<bool> needed = reachable(graph_, roots);
    uses_.assign(needed.size(), 0);
    for (NodeId id = 0; id < needed.size(); ++id) {
      if (!needed[id]) continue;
      for (std::size_t k = 0; k < arity(graph_[id].op); ++k) ++uses_[graph_[id].child[k]];
    }
    for (const NodeId root : roots) ++uses_[root];
    forms_.resize(needed.size());
    materialised_.assign(needed.size(), -1);
    for (NodeId id = 0; id < needed.size(); ++id) {
      if (needed[id]) forms_[id] = form_of(id);
    }
  }

  Form form_of(NodeId id) {
    if (graph_.is_uniform(id)) return {{}, id};
    const Node node = graph_[id];
    const NodeId one = graph_.constant(1), zero = graph_.constant(0);
    switch (node.op) {
      case Op::access:
        return {{{external({.id = node.id, .shift = node.shift}), one}}, zero};
      case Op::index:
        return index_form(node);
      case Op::freeze:
        return part(node.child[0]);
      case Op::add: {
        Form form = part(node.child[0]);
        const Form other = part(node.child[1]);
        form.terms.insert(form.terms.end(), other.terms.begin(), other.terms.end());
        form.constant = graph_.add(form.constant, other.constant);
        return tidy(std::move(form));
      }
      case Op::multiply:
        for (std::size_t k = 0; k < 2; ++k) {
          if (!graph_.is_uniform(node.child[k])) continue;
          Form form = part(node.child[1 - k]);
          for (Term& term : form.terms) term.coefficient = graph_.multiply(node.child[k], term.coefficient);
          form.constant = graph_.multiply(node.child[k], form.constant);
          return tidy(std::move(form));
        }
        break;
      case Op::divide:
        if (graph_.is_uniform(node.child[1])) {
          const NodeId factor = graph_.divide(one, node.child[1]);
          Form form = part(node.child[0]);
          for (Term& term : form.terms) term.coefficient = graph_.multiply(factor, term.coefficient);
          form.constant = graph_.multiply(factor, form.constant);
          return tidy(std::move(form));
        }
        break;
      default:
        break;
    }
    if (node.op == Op::multiply || node.op == Op::divide) return product_form(node);
    if (node.op == Op::exp && forms_[node.child[0]].terms.size() == 1 && !is_plain(forms_[node.child[0]])) {
      return {{{intern(exponential(forms_[node.child[0]])), one}}, zero};
    }
    Row row;
    row.code = code_of(node.op);
    for (std::size_t k = 0; k < arity(node.op); ++k) row.operands.push_back(reference(node.child[k]));
    return {{{intern(std::move(row)), one}}, zero};
  }

  /// Factors of a product or quotient are left to the sum it goes into, which multiplies anyway.
  Form product_form(const Node& node) {
    Row row;
    row.code = code_of(node.op);
    std::array<NodeId, 2> factors{};
    for (std::size_t k = 0; k < 2; ++k) {
      const Form& form = forms_[node.child[k]];
      const bool scaled = form.terms.size() == 1 && graph_.is_constant(form.constant, 0);
      factors[k] = scaled ? form.terms[0].coefficient : graph_.constant(1);
      row.operands.push_back(scaled ? form.terms[0].at : reference(node.child[k]));
    }
    const bool product = node.op == Op::multiply;
    if (product && row.operands[1] < row.operands[0]) std::swap(row.operands[0], row.operands[1]);
    const NodeId factor = product ? graph_.multiply(factors[0], factors[1]) : graph_.divide(factors[0], factors[1]);
    return {{{intern(std::move(row)), factor}}, graph_.constant(0)};
  }

  /// exp of a scaled row; of a product, of its two factors.
  Row exponential(const Form& argument) {
    const Term& term = argument.terms[0];
    Row row;
    row.code = Code::scaled_exp;
    row.coefficients = {term.coefficient};
    row.constant = argument.constant;
    const Row& inner = rows_[term.at.row];
    if (!inner.external && inner.code == Code::multiply) {
      row.operands = inner.operands;
      for (Reference& operand : row.operands) {
        if (!is_uniform_row(operand)) operand.offset += term.at.offset;
      }
    } else {
      row.operands = {term.at};
    }
    return row;
  }

  bool is_uniform_row(const Reference& at) const {
    return rows_[at.row].external && rows_[at.row].source.kind == External::Kind::uniform;
  }

  Form index_form(const Node& node) {
    // The shift is a number, not an offset: beyond the end of a row the next index is not that of the next point.
    const double steps = node.shift[static_cast<std::size_t>(node.id)];
    return {{{external({.kind = External::Kind::index, .id = node.id}), graph_.constant(1)}}, graph_.constant(steps)};
  }

  /// The child as a part of its parent's sum: spelled out where nobody else uses it, or where it is so small that
  /// repeating it costs less than keeping it apart would (which hides that two fluxes are the same one, moved).
  Form part(NodeId child) {
    const Form& form = forms_[child];
    if (graph_.is_uniform(child) || form.terms.size() == 1) return form;
    bool small = form.terms.size() <= 4;
    for (const Term& term : form.terms) small = small && rows_[term.at.row].external;
    if (uses_[child] <= 1 || small) return form;
    return {{{reference(child), graph_.constant(1)}}, graph_.constant(0)};
  }

  Form tidy(Form form) {
    std::stable_sort(form.terms.begin(), form.terms.end(), [](const Term& a, const Term& b) { return a.at < b.at; });
    std::vector<Term> merged;
    for (const Term& term : form.terms) {
      if (!merged.empty() && merged.back().at == term.at) {
        merged.back().coefficient = graph_.add(merged.back().coefficient, term.coefficient);
      } else {
        merged.push_back(term);
      }
    }
    std::erase_if(merged, [&](const Term& term) { return graph_.is_constant(term.coefficient, 0); });
    form.terms = std::move(merged);
    return form;
  }

  bool is_plain(const Form& form) const {
    return form.terms.size() == 1 && graph_.is_constant(form.terms[0].coefficient, 1) &&
           graph_.is_constant(form.constant, 0);
  }

  /// The value of a node as a row.
  Reference reference(NodeId id) {
    if (materialised_[id] >= 0) return references_[static_cast<std::size_t>(materialised_[id])];
    const Reference result = row_of(forms_[id]);
    materialised_[id] = static_cast<std::int64_t>(references_.size());
    references_.push_back(result);
    return result;
  }

  Reference row_of(const Form& form) {
    if (is_plain(form)) return form.terms[0].at;
    if (form.terms.empty()) return external({.kind = External::Kind::uniform, .uniform = form.constant});
    return intern(combination(limited(form, max_terms)));
  }

  /// At most `room` terms: what does not fit goes through rows of its own.
  Form limited(Form form, std::size_t room) {
    while (form.terms.size() > room) {
      Form head{{form.terms.begin(), form.terms.begin() + max_terms}, graph_.constant(0)};
      form.terms.erase(form.terms.begin(), form.terms.begin() + max_terms);
      form.terms.push_back({intern(combination(head)), graph_.constant(1)});
    }
    return form;
  }

  static Row combination(const Form& form) {
    Row row;
    for (const Term& term : form.terms) {
      row.operands.push_back(term.at);
      row.coefficients.push_back(term.coefficient);
    }
    row.constant = form.constant;
    return row;
  }

  Reference external(External source) {
    Row row;
    row.external = true;
    std::int32_t offset = 0;
    if (!packed_ && source.kind != External::Kind::uniform) {
      offset = source.shift[axis_];
      source.shift[axis_] = 0;
    }
    row.source = source;
    const Reference at = intern(std::move(row));
    return {at.row, offset};
  }

  /// Stored up to a common shift: the caller gets the shift.
  Reference intern(Row row) {
    std::int32_t base = 0;
    for (const Reference& operand : row.operands) {
      if (is_uniform_row(operand)) continue;
      base = operand.offset;
      break;
    }
    for (Reference& operand : row.operands) {
      if (!is_uniform_row(operand)) operand.offset -= base;
    }
    const auto [place, added] = known_.try_emplace(std::move(row), static_cast<std::uint32_t>(rows_.size()));
    if (added) rows_.push_back(place->first);
    return {place->second, base};
  }

  // ---- outputs -----------------------------------------------------------------------------------------------------
  struct Final {
    Row row;
    std::size_t output = 0;
    std::size_t sum = 0;
  };

  void finish_output(std::size_t number) {
    const Output& output = outputs_[number];
    const Form& form = forms_[output.root];
    Final final;
    final.output = number;
    if (output.kind == OutputKind::sum) {
      final.row.code = Code::sum;
      final.sum = program_.sums++;
      final.row.operands.push_back(row_of(form));
    } else {
      const std::size_t room = output.kind == OutputKind::accumulate ? max_terms - 1 : max_terms;
      final.row = combination(limited(form, room));
    }
    finals_.push_back(std::move(final));
  }

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
  bool packed_;
  std::size_t axis_;
  std::vector<std::uint32_t> uses_;
  std::vector<Form> forms_;
  std::vector<std::int64_t> materialised_;
  std::vector<Reference> references_;
  std::vector<Row> rows_;
  std::map<Row, std::uint32_t> known_;
  std::vector<Final> finals_;
  std::vector<Extent> extents_;
  std::map<NodeId, std::uint32_t> table_places_;
  Program program_;
};

}  // namespace

Program lower(Graph& graph, const std::vector<Output>& outputs, RowKind rows, std::size_t contiguous_axis) {
  return Lowering(graph, outputs, rows, contiguous_axis).run();
}

std::vector<NodeId> uniform_roots(const Program& program) {
  std::vector<NodeId> roots = program.table;
  for (const External& external : program.externals) {
    if (external.kind == External::Kind::uniform) roots.push_back(external.uniform);
  }
  return roots;
}

}  // namespace dd::odil
