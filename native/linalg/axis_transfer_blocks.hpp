// Launch sequences of the block forms of grid transfers. Pointers are device pointers.
#pragma once

#include <cstddef>

#include "core/block_launcher.hpp"
#include "linalg/axis_transfer.hpp"
#include "linalg/axis_transfer.kernel.hpp"

namespace dd::linalg {

/// fine = scale T coarse, or added to what is there; an axis a launch, the slowest first.
template <class T>
void launch_to_fine(BlockLauncher& launcher, const GridTransfer& grid, const T* coarse, T scale, bool add, T* fine) {
  std::size_t outer = 1, run = grid.coarse_points();
  for (std::size_t axis = 0; axis < grid.axes().size(); ++axis) {
    const AxisTransfer& transfer = grid.axes()[axis];
    run /= transfer.coarse();
    auto* const entries = launcher.allocate<AxisEntry>(transfer.fine());
    launcher.upload<AxisEntry>(entries, transfer.entries());
    const std::size_t count = outer * transfer.fine() * run;
    const bool last = axis + 1 == grid.axes().size();
    T* const out = last ? fine : launcher.allocate<T>(count);
    launcher.launch(WidenAxis<T>{entries, coarse, out, count, transfer.fine(), transfer.coarse(), run,
                                 last ? scale : T(1), last && add},
                    {blocks_for(count, WidenAxis<T>::shape.width)});
    outer *= transfer.fine();
    coarse = out;
  }
}

/// coarse = scale T^T fine, or added; the contiguous axis first.
template <class T>
void launch_to_coarse(BlockLauncher& launcher, const GridTransfer& grid, const T* fine, T scale, bool add, T* coarse) {
  std::size_t outer = grid.fine_points(), run = 1;
  for (std::size_t axis = grid.axes().size(); axis-- > 0;) {
    const AxisTransfer& transfer = grid.axes()[axis];
    outer /= transfer.fine();
    auto* const begin = launcher.allocate<std::uint32_t>(transfer.source_begin().size());
    auto* const sources = launcher.allocate<std::uint32_t>(transfer.sources().size());
    auto* const weights = launcher.allocate<double>(transfer.source_weights().size());
    launcher.upload<std::uint32_t>(begin, transfer.source_begin());
    launcher.upload<std::uint32_t>(sources, transfer.sources());
    launcher.upload<double>(weights, transfer.source_weights());
    const std::size_t count = outer * transfer.coarse() * run;
    const bool last = axis == 0;
    T* const out = last ? coarse : launcher.allocate<T>(count);
    launcher.launch(NarrowAxis<T>{begin, sources, weights, fine, out, count, transfer.fine(), transfer.coarse(), run,
                                  last ? scale : T(1), last && add},
                    {blocks_for(count, NarrowAxis<T>::shape.width)});
    run *= transfer.coarse();
    fine = out;
  }
}

}  // namespace dd::linalg
