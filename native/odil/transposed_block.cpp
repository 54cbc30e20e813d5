// The regular points are gathered while the weights of all others are set to zero, in place; then those come back and
// are scattered. So nothing of the size of the block is copied.
#include "odil/transposed_block.hpp"

#include <algorithm>
#include <utility>

#include "core/aligned_buffer.hpp"
#include "core/thread_pool.hpp"
#include "odil/derivative.hpp"
#include "odil/grid_block.hpp"

namespace dd::odil {
namespace {

/// Memory that a thread keeps, because fresh memory costs as much as what is written to it.
template <class T>
struct KeptMemory {
  AlignedBuffer<T> edges, ends;
  static KeptMemory& of_thread() {
    thread_local KeptMemory memory;
    return memory;
  }
};

constexpr std::size_t fill_grain = 32768;

template <class T>
void fill_zero(T* first, std::size_t count, std::size_t threads) {
  parallel_for(threads, count, fill_grain,
               [&](std::size_t begin, std::size_t end) { std::fill(first + begin, first + end, T(0)); });
}

}  // namespace

TransposedBlock::TransposedBlock(Graph& graph, const Domain& domain, std::size_t fields, const Shape& shape,
                                 std::span<const Region> regions)
    : domain_(domain), fields_(fields), shape_(shape), gather_(make_gather(graph, domain, fields, shape, regions[0])) {
  std::vector<RegionOutputs> outputs;
  for (std::size_t r = gather_ ? 1 : 0; r < regions.size(); ++r) {
    outputs.push_back(scatter(graph, regions[r], regions[r].box));
  }
  if (gather_ && gather_->rim() > 0) {
    // The first and last few points of the range, whose neighbours the gather must not read, point by point.
    const auto rim = static_cast<std::int32_t>(gather_->rim());
    const std::size_t last = shape_.axes - 1;
    Box first = regions[0].box, final = regions[0].box;
    for (std::size_t axis = 0; axis < last; ++axis) {
      first.end[axis] = first.begin[axis] + 1;
      final.begin[axis] = final.end[axis] - 1;
    }
    first.end[last] = first.begin[last] + rim;
    final.begin[last] = final.end[last] - rim;
    bool one_row = true;
    for (std::size_t axis = 0; axis < last; ++axis) one_row = one_row && first.begin[axis] == final.begin[axis];
    if (one_row) final.begin[last] = std::max(final.begin[last], first.end[last]);
    outputs.push_back(scatter(graph, regions[0], first));
    outputs.push_back(scatter(graph, regions[0], final));
  }
  edges_ = Pass(graph, domain_, shape_, std::move(outputs));
  if (gather_) find_edge_lines(regions);
}

RegionOutputs TransposedBlock::scatter(Graph& graph, const Region& region, const Box& box) const {
  RegionOutputs outputs{box, {}, {}};
  const NodeId weight = graph.access(static_cast<std::int32_t>(domain_.operands.size() - 1), Shift{});
  for (const Adjoint& adjoint : reverse(graph, region.root, weight, unknown_leaves(graph, region.root, fields_))) {
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

void TransposedBlock::find_edge_lines(std::span<const Region> regions) {
  const auto strides = shape_.strides();
  for (const Region& region : regions.subspan(1)) {
    const Box& box = region.box;
    const auto extent = [&](std::size_t axis) { return static_cast<std::size_t>(box.end[axis] - box.begin[axis]); };
    std::size_t along = shape_.axes - 1;
    for (std::size_t axis = 0; axis < shape_.axes; ++axis) {
      if (extent(axis) > extent(along)) along = axis;
    }
    const std::size_t lines = box.points(shape_.axes) / extent(along);
    for (std::size_t number = 0; number < lines; ++number) {
      std::array<std::int32_t, max_axes> at = box.begin;
      for (std::size_t axis = shape_.axes, rest = number; axis-- > 0;) {
        if (axis == along) continue;
        at[axis] += static_cast<std::int32_t>(rest % extent(axis));
        rest /= extent(axis);
      }
      const Line line{shape_.flat(at), strides[along], extent(along)};
      // What lies wholly outside of the gather's range is at an end of the block.
      const std::ptrdiff_t last = line.flat + static_cast<std::ptrdiff_t>(line.count - 1) * line.step;
      if (last < gather_->first || line.flat > gather_->last) continue;
      edge_lines_.push_back(line);
      edge_points_ += line.count;
    }
  }
  // In the order of memory, so that both ends of neighbouring rows are met together.
  std::stable_sort(edge_lines_.begin(), edge_lines_.end(),
                   [](const Line& a, const Line& b) { return a.flat < b.flat; });
  const auto inside = static_cast<std::size_t>(gather_->last + 1 - gather_->first);
  edge_points_ += shape_.points() - inside;
}

template <class T>
void TransposedBlock::run_gathers(const PointSources<T>& sources, std::span<T> weights, std::span<T* const> targets,
                                  std::span<double> parameter_sums, Targets state, std::size_t threads) const {
  std::vector<const T*> operands = sources.operands;
  operands.resize(domain_.operands.size(), nullptr);
  const auto count = static_cast<std::ptrdiff_t>(weights.size());
  const auto reach = static_cast<std::ptrdiff_t>(gather_->reach());
  // Near the ends of the block the weights are read from copies with zeros beyond the end.
  const std::ptrdiff_t copied = std::min(count, 2 * reach), inner = copied == count ? reach : 0;
  AlignedBuffer<T>& ends = KeptMemory<T>::of_thread().ends;
  ends.reserve_discarding(static_cast<std::size_t>(2 * (reach + copied + inner)));
  T* const low = ends.data() + reach;
  T* const high = low + copied + 2 * inner;
  std::fill(ends.data(), low, T(0));
  std::fill(low + copied, high, T(0));
  std::fill(high + copied, high + copied + reach, T(0));
  std::copy(weights.begin(), weights.begin() + copied, low);
  std::copy(weights.end() - copied, weights.end(), high);

  const auto run = [&](const std::optional<FlatPass>& pass, std::ptrdiff_t below, std::ptrdiff_t above) {
    if (!pass) return;
    const std::ptrdiff_t begin = gather_->first + below, end = gather_->last + above + 1;
    const auto part = [&](const T* from, std::ptrdiff_t first, std::ptrdiff_t last) {
      if (first >= last) return;
      operands.back() = from;
      pass->run<T>({operands, targets, sources.parameters, parameter_sums}, static_cast<std::size_t>(first),
                   static_cast<std::size_t>(last), threads);
    };
    const std::ptrdiff_t safe = std::max(begin, std::min(reach, end)),
                         unsafe = std::max(safe, std::min(count - reach, end));
    part(low, begin, safe);
    part(weights.data(), safe, unsafe);
    part(high + copied - count, unsafe, end);
  };
  run(state == Targets::fresh ? gather_->constant_first : gather_->constant, gather_->constant_low,
      gather_->constant_high);
  run(gather_->varying, gather_->varying_low, gather_->varying_high);
}

template <class T>
void TransposedBlock::run(const PointSources<T>& sources, std::span<T> weights, std::span<T* const> targets,
                          std::span<double> parameter_sums, Targets state, std::size_t threads) const {
  if (state == Targets::fresh) {
    for (std::size_t f = 0; f < fields_; ++f) {
      const std::size_t points = domain_.operands[f].shape.points();
      const bool stored = gather_ && std::find(gather_->constant_fields.begin(), gather_->constant_fields.end(), f) !=
                                         gather_->constant_fields.end();
      if (!stored) {
        fill_zero(targets[f], points, threads);
        continue;
      }
      const auto begin = static_cast<std::size_t>(gather_->first + gather_->constant_low);
      const auto end = static_cast<std::size_t>(gather_->last + gather_->constant_high + 1);
      fill_zero(targets[f], begin, threads);
      fill_zero(targets[f] + end, points - end, threads);
    }
  }
  if (gather_) {
    AlignedBuffer<T>& kept = KeptMemory<T>::of_thread().edges;
    kept.reserve_discarding(edge_points_);
    const auto first = static_cast<std::size_t>(gather_->first), last = static_cast<std::size_t>(gather_->last) + 1;
    const auto take = [](T* from, std::size_t count, T* to) {
      std::copy(from, from + count, to);
      std::fill(from, from + count, T(0));
      return to + count;
    };
    T* const lines = take(weights.data() + last, weights.size() - last, take(weights.data(), first, kept.data()));
    T* to = lines;
    for (const Line& line : edge_lines_) {
      T* from = weights.data() + line.flat;
      for (std::size_t p = 0; p < line.count; ++p, from += line.step) *to++ = std::exchange(*from, T(0));
    }
    run_gathers<T>(sources, weights, targets, parameter_sums, state, threads);
    const T* back = lines;
    for (const Line& line : edge_lines_) {
      T* place = weights.data() + line.flat;
      for (std::size_t p = 0; p < line.count; ++p, place += line.step) *place = *back++;
    }
    std::copy(kept.data(), kept.data() + first, weights.data());
    std::copy(kept.data() + first, kept.data() + first + (weights.size() - last), weights.data() + last);
  }
  std::vector<const T*> operands = sources.operands;
  operands.resize(domain_.operands.size(), nullptr);
  operands.back() = weights.data();
  edges_.run<T>({operands, targets, sources.parameters, parameter_sums}, threads);
}
template void TransposedBlock::run(const PointSources<float>&, std::span<float>, std::span<float* const>,
                                   std::span<double>, Targets, std::size_t) const;
template void TransposedBlock::run(const PointSources<double>&, std::span<double>, std::span<double* const>,
                                   std::span<double>, Targets, std::size_t) const;

}  // namespace dd::odil
