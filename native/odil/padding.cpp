// For each even set of axes and each corner of it: the mixed difference as a grid of the other axes, E along these.
#include "odil/padding.hpp"

#include "core/aligned_buffer.hpp"

namespace dd::odil {
namespace {

std::vector<std::size_t> strides_of(const std::vector<std::size_t>& count) {
  std::vector<std::size_t> strides(count.size(), 1);
  for (std::size_t axis = count.size(); axis-- > 1;) strides[axis - 1] = strides[axis] * count[axis];
  return strides;
}

/// body(packed index, offset) for all points of the axes `axes`, row-major.
template <class Body>
void for_points(const std::vector<std::size_t>& axes, const std::vector<std::size_t>& count,
                const std::vector<std::size_t>& stride, Body&& body) {
  std::vector<std::size_t> at(axes.size(), 0);
  std::size_t packed = 0, offset = 0;
  for (;;) {
    body(packed++, offset);
    std::size_t a = axes.size();
    for (;;) {
      if (a == 0) return;
      --a;
      offset += stride[axes[a]];
      if (++at[a] < count[axes[a]]) break;
      offset -= at[a] * stride[axes[a]];
      at[a] = 0;
    }
  }
}

/// The 2^|S| elements of a mixed difference of the input, from its corner inwards.
struct Difference {
  std::vector<std::size_t> offset;
  std::vector<double> weight;
};

}  // namespace

PaddingCorrection::PaddingCorrection(bool to_fine, const std::vector<linalg::AxisTransfer>& nearest,
                                     const std::vector<bool>& padded)
    : to_fine_(to_fine) {
  for (const linalg::AxisTransfer& axis : nearest) {
    in_count_.push_back(to_fine ? axis.coarse() : axis.fine());
    out_count_.push_back(to_fine ? axis.fine() : axis.coarse());
  }
  in_stride_ = strides_of(in_count_);
  out_stride_ = strides_of(out_count_);
  for (unsigned set = 1; set < 1u << nearest.size(); ++set) {
    std::vector<std::size_t> ends, rest;
    std::vector<linalg::AxisTransfer> rest_axes;
    bool all_padded = true;
    for (std::size_t axis = 0; axis < nearest.size(); ++axis) {
      if ((set >> axis & 1) != 0) {
        ends.push_back(axis);
        all_padded = all_padded && padded[axis];
      } else {
        rest.push_back(axis);
        rest_axes.push_back(nearest[axis]);
      }
    }
    if (!all_padded || ends.size() % 2 != 0) continue;
    parts_.push_back({std::move(ends), std::move(rest), linalg::GridTransfer(std::move(rest_axes))});
  }
}

/// body(difference, offset of the corner in the output)
template <class Body>
void PaddingCorrection::for_corners(const Part& part, Body&& body) const {
  const std::size_t corners = std::size_t{1} << part.ends.size();
  for (std::size_t corner = 0; corner < corners; ++corner) {
    Difference difference;
    std::size_t out = 0;
    for (std::size_t a = 0; a < part.ends.size(); ++a) {
      if ((corner >> a & 1) != 0) out += (out_count_[part.ends[a]] - 1) * out_stride_[part.ends[a]];
    }
    for (std::size_t inner = 0; inner < corners; ++inner) {
      std::size_t offset = 0;
      double weight = -2;
      for (std::size_t a = 0; a < part.ends.size(); ++a) {
        const std::size_t axis = part.ends[a], step = inner >> a & 1;
        offset += ((corner >> a & 1) != 0 ? in_count_[axis] - 1 - step : step) * in_stride_[axis];
        weight *= step != 0 ? -0.25 : 0.25;
      }
      difference.offset.push_back(offset);
      difference.weight.push_back(weight);
    }
    body(difference, out);
  }
}

template <class T>
void PaddingCorrection::add(std::span<const T> in, T scale, std::span<T> out) const {
  for (const Part& part : parts_) {
    const std::size_t fine = part.transfer.fine_points(), coarse = part.transfer.coarse_points();
    AlignedBuffer<T> from(to_fine_ ? coarse : fine), to(to_fine_ ? fine : coarse);
    for_corners(part, [&](const Difference& difference, std::size_t corner) {
      for_points(part.rest, in_count_, in_stride_, [&](std::size_t packed, std::size_t offset) {
        T value = T(0);
        for (std::size_t k = 0; k < difference.offset.size(); ++k) {
          value += static_cast<T>(difference.weight[k]) * in[offset + difference.offset[k]];
        }
        from[packed] = value;
      });
      if (to_fine_) {
        part.transfer.to_fine<T>(from.span(), scale, {}, to.span(), 1);
      } else {
        part.transfer.to_coarse<T>(from.span(), scale, to.span(), 1);
      }
      for_points(part.rest, out_count_, out_stride_,
                 [&](std::size_t packed, std::size_t offset) { out[corner + offset] += to[packed]; });
    });
  }
}

template <class T>
void PaddingCorrection::add_transposed(std::span<const T> out, T scale, std::span<T> in) const {
  for (const Part& part : parts_) {
    const std::size_t fine = part.transfer.fine_points(), coarse = part.transfer.coarse_points();
    AlignedBuffer<T> from(to_fine_ ? fine : coarse), to(to_fine_ ? coarse : fine);
    for_corners(part, [&](const Difference& difference, std::size_t corner) {
      for_points(part.rest, out_count_, out_stride_,
                 [&](std::size_t packed, std::size_t offset) { from[packed] = out[corner + offset]; });
      if (to_fine_) {
        part.transfer.to_coarse<T>(from.span(), scale, to.span(), 1);
      } else {
        part.transfer.to_fine<T>(from.span(), scale, {}, to.span(), 1);
      }
      for_points(part.rest, in_count_, in_stride_, [&](std::size_t packed, std::size_t offset) {
        for (std::size_t k = 0; k < difference.offset.size(); ++k) {
          in[offset + difference.offset[k]] += static_cast<T>(difference.weight[k]) * to[packed];
        }
      });
    });
  }
}

template void PaddingCorrection::add(std::span<const float>, float, std::span<float>) const;
template void PaddingCorrection::add(std::span<const double>, double, std::span<double>) const;
template void PaddingCorrection::add_transposed(std::span<const float>, float, std::span<float>) const;
template void PaddingCorrection::add_transposed(std::span<const double>, double, std::span<double>) const;

}  // namespace dd::odil
