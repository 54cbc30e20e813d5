#include "odil/row_coefficients.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "core/thread_pool.hpp"
#include "odil/hoisting.hpp"

namespace dd::odil {
namespace {

/// Distance in a row of what the first point of `box` reads along the axes of space, as it lies in memory.
std::ptrdiff_t row_distance(const Shape& field, const Box& box, const Shift& shift) {
  Shift space = shift;
  std::array<std::int32_t, max_axes> at = box.begin;
  space[0] = at[0] = 0;
  return static_cast<std::ptrdiff_t>(resolve(field, at, space)) - field.flat(at);
}

/// The points of a box that read around an end: `distance` is theirs, not the term's.
void add_wrapped(RowProgram::Stretch& stretch, std::size_t term, const Shape& shape, const Box& box,
                 std::ptrdiff_t distance) {
  Box row = box;
  row.end[0] = row.begin[0] + 1;
  const std::ptrdiff_t start = box.begin[0] * shape.strides()[0];
  const std::int32_t run = shape.axes == 1 ? 1 : row.end[shape.axes - 1] - row.begin[shape.axes - 1];
  for_each_run(shape, row, [&](std::size_t flat, const auto&) {
    for (std::int32_t p = 0; p < run; ++p) {
      const std::ptrdiff_t point = static_cast<std::ptrdiff_t>(flat) - start + p;
      stretch.wrapped.push_back({term, static_cast<std::size_t>(point), static_cast<std::size_t>(point + distance)});
    }
  });
}

}  // namespace

RowProgram::RowProgram(Graph& graph, const Problem& problem, std::size_t number) : block_(problem.grid_block(number)) {
  const Domain& domain = problem.domain();
  const std::size_t fields = problem.description().fields.size();
  const Shape& field = problem.description().fields[0].shape;
  const Shape& shape = block_->shape();
  points_ = shape.points() / static_cast<std::size_t>(shape.count[0]);

  std::vector<RegionDerivatives> derivatives;
  std::set<std::int32_t> cuts;
  for (std::size_t r = 0; r < block_->regions().size(); ++r) {
    derivatives.push_back(block_->derivatives(graph, r));
    cuts.insert(block_->regions()[r].box.begin[0]);
  }
  cuts.insert(shape.count[0]);
  for (auto cut = cuts.begin(); std::next(cut) != cuts.end(); ++cut) {
    Stretch stretch;
    stretch.begin = *cut;
    stretch.end = *std::next(cut);
    std::map<Shift, Term> terms;
    std::set<std::int32_t> parameters;
    std::vector<std::size_t> regions;
    for (std::size_t r = 0; r < derivatives.size(); ++r) {
      const Box& box = block_->regions()[r].box;
      if (box.end[0] <= stretch.begin || box.begin[0] >= stretch.end) continue;
      regions.push_back(r);
      for (const auto& [parameter, value] : derivatives[r].parameters) parameters.insert(parameter);
      for (const auto& [coefficient, value] : derivatives[r].fields) {
        Term& term = terms[coefficient.shift];
        term.varies = term.varies || !constant_in_time(graph, domain, fields, value);
      }
    }
    stretch.parameters.assign(parameters.begin(), parameters.end());
    std::map<Shift, std::size_t> place;
    for (auto& [shift, term] : terms) {
      Shift space = shift;
      space[0] = 0;
      term.time = shift[0];
      term.offset = field.flat(space);
      term.place = term.varies ? stretch.varying++ : stretch.constant++;
      place[shift] = stretch.terms.size();
      stretch.terms.push_back(term);
      reach_ = std::max(reach_, static_cast<std::size_t>(term.offset < 0 ? -term.offset : term.offset));
      pointwise_ = pointwise_ && shift == Shift{};
    }
    std::vector<RegionOutputs> constant, hoisted, varying, residual, of_parameters;
    for (const std::size_t r : regions) {
      Box box = block_->regions()[r].box;
      box.begin[0] = stretch.begin;
      box.end[0] = stretch.end;
      RegionOutputs constant_outputs{box, {}, {}}, hoisted_outputs{box, {}, {}}, varying_outputs{box, {}, {}},
          residual_outputs{box, {}, {}}, parameter_outputs{box, {}, {}};
      std::map<Shift, NodeId> own;
      for (const auto& [coefficient, value] : derivatives[r].fields) own[coefficient.shift] = value;
      std::vector<NodeId> per_row{block_->regions()[r].root};
      std::vector<std::size_t> per_row_place;
      for (const auto& [shift, term] : terms) {
        const auto found = own.find(shift);
        const NodeId value = found == own.end() ? graph.constant(0) : found->second;
        if (term.varies) {
          per_row.push_back(value);
          per_row_place.push_back(term.place);
        } else {
          constant_outputs.outputs.push_back({value, OutputKind::store});
          constant_outputs.targets.push_back({term.place, shape, {}});
        }
        if (found == own.end() || row_distance(field, box, shift) == term.offset) continue;
        add_wrapped(stretch, place[shift], shape, box, row_distance(field, box, shift));
      }
      for (const std::int32_t parameter : stretch.parameters) {
        const auto& list = derivatives[r].parameters;
        const auto found =
            std::find_if(list.begin(), list.end(), [&](const auto& entry) { return entry.first == parameter; });
        per_row.push_back(found == list.end() ? graph.constant(0) : found->second);
      }
      Hoisted out{per_row, {}};
      if (shape.axes > 1) out = hoist(graph, domain, fields, per_row, domain.operands.size());
      stretch.hoisted = std::max(stretch.hoisted, out.expressions.size());
      for (std::size_t k = 0; k < out.expressions.size(); ++k) {
        hoisted_outputs.outputs.push_back({out.expressions[k], OutputKind::store});
        hoisted_outputs.targets.push_back({k, shape, {}});
      }
      residual_outputs.outputs.push_back({out.roots[0], OutputKind::store});
      residual_outputs.targets.push_back({0, shape, {}});
      for (std::size_t k = 0; k < per_row_place.size(); ++k) {
        varying_outputs.outputs.push_back({out.roots[k + 1], OutputKind::store});
        varying_outputs.targets.push_back({per_row_place[k], shape, {}});
      }
      for (std::size_t p = 0; p < stretch.parameters.size(); ++p) {
        parameter_outputs.outputs.push_back({out.roots[1 + per_row_place.size() + p], OutputKind::store});
        parameter_outputs.targets.push_back({p, shape, {}});
      }
      constant.push_back(std::move(constant_outputs));
      hoisted.push_back(std::move(hoisted_outputs));
      residual.push_back(std::move(residual_outputs));
      varying.push_back(std::move(varying_outputs));
      of_parameters.push_back(std::move(parameter_outputs));
    }
    Domain wide = domain;
    Shape row_shape = shape;
    row_shape.repeated = 1;
    row_shape.count[0] = 1;
    wide.operands.resize(domain.operands.size() + stretch.hoisted, {"hoisted", row_shape});
    stretch.constant_pass = Pass(graph, domain, shape, std::move(constant));
    stretch.hoisted_pass = Pass(graph, domain, shape, std::move(hoisted));
    stretch.varying_pass = Pass(graph, wide, shape, std::move(varying));
    stretch.residual_pass = Pass(graph, wide, shape, std::move(residual));
    stretch.parameter_pass = Pass(graph, wide, shape, std::move(of_parameters));
    stretches_.push_back(std::move(stretch));
  }
}

std::size_t RowProgram::stretch_of(std::int32_t row) const noexcept {
  std::size_t k = 0;
  while (stretches_[k].end <= row) ++k;
  return k;
}

template <class T>
RowCoefficients<T>::RowCoefficients(const RowProgram& program, std::size_t keep)
    : program_(program),
      guard_(row_guard<T>(program.reach())),
      stride_((program.points() + 15) / 16 * 16 + 2 * guard_) {
  const auto stretches = program.stretches();
  std::size_t varying = 0, largest = 0, rows = 0;
  for (const auto& stretch : stretches) {
    const auto count = static_cast<std::size_t>(stretch.end - stretch.begin);
    first_varying_.push_back(rows);
    rows += count;
    varying += count * stretch.varying;
    largest = std::max(largest, stretch.varying);
    constant_.emplace_back(stretch.constant * stride_, T(0));
    hoisted_.emplace_back(stretch.hoisted * stride_, T(0));
  }
  constant_wrapped_.resize(stretches.size());
  keeps_ = varying * stride_ * sizeof(T) <= keep;
  // Kept rows lie one after the other as if every stretch had the most terms that vary.
  varying_ = AlignedBuffer<T>((keeps_ ? rows : 1) * largest * stride_, T(0));
  varying_wrapped_.resize(keeps_ ? rows : 1);
}

template <class T>
void RowCoefficients<T>::evaluate(const Pass& pass, std::span<const T* const> operands,
                                  std::span<const double> parameters, std::int32_t row, std::size_t count, T* to,
                                  std::size_t threads) const {
  if (count == 0) return;
  std::vector<T*> targets(count);
  const std::ptrdiff_t start = row * program_.block().shape().strides()[0];
  for (std::size_t k = 0; k < count; ++k) targets[k] = to + k * stride_ + guard_ - start;
  pass.run_rows<T>({operands, targets, parameters, {}}, row, row + 1, threads);
}

template <class T>
std::vector<const T*> RowCoefficients<T>::with_hoisted(const PointSources<T>& sources, std::size_t stretch) const {
  std::vector<const T*> operands = sources.operands;
  for (std::size_t k = 0; k < program_.stretches()[stretch].hoisted; ++k) {
    operands.push_back(hoisted_[stretch].data() + k * stride_ + guard_);
  }
  return operands;
}

template <class T>
void RowCoefficients<T>::residuals(const PointSources<T>& sources, std::int32_t row, T* to, std::size_t threads) const {
  const std::size_t s = program_.stretch_of(row);
  const std::ptrdiff_t start = row * program_.block().shape().strides()[0];
  T* const targets[] = {to - start};
  program_.stretches()[s].residual_pass.template run_rows<T>(
      {with_hoisted(sources, s), targets, sources.parameters, {}}, row, row + 1, threads);
}

/// Entries around the ends leave the rows, which are then read flat.
template <class T>
void RowCoefficients<T>::take_wrapped(const RowProgram::Stretch& stretch, bool varying, T* rows,
                                      std::vector<T>& values) const {
  values.clear();
  for (const RowProgram::Wrapped& wrapped : stretch.wrapped) {
    const RowProgram::Term& term = stretch.terms[wrapped.term];
    if (term.varies != varying) continue;
    T& value = rows[term.place * stride_ + guard_ + wrapped.point];
    values.push_back(value);
    value = 0;
  }
}

template <class T>
void RowCoefficients<T>::linearise(const PointSources<T>& sources, std::size_t threads) {
  sources_ = sources;
  const auto stretches = program_.stretches();
  const std::size_t row_values = keeps_ && !varying_wrapped_.empty() ? varying_.size() / varying_wrapped_.size() : 0;
  for (std::size_t s = 0; s < stretches.size(); ++s) {
    const RowProgram::Stretch& stretch = stretches[s];
    evaluate(stretch.constant_pass, sources.operands, sources.parameters, stretch.begin, stretch.constant,
             constant_[s].data(), threads);
    evaluate(stretch.hoisted_pass, sources.operands, sources.parameters, stretch.begin, stretch.hoisted,
             hoisted_[s].data(), threads);
    take_wrapped(stretch, false, constant_[s].data(), constant_wrapped_[s]);
    if (!keeps_ || stretch.varying == 0) continue;
    const auto rows = static_cast<std::size_t>(stretch.end - stretch.begin);
    const std::vector<const T*> operands = with_hoisted(sources, s);
    ThreadPool::shared().run_tasks(threads, rows, [&](std::size_t k) {
      const std::size_t number = first_varying_[s] + k;
      T* const to = varying_.data() + number * row_values;
      evaluate(stretch.varying_pass, operands, sources.parameters, stretch.begin + static_cast<std::int32_t>(k),
               stretch.varying, to, 1);
      take_wrapped(stretch, true, to, varying_wrapped_[number]);
    });
  }
}

template <class T>
void RowCoefficients<T>::view(const RowProgram::Stretch& stretch, const T* constant, const T* varying,
                              std::span<const T> constant_wrapped, std::span<const T> varying_wrapped) {
  view_.bands.clear();
  view_.wrapped.clear();
  for (const RowProgram::Term& term : stretch.terms) {
    const T* const rows = term.varies ? varying : constant;
    view_.bands.push_back({term.time, term.offset, rows + term.place * stride_ + guard_});
  }
  std::size_t constants = 0, varied = 0;
  for (const RowProgram::Wrapped& wrapped : stretch.wrapped) {
    const RowProgram::Term& term = stretch.terms[wrapped.term];
    const T value = term.varies ? varying_wrapped[varied++] : constant_wrapped[constants++];
    view_.wrapped.push_back(
        {term.time, static_cast<std::uint32_t>(wrapped.point), static_cast<std::uint32_t>(wrapped.column), value});
  }
}

template <class T>
const RowView<T>& RowCoefficients<T>::row(std::int32_t row, std::size_t threads) {
  const std::size_t s = program_.stretch_of(row);
  const RowProgram::Stretch& stretch = program_.stretches()[s];
  const std::size_t number = keeps_ ? first_varying_[s] + static_cast<std::size_t>(row - stretch.begin) : 0;
  T* const varying = varying_.data() + (keeps_ ? number * (varying_.size() / varying_wrapped_.size()) : 0);
  if (!keeps_ && stretch.varying > 0) {
    evaluate(stretch.varying_pass, with_hoisted(sources_, s), sources_.parameters, row, stretch.varying, varying,
             threads);
    take_wrapped(stretch, true, varying, varying_wrapped_[0]);
  }
  view(stretch, constant_[s].data(), varying, constant_wrapped_[s], varying_wrapped_[number]);
  return view_;
}

template <class T>
void RowCoefficients<T>::parameters(std::int32_t row, std::span<T* const> columns, std::size_t threads) const {
  const std::size_t s = program_.stretch_of(row);
  const RowProgram::Stretch& stretch = program_.stretches()[s];
  if (stretch.parameters.empty()) return;
  std::vector<T*> targets;
  const std::ptrdiff_t start = row * program_.block().shape().strides()[0];
  for (T* const column : columns) targets.push_back(column - start);
  stretch.parameter_pass.template run_rows<T>({with_hoisted(sources_, s), targets, sources_.parameters, {}}, row,
                                              row + 1, threads);
}

template <class T>
bool RowCoefficients<T>::same_matrix(std::int32_t a, std::int32_t b, std::int32_t own) const noexcept {
  const std::size_t s = program_.stretch_of(a);
  if (s != program_.stretch_of(b)) return false;
  for (const RowProgram::Term& term : program_.stretches()[s].terms) {
    if (term.time == own && term.varies) return false;
  }
  return true;
}

template class RowCoefficients<float>;
template class RowCoefficients<double>;

}  // namespace dd::odil
