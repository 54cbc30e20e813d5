// Registration of GPTQ and rounding tables: what they compute, on which sizes it is tested and timed, and its three
// forms.
//
// A code is a rounding, so float32 and float64 may differ by a whole step wherever a weight, corrected by all columns
// before it, comes near the middle of two codes. The inputs are made backwards instead: codes and errors are drawn
// first, errors short of half a step, and W = Q + E U (the identity that GPTQ fulfils) is what must be taken apart into
// them again. Then every form has the same codes, and Q and E agree to rounding.
#include "quantize/kernels.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/block_launcher.hpp"
#include "quantize/descent.hpp"
#include "quantize/descent.kernel.hpp"
#include "quantize/gptq.hpp"
#include "quantize/gptq.kernel.hpp"
#include "quantize/range_candidates.hpp"
#include "quantize/range_candidates.kernel.hpp"
#include "quantize/reference.hpp"
#include "quantize/rounding_table.hpp"
#include "quantize/rounding_table.kernel.hpp"

namespace dd::quantize {
namespace {

double number(std::size_t value) { return static_cast<double>(value); }

struct Gptq {
  static constexpr std::string_view name = "quantize.gptq.float32";
  static constexpr std::string_view formula =
      "for each column j: q_j = round(W_:j), e_j = (W_:j - q_j) / U_jj, W_:k -= e_j U_jk";
  static constexpr std::array<std::string_view, 4> size_names{"rows", "columns", "groups", "ranges"};
  // Weights up to 16 with 300 corrections of size 1 / sqrt(columns): some hundred ulp of 16, seen through e = r / U_jj.
  static constexpr Tolerance tolerance{.relative = 1e-5, .absolute = 2e-4};

  enum Buffer : std::size_t { weights, factor, scale, zero, group, levels, errors, codes };

  static std::vector<KernelSize> test_sizes() {
    std::vector<KernelSize> sizes;
    for (std::size_t ranges : {0, 1}) {
      sizes.push_back({{1, 1, 1, ranges}});
      sizes.push_back({{50, 9, 2, ranges}});
      sizes.push_back({{33, 131, 3, ranges}});
      sizes.push_back({{7, 300, 5, ranges}});
    }
    sizes.push_back({{0, 5, 1, 0}});
    sizes.push_back({{5, 0, 1, 0}});
    sizes.push_back({{97, 40, 1, 0}});
    return sizes;
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{256, 256, 1, 0}}, {{1024, 1024, 1, 0}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    const std::size_t rows = size[0], columns = size[1], grids = size[0] * size[2];
    return {{"weights", DataType::float32, BufferRole::in_out, rows * columns},
            {"factor", DataType::float32, BufferRole::input, columns * columns},
            {"scale", DataType::float32, BufferRole::input, grids},
            {"zero", DataType::float32, BufferRole::input, grids},
            {"group", DataType::uint32, BufferRole::input, columns},
            {"levels", DataType::uint32, BufferRole::input, columns},
            {"errors", DataType::float32, BufferRole::output, rows * columns},
            {"codes", DataType::uint8, BufferRole::output, rows * columns}};
  }

  /// `levels` and the grids, in any order of groups.
  static void fill_grids(Workload& workload, PhiloxStream& random) {
    const bool ranges = workload.size()[3] != 0;
    for (std::uint32_t& g : workload.buffer<std::uint32_t>("group")) {
      g = random.next_below(static_cast<std::uint32_t>(workload.size()[2]));
    }
    for (std::uint32_t& count : workload.buffer<std::uint32_t>("levels")) {
      count = ranges ? 2 + random.next_below(30) : 16;
    }
    for (float& value : workload.buffer<float>("scale")) {
      value = static_cast<float>((ranges ? 4 : 0.5) * (1 + random.next_uniform()));
    }
    for (float& value : workload.buffer<float>("zero")) {
      value = ranges ? static_cast<float>(random.next_uniform()) : static_cast<float>(random.next_below(16));
    }
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    const std::size_t rows = workload.size()[0], columns = workload.size()[1];
    const std::span<float> w = workload.buffer<float>("weights"), u = workload.buffer<float>("factor");
    fill_grids(workload, random);
    for (std::size_t j = 0; j < columns; ++j) {
      for (std::size_t k = 0; k < columns; ++k) {
        // The lower triangle must not be read: it keeps its NaN.
        if (k > j)
          u[j * columns + k] = static_cast<float>((2 * random.next_uniform() - 1) / std::sqrt(number(columns)));
      }
      u[j * columns + j] = static_cast<float>(0.5 + random.next_uniform());
    }
    std::vector<double> e(columns);
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < columns; ++j) {
        const auto [step, offset] = grid_at(workload, i, j);
        const std::uint32_t levels = workload.buffer<std::uint32_t>("levels")[j];
        const std::uint32_t code = random.next_below(levels);
        double rest = 0.8 * random.next_uniform() - 0.4;  // in steps
        // Outside the grid the residual may be any.
        if (code == 0 && random.next_below(2) == 0) rest = -3 * random.next_uniform();
        if (code + 1 == levels && random.next_below(2) == 0) rest = 3 * random.next_uniform();
        e[j] = step * rest / static_cast<double>(u[j * columns + j]);
        double sum = step * (code - offset);
        for (std::size_t k = 0; k <= j; ++k) sum += e[k] * static_cast<double>(u[k * columns + j]);
        w[i * columns + j] = static_cast<float>(sum);
      }
    }
  }
  /// Exact ties, both zeros and weights far outside, where float32 makes no error: U diagonal, everything a power of
  /// two.
  static void fill_special(Workload& workload, PhiloxStream& random) {
    const std::size_t columns = workload.size()[1];
    fill_grids(workload, random);
    for (float& value : workload.buffer<float>("scale")) value = workload.size()[3] != 0 ? 4.0f : 0.25f;
    for (std::uint32_t& count : workload.buffer<std::uint32_t>("levels")) count = 17;
    const std::span<float> w = workload.buffer<float>("weights"), u = workload.buffer<float>("factor");
    std::fill(u.begin(), u.end(), 0.0f);
    for (std::size_t j = 0; j < columns; ++j) u[j * columns + j] = j % 2 == 0 ? 0.5f : 2.0f;
    for (float& value : w) {
      value = (static_cast<float>(random.next_below(48)) - 24) / 8;
      if (random.next_below(8) == 0) value = -0.0f;
      if (random.next_below(8) == 0) value = random.next_below(2) == 0 ? 0x1p24f : -0x1p24f;
    }
  }

  static std::pair<double, double> grid_at(const Workload& workload, std::size_t i, std::size_t j) {
    const std::size_t at = i * workload.size()[2] + workload.buffer<std::uint32_t>("group")[j];
    double step = static_cast<double>(workload.buffer<float>("scale")[at]);
    float offset = workload.buffer<float>("zero")[at];
    if (workload.size()[3] != 0) {
      const std::uint32_t largest = workload.buffer<std::uint32_t>("levels")[j] - 1;
      step /= number(largest);
      offset = std::nearbyint(offset * static_cast<float>(largest));
    }
    return {step, static_cast<double>(offset)};
  }
  template <class T>
  static T* data(std::span<void* const> buffers, Buffer which) {
    return static_cast<T*>(buffers[which]);
  }
  static GptqGrids grids(const KernelSize& size, std::span<void* const> buffers) {
    const auto view = [&](Buffer which) {
      return MatrixView<const float>::row_major(data<float>(buffers, which), size[0], size[2]);
    };
    return {size[3] != 0 ? GptqGridForm::range_and_ratio : GptqGridForm::scale_and_zero,
            view(scale),
            view(zero),
            {data<std::uint32_t>(buffers, group), size[1]},
            {data<std::uint32_t>(buffers, levels), size[1]}};
  }

  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    const std::size_t rows = size[0], columns = size[1];
    float* const w = data<float>(buffers, weights);
    std::vector<double> wide(w, w + rows * columns), wide_errors(rows * columns);
    quantize::reference::gptq(MatrixView<double>::row_major(wide.data(), rows, columns),
                              MatrixView<const float>::row_major(data<float>(buffers, factor), columns, columns),
                              grids(size, buffers), MatrixView<double>::row_major(wide_errors.data(), rows, columns),
                              MatrixView<std::uint8_t>::row_major(data<std::uint8_t>(buffers, codes), rows, columns));
    const auto narrow = [](double value) { return static_cast<float>(value); };
    std::transform(wide.begin(), wide.end(), w, narrow);
    std::transform(wide_errors.begin(), wide_errors.end(), data<float>(buffers, errors), narrow);
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    const std::size_t rows = size[0], columns = size[1];
    const auto w = MatrixView<float>::row_major(data<float>(buffers, weights), rows, columns);
    const GptqOutputs outputs{MatrixView<std::uint8_t>::row_major(data<std::uint8_t>(buffers, codes), rows, columns),
                              w,
                              MatrixView<float>::row_major(data<float>(buffers, errors), rows, columns),
                              {}};
    // Without a control nothing stops it early.
    (void)gptq_quantize(w, MatrixView<const float>::row_major(data<float>(buffers, factor), columns, columns),
                        grids(size, buffers), outputs, {.threads = threads});
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    const std::size_t rows = size[0], columns = size[1];
    const auto stride = static_cast<std::ptrdiff_t>(columns);
    float* const w = data<float>(buffers, weights);
    float* const e = data<float>(buffers, errors);
    const float* const u = data<float>(buffers, factor);
    using Product = linalg::TiledProduct<float, float>;
    for (std::size_t first = 0; first < columns; first += gptq_tile_columns) {
      const std::size_t width = std::min<std::size_t>(gptq_tile_columns, columns - first);
      const std::size_t behind = columns - first - width;
      launcher.launch(GptqBlock{w + first, e + first, data<std::uint8_t>(buffers, codes) + first, rows, width, columns,
                                u + first * columns + first, columns, data<float>(buffers, scale),
                                data<float>(buffers, zero), size[2], data<std::uint32_t>(buffers, group) + first,
                                data<std::uint32_t>(buffers, levels) + first, size[3] != 0},
                      {blocks_for(rows, gptq_tile_rows)});
      if (behind == 0) break;
      launcher.launch(Product{rows, behind, width, width, e + first, stride, 1, u + first * columns + first + width,
                              stride, 1, -1.0f, 1.0f, w + first + width, stride, 1, false, nullptr},
                      Product::grid(rows, behind));
    }
  }
  static double flops(const KernelSize& size) { return number(size[0]) * number(size[1]) * number(size[1]); }
  static double bytes(const KernelSize& size) {
    return 2 * number(size[1]) * number(size[1]) + 13 * number(size[0]) * number(size[1]);
  }
};

struct RoundingTable {
  static constexpr std::string_view name = "quantize.rounding_table.float32";
  static constexpr std::string_view formula = "T_jk = sum_i (w_ij - round_k(w_ij))^2 on the grid of option k";
  static constexpr std::array<std::string_view, 3> size_names{"rows", "columns", "options"};
  // Squares of errors that are differences of float32 numbers up to the range; a few thousand of them in float32.
  static constexpr Tolerance tolerance{.relative = 1e-4, .absolute = 1e-9};

  enum Buffer : std::size_t { weights, range, ratio, levels, table };

  static std::vector<KernelSize> test_sizes() {
    return {{{1, 1, 1}}, {{3, 5, 9}}, {{64, 64, 4}}, {{65, 63, 3}}, {{200, 130, 9}}, {{7, 33, 28}}, {{0, 4, 2}}};
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{1024, 1024, 9}}, {{1024, 1024, 28}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    return {{"weights", DataType::float32, BufferRole::input, size[0] * size[1]},
            {"range", DataType::float32, BufferRole::input, size[0]},
            {"ratio", DataType::float32, BufferRole::input, size[0]},
            {"levels", DataType::uint32, BufferRole::input, size[2]},
            {"table", DataType::float64, BufferRole::output, size[1] * size[2]}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    const std::size_t columns = workload.size()[1];
    const std::span<float> w = workload.buffer<float>("weights"), ranges = workload.buffer<float>("range");
    const std::span<float> ratios = workload.buffer<float>("ratio");
    for (float& value : ranges) value = static_cast<float>(0.5 + random.next_uniform());
    for (float& value : ratios) value = static_cast<float>(random.next_uniform());
    for (std::size_t at = 0; at < w.size(); ++at) {
      // Some weights lie outside their grid.
      const double position = 1.4 * random.next_uniform() - 0.2 - static_cast<double>(ratios[at / columns]);
      w[at] = static_cast<float>(position * static_cast<double>(ranges[at / columns]));
    }
    std::uint32_t next = 1;
    for (std::uint32_t& count : workload.buffer<std::uint32_t>("levels")) {
      count = next;
      next = next < 8 ? next + 1 : std::min(256U, next + 9);
    }
  }
  template <class T>
  static std::span<T> data(std::span<void* const> buffers, Buffer which, std::size_t count) {
    return {static_cast<T*>(buffers[which]), count};
  }
  static MatrixView<const float> view(const KernelSize& size, std::span<void* const> buffers) {
    return MatrixView<const float>::row_major(static_cast<const float*>(buffers[weights]), size[0], size[1]);
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    quantize::reference::rounding_table(
        view(size, buffers), data<float>(buffers, range, size[0]), data<float>(buffers, ratio, size[0]),
        data<std::uint32_t>(buffers, levels, size[2]), data<double>(buffers, table, size[1] * size[2]));
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    rounding_table(view(size, buffers), data<float>(buffers, range, size[0]), data<float>(buffers, ratio, size[0]),
                   data<std::uint32_t>(buffers, levels, size[2]), data<double>(buffers, table, size[1] * size[2]),
                   threads);
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    launcher.launch(
        RoundingTableBlock{static_cast<const float*>(buffers[weights]), static_cast<const float*>(buffers[range]),
                           static_cast<const float*>(buffers[ratio]),
                           static_cast<const std::uint32_t*>(buffers[levels]), static_cast<double*>(buffers[table]),
                           size[0], size[1], size[2]},
        {blocks_for(size[1], rounding_tile_columns), static_cast<unsigned>(size[2])});
  }
  static double flops(const KernelSize& size) { return 10 * number(size[0]) * number(size[1]) * number(size[2]); }
  static double bytes(const KernelSize& size) { return 4 * number(size[0]) * number(size[1]); }
};

struct RangeCandidates {
  static constexpr std::string_view name = "quantize.range_candidates.float32";
  static constexpr std::string_view formula = "L_ic = sum_j h_j (w_ij - round_c(w_ij))^2 on the row's range times f_c";
  static constexpr std::array<std::string_view, 3> size_names{"rows", "columns", "candidates"};
  static constexpr Tolerance tolerance{.relative = 1e-4, .absolute = 1e-9};

  enum Buffer : std::size_t { weights, range, ratio, levels, importance, factors, losses };

  static std::vector<KernelSize> test_sizes() {
    return {{{1, 1, 1}}, {{3, 5, 16}}, {{17, 64, 4}}, {{5, 131, 16}}, {{40, 300, 7}}, {{0, 4, 2}}};
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{1024, 1024, 16}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    return {{"weights", DataType::float32, BufferRole::input, size[0] * size[1]},
            {"range", DataType::float32, BufferRole::input, size[0]},
            {"ratio", DataType::float32, BufferRole::input, size[0]},
            {"levels", DataType::uint32, BufferRole::input, size[1]},
            {"importance", DataType::float32, BufferRole::input, size[1]},
            {"factors", DataType::float32, BufferRole::input, size[2]},
            {"losses", DataType::float32, BufferRole::output, size[0] * size[2]}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    const std::size_t columns = workload.size()[1];
    const std::span<float> w = workload.buffer<float>("weights"), ranges = workload.buffer<float>("range");
    const std::span<float> ratios = workload.buffer<float>("ratio");
    for (float& value : ranges) value = static_cast<float>(0.5 + random.next_uniform());
    for (float& value : ratios) value = static_cast<float>(random.next_uniform());
    for (std::size_t at = 0; at < w.size(); ++at) {
      const double position = 1.4 * random.next_uniform() - 0.2 - static_cast<double>(ratios[at / columns]);
      w[at] = static_cast<float>(position * static_cast<double>(ranges[at / columns]));
    }
    for (std::uint32_t& count : workload.buffer<std::uint32_t>("levels")) count = 1 + random.next_below(20);
    for (float& value : workload.buffer<float>("importance")) value = static_cast<float>(random.next_uniform());
    float next = 1;
    for (float& factor : workload.buffer<float>("factors")) {
      factor = next;
      next -= 0.05f;
    }
  }
  static MatrixView<const float> view(const KernelSize& size, std::span<void* const> buffers) {
    return MatrixView<const float>::row_major(static_cast<const float*>(buffers[weights]), size[0], size[1]);
  }
  template <class T>
  static std::span<T> data(std::span<void* const> buffers, Buffer which, std::size_t count) {
    return {static_cast<T*>(buffers[which]), count};
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    quantize::reference::range_candidates(
        view(size, buffers), data<float>(buffers, range, size[0]), data<float>(buffers, ratio, size[0]),
        data<std::uint32_t>(buffers, levels, size[1]), data<float>(buffers, importance, size[1]),
        data<float>(buffers, factors, size[2]), data<float>(buffers, losses, size[0] * size[2]));
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    range_candidates(view(size, buffers), data<float>(buffers, range, size[0]), data<float>(buffers, ratio, size[0]),
                     data<std::uint32_t>(buffers, levels, size[1]), data<float>(buffers, importance, size[1]),
                     data<float>(buffers, factors, size[2]), data<float>(buffers, losses, size[0] * size[2]), threads);
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    launcher.launch(
        RangeCandidatesBlock{
            static_cast<const float*>(buffers[weights]), static_cast<const float*>(buffers[range]),
            static_cast<const float*>(buffers[ratio]), static_cast<const std::uint32_t*>(buffers[levels]),
            static_cast<const float*>(buffers[importance]), static_cast<const float*>(buffers[factors]),
            static_cast<float*>(buffers[losses]), size[1], size[2]},
        {static_cast<unsigned>(size[0])});
  }
  static double flops(const KernelSize& size) { return 10 * number(size[0]) * number(size[1]) * number(size[2]); }
  static double bytes(const KernelSize& size) { return 4 * number(size[0]) * number(size[1]); }
};

struct Descent {
  static constexpr std::string_view name = "quantize.descent.float32";
  static constexpr std::string_view formula =
      "for each column j: q_j = the nearest of its values to q_j + G_j / H_jj where that gains, G -= dq_j H_j:";
  static constexpr std::array<std::string_view, 4> size_names{"rows", "columns", "groups", "ranges"};
  // Gradients up to 30 with up to 300 updates of at most 2; values of up to 20 on grids of float32 steps.
  static constexpr Tolerance tolerance{.relative = 1e-5, .absolute = 2e-4};

  enum Buffer : std::size_t { hessian, scale, zero, group, levels, gradient, quantized, codes };

  static std::vector<KernelSize> test_sizes() {
    return {{{1, 1, 1, 0}},   {{3, 5, 1, 1}},   {{40, 16, 1, 0}}, {{33, 131, 3, 0}},
            {{7, 300, 4, 1}}, {{65, 40, 1, 1}}, {{0, 4, 1, 0}},   {{4, 0, 1, 0}}};
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{256, 256, 1, 1}}, {{1024, 1024, 1, 1}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    const std::size_t rows = size[0], columns = size[1], grids = size[0] * size[2];
    return {{"hessian", DataType::float32, BufferRole::input, columns * columns},
            {"scale", DataType::float32, BufferRole::input, grids},
            {"zero", DataType::float32, BufferRole::input, grids},
            {"group", DataType::uint32, BufferRole::input, columns},
            {"levels", DataType::uint32, BufferRole::input, columns},
            {"gradient", DataType::float32, BufferRole::in_out, rows * columns},
            {"quantized", DataType::float32, BufferRole::in_out, rows * columns},
            {"codes", DataType::uint8, BufferRole::in_out, rows * columns}};
  }

  /// No decision may be close, or float32 and float64 would part: every weight is drawn with the code it goes to and a
  /// place well within that code's reach, and what columns do to each other's gradients is small against it. Columns of
  /// one level decide nothing, so there H is as large as it likes.
  static void fill(Workload& workload, PhiloxStream& random) {
    const std::size_t rows = workload.size()[0], columns = workload.size()[1];
    Gptq::fill_grids(workload, random);
    const std::span<std::uint32_t> counts = workload.buffer<std::uint32_t>("levels");
    for (std::uint32_t& count : counts) count = random.next_below(4) == 0 ? 1 : 9 + random.next_below(15);
    const std::span<float> h = workload.buffer<float>("hessian");
    for (std::size_t j = 0; j < columns; ++j) {
      for (std::size_t k = 0; k < columns; ++k) {
        const double size = counts[k] == 1 ? 1 : 0.002 / number(columns);
        h[j * columns + k] = static_cast<float>(size * (2 * random.next_uniform() - 1));
      }
      h[j * columns + j] = static_cast<float>(1 + random.next_uniform());
    }
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < columns; ++j) {
        const std::size_t at = i * columns + j;
        const auto [step, offset] = Gptq::grid_at(workload, i, j);
        const std::uint32_t target = random.next_below(counts[j]);
        const std::uint32_t code = random.next_below(2) == 0 ? target : random.next_below(counts[j]);
        const double place =
            static_cast<double>(target) - static_cast<double>(code) + 0.6 * random.next_uniform() - 0.3;
        workload.buffer<std::uint8_t>("codes")[at] = static_cast<std::uint8_t>(code);
        workload.buffer<float>("quantized")[at] =
            static_cast<float>(step) * (static_cast<float>(code) - static_cast<float>(offset));
        workload.buffer<float>("gradient")[at] =
            static_cast<float>(counts[j] == 1 ? place : place * step * static_cast<double>(h[j * columns + j]));
      }
    }
  }

  template <class T>
  static T* data(std::span<void* const> buffers, Buffer which) {
    return static_cast<T*>(buffers[which]);
  }
  template <class T>
  static MatrixView<T> view(const KernelSize& size, std::span<void* const> buffers, Buffer which) {
    return MatrixView<T>::row_major(data<T>(buffers, which), size[0], size[1]);
  }
  static MatrixView<const float> hessian_of(const KernelSize& size, std::span<void* const> buffers) {
    return MatrixView<const float>::row_major(data<float>(buffers, hessian), size[1], size[1]);
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    const std::size_t count = size[0] * size[1];
    float* const g = data<float>(buffers, gradient);
    float* const q = data<float>(buffers, quantized);
    std::vector<double> wide_g(g, g + count), wide_q(q, q + count);
    const auto grid = [&](Buffer which) {
      return MatrixView<const float>::row_major(data<float>(buffers, which), size[0], size[2]);
    };
    const GptqGrids grids{size[3] != 0 ? GptqGridForm::range_and_ratio : GptqGridForm::scale_and_zero,
                          grid(scale),
                          grid(zero),
                          {data<std::uint32_t>(buffers, group), size[1]},
                          {data<std::uint32_t>(buffers, levels), size[1]}};
    quantize::reference::descent(
        hessian_of(size, buffers), grids, MatrixView<double>::row_major(wide_g.data(), size[0], size[1]),
        MatrixView<double>::row_major(wide_q.data(), size[0], size[1]), view<std::uint8_t>(size, buffers, codes));
    const auto narrow = [](double value) { return static_cast<float>(value); };
    std::transform(wide_g.begin(), wide_g.end(), g, narrow);
    std::transform(wide_q.begin(), wide_q.end(), q, narrow);
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    CodedGrid grid;
    grid.kind = size[3] != 0 ? GridKind::range : GridKind::scale;
    grid.groups = size[2];
    const float* const first = data<float>(buffers, scale);
    const float* const second = data<float>(buffers, zero);
    grid.first.assign(first, first + size[0] * size[2]);
    grid.second.assign(second, second + size[0] * size[2]);
    const std::uint32_t* const groups = data<std::uint32_t>(buffers, group);
    grid.group.assign(groups, groups + size[1]);
    descend(hessian_of(size, buffers), grid, 0, {data<std::uint32_t>(buffers, levels), size[1]},
            view<float>(size, buffers, gradient), view<float>(size, buffers, quantized),
            view<std::uint8_t>(size, buffers, codes), 1, threads);
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    launcher.launch(
        DescentBlock{data<float>(buffers, hessian), data<float>(buffers, gradient), data<float>(buffers, quantized),
                     data<std::uint8_t>(buffers, codes), size[1], data<float>(buffers, scale),
                     data<float>(buffers, zero), size[2], data<std::uint32_t>(buffers, group),
                     data<std::uint32_t>(buffers, levels), size[3] != 0},
        {static_cast<unsigned>(size[0])});
  }
  // Half of the codes move to another.
  static double flops(const KernelSize& size) {
    return number(size[0]) * number(size[1]) * (10 + 0.75 * 0.5 * 2 * number(size[1]));
  }
  static double bytes(const KernelSize& size) {
    return 4 * number(size[1]) * number(size[1]) + 18 * number(size[0]) * number(size[1]);
  }
};

constexpr std::array entries{kernel_entry<Gptq>(), kernel_entry<Descent>(), kernel_entry<RoundingTable>(),
                             kernel_entry<RangeCandidates>()};

}  // namespace

std::span<const KernelEntry> kernels() noexcept { return entries; }

}  // namespace dd::quantize
