#include "odil/grid_block.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "core/aligned_buffer.hpp"
#include "odil/derivative.hpp"

namespace dd::odil {
namespace {

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
    for (const NodeId leaf : unknown_leaves(graph, region.root, fields_)) {
      (is_access(graph, leaf) ? read : used).insert(graph[leaf].id);
    }
    outputs.push_back({region.box, {{region.root, OutputKind::store}}, {{0, shape, {}}}});
  }
  fields_read_.assign(read.begin(), read.end());
  parameters_read_.assign(used.begin(), used.end());
  residual_ = Pass(graph, domain_, shape, std::move(outputs));
}

template <class T>
void GridBlock::evaluate(const PointSources<T>& sources, T* residuals, std::size_t threads) const {
  T* const targets[] = {residuals};
  residual_.run<T>({sources.operands, targets, sources.parameters, {}}, threads);
}
template <class T>
void GridBlock::evaluate(const PointSources<T>& sources, T* residuals, std::size_t threads, AfterPiece then) const {
  T* const targets[] = {residuals};
  residual_.run<T>({sources.operands, targets, sources.parameters, {}}, threads, then);
}
template void GridBlock::evaluate(const PointSources<float>&, float*, std::size_t, AfterPiece) const;
template void GridBlock::evaluate(const PointSources<double>&, double*, std::size_t, AfterPiece) const;
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
  for (const Adjoint& adjoint : reverse(graph, root, graph.constant(1), unknown_leaves(graph, root, fields_))) {
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

void GridBlock::compile_transposed(Graph& graph) { transposed_.emplace(graph, domain_, fields_, shape_, regions_); }

template <class T>
void GridBlock::transposed(const PointSources<T>& sources, std::span<T> weights, std::span<T* const> targets,
                           std::span<double> parameter_sums, Targets state, std::size_t threads) const {
  transposed_->run<T>(sources, weights, targets, parameter_sums, state, threads);
}
template void GridBlock::transposed(const PointSources<float>&, std::span<float>, std::span<float* const>,
                                    std::span<double>, Targets, std::size_t) const;
template void GridBlock::transposed(const PointSources<double>&, std::span<double>, std::span<double* const>,
                                    std::span<double>, Targets, std::size_t) const;

template <class T>
void GridBlock::add_transposed(const PointSources<T>& sources, std::span<const T> weights, std::span<T* const> targets,
                               std::span<double> parameter_sums, std::size_t threads) const {
  AlignedBuffer<T> own;
  AlignedBuffer<T>& copy = weights.size_bytes() > most_kept_bytes ? own : kept_buffer<T>();
  copy.reserve_discarding(weights.size());
  std::copy(weights.begin(), weights.end(), copy.begin());
  transposed_->run<T>(sources, copy.span().first(weights.size()), targets, parameter_sums, Targets::filled, threads);
}
template void GridBlock::add_transposed(const PointSources<float>&, std::span<const float>, std::span<float* const>,
                                        std::span<double>, std::size_t) const;
template void GridBlock::add_transposed(const PointSources<double>&, std::span<const double>, std::span<double* const>,
                                        std::span<double>, std::size_t) const;

// ---- J v ---------------------------------------------------------------------------------------------------------

void GridBlock::compile_product(Graph& graph) {
  std::vector<RegionOutputs> outputs;
  for (const Region& region : regions_) {
    const std::vector<NodeId> leaves = unknown_leaves(graph, region.root, fields_);
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
      linear_ = linear_ && unknown_leaves(graph, value, fields_).empty();
      const auto place = std::find(coefficients_.begin(), coefficients_.end(), coefficient);
      own[static_cast<std::size_t>(place - coefficients_.begin())] = value;
      if (place == coefficients_.end()) coefficients_.push_back(coefficient);
    }
    found.push_back(std::move(own));
    for (const auto& entry : derivative.parameters)
      linear_ = linear_ && unknown_leaves(graph, entry.second, fields_).empty();
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
