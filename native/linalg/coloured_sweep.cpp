// Which rows in which order: planes of the first axis in a wave, the other axes by classes inside a plane.
#include "linalg/coloured_sweep.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.hpp"
#include "core/thread_pool.hpp"
#include "linalg/stencil_rows.hpp"

namespace dd::linalg {
namespace {

constexpr std::size_t sweep_points_per_task = std::size_t{1} << 15;
// Two chunks of the wave leave two planes at their common border for later, with their neighbours: more than 5 planes.
constexpr std::size_t least_planes_per_task = 8;

}  // namespace

template <class T>
ColouredSweep<T>::ColouredSweep(const StencilOperator<T>& a) : grid_(a.grid()), red_black_(true) {
  for (const GridShift& shift : a.shifts()) {
    std::size_t moved = 0;
    for (const std::int32_t step : shift) {
      if (std::abs(step) > 1) {
        throw Error(ErrorCode::out_of_range, "shifts",
                    "`shifts` of an operator that is smoothed must be -1, 0 or 1, got " + std::to_string(step));
      }
      moved += step != 0 ? 1 : 0;
    }
    red_black_ = red_black_ && moved <= 1;
  }
  for (std::size_t axis = 0; axis < grid_.axes; ++axis) {
    const bool odd_ring = grid_.periodic[axis] && grid_.count[axis] % 2 != 0 && grid_.count[axis] > 1;
    classes_[axis] = odd_ring ? 3 : std::min<std::size_t>(2, grid_.count[axis]);
    red_black_ = red_black_ && !odd_ring;
  }
  diagonal_ = a.find({});
  const std::size_t points = grid_.points();
  inverse_diagonal_ = AlignedBuffer<T>(points);
  for (std::size_t i = 0; i < points; ++i) {
    const T value = diagonal_ < a.shifts().size() ? a.coefficients(diagonal_)[i] : T(0);
    if (value == T(0)) {
      throw Error(ErrorCode::singular, "operator", "`operator` has a zero on its diagonal at " + point_name(grid_, i));
    }
    inverse_diagonal_[i] = T(1) / value;
  }
}

template <class T>
std::size_t ColouredSweep<T>::class_of(std::size_t axis, std::size_t index) const noexcept {
  return classes_[axis] == 3 && index + 1 == grid_.count[axis] ? 2 : index % 2;
}

template <class T>
std::size_t ColouredSweep<T>::colours() const noexcept {
  if (red_black_) return 2;
  std::size_t result = 1;
  for (std::size_t axis = 0; axis < grid_.axes; ++axis) result *= classes_[axis];
  return result;
}

template <class T>
std::size_t ColouredSweep<T>::colour(const std::array<std::size_t, max_grid_axes>& at) const noexcept {
  std::size_t result = 0;
  for (std::size_t axis = 0; axis < grid_.axes; ++axis) {
    result = red_black_ ? (result + at[axis]) % 2 : result * classes_[axis] + class_of(axis, at[axis]);
  }
  return result;
}

/// One thread's part of a sweep.
template <class T>
class ColouredSweep<T>::Worker {
 public:
  Worker(const ColouredSweep& sweep, const StencilOperator<T>& a, const T* b, T* x, bool backward)
      : sweep_(sweep), grid_(sweep.grid_), walker_(a, x, sweep.diagonal_), b_(b), x_(x), backward_(backward) {}

  /// What stage `stage` of a sweep does to a plane: one colour of two, or all colours with this class along the first
  /// axis.
  void run(std::size_t plane, std::size_t stage) {
    if (sweep_.red_black_) {
      for_rows(grid_, plane, [&](const auto& at) {
        std::size_t sum = stage;
        for (std::size_t axis = 0; axis + 1 < grid_.axes; ++axis) sum += at[axis];
        walker_.go_to(at);
        relax(sum % 2);
      });
      return;
    }
    if (grid_.axes == 1) {
      walker_.go_to({});
      return relax(stage);
    }
    if (sweep_.class_of(0, plane) != stage) return;
    std::size_t groups = 1;
    for (std::size_t axis = 1; axis + 1 < grid_.axes; ++axis) groups *= sweep_.classes_[axis];
    const std::size_t last_classes = sweep_.classes_[grid_.axes - 1];
    for (std::size_t g = 0; g < groups; ++g) {
      const std::size_t group = backward_ ? groups - 1 - g : g;
      for_rows(grid_, plane, [&](const auto& at) {
        std::size_t own = 0;
        for (std::size_t axis = 1; axis + 1 < grid_.axes; ++axis) {
          own = own * sweep_.classes_[axis] + sweep_.class_of(axis, at[axis]);
        }
        if (own != group) return;
        walker_.go_to(at);
        for (std::size_t c = 0; c < last_classes; ++c) relax(backward_ ? last_classes - 1 - c : c);
      });
    }
  }

 private:
  /// The points of one class in the walker's row.
  void relax(std::size_t wanted) {
    const std::size_t count = grid_.row(), last_axis = grid_.axes - 1;
    const bool ring = sweep_.classes_[last_axis] == 3;
    const T* const b = b_ + walker_.offset();
    const T* const inverse = sweep_.inverse_diagonal_.data() + walker_.offset();
    T* const x = x_ + walker_.offset();
    StencilRow<T> middle = walker_.middle();
    if (ring) middle.end = std::max(middle.begin, std::min(middle.end, count - 1));
    const auto single = [&](std::size_t i) {
      if (sweep_.class_of(last_axis, i) == wanted) x[i] = walker_.template sum_at<true>(i, b[i]) * inverse[i];
    };
    for (std::size_t i = 0; i < middle.begin; ++i) single(i);
    if (wanted < 2) stencil_relax(StencilRelax<T>{middle, b, inverse, x, static_cast<unsigned>(wanted)});
    for (std::size_t i = middle.end; i < count; ++i) single(i);
  }

  const ColouredSweep& sweep_;
  const PointGrid& grid_;
  RowWalker<T> walker_;
  const T* b_;
  T* x_;
  bool backward_;
};

template <class T>
void ColouredSweep<T>::sweep(const StencilOperator<T>& a, std::span<const T> b, std::span<T> x, bool backward,
                             std::size_t threads) const {
  const std::size_t planes = planes_of(grid_), stages = red_black_ ? 2 : classes_[0];
  const auto stage = [&](std::size_t s) { return backward ? stages - 1 - s : s; };
  const auto worker = [&] { return Worker(*this, a, b.data(), x.data(), backward); };
  if (grid_.axes == 1 || stages == 1) {
    Worker one = worker();
    for (std::size_t s = 0; s < stages; ++s) {
      for (std::size_t plane = 0; plane < planes; ++plane) one.run(plane, stage(s));
    }
    return;
  }
  if (stages == 3 || grid_.periodic[0]) {
    // Planes of one class are no neighbours, so threads may take them as they come.
    for (std::size_t s = 0; s < stages; ++s) {
      for (std::size_t parity = 0; parity < classes_[0]; ++parity) {
        if (!red_black_ && parity != stage(s)) continue;
        const std::size_t grain = std::max<std::size_t>(1, sweep_points_per_task * planes / grid_.points());
        parallel_for(threads, planes, grain, [&](std::size_t begin, std::size_t end) {
          Worker own = worker();
          for (std::size_t plane = begin; plane < end; ++plane) {
            if (class_of(0, plane) == parity) own.run(plane, stage(s));
          }
        });
      }
    }
    return;
  }
  // The second stage of a plane needs the first of its two neighbours only: it follows one plane behind.
  const auto wave = [&](Worker& own, std::size_t first_begin, std::size_t first_end, std::size_t begin,
                        std::size_t end) {
    std::size_t done = begin;
    for (std::size_t plane = first_begin; plane < first_end; ++plane) {
      own.run(plane, stage(0));
      while (done < end && done + 1 <= plane) own.run(done++, stage(1));
    }
    while (done < end) own.run(done++, stage(1));
  };
  const std::size_t chunk = std::max(least_planes_per_task, sweep_points_per_task * planes / grid_.points());
  const std::size_t chunks = planes / chunk;
  if (threads == 1 || chunks < 2) {
    Worker one = worker();
    wave(one, 0, planes, 0, planes);
    return;
  }
  const auto border = [&](std::size_t c) { return c == chunks ? planes : c * chunk; };
  ThreadPool::shared().run_tasks(threads, chunks, [&](std::size_t c) {
    Worker own = worker();
    const std::size_t low = border(c), high = border(c + 1);
    const bool open_low = c > 0, open_high = c + 1 < chunks;
    wave(own, low + (open_low ? 1 : 0), high - (open_high ? 1 : 0), low + (open_low ? 2 : 0),
         high - (open_high ? 2 : 0));
  });
  ThreadPool::shared().run_tasks(threads, chunks - 1, [&](std::size_t c) {
    Worker own = worker();
    const std::size_t middle = border(c + 1);
    wave(own, middle - 1, middle + 1, middle - 2, middle + 2);
  });
}

template class ColouredSweep<float>;
template class ColouredSweep<double>;

}  // namespace dd::linalg
