#include "odil/problem.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "core/error.hpp"
#include "core/reductions.hpp"
#include "core/thread_pool.hpp"
#include "odil/residual_sums.hpp"

namespace dd::odil {
namespace {

constexpr std::size_t rows_points = std::size_t{1} << 19;  // that pass through a buffer at once

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

template std::vector<float*> Problem::field_targets(std::span<float>) const;
template std::vector<double*> Problem::field_targets(std::span<double>) const;

template <class T>
std::vector<double> Problem::scalars(const PointSources<T>& at, std::size_t threads) const {
  std::vector<double> values = at.parameters;
  AlignedBuffer<T> summands;
  for (const auto& total : totals_) {
    summands.reserve_discarding(total->shape().points());
    total->evaluate<T>(at, summands.data(), threads);
    values.push_back(plain_sum(std::span<const T>(summands.data(), total->shape().points()), threads));
  }
  return values;
}

template std::vector<double> Problem::scalars(const PointSources<float>&, std::size_t) const;
template std::vector<double> Problem::scalars(const PointSources<double>&, std::size_t) const;

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

namespace {

/// Sum of squares of a block's residuals.
template <class T>
double squares_of(const BlockDescription& block, std::span<const T> residuals, std::size_t threads) {
  if (block.scalar) return dot(residuals, residuals, 1);
  return sum_of_squares(residuals, Pass::pieces(block.shape), threads);
}

}  // namespace

template <class T>
double Problem::loss(std::span<const T> residuals, std::span<const double> scales, std::size_t threads) const {
  double total = 0;
  for (std::size_t b = 0; b < grid_blocks_.size(); ++b) {
    const auto block = residuals.subspan(block_offsets_[b], block_offsets_[b + 1] - block_offsets_[b]);
    const double value =
        description_.blocks[b].raw ? plain_sum(block, threads) : squares_of(description_.blocks[b], block, threads);
    total += scales[b] * value;
  }
  return total;
}
template double Problem::loss(std::span<const float>, std::span<const double>, std::size_t) const;
template double Problem::loss(std::span<const double>, std::span<const double>, std::size_t) const;

template <class T>
std::vector<BlockSums> Problem::block_sums(std::span<const T> unknowns, std::size_t threads) const {
  const PointSources<T> at = sources<T>(unknowns);
  const std::vector<double> numbers = scalars<T>(at, threads);
  std::vector<BlockSums> sums;
  AlignedBuffer<T> buffer;
  for (std::size_t b = 0; b < grid_blocks_.size(); ++b) {
    if (!grid_blocks_[b]) {
      std::vector<double> values(scalar_blocks_[b]->residuals());
      scalar_blocks_[b]->evaluate<T>(at.operands, numbers, values);
      const std::vector<T> rounded(values.begin(), values.end());
      const std::span<const T> own(rounded);
      sums.push_back({plain_sum(own, 1), dot(own, own, 1)});
      continue;
    }
    // Rows pass through a buffer, as many whole pieces as fit it and are whole rows.
    const Shape& shape = description_.blocks[b].shape;
    const std::size_t row_points = shape.points() / static_cast<std::size_t>(shape.count[0]);
    const std::vector<std::size_t> begins = Pass::pieces(shape);
    std::vector<double> pieces(begins.size() - 1), squares(begins.size() - 1);
    for (std::size_t first = 0; first < pieces.size();) {
      std::size_t last = first + 1;
      while (begins[last] % row_points != 0 ||
             (last < pieces.size() && begins[last] - begins[first] + row_points <= rows_points)) {
        ++last;
      }
      const std::size_t start = begins[first];
      buffer.reserve_discarding(begins[last] - start);
      grid_blocks_[b]->evaluate_rows<T>(at, static_cast<std::int32_t>(start / row_points),
                                        static_cast<std::int32_t>(begins[last] / row_points), buffer.data(), threads);
      ThreadPool::shared().run_tasks(threads, last - first, [&](std::size_t k) {
        const std::size_t piece = first + k;
        const std::span<const T> values(buffer.data() + (begins[piece] - start), begins[piece + 1] - begins[piece]);
        pieces[piece] = plain_sum(values, 1);
        squares[piece] = dot(values, values, 1);
      });
      first = last;
    }
    sums.push_back({sum(pieces, 1), sum(squares, 1)});
  }
  return sums;
}
template std::vector<BlockSums> Problem::block_sums(std::span<const float>, std::size_t) const;
template std::vector<BlockSums> Problem::block_sums(std::span<const double>, std::size_t) const;

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
