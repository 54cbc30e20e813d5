#include "odil/problem.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "core/error.hpp"
#include "core/reductions.hpp"
#include "core/thread_pool.hpp"

namespace dd::odil {
namespace {

constexpr std::size_t sum_grain = 4096;
constexpr std::size_t rows_points = std::size_t{1} << 19;  // that pass through a buffer at once

/// Sum of f(value) in float64 by pieces of a fixed size.
template <class T, class F>
double sum_of(std::span<const T> values, std::size_t threads, F f) {
  std::vector<double> pieces((values.size() + sum_grain - 1) / sum_grain, 0);
  parallel_for(threads, values.size(), sum_grain, [&](std::size_t begin, std::size_t end) {
    double lanes[8] = {};
    std::size_t i = begin;
    for (; i + 8 <= end; i += 8) {
      for (std::size_t lane = 0; lane < 8; ++lane) lanes[lane] += f(static_cast<double>(values[i + lane]));
    }
    for (; i < end; ++i) lanes[0] += f(static_cast<double>(values[i]));
    pieces[begin / sum_grain] =
        ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
  });
  return sum(pieces, 1);
}

/// Sum of squares in float64 by the same pieces; then(begin, end) follows the sum of each.
template <class T, class Then>
double sum_of_squares(std::span<const T> values, std::size_t threads, Then&& then) {
  std::vector<double> pieces((values.size() + sum_grain - 1) / sum_grain, 0);
  parallel_for(threads, values.size(), sum_grain, [&](std::size_t begin, std::size_t end) {
    const std::span<const T> piece = values.subspan(begin, end - begin);
    pieces[begin / sum_grain] = dot(piece, piece, 1);
    then(begin, end);
  });
  return sum(pieces, 1);
}
template <class T>
double sum_of_squares(std::span<const T> values, std::size_t threads) {
  return sum_of_squares(values, threads, [](std::size_t, std::size_t) {});
}

/// A shift is less than one repetition, that of a gathered derivative less than two.
constexpr std::size_t copies_around = 2;

}  // namespace

Problem::Problem(ProblemDescription description) : description_(std::move(description)) {
  domain_.axis_names = description_.axis_names;
  domain_.periodic = description_.periodic;
  for (const Operand& field : description_.fields) {
    field_offsets_.push_back(grid_unknowns_);
    grid_unknowns_ += field.shape.points();
    domain_.operands.push_back(field);
  }
  field_offsets_.push_back(grid_unknowns_);
  for (const Operand& array : description_.arrays) domain_.operands.push_back(array);
  arrays_float64_.resize(description_.arrays.size());
  arrays_float32_.resize(description_.arrays.size());
  for (const TotalDescription& total : description_.totals) {
    const std::string name = "total " + std::to_string(totals_.size());
    totals_.push_back(std::make_unique<GridBlock>(description_.graph, domain_, description_.fields.size(),
                                                  description_.parameters, total.shape, total.root, name));
  }
  for (const BlockDescription& block : description_.blocks) {
    block_offsets_.push_back(residuals_);
    residuals_ += block.residuals();
    bool depends = false;
    if (block.scalar) {
      grid_blocks_.push_back(nullptr);
      scalar_blocks_.push_back(std::make_unique<ScalarBlock>(description_.graph, domain_, description_.fields.size(),
                                                             block.roots, block.name));
      for (const ScalarDerivative& entry : scalar_blocks_.back()->derivatives()) {
        depends = depends || !is_total(entry) || total_of(entry).depends_on_unknowns();
      }
    } else {
      scalar_blocks_.push_back(nullptr);
      grid_blocks_.push_back(std::make_unique<GridBlock>(description_.graph, domain_, description_.fields.size(),
                                                         description_.parameters, block.shape, block.roots[0],
                                                         block.name));
      depends = grid_blocks_.back()->depends_on_unknowns();
    }
    if (!depends) {
      throw Error(ErrorCode::invalid_argument_value, block.name,
                  "`" + block.name + "` depends on no unknown: it cannot be made smaller");
    }
  }
  block_offsets_.push_back(residuals_);
}

Problem::~Problem() = default;

void Problem::set_array(std::size_t number, std::span<const double> values) {
  const Operand& array = description_.arrays[number];
  if (values.size() != array.shape.points()) {
    throw Error(ErrorCode::shape_mismatch, array.name,
                "`" + array.name + "` must hold " + std::to_string(array.shape.points()) + " numbers, got " +
                    std::to_string(values.size()));
  }
  // Around the ends of a repeated array comes the array again, as if it were stored for every point of those axes.
  const std::size_t copies = array.shape.repeated > 0 ? 2 * copies_around + 1 : 1;
  arrays_float64_[number] = AlignedBuffer<double>(copies * values.size());
  for (std::size_t copy = 0; copy < copies; ++copy) {
    std::copy(values.begin(), values.end(),
              arrays_float64_[number].begin() + static_cast<std::ptrdiff_t>(copy * values.size()));
  }
  arrays_float32_[number] = {};
}

template <>
const double* Problem::array_data(std::size_t number) const {
  return arrays_float64_[number].data();
}

/// Made when first asked for: many runs never are.
template <>
const float* Problem::array_data(std::size_t number) const {
  const std::lock_guard lock(mutex_);
  AlignedBuffer<float>& single = arrays_float32_[number];
  const AlignedBuffer<double>& values = arrays_float64_[number];
  if (single.size() != values.size()) {
    single = AlignedBuffer<float>(values.size());
    std::transform(values.begin(), values.end(), single.begin(),
                   [](double value) { return static_cast<float>(value); });
  }
  return single.data();
}

template <class T>
PointSources<T> Problem::sources(std::span<const T> fields, std::span<const double> parameters) const {
  PointSources<T> sources;
  for (std::size_t f = 0; f < description_.fields.size(); ++f) {
    sources.operands.push_back(fields.data() + field_offsets_[f]);
  }
  for (std::size_t a = 0; a < description_.arrays.size(); ++a) {
    const Shape& shape = description_.arrays[a].shape;
    sources.operands.push_back(array_data<T>(a) + (shape.repeated > 0 ? copies_around * shape.points() : 0));
  }
  sources.parameters.assign(parameters.begin(), parameters.end());
  return sources;
}
template PointSources<float> Problem::sources(std::span<const float>, std::span<const double>) const;
template PointSources<double> Problem::sources(std::span<const double>, std::span<const double>) const;

template <class T>
PointSources<T> Problem::sources(std::span<const T> unknowns) const {
  const std::span<const T> given = unknowns.subspan(grid_unknowns_);
  return sources<T>(unknowns, std::vector<double>(given.begin(), given.end()));
}

void Problem::with_graph(FunctionRef<void(Graph&)> compile) const {
  const std::lock_guard lock(mutex_);
  compile(description_.graph);
}

template PointSources<float> Problem::sources(std::span<const float>) const;
template PointSources<double> Problem::sources(std::span<const double>) const;

template <class T>
std::vector<T*> Problem::field_targets(std::span<T> unknowns) const {
  std::vector<T*> targets;
  for (std::size_t f = 0; f < description_.fields.size(); ++f) targets.push_back(unknowns.data() + field_offsets_[f]);
  return targets;
}

template <class T>
std::vector<double> Problem::scalars(const PointSources<T>& at, std::size_t threads) const {
  std::vector<double> values = at.parameters;
  AlignedBuffer<T> summands;
  for (const auto& total : totals_) {
    summands.reserve_discarding(total->shape().points());
    total->evaluate<T>(at, summands.data(), threads);
    values.push_back(
        sum_of(std::span<const T>(summands.data(), total->shape().points()), threads, [](double x) { return x; }));
  }
  return values;
}

template <class T>
void Problem::evaluate(std::span<const T> unknowns, std::span<T> residuals, std::size_t threads) const {
  const PointSources<T> at = sources<T>(unknowns);
  const std::vector<double> numbers = scalars<T>(at, threads);
  for (std::size_t b = 0; b < grid_blocks_.size(); ++b) {
    T* const to = residuals.data() + block_offsets_[b];
    if (grid_blocks_[b]) {
      grid_blocks_[b]->evaluate<T>(at, to, threads);
      continue;
    }
    std::vector<double> values(scalar_blocks_[b]->residuals());
    scalar_blocks_[b]->evaluate<T>(at.operands, numbers, values);
    std::transform(values.begin(), values.end(), to, [](double value) { return static_cast<T>(value); });
  }
}
template void Problem::evaluate(std::span<const float>, std::span<float>, std::size_t) const;
template void Problem::evaluate(std::span<const double>, std::span<double>, std::size_t) const;

double Problem::block_scale(std::size_t block, Normalization normalization) const noexcept {
  const std::size_t count = block_offsets_[block + 1] - block_offsets_[block];
  return normalization == Normalization::mean || description_.blocks[block].raw ? 1 / static_cast<double>(count) : 1;
}

std::vector<double> Problem::scales(Normalization normalization, std::span<const double> weights) const {
  std::vector<double> result(description_.blocks.size());
  for (std::size_t b = 0; b < result.size(); ++b) {
    const double weight = weights.empty() ? 1 : weights[b];
    result[b] = block_scale(b, normalization) * (description_.blocks[b].raw ? weight : weight * weight);
  }
  return result;
}

template <class T>
double Problem::loss(std::span<const T> residuals, std::span<const double> scales, std::size_t threads) const {
  double total = 0;
  for (std::size_t b = 0; b < grid_blocks_.size(); ++b) {
    const auto block = residuals.subspan(block_offsets_[b], block_offsets_[b + 1] - block_offsets_[b]);
    const double value = description_.blocks[b].raw ? sum_of(block, threads, [](double x) { return x; })
                                                    : sum_of_squares(block, threads);
    total += scales[b] * value;
  }
  return total;
}
template double Problem::loss(std::span<const float>, std::span<const double>, std::size_t) const;
template double Problem::loss(std::span<const double>, std::span<const double>, std::size_t) const;

template <class T>
std::vector<BlockSums> Problem::block_sums(std::span<const T> unknowns, std::size_t threads) const {
  const PointSources<T> at = sources<T>(unknowns);
  const auto plain = [](std::span<const T> values) { return sum_of(values, 1, [](double x) { return x; }); };
  const auto squared = [](std::span<const T> values) { return sum_of_squares(values, 1); };
  const std::vector<double> numbers = scalars<T>(at, threads);
  std::vector<BlockSums> sums;
  AlignedBuffer<T> buffer;
  for (std::size_t b = 0; b < grid_blocks_.size(); ++b) {
    if (!grid_blocks_[b]) {
      std::vector<double> values(scalar_blocks_[b]->residuals());
      scalar_blocks_[b]->evaluate<T>(at.operands, numbers, values);
      const std::vector<T> rounded(values.begin(), values.end());
      sums.push_back({plain(rounded), squared(rounded)});
      continue;
    }
    // Rows pass through a buffer from which whole pieces are added up; what is left goes in front of the next rows.
    const Shape& shape = description_.blocks[b].shape;
    const auto rows = static_cast<std::size_t>(shape.count[0]);
    const std::size_t row_points = shape.points() / rows;
    const std::size_t group = std::max<std::size_t>(1, rows_points / row_points);
    buffer.reserve_discarding(group * row_points + sum_grain);
    std::vector<double> pieces, squares;
    std::size_t left = 0;
    for (std::size_t row = 0; row < rows; row += group) {
      const std::size_t last = std::min(row + group, rows);
      grid_blocks_[b]->evaluate_rows<T>(at, static_cast<std::int32_t>(row), static_cast<std::int32_t>(last),
                                        buffer.data() + left, threads);
      const std::size_t filled = left + (last - row) * row_points;
      const std::size_t whole = last == rows ? (filled + sum_grain - 1) / sum_grain : filled / sum_grain;
      const std::size_t first_piece = pieces.size();
      pieces.resize(first_piece + whole);
      squares.resize(first_piece + whole);
      parallel_for(threads, whole, 16, [&](std::size_t begin, std::size_t end) {
        for (std::size_t piece = begin; piece < end; ++piece) {
          const std::size_t from = piece * sum_grain, count = std::min(sum_grain, filled - from);
          const std::span<const T> values(buffer.data() + from, count);
          pieces[first_piece + piece] = plain(values);
          squares[first_piece + piece] = squared(values);
        }
      });
      left = filled - std::min(filled, whole * sum_grain);
      std::copy(buffer.data() + filled - left, buffer.data() + filled, buffer.data());
    }
    sums.push_back({sum(pieces, 1), sum(squares, 1)});
  }
  return sums;
}
template std::vector<BlockSums> Problem::block_sums(std::span<const float>, std::size_t) const;
template std::vector<BlockSums> Problem::block_sums(std::span<const double>, std::size_t) const;

template <class T>
double Problem::gradient(std::span<const T> unknowns, std::span<T> residuals, std::span<T> gradient,
                         std::span<const double> scales, std::size_t threads) const {
  evaluate<T>(unknowns, residuals, threads);
  // A piece is multiplied while it is still in the cache from the sum.
  double value = 0;
  for (std::size_t b = 0; b < grid_blocks_.size(); ++b) {
    const auto block = residuals.subspan(block_offsets_[b], block_offsets_[b + 1] - block_offsets_[b]);
    const double scale = scales[b];
    if (description_.blocks[b].raw) {
      value += scale * sum_of(std::span<const T>(block), threads, [](double x) { return x; });
      std::fill(block.begin(), block.end(), static_cast<T>(scale));
      continue;
    }
    value += scale * sum_of_squares(std::span<const T>(block), threads, [&](std::size_t begin, std::size_t end) {
               for (std::size_t i = begin; i < end; ++i) block[i] *= static_cast<T>(2 * scale);
             });
  }
  parallel_for(threads, gradient.size(), 32768, [&](std::size_t begin, std::size_t end) {
    std::fill(gradient.begin() + static_cast<std::ptrdiff_t>(begin),
              gradient.begin() + static_cast<std::ptrdiff_t>(end), T(0));
  });
  add_transposed_product<T>(unknowns, residuals, gradient, threads);
  return value;
}
template double Problem::gradient(std::span<const float>, std::span<float>, std::span<float>, std::span<const double>,
                                  std::size_t) const;
template double Problem::gradient(std::span<const double>, std::span<double>, std::span<double>,
                                  std::span<const double>, std::size_t) const;

template <class T>
void Problem::add_transposed_product(std::span<const T> unknowns, std::span<const T> weights, std::span<T> result,
                                     std::size_t threads) const {
  const PointSources<T> at = sources<T>(unknowns);
  const std::vector<T*> targets = field_targets<T>(result);
  const std::vector<double> numbers = scalars<T>(at, threads);
  std::vector<double> sums(numbers.size(), 0);
  for (std::size_t b = 0; b < grid_blocks_.size(); ++b) {
    const auto own = weights.subspan(block_offsets_[b], block_offsets_[b + 1] - block_offsets_[b]);
    if (grid_blocks_[b]) {
      {
        const std::lock_guard lock(mutex_);
        if (!grid_blocks_[b]->has_transposed()) grid_blocks_[b]->compile_transposed(description_.graph);
      }
      grid_blocks_[b]->add_transposed<T>(at, own, targets, std::span(sums).first(description_.parameters), threads);
      continue;
    }
    const auto entries = scalar_blocks_[b]->derivatives();
    std::vector<double> values(entries.size());
    scalar_blocks_[b]->evaluate_derivatives<T>(at.operands, numbers, values);
    for (std::size_t k = 0; k < entries.size(); ++k) {
      const double change = values[k] * static_cast<double>(own[entries[k].root]);
      if (entries[k].parameter) {
        sums[entries[k].number] += change;
      } else {
        targets[entries[k].number][entries[k].flat] += static_cast<T>(change);
      }
    }
  }
  for (std::size_t t = 0; t < totals_.size(); ++t) {
    const std::vector<T> weight(totals_[t]->shape().points(), static_cast<T>(sums[description_.parameters + t]));
    {
      const std::lock_guard lock(mutex_);
      if (!totals_[t]->has_transposed()) totals_[t]->compile_transposed(description_.graph);
    }
    totals_[t]->add_transposed<T>(at, weight, targets, std::span(sums).first(description_.parameters), threads);
  }
  for (std::size_t p = 0; p < description_.parameters; ++p) result[grid_unknowns_ + p] += static_cast<T>(sums[p]);
}
template void Problem::add_transposed_product(std::span<const float>, std::span<const float>, std::span<float>,
                                              std::size_t) const;
template void Problem::add_transposed_product(std::span<const double>, std::span<const double>, std::span<double>,
                                              std::size_t) const;

template <class T>
void Problem::product(std::span<const T> unknowns, std::span<const T> direction, std::span<T> result,
                      std::size_t threads) const {
  const PointSources<T> at = sources<T>(unknowns);
  const PointSources<T> along = sources<T>(direction);
  const std::span<const T* const> fields = std::span(along.operands).first(description_.fields.size());
  const std::vector<double> numbers = scalars<T>(at, threads);
  std::vector<double> changes = along.parameters;
  for (const auto& total : totals_) {
    {
      const std::lock_guard lock(mutex_);
      if (!total->has_product()) total->compile_product(description_.graph);
    }
    AlignedBuffer<T> summands(total->shape().points());
    total->product<T>(at, fields, along.parameters, summands.data(), threads);
    changes.push_back(sum_of(std::as_const(summands).span(), threads, [](double x) { return x; }));
  }
  for (std::size_t b = 0; b < grid_blocks_.size(); ++b) {
    T* const to = result.data() + block_offsets_[b];
    if (grid_blocks_[b]) {
      {
        const std::lock_guard lock(mutex_);
        if (!grid_blocks_[b]->has_product()) grid_blocks_[b]->compile_product(description_.graph);
      }
      grid_blocks_[b]->product<T>(at, fields, along.parameters, to, threads);
      continue;
    }
    const auto entries = scalar_blocks_[b]->derivatives();
    std::vector<double> values(entries.size()), sums(scalar_blocks_[b]->residuals(), 0);
    scalar_blocks_[b]->evaluate_derivatives<T>(at.operands, numbers, values);
    for (std::size_t k = 0; k < entries.size(); ++k) {
      const double change = entries[k].parameter ? changes[entries[k].number]
                                                 : static_cast<double>(fields[entries[k].number][entries[k].flat]);
      sums[entries[k].root] += values[k] * change;
    }
    std::transform(sums.begin(), sums.end(), to, [](double value) { return static_cast<T>(value); });
  }
}
template void Problem::product(std::span<const float>, std::span<const float>, std::span<float>, std::size_t) const;
template void Problem::product(std::span<const double>, std::span<const double>, std::span<double>, std::size_t) const;

std::string Problem::listing(std::size_t number) const {
  return grid_blocks_[number] ? grid_blocks_[number]->listing()
                              : "block " + description_.blocks[number].name + ": " +
                                    std::to_string(scalar_blocks_[number]->residuals()) + " numbers\n";
}

std::string Problem::source(std::size_t number, SourcePrecision precision) const {
  const BlockDescription& block = description_.blocks[number];
  const std::size_t operands = domain_.operands.size();
  const std::string name = "block" + std::to_string(number) + "_" + identifier(block.name);
  const std::lock_guard lock(mutex_);
  return block.scalar ? scalar_block_source(description_.graph, domain_, operands, block.roots, name, precision)
                      : grid_block_source(description_.graph, domain_, operands, block.shape,
                                          grid_blocks_[number]->regions(), name, precision);
}

std::string Problem::source_header() const {
  std::string text =
      "// Residuals as CUDA C++: for every block a kernel per region, each with at least as many threads as it has\n"
      "// points. Arguments of all of them (arrays: the constants of the builder in the order of their use):\n";
  for (std::size_t k = 0; k < domain_.operands.size(); ++k) {
    text += "//   operand" + std::to_string(k) + ": " + domain_.operands[k].name + ", " +
            std::to_string(domain_.operands[k].shape.points()) + " values, row-major\n";
  }
  return text + "//   parameters: " + std::to_string(description_.parameters) +
         " numbers, in float64 in both precisions\n"
         "//   residual: of the block\n"
         "// --fmad=false keeps the roundings of the source.\n\n";
}

namespace {

/// "[3][4]".
std::string place_name(const Shape& shape, std::size_t place) {
  std::string name;
  const auto at = shape.index(place);
  for (std::size_t axis = 0; axis < shape.axes; ++axis) name += "[" + std::to_string(at[axis]) + "]";
  return name;
}

}  // namespace

std::string Problem::residual_name(std::size_t index) const {
  const auto next = std::upper_bound(block_offsets_.begin(), block_offsets_.end(), index);
  const auto block = static_cast<std::size_t>(next - block_offsets_.begin()) - 1;
  const std::size_t rest = index - block_offsets_[block];
  const BlockDescription& of = description_.blocks[block];
  return of.name + (of.scalar ? "[" + std::to_string(rest) + "]" : place_name(of.shape, rest));
}

std::string Problem::unknown_name(std::size_t index) const {
  if (index >= grid_unknowns_) return "parameter " + std::to_string(index - grid_unknowns_);
  std::size_t field = description_.fields.size() - 1;
  while (field_offsets_[field] > index) --field;
  return description_.fields[field].name + place_name(description_.fields[field].shape, index - field_offsets_[field]);
}

}  // namespace dd::odil
