// Makes problems of expressions from flat arrays, evaluates them and their derivatives.
#include <memory>
#include <string>
#include <vector>

#include "addon/arguments.hpp"
#include "addon/edge.hpp"
#include "addon/handle.hpp"
#include "addon/odil.hpp"
#include "addon/odil_options.hpp"
#include "core/thread_pool.hpp"
#include "odil/problem.hpp"

namespace dd::addon {
namespace {

using namespace dd::odil;

constexpr std::size_t largest_graph = 65536;

[[noreturn]] void bad_graph(std::size_t node, const char* what) {
  throw Error(ErrorCode::invalid_argument_value, "graph", "node " + std::to_string(node) + " of the graph " + what);
}

/// Nodes as parallel arrays: operations, ids, values, four children and five shifts each.
struct WireGraph {
  std::span<const std::uint8_t> ops;
  std::span<const std::int32_t> ids, children, shifts;
  std::span<const double> values;

  explicit WireGraph(const Napi::Object& given)
      : ops(typed_array<std::uint8_t>(given.Get("ops"), "graph.ops")),
        ids(typed_array<std::int32_t>(given.Get("ids"), "graph.ids", ops.size())),
        children(typed_array<std::int32_t>(given.Get("children"), "graph.children", 4 * ops.size())),
        shifts(typed_array<std::int32_t>(given.Get("shifts"), "graph.shifts", max_axes * ops.size())),
        values(typed_array<double>(given.Get("values"), "graph.values", ops.size())) {
    if (ops.size() > largest_graph) {
      throw Error(ErrorCode::out_of_range, "residuals",
                  "the residuals have " + std::to_string(ops.size()) + " operations; at most 65 536 are possible");
    }
  }

  /// The nodes in `graph`; what is refused here can only come from a caller that is not lib/odil.
  std::vector<NodeId> build(Graph& graph, std::size_t operands, std::size_t parameters, std::size_t axes) const {
    std::vector<NodeId> nodes;
    for (std::size_t n = 0; n < ops.size(); ++n) {
      if (ops[n] >= op_count) bad_graph(n, "has an unknown operation");
      const Op op = static_cast<Op>(ops[n]);
      std::array<NodeId, 4> child{};
      for (std::size_t k = 0; k < arity(op); ++k) {
        const std::int32_t from = children[4 * n + k];
        if (from < 0 || static_cast<std::size_t>(from) >= n) bad_graph(n, "has a child that does not come before it");
        child[k] = nodes[static_cast<std::size_t>(from)];
      }
      Shift shift{};
      for (std::size_t axis = 0; axis < axes; ++axis) shift[axis] = shifts[max_axes * n + axis];
      nodes.push_back(make(graph, n, op, child, shift, operands, parameters, axes));
    }
    return nodes;
  }

 private:
  NodeId make(Graph& graph, std::size_t n, Op op, const std::array<NodeId, 4>& child, const Shift& shift,
              std::size_t operands, std::size_t parameters, std::size_t axes) const {
    const auto number = static_cast<std::size_t>(ids[n]);
    const auto require = [&](std::size_t count) {
      if (ids[n] < 0 || number >= count) bad_graph(n, "names something that does not exist");
    };
    switch (op) {
      case Op::constant:
        return graph.constant(values[n]);
      case Op::parameter:
        require(parameters);
        return graph.parameter(ids[n]);
      case Op::access:
        require(operands);
        return graph.access(ids[n], shift);
      case Op::pick:
        require(operands);
        return graph.pick(ids[n], shift);
      case Op::index:
        require(axes);
        return graph.index(ids[n], shift);
      case Op::where_index:
        require(axes);
        return graph.where_index(ids[n], values[n], child[0], child[1]);
      default:
        return graph.make(op, std::span(child).first(arity(op)));
    }
  }
};

Shape shape_of(const Napi::Value& value, std::string_view argument) {
  const auto counts = typed_array<std::int32_t>(value, argument);
  if (counts.empty() || counts.size() > max_axes) throw_type(argument, "one to five counts");
  Shape shape;
  shape.axes = counts.size();
  shape.count.fill(1);
  for (std::size_t axis = 0; axis < counts.size(); ++axis) {
    if (counts[axis] < 1) throw_type(argument, "positive counts");
    shape.count[axis] = counts[axis];
  }
  return shape;
}

/// Calls body(object, position) for each element of an array of objects.
template <class Body>
void for_each_object(const Napi::Value& value, const char* argument, Body&& body) {
  if (!value.IsArray()) throw_type(argument, "an array");
  const Napi::Array list = value.As<Napi::Array>();
  for (std::uint32_t k = 0; k < list.Length(); ++k) body(object(list.Get(k), argument), k);
}

/// ({ axes, fields, arrays, parameters, blocks, graph }) -> handle.
Napi::Value create_problem(const Napi::CallbackInfo& info) {
  const Napi::Object given = object(info[0], "problem");
  ProblemDescription description;
  for_each_object(given.Get("axes"), "axes", [&](const Napi::Object& axis, std::uint32_t k) {
    if (k >= max_axes) throw_type("axes", "at most five axes");
    description.axis_names.push_back(text(axis.Get("name"), "axes.name"));
    description.periodic[k] = axis.Get("periodic").ToBoolean();
  });
  const auto operand = [](const Napi::Object& one) {
    return Operand{text(one.Get("name"), "name"), shape_of(one.Get("counts"), "counts")};
  };
  for_each_object(given.Get("fields"), "fields", [&](const Napi::Object& field, std::uint32_t) {
    description.fields.push_back(operand(field));
    description.fields.back().location = text(field.Get("location"), "fields.location");
  });
  for_each_object(given.Get("arrays"), "arrays", [&](const Napi::Object& array, std::uint32_t) {
    description.arrays.push_back(operand(array));
    Shape& shape = description.arrays.back().shape;
    shape.repeated = size(array.Get("repeated"), "arrays.repeated");
    if (shape.repeated >= shape.axes) throw_type("arrays.repeated", "fewer axes than the array has");
  });
  description.parameters = size(given.Get("parameters"), "parameters");
  const WireGraph wire(object(given.Get("graph"), "graph"));
  const Napi::Value totals = given.Get("totals");
  if (!totals.IsArray()) throw_type("totals", "an array");
  const std::vector<NodeId> nodes =
      wire.build(description.graph, description.fields.size() + description.arrays.size(),
                 description.parameters + totals.As<Napi::Array>().Length(), description.axis_names.size());
  const auto node = [&](std::int32_t number, const char* name) {
    if (number < 0 || static_cast<std::size_t>(number) >= nodes.size()) throw_type(name, "nodes of the graph");
    return nodes[static_cast<std::size_t>(number)];
  };
  for_each_object(totals, "totals", [&](const Napi::Object& one, std::uint32_t) {
    const auto root = static_cast<std::int32_t>(number(one.Get("root"), "totals.root"));
    description.totals.push_back({shape_of(one.Get("counts"), "totals.counts"), node(root, "totals.root")});
  });
  for_each_object(given.Get("blocks"), "blocks", [&](const Napi::Object& one, std::uint32_t) {
    BlockDescription block;
    block.name = text(one.Get("name"), "blocks.name");
    block.scalar = one.Get("scalar").ToBoolean();
    block.raw = one.Get("raw").ToBoolean();
    if (!block.scalar) block.shape = shape_of(one.Get("counts"), "blocks.counts");
    for (const std::int32_t root : typed_array<std::int32_t>(one.Get("roots"), "blocks.roots")) {
      block.roots.push_back(node(root, "blocks.roots"));
    }
    if (block.roots.empty() || (!block.scalar && block.roots.size() != 1)) throw_type("blocks.roots", "one root");
    description.blocks.push_back(std::move(block));
  });
  auto problem = std::make_shared<Problem>(std::move(description));
  std::size_t bytes = 0;
  for_each_object(given.Get("arrays"), "arrays", [&](const Napi::Object& array, std::uint32_t k) {
    const auto values = typed_array<double>(array.Get("values"), "arrays.values");
    problem->set_array(k, values);
    bytes += values.size() * sizeof(double);
  });
  return make_handle<Problem>(info.Env(), std::shared_ptr<const Problem>(std::move(problem)), bytes);
}

Napi::Value dispose_problem(const Napi::CallbackInfo& info) {
  handle_of<Problem>(info[0], "problem").release(info.Env());
  return info.Env().Undefined();
}

std::size_t thread_count(const Napi::Value& value) {
  const std::size_t threads = size(value, "threads");
  return threads == 0 ? ThreadPool::default_threads() : threads;
}

/// None, or one for each block.
std::span<const double> weights_of(const Napi::Value& value, const Problem& problem) {
  const auto weights = typed_array<double>(value, "weights");
  if (weights.empty()) return {};
  return typed_array<double>(value, "weights", problem.description().blocks.size());
}

template <class T>
double evaluate_as(const Problem& problem, const Napi::CallbackInfo& info) {
  const auto unknowns = typed_array<T>(info[1], "state", problem.unknowns());
  const auto residuals = typed_array<T>(info[2], "residuals", problem.residuals());
  const std::size_t threads = thread_count(info[4]);
  problem.evaluate<T>(unknowns, residuals, threads);
  return problem.loss<T>(residuals, problem.scales(normalization_of(info[3]), weights_of(info[5], problem)), threads);
}

/// (problem, unknowns, residuals out, normalization, threads, weights) -> loss.
Napi::Value evaluate(const Napi::CallbackInfo& info) {
  const auto problem = object_of<Problem>(info[0], "problem");
  const double loss = is_float32(info[1]) ? evaluate_as<float>(*problem, info) : evaluate_as<double>(*problem, info);
  return Napi::Number::New(info.Env(), loss);
}

template <class T>
double gradient_as(const Problem& problem, const Napi::CallbackInfo& info) {
  const auto unknowns = typed_array<T>(info[1], "state", problem.unknowns());
  const auto gradient = typed_array<T>(info[2], "gradient", problem.unknowns());
  AlignedBuffer<T> residuals(problem.residuals());
  const std::vector<double> scales = problem.scales(normalization_of(info[3]), weights_of(info[5], problem));
  return problem.gradient<T>(unknowns, residuals.span(), gradient, scales, thread_count(info[4]));
}

/// (problem, unknowns, gradient out, normalization, threads, weights) -> loss.
Napi::Value gradient(const Napi::CallbackInfo& info) {
  const auto problem = object_of<Problem>(info[0], "problem");
  const double loss = is_float32(info[1]) ? gradient_as<float>(*problem, info) : gradient_as<double>(*problem, info);
  return Napi::Number::New(info.Env(), loss);
}

template <class T>
Napi::Value block_sums_as(const Problem& problem, const Napi::CallbackInfo& info) {
  const auto unknowns = typed_array<T>(info[1], "state", problem.unknowns());
  std::vector<double> sums;
  for (const BlockSums& block : problem.block_sums<T>(unknowns, thread_count(info[2]))) {
    sums.push_back(block.plain);
    sums.push_back(block.squares);
  }
  return copy_to_typed_array<double>(info.Env(), sums);
}

/// (problem, unknowns, threads) -> sum and sum of squares, block by block.
Napi::Value block_sums(const Napi::CallbackInfo& info) {
  const auto problem = object_of<Problem>(info[0], "problem");
  return is_float32(info[1]) ? block_sums_as<float>(*problem, info) : block_sums_as<double>(*problem, info);
}

/// (problem, unknowns, threads) -> { rows, columns, columnPointers, rowIndices, values }: compressed columns.
Napi::Value jacobian(const Napi::CallbackInfo& info) {
  const auto problem = object_of<Problem>(info[0], "problem");
  const auto unknowns = typed_array<double>(info[1], "state", problem->unknowns());
  linalg::SparseMatrix matrix = problem->pattern();
  if (matrix.values.size() > 0x7FFFFFFF) {
    throw Error(ErrorCode::out_of_memory, "jacobian", "a sparse matrix has at most 2^31 - 1 entries");
  }
  problem->jacobian(unknowns, matrix, thread_count(info[2]));
  auto pointers = Napi::Int32Array::New(info.Env(), matrix.pattern.columns + 1);
  auto rows = Napi::Int32Array::New(info.Env(), matrix.values.size());
  auto values = Napi::Float64Array::New(info.Env(), matrix.values.size());
  for (std::size_t c = 0; c <= matrix.pattern.columns; ++c) pointers[c] = 0;
  for (const linalg::Index column : matrix.pattern.indices) ++pointers[std::size_t{column} + 1];
  for (std::size_t c = 0; c < matrix.pattern.columns; ++c) pointers[c + 1] += pointers[c];
  std::vector<std::int32_t> next(pointers.Data(), pointers.Data() + matrix.pattern.columns);
  for (std::size_t r = 0; r < matrix.pattern.rows; ++r) {
    for (std::size_t k = matrix.pattern.starts[r]; k < matrix.pattern.starts[r + 1]; ++k) {
      const auto place = static_cast<std::size_t>(next[matrix.pattern.indices[k]]++);
      rows[place] = static_cast<std::int32_t>(r);
      values[place] = matrix.values[k];
    }
  }
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("rows", static_cast<double>(matrix.pattern.rows));
  result.Set("columns", static_cast<double>(matrix.pattern.columns));
  result.Set("columnPointers", pointers);
  result.Set("rowIndices", rows);
  result.Set("values", values);
  return result;
}

/// (problem, block) -> text.
Napi::Value listing(const Napi::CallbackInfo& info) {
  const auto problem = object_of<Problem>(info[0], "problem");
  const std::size_t block = size(info[1], "block");
  if (block >= problem->description().blocks.size()) throw_type("block", "a block");
  return Napi::String::New(info.Env(), problem->listing(block));
}

/// (problem, precision) -> CUDA C++ of all blocks.
Napi::Value source(const Napi::CallbackInfo& info) {
  const auto problem = object_of<Problem>(info[0], "problem");
  const SourcePrecision precision =
      text(info[1], "precision") == "float32" ? SourcePrecision::float32 : SourcePrecision::float64;
  std::string code = problem->source_header() + source_preamble();
  for (std::size_t b = 0; b < problem->description().blocks.size(); ++b) code += problem->source(b, precision);
  return Napi::String::New(info.Env(), code);
}

/// (problem, residual) -> "pde[3][4]".
Napi::Value residual_name(const Napi::CallbackInfo& info) {
  const auto problem = object_of<Problem>(info[0], "problem");
  const std::size_t index = size(info[1], "residual");
  if (index >= problem->residuals()) throw_type("residual", "a residual");
  return Napi::String::New(info.Env(), problem->residual_name(index));
}

}  // namespace

void export_odil_problem(Napi::Object room) {
  export_function<create_problem>(room, "createProblem");
  export_function<dispose_problem>(room, "disposeProblem");
  export_function<evaluate>(room, "evaluate");
  export_function<gradient>(room, "gradient");
  export_function<block_sums>(room, "blockSums");
  export_function<jacobian>(room, "jacobian");
  export_function<listing>(room, "listing");
  export_function<source>(room, "source");
  export_function<residual_name>(room, "residualName");
}

}  // namespace dd::addon
