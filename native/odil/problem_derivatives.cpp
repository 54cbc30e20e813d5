// Gradients and products with the Jacobian and its transpose, block by block.
#include <algorithm>
#include <type_traits>
#include <utility>

#include "odil/problem.hpp"
#include "odil/program_isa.hpp"
#include "odil/residual_sums.hpp"

namespace dd::odil {
namespace {

void scale_values(float factor, std::span<float> values) { scale_values_float32(factor, values.data(), values.size()); }
void scale_values(double factor, std::span<double> values) {
  scale_values_float64(factor, values.data(), values.size());
}

}  // namespace

const GridBlock& Problem::with_transposed(GridBlock& block) const {
  const std::lock_guard lock(mutex_);
  if (!block.has_transposed()) block.compile_transposed(description_.graph);
  return block;
}

/// What scalar blocks and totals contribute, once the grid blocks are done.
template <class T>
void Problem::finish_transposed(const PointSources<T>& at, std::span<const double> numbers, std::span<const T> weights,
                                std::span<T* const> targets, std::span<double> sums, std::size_t threads) const {
  for (std::size_t b = 0; b < grid_blocks_.size(); ++b) {
    if (grid_blocks_[b] != nullptr) continue;
    const auto own = weights.subspan(block_offsets_[b], block_offsets_[b + 1] - block_offsets_[b]);
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
    std::vector<T> weight(totals_[t]->shape().points(), static_cast<T>(sums[description_.parameters + t]));
    with_transposed(*totals_[t])
        .template transposed<T>(at, std::span(weight), targets, sums.first(description_.parameters), Targets::filled,
                                threads);
  }
}

template <class T>
double Problem::gradient(std::span<const T> unknowns, std::span<T> residuals, std::span<T> gradient,
                         std::span<const double> scales, std::size_t threads) const {
  const PointSources<T> at = sources<T>(unknowns);
  const std::vector<double> numbers = scalars<T>(at, threads);
  const std::vector<T*> targets = field_targets<T>(gradient);
  double value = 0;
  for (std::size_t b = 0; b < grid_blocks_.size(); ++b) {
    const auto block = residuals.subspan(block_offsets_[b], block_offsets_[b + 1] - block_offsets_[b]);
    const double scale = scales[b];
    const bool raw = description_.blocks[b].raw;
    if (grid_blocks_[b] == nullptr) {
      std::vector<double> values(scalar_blocks_[b]->residuals());
      scalar_blocks_[b]->evaluate<T>(at.operands, numbers, values);
      std::transform(values.begin(), values.end(), block.begin(), [](double one) { return static_cast<T>(one); });
      const std::span<const T> own(block);
      value += scale * (raw ? plain_sum(own, 1) : dot(own, own, 1));
      for (T& weight : block) weight = static_cast<T>(raw ? scale : 2 * scale * static_cast<double>(weight));
      continue;
    }
    if (raw) {
      grid_blocks_[b]->evaluate<T>(at, block.data(), threads);
      value += scale * plain_sum(std::span<const T>(block), threads);
      std::fill(block.begin(), block.end(), static_cast<T>(scale));
      continue;
    }
    // A piece is summed up and multiplied while it is still in the cache.
    std::vector<double> squares(Pass::pieces(description_.blocks[b].shape).size() - 1);
    const T factor = static_cast<T>(2 * scale);
    grid_blocks_[b]->evaluate<T>(at, block.data(), threads, [&](std::size_t piece, std::size_t begin, std::size_t end) {
      const std::span<T> own = block.subspan(begin, end - begin);
      squares[piece] = dot(std::span<const T>(own), std::span<const T>(own), 1);
      scale_values(factor, own);
    });
    value += scale * sum(squares, 1);
  }
  Targets state = Targets::fresh;
  std::vector<double> sums(numbers.size(), 0);
  if (std::all_of(grid_blocks_.begin(), grid_blocks_.end(), [](const auto& block) { return block == nullptr; })) {
    std::fill(gradient.begin(), gradient.end(), T(0));
    state = Targets::filled;
  }
  std::fill(gradient.begin() + static_cast<std::ptrdiff_t>(grid_unknowns_), gradient.end(), T(0));
  for (std::size_t b = 0; b < grid_blocks_.size(); ++b) {
    if (grid_blocks_[b] == nullptr) continue;
    const auto block = residuals.subspan(block_offsets_[b], block_offsets_[b + 1] - block_offsets_[b]);
    with_transposed(*grid_blocks_[b])
        .template transposed<T>(at, block, targets, std::span(sums).first(description_.parameters), state, threads);
    state = Targets::filled;
  }
  finish_transposed<T>(at, numbers, residuals, targets, sums, threads);
  for (std::size_t p = 0; p < description_.parameters; ++p) gradient[grid_unknowns_ + p] += static_cast<T>(sums[p]);
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
    if (grid_blocks_[b] == nullptr) continue;
    const auto own = weights.subspan(block_offsets_[b], block_offsets_[b + 1] - block_offsets_[b]);
    with_transposed(*grid_blocks_[b])
        .template add_transposed<T>(at, own, targets, std::span(sums).first(description_.parameters), threads);
  }
  finish_transposed<T>(at, numbers, weights, targets, sums, threads);
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

}  // namespace dd::odil
