#include "odil/program_source.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "odil/program.hpp"

namespace dd::odil {
namespace {

std::string joined(std::initializer_list<std::string_view> parts) {
  std::string result;
  for (const std::string_view part : parts) result += part;
  return result;
}

std::string text_of(std::ptrdiff_t value) { return std::to_string(value); }

/// The number, exactly.
std::string literal(double value) {
  if (std::isnan(value)) return "__builtin_nan(\"\")";
  if (std::isinf(value)) return value < 0 ? "-__builtin_inf()" : "__builtin_inf()";
  char buffer[64];
  std::snprintf(buffer, sizeof(buffer), "%.17g", value);
  std::string text = buffer;
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return value < 0 ? "(" + text + ")" : text;
}

std::string call(const char* function, const std::string& argument) {
  return std::string(function) + "(" + argument + ")";
}

/// One operation on values that are named already; `zero` and `one` in the type of the operands.
std::string operation(Code code, std::span<const std::string> a, const std::string& type) {
  const std::string zero = type + "(0)", one = type + "(1)";
  switch (code) {
    case Code::multiply:
      return a[0] + " * " + a[1];
    case Code::divide:
      return a[0] + " / " + a[1];
    case Code::minimum:
      return a[1] + " < " + a[0] + " ? " + a[1] + " : " + a[0];
    case Code::maximum:
      return a[0] + " < " + a[1] + " ? " + a[1] + " : " + a[0];
    case Code::absolute:
      return call("fabs", a[0]);
    case Code::sign:
      return a[0] + " > " + zero + " ? " + one + " : " + a[0] + " < " + zero + " ? -" + one + " : " + zero;
    case Code::select_less:
      return a[0] + " < " + a[1] + " ? " + a[2] + " : " + a[3];
    case Code::exp:
      return call("exp", a[0]);
    case Code::log:
      return call("log", a[0]);
    case Code::sin:
      return call("sin", a[0]);
    case Code::cos:
      return call("cos", a[0]);
    case Code::tanh:
      return call("tanh", a[0]);
    case Code::sigmoid:
      return call("discrete_descent_sigmoid", a[0]);
    case Code::sqrt:
      return call("sqrt", a[0]);
    case Code::power:
      return "pow(" + a[0] + ", " + a[1] + ")";
    case Code::scaled_exp:
    case Code::combine:
    case Code::sum:
      break;
  }
  return a[0];
}

/// The text of one kernel.
class Kernel {
 public:
  Kernel(const Graph& graph, const Domain& domain, SourcePrecision precision)
      : graph_(graph), domain_(domain), type_(precision == SourcePrecision::float64 ? "double" : "float") {}

  void begin(const std::string& name, std::size_t operands) {
    text_ += "extern \"C\" __global__ void " + name + "(";
    for (std::size_t k = 0; k < operands; ++k) text_ += "const " + type_ + "* __restrict__ " + operand_name(k) + ", ";
    text_ += "const double* __restrict__ parameters, " + type_ + "* __restrict__ residual) {\n";
    text_ += "  const long long point = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;\n";
  }
  void line(const std::string& text) { text_ += "  " + text + "\n"; }
  std::string finish() { return std::move(text_) + "}\n"; }
  const std::string& type() const { return type_; }

  std::string operand_name(std::size_t number) const {
    return "operand" + std::to_string(number) + "_" + identifier(domain_.operands[number].name);
  }

  /// Expressions without a point, in float64 as everywhere; afterwards `uniform` names them.
  void uniforms(std::span<const NodeId> roots) {
    if (roots.empty()) return;
    const std::vector<bool> needed = reachable(graph_, roots);
    uniform_.resize(needed.size());
    for (NodeId id = 0; id < needed.size(); ++id) {
      if (!needed[id]) continue;
      const Node& node = graph_[id];
      if (node.op == Op::constant) {
        uniform_[id] = literal(node.value);
        continue;
      }
      uniform_[id] = "w" + std::to_string(id);
      line("const double " + uniform_[id] + " = " + uniform_value(node) + ";");
    }
  }
  const std::string& uniform(NodeId id) const { return uniform_[id]; }

  /// An exact number stays one; everything else is rounded to the type of the rows.
  std::string narrowed(NodeId id) const { return type_ == "double" ? uniform(id) : "float(" + uniform(id) + ")"; }

 private:
  std::string uniform_value(const Node& node) const {
    std::array<std::string, 4> a;
    for (std::size_t k = 0; k < arity(node.op); ++k) a[k] = uniform_[node.child[k]];
    switch (node.op) {
      case Op::parameter:
        return "parameters[" + std::to_string(node.id) + "]";
      case Op::pick: {
        const auto number = static_cast<std::size_t>(node.id);
        return operand_name(number) + "[" +
               std::to_string(resolve(domain_.operands[number].shape, node.shift, Shift{})) + "]";
      }
      case Op::add:
        return a[0] + " + " + a[1];
      case Op::freeze:
        return a[0];
      case Op::sigmoid:
        return "1 / (1 + exp(-" + a[0] + "))";
      default:
        return operation(code_of(node.op), a, "double");
    }
  }

  const Graph& graph_;
  const Domain& domain_;
  std::string type_;
  std::string text_;
  std::vector<std::string> uniform_;
};

/// The program of one region, instruction by instruction.
class RegionSource {
 public:
  RegionSource(Graph& graph, const Domain& domain, const Shape& shape, const Region& region, SourcePrecision precision)
      : program_(lower(graph, {{region.root, OutputKind::store}}, RowKind::packed, shape.axes - 1)),
        graph_(graph),
        domain_(domain),
        shape_(shape),
        box_(region.box),
        kernel_(graph, domain, precision),
        held_(program_.registers),
        external_(program_.externals.size()) {}

  std::string write(const std::string& name, std::size_t operands) {
    kernel_.begin(name, operands);
    kernel_.line("if (point >= " + std::to_string(box_.points(shape_.axes)) + ") return;");
    indices();
    kernel_.uniforms(uniform_roots(program_));
    for (std::size_t n = 0; n < program_.instructions.size(); ++n) instruction(n);
    return kernel_.finish();
  }

 private:
  void indices() {
    kernel_.line("long long rest = point;");
    for (std::size_t axis = shape_.axes; axis-- > 0;) {
      const std::string extent = text_of(box_.end[axis] - box_.begin[axis]);
      kernel_.line(joined({"const long long i", std::to_string(axis), " = ", text_of(box_.begin[axis]), " + rest % ",
                           extent, "; rest /= ", extent, ";"}));
    }
  }

  /// Where the point lies in an array of that shape, moved by `shift`.
  std::string place(const Shape& shape, const Shift& shift) const {
    std::string text = text_of(distance(shape, box_, shift));
    const auto strides = shape.strides();
    for (std::size_t axis = shape.repeated; axis < shape.axes; ++axis) {
      text += " + " + text_of(strides[axis]) + " * i" + std::to_string(axis);
    }
    return text;
  }

  std::string row(std::size_t slot) {
    if (slot < program_.registers) return held_[slot];
    const std::size_t number = slot - program_.registers;
    std::string& name = external_[number];
    if (!name.empty()) return name;
    const External& external = program_.externals[number];
    std::string value;
    if (external.kind == External::Kind::uniform) {
      value = kernel_.narrowed(external.uniform);
    } else if (external.kind == External::Kind::index) {
      value = kernel_.type() + "(i" + std::to_string(external.id) + ")";
    } else {
      const auto operand = static_cast<std::size_t>(external.id);
      value = kernel_.operand_name(operand) + "[" + place(domain_.operands[operand].shape, external.shift) + "]";
    }
    name = "x" + std::to_string(number);
    kernel_.line("const " + kernel_.type() + " " + name + " = " + value + ";");
    return name;
  }

  std::string combination(const Instruction& instruction, std::span<const std::string> rows) const {
    std::string value;
    if (instruction.constant != no_constant) value = kernel_.narrowed(program_.table[instruction.constant]);
    for (std::size_t k = 0; k < rows.size(); ++k) {
      const NodeId coefficient = program_.table[instruction.coefficient[k]];
      if (value.empty()) {
        value = graph_.is_constant(coefficient, 1) ? rows[k] : kernel_.narrowed(coefficient) + " * " + rows[k];
      } else if (graph_.is_constant(coefficient, 1)) {
        value = joined({"(", value, ") + ", rows[k]});
      } else if (graph_.is_constant(coefficient, -1)) {
        value = joined({"(", value, ") - ", rows[k]});
      } else {
        value = joined({"fma(", kernel_.narrowed(coefficient), ", ", rows[k], ", ", value, ")"});
      }
    }
    return value.empty() ? kernel_.type() + "(0)" : value;
  }

  void instruction(std::size_t n) {
    const Instruction& instruction = program_.instructions[n];
    std::vector<std::string> rows;
    for (std::size_t k = 0; k < instruction.terms; ++k) rows.push_back(row(instruction.operand[k]));
    if (instruction.code == Code::scaled_exp && rows.size() == 2) rows = {"(" + rows[0] + " * " + rows[1] + ")"};
    const std::string value = instruction.code == Code::combine ? combination(instruction, rows)
                              : instruction.code == Code::scaled_exp
                                  ? call("exp", combination(instruction, rows))
                                  : operation(instruction.code, rows, kernel_.type());
    if (instruction.destination >= program_.registers) {
      kernel_.line("residual[" + place(shape_, Shift{}) + "] = " + value + ";");
      return;
    }
    const std::string name = "v" + std::to_string(n);
    kernel_.line("const " + kernel_.type() + " " + name + " = " + value + ";");
    held_[instruction.destination] = name;
  }

  Program program_;
  const Graph& graph_;
  const Domain& domain_;
  const Shape& shape_;
  const Box& box_;
  Kernel kernel_;
  std::vector<std::string> held_, external_;  // names of what registers hold now, and of externals read
};

}  // namespace

std::string identifier(std::string name) {
  const auto fits = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  std::replace_if(
      name.begin(), name.end(), [&](char c) { return !fits(c); }, '_');
  return name;
}

std::string source_preamble() {
  return "template <class T>\n"
         "static __device__ inline T discrete_descent_sigmoid(T x) {\n"
         "  const T decay = exp(-fabs(x));\n"
         "  return (x < T(0) ? decay : T(1)) / (T(1) + decay);\n"
         "}\n";
}

std::string grid_block_source(Graph& graph, const Domain& domain, std::size_t operands, const Shape& shape,
                              std::span<const Region> regions, const std::string& name, SourcePrecision precision) {
  std::string text;
  for (std::size_t r = 0; r < regions.size(); ++r) {
    const Box& box = regions[r].box;
    text += "\n// " + std::to_string(box.points(shape.axes)) + " points:";
    for (std::size_t axis = 0; axis < shape.axes; ++axis) {
      text += std::string(axis == 0 ? " " : ", ") + domain.axis_names[axis] + " " + std::to_string(box.begin[axis]) +
              " to " + std::to_string(box.end[axis] - 1);
    }
    text +=
        "\n" +
        RegionSource(graph, domain, shape, regions[r], precision).write(name + "_region" + std::to_string(r), operands);
  }
  return text;
}

std::string scalar_block_source(const Graph& graph, const Domain& domain, std::size_t operands,
                                std::span<const NodeId> roots, const std::string& name, SourcePrecision precision) {
  Kernel kernel(graph, domain, precision);
  kernel.begin(name, operands);
  kernel.line("if (point > 0) return;");
  kernel.uniforms(roots);
  for (std::size_t r = 0; r < roots.size(); ++r) {
    kernel.line("residual[" + std::to_string(r) + "] = " + kernel.narrowed(roots[r]) + ";");
  }
  return "\n// " + std::to_string(roots.size()) + " numbers, one thread\n" + kernel.finish();
}

}  // namespace dd::odil
