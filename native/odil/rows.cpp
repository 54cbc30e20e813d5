#include "odil/rows.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "core/error.hpp"

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

struct Term {
  Reference at;
  NodeId coefficient = 0;
};

/// constant + sum of terms; the constant is a uniform expression.
struct Form {
  std::vector<Term> terms;
  NodeId constant = 0;
};

class RowMaker {
 public:
  RowMaker(Graph& graph, const std::vector<Output>& outputs, RowKind kind, std::size_t contiguous_axis)
      : graph_(graph), outputs_(outputs), packed_(kind == RowKind::packed), axis_(contiguous_axis) {}

  Rows run() {
    read_graph();
    for (std::size_t number = 0; number < outputs_.size(); ++number) finish_output(number);
    return std::move(result_);
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
    const Row& inner = result_.rows[term.at.row];
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
    return result_.rows[at.row].external && result_.rows[at.row].source.kind == External::Kind::uniform;
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
    for (const Term& term : form.terms) small = small && result_.rows[term.at.row].external;
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
    const auto [place, added] = known_.try_emplace(std::move(row), static_cast<std::uint32_t>(result_.rows.size()));
    if (added) result_.rows.push_back(place->first);
    return {place->second, base};
  }

  // ---- outputs -----------------------------------------------------------------------------------------------------
  void finish_output(std::size_t number) {
    const Output& output = outputs_[number];
    const Form& form = forms_[output.root];
    Final final;
    final.output = number;
    if (output.kind == OutputKind::sum) {
      final.row.code = Code::sum;
      final.sum = result_.sums++;
      final.row.operands.push_back(row_of(form));
    } else {
      const std::size_t room = output.kind == OutputKind::accumulate ? max_terms - 1 : max_terms;
      final.row = combination(limited(form, room));
    }
    result_.finals.push_back(std::move(final));
  }

  Graph& graph_;
  const std::vector<Output>& outputs_;
  bool packed_;
  std::size_t axis_;
  std::vector<std::uint32_t> uses_;
  std::vector<Form> forms_;
  std::vector<std::int64_t> materialised_;
  std::vector<Reference> references_;
  std::map<Row, std::uint32_t> known_;
  Rows result_;
};

}  // namespace

Rows make_rows(Graph& graph, const std::vector<Output>& outputs, RowKind kind, std::size_t contiguous_axis) {
  return RowMaker(graph, outputs, kind, contiguous_axis).run();
}

}  // namespace dd::odil
