#include "odil/grid_block.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "core/aligned_buffer.hpp"
#include "odil/derivative.hpp"
#include "odil/shared_terms.hpp"

namespace dd::odil {
namespace {

bool is_access(const Graph& graph, NodeId id) { return graph[id].op == Op::access; }

/// Every point-dependent leaf is an access to `operand`.
bool reads_only(const Graph& graph, NodeId root, std::size_t operand) {
  const std::vector<bool> needed = reachable(graph, std::array{root});
  for (NodeId id = 0; id < needed.size(); ++id) {
    if (!needed[id]) continue;
    if (graph[id].op == Op::index) return false;
    if (is_access(graph, id) && static_cast<std::size_t>(graph[id].id) != operand) return false;
  }
  return true;
}

/// A sum of multiples of accesses: shifting it costs nothing but other offsets.
bool is_linear(const Graph& graph, NodeId root) {
  const std::vector<bool> needed = reachable(graph, std::array{root});
  for (NodeId id = 0; id < needed.size(); ++id) {
    if (!needed[id] || graph.is_uniform(id)) continue;
    const Node& node = graph[id];
    const bool scaled = node.op == Op::multiply && (graph.is_uniform(node.child[0]) || graph.is_uniform(node.child[1]));
    if (node.op != Op::access && node.op != Op::add && !scaled) return false;
  }
  return true;
}

Shift negated(Shift shift) {
  for (std::int32_t& step : shift) step = -step;
  return shift;
}

// Fresh memory costs as much as what is written to it, so a thread keeps what is not too large.
constexpr std::size_t most_kept_bytes = std::size_t{1} << 24;
template <class T>
AlignedBuffer<T>& kept_buffer() {
  thread_local AlignedBuffer<T> buffer;
  return buffer;
}

}  // namespace

GridBlock::GridBlock(Graph& graph, const Domain& domain, std::size_t fields, std::size_t parameters, const Shape& shape,
                     NodeId root, const std::string& name)
    : domain_(domain),
      fields_(fields),
      arrays_(domain.operands.size() - fields),
      parameters_(parameters),
      shape_(shape),
      name_(name),
      regions_(make_regions(graph, domain, shape, root, name)) {
  for (std::size_t f = 0; f < fields; ++f) domain_.operands.push_back(domain.operands[f]);
  domain_.operands.push_back({"weights", shape});
  std::set<std::int32_t> read, used;
  std::vector<RegionOutputs> outputs;
  for (const Region& region : regions_) {
    for (const NodeId leaf : wanted(graph, region.root)) {
      (is_access(graph, leaf) ? read : used).insert(graph[leaf].id);
    }
    outputs.push_back({region.box, {{region.root, OutputKind::store}}, {{0, shape, {}}}});
  }
  fields_read_.assign(read.begin(), read.end());
  parameters_read_.assign(used.begin(), used.end());
  residual_ = Pass(graph, domain_, shape, std::move(outputs));
}

std::vector<NodeId> GridBlock::wanted(const Graph& graph, NodeId root) const {
  const std::vector<bool> needed = reachable(graph, std::array{root});
  std::vector<NodeId> leaves;
  for (NodeId id = 0; id < needed.size(); ++id) {
    if (!needed[id]) continue;
    const Node& node = graph[id];
    const bool field = node.op == Op::access && static_cast<std::size_t>(node.id) < fields_;
    if (field || node.op == Op::parameter) leaves.push_back(id);
  }
  return leaves;
}

template <class T>
void GridBlock::evaluate(const PointSources<T>& sources, T* residuals, std::size_t threads) const {
  T* const targets[] = {residuals};
  residual_.run<T>({sources.operands, targets, sources.parameters, {}}, threads);
}
template void GridBlock::evaluate(const PointSources<float>&, float*, std::size_t) const;
template void GridBlock::evaluate(const PointSources<double>&, double*, std::size_t) const;

template <class T>
void GridBlock::evaluate_rows(const PointSources<T>& sources, std::int32_t first, std::int32_t last, T* residuals,
                              std::size_t threads) const {
  T* const targets[] = {residuals - first * shape_.strides()[0]};
  residual_.run_rows<T>({sources.operands, targets, sources.parameters, {}}, first, last, threads);
}
template void GridBlock::evaluate_rows(const PointSources<float>&, std::int32_t, std::int32_t, float*,
                                       std::size_t) const;
template void GridBlock::evaluate_rows(const PointSources<double>&, std::int32_t, std::int32_t, double*,
                                       std::size_t) const;

RegionDerivatives GridBlock::derivatives(Graph& graph, std::size_t region) const {
  RegionDerivatives result;
  const NodeId root = regions_[region].root;
  for (const Adjoint& adjoint : reverse(graph, root, graph.constant(1), wanted(graph, root))) {
    const Node leaf = graph[adjoint.leaf];
    if (leaf.op == Op::parameter) {
      result.parameters.emplace_back(leaf.id, adjoint.value);
    } else {
      result.fields.emplace_back(Coefficient{static_cast<std::size_t>(leaf.id), leaf.shift}, adjoint.value);
    }
  }
  return result;
}

// ---- J^T w -------------------------------------------------------------------------------------------------------

RegionOutputs GridBlock::scatter(Graph& graph, const Region& region, const Box& box) const {
  RegionOutputs outputs{box, {}, {}};
  const NodeId weight = graph.access(static_cast<std::int32_t>(domain_.operands.size() - 1), Shift{});
  for (const Adjoint& adjoint : reverse(graph, region.root, weight, wanted(graph, region.root))) {
    const Node leaf = graph[adjoint.leaf];
    const auto number = static_cast<std::size_t>(leaf.id);
    if (leaf.op == Op::access) {
      outputs.outputs.push_back({adjoint.value, OutputKind::accumulate});
      outputs.targets.push_back({number, domain_.operands[number].shape, leaf.shift});
    } else {
      outputs.outputs.push_back({adjoint.value, OutputKind::sum});
      outputs.targets.push_back({number, {}, {}});
    }
  }
  return outputs;
}

/// The gathers of the largest region; false where it is not regular enough.
bool GridBlock::compile_gather(Graph& graph) {
  const Region& region = regions_[0];
  const std::size_t last = shape_.axes - 1;
  const std::vector<bool> needed = reachable(graph, std::array{region.root});
  for (NodeId id = 0; id < needed.size(); ++id) {
    if (!needed[id] || !is_access(graph, id)) continue;
    const Shape& operand = domain_.operands[static_cast<std::size_t>(graph[id].id)].shape;
    if (FlatPass::common_run(shape_, operand) == 0) return false;
    for (std::size_t axis = operand.repeated; axis < shape_.axes; ++axis) {
      const std::int32_t at = region.box.begin[axis] + graph[id].shift[axis];
      if (at < 0 || at >= operand.count[axis]) return false;
    }
  }
  // Worth it where the region is most of what one run through it touches.
  std::ptrdiff_t first = 0, final = 0;
  for (std::size_t axis = 0; axis < shape_.axes; ++axis) {
    first = first * shape_.count[axis] + region.box.begin[axis];
    final = final * shape_.count[axis] + region.box.end[axis] - 1;
  }
  if (2 * region.box.points(shape_.axes) < static_cast<std::size_t>(final - first + 1)) return false;

  const std::size_t weights = domain_.operands.size() - 1;
  const NodeId weight = graph.access(static_cast<std::int32_t>(weights), Shift{});
  std::map<std::size_t, NodeId> constant;                   // field -> sum of its adjoints, all axes gathered
  std::map<std::pair<std::size_t, Shift>, NodeId> varying;  // the contiguous axis gathered
  std::map<std::size_t, NodeId> parameter;
  std::ptrdiff_t low = 0, high = 0;
  std::int32_t near_low = 0, near_high = 0;
  const auto add_to = [&](auto& sums, const auto& key, NodeId value) {
    const auto [place, added] = sums.try_emplace(key, value);
    if (!added) place->second = graph.add(place->second, value);
  };
  const auto add_varying = [&](const Node& leaf, NodeId value) {
    Shift along{}, across = leaf.shift;
    along[last] = -leaf.shift[last];
    across[last] = 0;
    add_to(varying, std::pair{static_cast<std::size_t>(leaf.id), across}, shifted(graph, std::array{value}, along)[0]);
  };
  const auto look_at = [&](std::int32_t step) {
    near_low = std::min(near_low, step);
    near_high = std::max(near_high, step);
  };
  const SplitSum sum = split_shared_terms(graph, region.root, last, fields_);
  for (const SharedTerm& shared : sum.shared) {
    NodeId seed = graph.constant(0);
    for (const SharedTerm::Use& use : shared.uses) {
      Shift back{};
      back[last] = -use.shift;
      const NodeId from = graph.access(static_cast<std::int32_t>(weights), back);
      seed = graph.add(seed, graph.multiply(graph.constant(use.factor), from));
    }
    for (const Adjoint& adjoint : reverse(graph, shared.term, seed, wanted(graph, shared.term))) {
      const Node leaf = graph[adjoint.leaf];
      if (leaf.op == Op::parameter) {
        add_to(parameter, static_cast<std::size_t>(leaf.id), adjoint.value);
        continue;
      }
      add_varying(leaf, adjoint.value);
      for (const SharedTerm::Use& use : shared.uses) look_at(leaf.shift[last] + use.shift);
    }
  }
  for (const Adjoint& adjoint : reverse(graph, sum.rest, weight, wanted(graph, sum.rest))) {
    const Node leaf = graph[adjoint.leaf];
    const auto number = static_cast<std::size_t>(leaf.id);
    Shift across = leaf.shift;
    across[last] = 0;
    if (leaf.op == Op::parameter) {
      add_to(parameter, number, adjoint.value);
    } else if (!varying.contains({number, across}) && reads_only(graph, adjoint.value, weights) &&
               is_linear(graph, adjoint.value)) {
      const Shift back = negated(leaf.shift);
      add_to(constant, number, shifted(graph, std::array{adjoint.value}, back)[0]);
      low = std::min(low, shape_.flat(leaf.shift));
      high = std::max(high, shape_.flat(leaf.shift));
    } else {
      add_varying(leaf, adjoint.value);
      look_at(leaf.shift[last]);
    }
  }
  const std::int32_t rim = near_high - near_low;
  if (region.box.end[last] - region.box.begin[last] < 2 * rim + 1) return false;

  std::vector<Output> outputs;
  std::vector<Target> targets;
  for (const auto& [field, root] : constant) {
    outputs.push_back({root, OutputKind::accumulate});
    targets.push_back({field, shape_, {}});
  }
  if (!outputs.empty()) gather_constant_.emplace(graph, domain_, shape_, outputs, std::move(targets));
  outputs.clear();
  targets.clear();
  for (const auto& [key, root] : varying) {
    outputs.push_back({root, OutputKind::accumulate});
    targets.push_back({key.first, shape_, key.second});
  }
  for (const auto& [number, root] : parameter) {
    outputs.push_back({root, OutputKind::sum});
    targets.push_back({number, {}, {}});
  }
  if (!outputs.empty()) gather_varying_.emplace(graph, domain_, shape_, outputs, std::move(targets));
  inner_first_ = first + rim;
  inner_last_ = final - rim;
  constant_low_ = low;
  constant_high_ = high;
  varying_low_ = near_low;
  varying_high_ = near_high;
  return true;
}

void GridBlock::compile_transposed(Graph& graph) {
  const bool gathered = compile_gather(graph);
  std::vector<RegionOutputs> outputs;
  for (std::size_t r = gathered ? 1 : 0; r < regions_.size(); ++r) {
    outputs.push_back(scatter(graph, regions_[r], regions_[r].box));
  }
  if (gathered && varying_low_ != varying_high_) {
    // The first and last few points of the range, whose neighbours the gather must not read, point by point.
    const auto rim = static_cast<std::int32_t>(varying_high_ - varying_low_);
    const std::size_t last = shape_.axes - 1;
    Box first = regions_[0].box, final = regions_[0].box;
    for (std::size_t axis = 0; axis < last; ++axis) {
      first.end[axis] = first.begin[axis] + 1;
      final.begin[axis] = final.end[axis] - 1;
    }
    first.end[last] = first.begin[last] + rim;
    final.begin[last] = final.end[last] - rim;
    bool one_row = true;
    for (std::size_t axis = 0; axis < last; ++axis) one_row = one_row && first.begin[axis] == final.begin[axis];
    if (one_row) final.begin[last] = std::max(final.begin[last], first.end[last]);
    outputs.push_back(scatter(graph, regions_[0], first));
    outputs.push_back(scatter(graph, regions_[0], final));
  }
  edges_.emplace(graph, domain_, shape_, std::move(outputs));
}

template <class T>
void GridBlock::add_transposed(const PointSources<T>& sources, std::span<const T> weights, std::span<T* const> targets,
                               std::span<double> parameter_sums, std::size_t threads) const {
  std::vector<const T*> operands = sources.operands;
  operands.resize(domain_.operands.size(), nullptr);
  operands.back() = weights.data();
  edges_->run<T>({operands, targets, sources.parameters, parameter_sums}, threads);
  if (!gather_constant_ && !gather_varying_) return;

  // Weights of the regular points alone, with zeros around them as far as the gathers look.
  const auto reach = static_cast<std::size_t>(std::max({constant_high_, -constant_low_, varying_high_ - varying_low_}));
  const std::size_t length = weights.size() + 2 * (2 * reach + 64);
  AlignedBuffer<T> own;
  AlignedBuffer<T>& inner = length * sizeof(T) > most_kept_bytes ? own : kept_buffer<T>();
  inner.reserve_discarding(length);
  T* const at = inner.data() + 2 * reach + 64;
  std::fill(inner.data(), at + inner_first_, T(0));
  std::copy(weights.data() + inner_first_, weights.data() + inner_last_ + 1, at + inner_first_);
  std::fill(at + inner_last_ + 1, inner.data() + length, T(0));
  for (std::size_t r = 1; r < regions_.size(); ++r) {
    const Box& box = regions_[r].box;
    const auto run = static_cast<std::size_t>(box.end[shape_.axes - 1] - box.begin[shape_.axes - 1]);
    for_each_run(shape_, box, [&](std::size_t flat, const auto&) { std::fill(at + flat, at + flat + run, T(0)); });
  }
  operands.back() = at;
  const Arrays<T> arrays{operands, targets, sources.parameters, parameter_sums};
  const auto run = [&](const std::optional<FlatPass>& pass, std::ptrdiff_t low, std::ptrdiff_t high) {
    if (!pass) return;
    pass->run<T>(arrays, static_cast<std::size_t>(inner_first_ + low), static_cast<std::size_t>(inner_last_ + high + 1),
                 threads);
  };
  run(gather_constant_, constant_low_, constant_high_);
  run(gather_varying_, varying_low_, varying_high_);
}
template void GridBlock::add_transposed(const PointSources<float>&, std::span<const float>, std::span<float* const>,
                                        std::span<double>, std::size_t) const;
template void GridBlock::add_transposed(const PointSources<double>&, std::span<const double>, std::span<double* const>,
                                        std::span<double>, std::size_t) const;

// ---- J v ---------------------------------------------------------------------------------------------------------

void GridBlock::compile_product(Graph& graph) {
  std::vector<RegionOutputs> outputs;
  for (const Region& region : regions_) {
    const std::vector<NodeId> leaves = wanted(graph, region.root);
    std::vector<NodeId> directions;
    for (const NodeId leaf : leaves) {
      const Node node = graph[leaf];
      directions.push_back(node.op == Op::access
                               ? graph.access(node.id + static_cast<std::int32_t>(fields_ + arrays_), node.shift)
                               : graph.parameter(node.id + static_cast<std::int32_t>(parameters_)));
    }
    outputs.push_back(
        {region.box, {{tangent(graph, region.root, leaves, directions), OutputKind::store}}, {{0, shape_, {}}}});
  }
  tangent_.emplace(graph, domain_, shape_, std::move(outputs));
}

template <class T>
void GridBlock::product(const PointSources<T>& sources, std::span<const T* const> direction,
                        std::span<const double> parameter_direction, T* result, std::size_t threads) const {
  std::vector<const T*> operands = sources.operands;
  operands.insert(operands.end(), direction.begin(), direction.end());
  std::vector<double> parameters = sources.parameters;
  parameters.insert(parameters.end(), parameter_direction.begin(), parameter_direction.end());
  T* const targets[] = {result};
  tangent_->run<T>({operands, targets, parameters, {}}, threads);
}
template void GridBlock::product(const PointSources<float>&, std::span<const float* const>, std::span<const double>,
                                 float*, std::size_t) const;
template void GridBlock::product(const PointSources<double>&, std::span<const double* const>, std::span<const double>,
                                 double*, std::size_t) const;

// ---- coefficients ------------------------------------------------------------------------------------------------

void GridBlock::compile_coefficients(Graph& graph) {
  std::vector<std::map<std::size_t, NodeId>> found;          // per region: coefficient -> expression
  std::vector<std::map<std::int32_t, NodeId>> of_parameter;  // per region: parameter -> expression
  for (std::size_t r = 0; r < regions_.size(); ++r) {
    const RegionDerivatives derivative = derivatives(graph, r);
    std::map<std::size_t, NodeId> own;
    for (const auto& [coefficient, value] : derivative.fields) {
      linear_ = linear_ && wanted(graph, value).empty();
      const auto place = std::find(coefficients_.begin(), coefficients_.end(), coefficient);
      own[static_cast<std::size_t>(place - coefficients_.begin())] = value;
      if (place == coefficients_.end()) coefficients_.push_back(coefficient);
    }
    found.push_back(std::move(own));
    for (const auto& entry : derivative.parameters) linear_ = linear_ && wanted(graph, entry.second).empty();
    of_parameter.emplace_back(derivative.parameters.begin(), derivative.parameters.end());
  }
  std::vector<RegionOutputs> outputs;
  const NodeId zero = graph.constant(0);
  for (std::size_t r = 0; r < regions_.size(); ++r) {
    RegionOutputs region{regions_[r].box, {}, {}};
    std::vector<std::size_t> present;
    for (std::size_t k = 0; k < coefficients_.size(); ++k) {
      const auto place = found[r].find(k);
      region.outputs.push_back({place == found[r].end() ? zero : place->second, OutputKind::store});
      region.targets.push_back({k, shape_, {}});
      if (place != found[r].end()) present.push_back(k);
    }
    for (std::size_t p = 0; p < parameters_read_.size(); ++p) {
      const auto place = of_parameter[r].find(parameters_read_[p]);
      region.outputs.push_back({place == of_parameter[r].end() ? zero : place->second, OutputKind::store});
      region.targets.push_back({coefficients_.size() + p, shape_, {}});
    }
    region_coefficients_.push_back(std::move(present));
    outputs.push_back(std::move(region));
  }
  coefficient_pass_.emplace(graph, domain_, shape_, std::move(outputs));
}

template <class T>
void GridBlock::evaluate_coefficients(const PointSources<T>& sources, std::span<T* const> arrays,
                                      std::size_t threads) const {
  coefficient_pass_->run<T>({sources.operands, arrays, sources.parameters, {}}, threads);
}
template void GridBlock::evaluate_coefficients(const PointSources<float>&, std::span<float* const>, std::size_t) const;
template void GridBlock::evaluate_coefficients(const PointSources<double>&, std::span<double* const>,
                                               std::size_t) const;

std::string GridBlock::listing() const {
  std::string text = "block " + name_ + ": " + std::to_string(shape_.points()) + " points, " +
                     std::to_string(regions_.size()) + " regions\n";
  for (const ProgramStatistics& program : residual_.statistics()) {
    text += "  " + std::to_string(program.points) + " points " + (program.flat ? "in rows" : "gathered") + ": " +
            std::to_string(program.instructions) + " instructions, " + std::to_string(program.registers) +
            " registers, " + std::to_string(program.externals) + " rows read\n";
  }
  return text;
}

}  // namespace dd::odil
