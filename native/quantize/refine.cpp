// Coordinate descent and scale refit in float32, a block of rows at a time so that memory stays small.
#include "quantize/refine.hpp"

#include <algorithm>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/thread_pool.hpp"
#include "linalg/gemm.hpp"
#include "linalg/triangular.hpp"
#include "quantize/descent.hpp"

namespace dd::quantize {
namespace {

// Every block packs H for its product anew, which costs as much as the product with some 40 rows.
constexpr std::size_t block_rows = 1024;
constexpr std::size_t refined_rows_per_task = 16;
constexpr std::size_t energy_columns = 256;
constexpr double smallest_scale = 0.5, largest_scale = 2;

template <class T>
double dot(const T* a, const T* b, std::size_t count) noexcept {
  // Eight chains in a fixed order: one chain would wait for its own additions.
  double part[8]{};
  std::size_t j = 0;
  for (; j + 8 <= count; j += 8) {
    for (std::size_t p = 0; p < 8; ++p) part[p] += static_cast<double>(a[j + p]) * static_cast<double>(b[j + p]);
  }
  for (; j < count; ++j) part[0] += static_cast<double>(a[j]) * static_cast<double>(b[j]);
  return ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
}

template <class T>
void subtract(MatrixView<const float> w, MatrixView<const float> q, MatrixView<T> difference, std::size_t threads) {
  parallel_for(threads, w.rows, refined_rows_per_task, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      for (std::size_t j = 0; j < w.columns; ++j) {
        difference(i, j) = static_cast<T>(w(i, j)) - static_cast<T>(q(i, j));
      }
    }
  });
}

void scale_row(CodedGrid& grid, std::size_t row, float factor) noexcept {
  for (std::size_t g = row * grid.groups; g < (row + 1) * grid.groups; ++g) {
    grid.first[g] *= factor;
    if (grid.kind == GridKind::ternary) grid.second[g] *= factor;
  }
}

/// Rows [first, first + rows) of a layer.
class RefinedBlock {
 public:
  RefinedBlock(std::size_t rows, MatrixView<const float> hessian, std::size_t threads)
      : hessian_(hessian),
        threads_(threads),
        difference_(rows * hessian.columns),
        gradient_(rows * hessian.columns),
        losses_(rows) {}

  void descend(MatrixView<const float> w, MatrixView<float> q, MatrixView<std::uint8_t> codes,
               std::span<const std::uint32_t> levels, const CodedGrid& grid, std::size_t first,
               const RefineOptions& options, RunControl& control) {
    const auto difference = view(difference_, w.rows), gradient = view(gradient_, w.rows);
    find_gradient(w, q, first, options, difference, gradient);
    quantize::descend(hessian_, grid, first, levels, gradient, q, codes, options.sweeps, threads_, &control);
    subtract<float>(w, q, difference, threads_);
    for_rows(w.rows, [&](std::size_t i) { losses_[i] = dot(&difference(i, 0), &gradient(i, 0), w.columns); });
  }

  /// With codes that a byte does not hold: the descent's own are thrown away.
  void descend(MatrixView<const float> w, MatrixView<float> q, MatrixView<std::uint16_t> codes,
               std::span<const std::uint32_t> levels, const CodedGrid& grid, std::size_t first,
               const RefineOptions& options, RunControl& control) {
    bytes_.reserve_discarding(w.rows * w.columns);
    descend(w, q, MatrixView<std::uint8_t>::row_major(bytes_.data(), w.rows, w.columns), levels, grid, first, options,
            control);
    read_codes(q, levels, grid, first, codes, threads_);
  }

  /// Rows of the block are `first` on in q, codes and grid.
  template <class Code>
  void refit(std::size_t first, MatrixView<float> q, MatrixView<Code> codes, std::span<const std::uint32_t> levels,
             CodedGrid& grid) {
    if (grid.kind == GridKind::range && grid.groups > 1) {
      refit_groups(first, q, codes, levels, grid);
    } else {
      refit_rows(first, q, codes, levels, grid);
    }
  }

  double loss(std::size_t row) const noexcept { return losses_[row]; }

 private:
  /// (W - Q) Hd: U^T U = Hd^-1 and W - Q = E U make it E U^-T.
  void find_gradient(MatrixView<const float> w, MatrixView<const float> q, std::size_t first,
                     const RefineOptions& options, MatrixView<float> difference, MatrixView<float> gradient) {
    if (options.errors.data != nullptr) {
      for_rows(w.rows, [&](std::size_t i) { std::copy_n(&options.errors(first + i, 0), w.columns, &gradient(i, 0)); });
      const auto lower = options.factor.transposed();
      if (linalg::solve_triangular<float>(linalg::Side::right, linalg::Triangle::lower, lower, gradient, threads_) ==
          0) {
        return;
      }
    }
    subtract<float>(w, q, difference, threads_);
    linalg::gemm<float>(1, difference, hessian_, 0, gradient, threads_);
  }
  template <class Code>
  void refit_rows(std::size_t first, MatrixView<float> q, MatrixView<Code> codes, std::span<const std::uint32_t> levels,
                  CodedGrid& grid) {
    const auto gradient = view(gradient_, q.rows);
    const std::vector<double> energies = energies_of(q);
    for_rows(q.rows, [&](std::size_t i) {
      // w Hd q = q Hd q + (w - q) Hd q, so the factor differs from 1 by the ratio of the last to the first.
      const double own = energies[i];
      const double rest = dot<float>(&q(i, 0), &gradient(i, 0), q.columns);
      if (!(own > 0)) return;
      const double factor = 1 + rest / own;
      if (!(factor >= smallest_scale && factor <= largest_scale)) return;
      scale_row(grid, first + i, static_cast<float>(factor));
      for (std::size_t j = 0; j < q.columns; ++j) {
        q(i, j) = weight_grid(grid, first + i, j, levels[j]).value(static_cast<float>(codes(i, j)));
      }
      losses_[i] -= rest * rest / own;
    });
  }

  /// Group by group: a range becomes a times as large, a = 1 + (w - q) Hd p / (p Hd p), p being the group's part of q.
  template <class Code>
  void refit_groups(std::size_t first, MatrixView<float> q, MatrixView<Code> codes,
                    std::span<const std::uint32_t> levels, CodedGrid& grid) {
    const auto gradient = view(gradient_, q.rows);
    for (std::size_t g = 0; g < grid.groups; ++g) {
      std::vector<std::size_t> own;
      for (std::size_t j = 0; j < q.columns; ++j) {
        if (grid.group[j] == g) own.push_back(j);
      }
      const std::size_t width = own.size();
      AlignedBuffer<float> rows_of_h(width * q.columns), diagonal_block(width * width);
      for (std::size_t a = 0; a < width; ++a) {
        std::copy_n(&hessian_(own[a], 0), q.columns, rows_of_h.data() + a * q.columns);
        for (std::size_t b = 0; b < width; ++b) diagonal_block[a * width + b] = hessian_(own[a], own[b]);
      }
      AlignedBuffer<float> parts(q.rows * width), products(q.rows * width);
      const auto part = MatrixView<float>::row_major(parts.data(), q.rows, width);
      const auto product = MatrixView<float>::row_major(products.data(), q.rows, width);
      for_rows(q.rows, [&](std::size_t i) {
        for (std::size_t a = 0; a < width; ++a) part(i, a) = q(i, own[a]);
      });
      linalg::gemm<float>(1, part, MatrixView<const float>::row_major(diagonal_block.data(), width, width), 0, product,
                          threads_);
      for_rows(q.rows, [&](std::size_t i) {
        std::vector<float> slopes(width);
        for (std::size_t a = 0; a < width; ++a) slopes[a] = gradient(i, own[a]);
        const double energy = dot<float>(&part(i, 0), &product(i, 0), width);
        const double step = refitted(first + i, g, energy, dot<float>(&part(i, 0), slopes.data(), width), grid, i);
        for (std::size_t a = 0; a < width; ++a) {
          const float before = part(i, a);
          if (step != 0) {
            const auto code = static_cast<float>(codes(i, own[a]));
            q(i, own[a]) = weight_grid(grid, first + i, own[a], levels[own[a]]).value(code);
          }
          part(i, a) = q(i, own[a]) - before;
        }
      });
      // Where groups are runs of columns nobody looks at the gradient of earlier ones again.
      const std::size_t behind = own.back() - own.front() + 1 == width ? own.back() + 1 : 0;
      const auto h = MatrixView<const float>::row_major(rows_of_h.data(), width, q.columns);
      if (behind < q.columns) {
        linalg::gemm<float>(-1, part, h.block(0, behind, width, q.columns - behind), 1,
                            gradient.block(0, behind, q.rows, q.columns - behind), threads_);
      }
    }
  }
  /// Changes the range of a group of a row of the grid, which is row i here, where that gains; by which part.
  double refitted(std::size_t row, std::size_t group, double energy, double rest, CodedGrid& grid, std::size_t i) {
    if (!(energy > 0)) return 0;
    const double wanted = std::clamp(1 + rest / energy, smallest_scale, largest_scale);
    float& range = grid.first[row * grid.groups + group];
    const float fitted = stored_range(range * static_cast<float>(wanted));
    const double step = static_cast<double>(fitted) / static_cast<double>(range) - 1;
    const double change = step * (step * energy - 2 * rest);
    if (!(change < 0)) return 0;
    range = fitted;
    losses_[i] += change;
    return step;
  }

  MatrixView<float> view(AlignedBuffer<float>& buffer, std::size_t rows) noexcept {
    return MatrixView<float>::row_major(buffer.data(), rows, hessian_.columns);
  }
  /// q H q of every row. H is symmetric: what lies below a block on the diagonal counts twice and what lies above it
  /// is left out, which is half of a product.
  std::vector<double> energies_of(MatrixView<const float> q) {
    const std::size_t rows = q.rows, columns = q.columns;
    std::vector<double> energies(rows, 0.0);
    for (std::size_t first = 0; first < columns; first += energy_columns) {
      const std::size_t width = std::min(energy_columns, columns - first), behind = columns - first - width;
      const auto product = MatrixView<float>::row_major(difference_.data(), rows, width);
      if (behind > 0) {
        linalg::gemm<float>(2, q.block(0, first + width, rows, behind),
                            hessian_.block(first + width, first, behind, width), 0, product, threads_);
      }
      linalg::gemm<float>(1, q.block(0, first, rows, width), hessian_.block(first, first, width, width),
                          behind > 0 ? 1.0f : 0.0f, product, threads_);
      for_rows(rows, [&](std::size_t i) { energies[i] += dot<float>(&q(i, first), &product(i, 0), width); });
    }
    return energies;
  }
  template <class Body>
  void for_rows(std::size_t rows, const Body& body) {
    parallel_for(threads_, rows, refined_rows_per_task, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) body(i);
    });
  }

  MatrixView<const float> hessian_;
  std::size_t threads_;
  AlignedBuffer<float> difference_, gradient_;
  AlignedBuffer<std::uint8_t> bytes_;
  std::vector<double> losses_;
};

template <class Code>
double refine_codes(MatrixView<const float> w, MatrixView<float> q, MatrixView<Code> codes,
                    std::span<const std::uint32_t> levels, CodedGrid& grid, MatrixView<const double> hessian,
                    const RefineOptions& options, RunControl& control) {
  const std::size_t columns = w.columns, threads = control.threads();
  AlignedBuffer<float> narrow(columns * columns);
  parallel_for(threads, columns, refined_rows_per_task, [&](std::size_t begin, std::size_t end) {
    for (std::size_t j = begin; j < end; ++j) {
      for (std::size_t k = 0; k < columns; ++k) narrow[j * columns + k] = static_cast<float>(hessian(j, k));
    }
  });
  RefinedBlock block(std::min(block_rows, w.rows), MatrixView<const float>::row_major(narrow.data(), columns, columns),
                     threads);
  double sum = 0;
  for (std::size_t first = 0; first < w.rows; first += block_rows) {
    const std::size_t rows = std::min(block_rows, w.rows - first);
    const auto own = q.block(first, 0, rows, columns);
    const auto own_codes = codes.block(first, 0, rows, columns);
    block.descend(w.block(first, 0, rows, columns), own, own_codes, levels, grid, first, options, control);
    if (options.refit && !control.should_stop()) block.refit(first, own, own_codes, levels, grid);
    for (std::size_t i = 0; i < rows; ++i) sum += block.loss(i);
  }
  return sum / 2;
}

}  // namespace

double quadratic_loss(MatrixView<const float> w, MatrixView<const float> q, MatrixView<const double> hessian,
                      std::size_t threads) {
  const std::size_t columns = hessian.columns, most = std::min(block_rows, w.rows);
  AlignedBuffer<double> difference(most * columns), gradient(most * columns);
  double sum = 0;
  for (std::size_t first = 0; first < w.rows; first += block_rows) {
    const std::size_t rows = std::min(block_rows, w.rows - first);
    const auto d = MatrixView<double>::row_major(difference.data(), rows, columns);
    const auto g = MatrixView<double>::row_major(gradient.data(), rows, columns);
    subtract<double>(w.block(first, 0, rows, columns), q.block(first, 0, rows, columns), d, threads);
    linalg::gemm<double>(1, d, hessian, 0, g, threads);
    for (std::size_t i = 0; i < rows; ++i) sum += dot(&d(i, 0), &g(i, 0), columns);
  }
  return sum / 2;
}

double refine(MatrixView<const float> w, MatrixView<float> q, MatrixView<std::uint8_t> codes,
              std::span<const std::uint32_t> levels, CodedGrid& grid, MatrixView<const double> hessian,
              const RefineOptions& options, RunControl& control) {
  return refine_codes(w, q, codes, levels, grid, hessian, options, control);
}

double refine(MatrixView<const float> w, MatrixView<float> q, MatrixView<std::uint16_t> codes,
              std::span<const std::uint32_t> levels, CodedGrid& grid, MatrixView<const double> hessian,
              const RefineOptions& options, RunControl& control) {
  return refine_codes(w, q, codes, levels, grid, hessian, options, control);
}

void read_codes(MatrixView<const float> values, std::span<const std::uint32_t> levels, const CodedGrid& grid,
                std::size_t grid_row, MatrixView<std::uint16_t> codes, std::size_t threads) {
  parallel_for(threads, values.rows, refined_rows_per_task, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      for (std::size_t j = 0; j < values.columns; ++j) {
        codes(i, j) = static_cast<std::uint16_t>(weight_grid(grid, grid_row + i, j, levels[j]).nearest(values(i, j)));
      }
    }
  });
}

}  // namespace dd::quantize
