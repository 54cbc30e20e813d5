// Axis by axis from the slowest to the contiguous one (and back for the transpose): a step along an outer axis happens
// where the inner ones are still coarse, so only the last step touches as much as the fine grid holds.
#include "linalg/axis_transfer.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/thread_pool.hpp"
#include "linalg/vectors.hpp"
#include "linalg/workspace.hpp"

namespace dd::linalg {
namespace {

// Fine points per task: enough to be worth a thread, few enough for the caches.
constexpr std::size_t transfer_points_per_task = std::size_t{1} << 16;
constexpr std::size_t most_terms = 8;

}  // namespace

AxisTransfer::AxisTransfer(std::size_t coarse, std::vector<AxisEntry> entries)
    : coarse_(coarse), entries_(std::move(entries)), source_begin_(coarse + 1, 0) {
  identity_ = coarse == entries_.size();
  const auto for_weights = [&](auto&& body) {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      const AxisEntry& e = entries_[i];
      if (e.first_weight != 0) body(i, e.first, e.first_weight);
      if (e.second_weight != 0) body(i, e.second, e.second_weight);
    }
  };
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const AxisEntry& e = entries_[i];
    identity_ = identity_ && e.first == i && e.first_weight == 1 && e.second_weight == 0;
  }
  for_weights([&](std::size_t, std::uint32_t j, double) { ++source_begin_[j + 1]; });
  for (std::size_t j = 0; j < coarse; ++j) source_begin_[j + 1] += source_begin_[j];
  sources_.resize(source_begin_[coarse]);
  source_weights_.resize(source_begin_[coarse]);
  std::vector<std::uint32_t> next(source_begin_.begin(), source_begin_.end() - 1);
  for_weights([&](std::size_t i, std::uint32_t j, double weight) {
    sources_[next[j]] = static_cast<std::uint32_t>(i);
    source_weights_[next[j]++] = weight;
  });
  find_pattern();
}

AxisTransfer AxisTransfer::identity(std::size_t points) {
  std::vector<AxisEntry> entries(points);
  for (std::size_t i = 0; i < points; ++i) {
    const auto index = static_cast<std::uint32_t>(i);
    entries[i] = {index, index, 1, 0};
  }
  return {points, std::move(entries)};
}

// Pairs are looked for in the middle and followed to both sides.
void AxisTransfer::find_pattern() noexcept {
  const auto weight = [&](std::size_t i, std::size_t p) {
    const AxisEntry& e = entries_[i];
    return (e.first == p ? e.first_weight : 0) + (e.second == p && e.second_weight != 0 ? e.second_weight : 0);
  };
  const auto only = [&](std::size_t i, std::size_t p) {  // a combination of p and p + 1
    const AxisEntry& e = entries_[i];
    const auto inside = [&](std::uint32_t c, double w) { return w == 0 || c == p || c == p + 1; };
    return inside(e.first, e.first_weight) && inside(e.second, e.second_weight);
  };
  if (coarse_ < 4 || identity_) return;
  const std::size_t middle = coarse_ / 2;
  for (std::size_t shift = 0; shift < 2; ++shift) {
    const auto matches = [&](std::size_t p) {
      const std::size_t i = shift + 2 * p;
      if (p + 1 >= coarse_ || i + 2 > entries_.size()) return false;
      for (std::size_t k = 0; k < 2; ++k) {
        if (!only(i + k, p) || weight(i + k, p) != near_[k] || weight(i + k, p + 1) != far_[k]) return false;
      }
      return true;
    };
    const std::size_t i = shift + 2 * middle;
    if (i + 2 > entries_.size() || middle + 1 >= coarse_) continue;
    for (std::size_t k = 0; k < 2; ++k) {
      near_[k] = weight(i + k, middle);
      far_[k] = weight(i + k, middle + 1);
    }
    if (!matches(middle)) continue;
    offset_ = shift;
    first_ = middle;
    last_ = middle + 1;
    while (first_ > 0 && matches(first_ - 1)) --first_;
    while (matches(last_)) ++last_;
    return;
  }
}

template <class T>
ContiguousTransfer<T> AxisTransfer::contiguous() const noexcept {
  return {entries_.data(),
          entries_.size(),
          coarse_,
          first_,
          last_,
          offset_,
          {static_cast<T>(near_[0]), static_cast<T>(near_[1])},
          {static_cast<T>(far_[0]), static_cast<T>(far_[1])}};
}

GridTransfer::GridTransfer(std::vector<AxisTransfer> axes) : axes_(std::move(axes)) {
  for (const AxisTransfer& axis : axes_) {
    fine_points_ *= axis.fine();
    coarse_points_ *= axis.coarse();
  }
  std::size_t run = 1, used = axes_.size();
  while (used > 0 && axes_[used - 1].is_identity()) run *= axes_[--used].fine();
  walked_.assign(axes_.begin(), axes_.begin() + static_cast<std::ptrdiff_t>(used));
  if (used < axes_.size()) walked_.push_back(AxisTransfer::identity(run));
  while (walked_.size() < 2) walked_.insert(walked_.begin(), AxisTransfer::identity(1));
  fine_stride_.assign(walked_.size(), 1);
  coarse_stride_.assign(walked_.size(), 1);
  for (std::size_t axis = walked_.size() - 1; axis-- > 0;) {
    fine_stride_[axis] = fine_stride_[axis + 1] * walked_[axis + 1].fine();
    coarse_stride_[axis] = coarse_stride_[axis + 1] * walked_[axis + 1].coarse();
  }
}

/// The recursion over the walked axes, with scratch of one thread.
template <class T>
struct GridTransfer::Walk {
  const GridTransfer& grid;
  T scale;
  std::vector<T*> rows;  // of axis a: what a step along it makes
  T* plane = nullptr;

  Walk(const GridTransfer& transfer, T factor, bool fine_rows)
      : grid(transfer), scale(factor), rows(transfer.walked_.size(), nullptr) {
    const std::size_t axes = transfer.walked_.size();
    const std::size_t plane_row = transfer.walked_.back().fine() + transfer_slack;
    std::size_t total = 3 * plane_row;
    std::vector<std::size_t> start(axes);
    for (std::size_t axis = 0; axis + 2 < axes; ++axis) {
      start[axis] = total;
      total += (fine_rows ? transfer.fine_stride_[axis] : transfer.coarse_stride_[axis]) + transfer_slack;
    }
    T* const memory = scratch<T>(Scratch::grid, total);
    plane = memory;
    for (std::size_t axis = 0; axis + 2 < axes; ++axis) rows[axis] = memory + start[axis];
  }

  /// Fine indices [begin, end) of `axis`; coarse, addend and fine point at the start of that axis.
  void widen(std::size_t axis, std::size_t begin, std::size_t end, const T* coarse, const T* addend, T* fine) const {
    const AxisTransfer& transfer = grid.walked_[axis];
    const std::size_t fine_step = grid.fine_stride_[axis], coarse_step = grid.coarse_stride_[axis];
    if (axis + 2 == grid.walked_.size()) {
      const WidenPlane<T> arguments{grid.walked_.back().template contiguous<T>(),
                                    transfer.entries().data() + begin,
                                    end - begin,
                                    coarse,
                                    addend == nullptr ? nullptr : addend + begin * fine_step,
                                    fine + begin * fine_step,
                                    scale,
                                    plane};
      if constexpr (sizeof(T) == 8) {
        widen_plane_float64(&arguments);
      } else {
        widen_plane_float32(&arguments);
      }
      return;
    }
    for (std::size_t i = begin; i < end; ++i) {
      const AxisEntry& e = transfer.entries()[i];
      const T* inner = coarse + e.first * coarse_step;
      if (e.first_weight != 1 || e.second_weight != 0) {
        const std::array<const T*, 2> from{inner, coarse + e.second * coarse_step};
        const std::array<T, 2> weights{static_cast<T>(e.first_weight), static_cast<T>(e.second_weight)};
        combine_vectors(CombineVectors<T>{from.data(), weights.data(), e.second_weight == 0 ? 1u : 2u, nullptr,
                                          rows[axis], coarse_step});
        inner = rows[axis];
      }
      widen(axis + 1, 0, grid.walked_[axis + 1].fine(), inner, addend == nullptr ? nullptr : addend + i * fine_step,
            fine + i * fine_step);
    }
  }

  /// Coarse indices [begin, end) of `axis`.
  void narrow(std::size_t axis, std::size_t begin, std::size_t end, const T* fine, T* coarse) const {
    const AxisTransfer& transfer = grid.walked_[axis];
    const std::size_t fine_step = grid.fine_stride_[axis], coarse_step = grid.coarse_stride_[axis];
    if (axis + 2 == grid.walked_.size()) {
      const NarrowPlane<T> arguments{grid.walked_.back().template contiguous<T>(),
                                     transfer.source_begin().data() + begin,
                                     transfer.sources().data(),
                                     transfer.source_weights().data(),
                                     end - begin,
                                     fine,
                                     coarse + begin * coarse_step,
                                     scale,
                                     plane};
      if constexpr (sizeof(T) == 8) {
        narrow_plane_float64(&arguments);
      } else {
        narrow_plane_float32(&arguments);
      }
      return;
    }
    for (std::size_t j = begin; j < end; ++j) {
      const std::size_t first = transfer.source_begin()[j], count = transfer.source_begin()[j + 1] - first;
      const T* inner = fine;
      if (count == 1 && transfer.source_weights()[first] == 1) {
        inner += transfer.sources()[first] * fine_step;
      } else {
        // More than `most_terms` fine points meet in one coarse point only at the ends of odd axes; they come in parts.
        std::size_t done = 0;
        do {
          const std::size_t terms = std::min(most_terms, count - done);
          std::array<const T*, most_terms> from{};
          std::array<T, most_terms> weights{};
          for (std::size_t k = 0; k < terms; ++k) {
            from[k] = fine + transfer.sources()[first + done + k] * fine_step;
            weights[k] = static_cast<T>(transfer.source_weights()[first + done + k]);
          }
          combine_vectors(CombineVectors<T>{from.data(), weights.data(), terms, done == 0 ? nullptr : rows[axis],
                                            rows[axis], fine_step});
          done += terms;
        } while (done < count);
        inner = rows[axis];
      }
      narrow(axis + 1, 0, grid.walked_[axis + 1].coarse(), inner, coarse + j * coarse_step);
    }
  }
};

template <class T>
void GridTransfer::to_fine(std::span<const T> coarse, T scale, std::span<const T> addend, std::span<T> fine,
                           std::size_t threads) const {
  // A plane deep in the grid has to be in one task with all its columns, so tasks are runs along the first axis.
  const std::size_t grain =
      std::max<std::size_t>(1, transfer_points_per_task / std::max<std::size_t>(1, fine_stride_[0]));
  parallel_for(threads, fine_points_ == 0 ? 0 : walked_[0].fine(), grain, [&](std::size_t begin, std::size_t end) {
    const Walk<T> walk(*this, scale, false);
    walk.widen(0, begin, end, coarse.data(), addend.empty() ? nullptr : addend.data(), fine.data());
  });
}

template <class T>
void GridTransfer::to_coarse(std::span<const T> fine, T scale, std::span<T> coarse, std::size_t threads) const {
  const std::size_t grain =
      std::max<std::size_t>(1, transfer_points_per_task / 2 / std::max<std::size_t>(1, fine_stride_[0]));
  parallel_for(threads, coarse_points_ == 0 ? 0 : walked_[0].coarse(), grain, [&](std::size_t begin, std::size_t end) {
    const Walk<T> walk(*this, scale, true);
    walk.narrow(0, begin, end, fine.data(), coarse.data());
  });
}

template ContiguousTransfer<float> AxisTransfer::contiguous<float>() const noexcept;
template ContiguousTransfer<double> AxisTransfer::contiguous<double>() const noexcept;
template void GridTransfer::to_fine(std::span<const float>, float, std::span<const float>, std::span<float>,
                                    std::size_t) const;
template void GridTransfer::to_fine(std::span<const double>, double, std::span<const double>, std::span<double>,
                                    std::size_t) const;
template void GridTransfer::to_coarse(std::span<const float>, float, std::span<float>, std::size_t) const;
template void GridTransfer::to_coarse(std::span<const double>, double, std::span<double>, std::size_t) const;

}  // namespace dd::linalg
