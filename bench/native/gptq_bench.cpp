// The GPTQ loop, one JSON object per size on standard output, in the form of linalg_bench.cpp.
//
//   dd_bench_gptq [--sizes=1024,2048,768x3072] [--isa=avx2] [--threads=1] [--samples=7] [--outputs=codes|all]
//
// A size is rows x columns, or one number for both. Flops: rows columns^2. One thread is timed by its CPU time, several
// by the wall clock; the 10th percentile is the speed; the peak is measured before and after each size. Memory is kept
// between calls, as a caller with many layers does. With several threads the peer is the same loop on one, in turn.
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/isa.hpp"
#include "core/machine_limits_isa.hpp"
#include "core/philox.hpp"
#include "options.hpp"
#include "quantize/gptq.hpp"

namespace dd::bench {
namespace {

struct Size {
  std::size_t rows, columns;
};

struct Options {
  std::vector<Size> sizes{{1024, 1024}, {2048, 2048}, {4096, 4096}};
  std::size_t threads = 1;
  std::size_t samples = 7;
  bool all_outputs = false;
};

double now(bool wall) {
  timespec time{};
  clock_gettime(wall ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double percentile(std::vector<double> values, double fraction) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(fraction * static_cast<double>(values.size() - 1) + 0.5)];
}

/// Best of 20 short runs, GFLOP/s of one thread at the active level.
double measure_peak() {
  volatile float scale = 0.999f, shift = 0.001f;
  double best = 0;
  float sink = 0;
  for (int repeat = 0; repeat < 20; ++repeat) {
    const double start = now(false);
    const double flops = fma_loop_float32(std::size_t{100000}, float(scale), float(shift), &sink);
    best = std::max(best, flops / (now(false) - start));
  }
  if (!std::isfinite(sink)) throw std::runtime_error("the peak loop lost its values");
  return best * 1e-9;
}

void measure(const Size& size, const Options& options) {
  const std::size_t rows = size.rows, columns = size.columns;
  AlignedBuffer<float> w(rows * columns), u(columns * columns, 0.0f);
  PhiloxStream random(7, 1);
  for (float& value : w) value = static_cast<float>(0.04 * random.next_uniform() - 0.02);
  const double spread = 1 / std::sqrt(static_cast<double>(columns));
  for (std::size_t j = 0; j < columns; ++j) {
    u[j * columns + j] = static_cast<float>(0.5 + random.next_uniform());
    for (std::size_t k = j + 1; k < columns; ++k) {
      u[j * columns + k] = static_cast<float>(spread * (2 * random.next_uniform() - 1));
    }
  }
  const AlignedBuffer<float> scale(rows, 0.04f / 15), zero(rows, 8.0f);
  const std::uint32_t levels[] = {16};
  const quantize::GptqGrids grids{quantize::GptqGridForm::scale_and_zero,
                                  MatrixView<const float>::row_major(scale.data(), rows, 1),
                                  MatrixView<const float>::row_major(zero.data(), rows, 1),
                                  {},
                                  levels};
  AlignedBuffer<std::uint8_t> codes(rows * columns);
  AlignedBuffer<float> quantized, errors;
  AlignedBuffer<double> losses;
  quantize::GptqOutputs outputs{MatrixView<std::uint8_t>::row_major(codes.data(), rows, columns), {}, {}, {}};
  if (options.all_outputs) {
    quantized = AlignedBuffer<float>(rows * columns);
    errors = AlignedBuffer<float>(rows * columns);
    losses = AlignedBuffer<double>(columns);
    outputs.quantized = MatrixView<float>::row_major(quantized.data(), rows, columns);
    outputs.errors = MatrixView<float>::row_major(errors.data(), rows, columns);
    outputs.column_losses = losses.span();
  }
  quantize::GptqWorkspace workspace;
  const bool wall = options.threads > 1;
  const auto time_once = [&](std::size_t threads) {
    const double start = now(wall);
    const std::size_t done = quantize::gptq_quantize(MatrixView<const float>::row_major(w.data(), rows, columns),
                                                     MatrixView<const float>::row_major(u.data(), columns, columns),
                                                     grids, outputs, {.threads = threads, .workspace = &workspace});
    if (done != columns) throw std::runtime_error("the loop stopped early");
    return now(wall) - start;
  };
  time_once(options.threads);
  const double before = measure_peak();
  std::vector<double> seconds, one_thread;
  for (std::size_t sample = 0; sample < options.samples; ++sample) {
    seconds.push_back(time_once(options.threads));
    if (wall) one_thread.push_back(time_once(1));
  }
  const double peak = (before + measure_peak()) / 2 * static_cast<double>(options.threads);
  const double n = static_cast<double>(columns), p10 = percentile(seconds, 0.1);
  const double gflops = static_cast<double>(rows) * n * n / p10 * 1e-9;
  std::printf(
      "{\"family\":\"gptq\",\"routine\":\"%s\",\"dtype\":\"float32\",\"sizes\":{\"m\":%zu,\"n\":%zu,\"k\":0},"
      "\"isa\":\"%s\",\"threads\":%zu,\"ours\":{\"p10Seconds\":%.6g,\"medianSeconds\":%.6g,\"gflops\":%.4g},\"peers\":"
      "{",
      options.all_outputs ? "gptq, all outputs" : "gptq", rows, columns, isa_name(active_isa()), options.threads, p10,
      percentile(seconds, 0.5), gflops);
  if (wall) {
    std::printf("\"one thread\":{\"p10Seconds\":%.6g,\"medianSeconds\":%.6g}", percentile(one_thread, 0.1),
                percentile(one_thread, 0.5));
  }
  std::printf("},\"peakGflops\":%.4g,\"peakPercent\":%.3g,\"samples\":%zu}\n", peak, 100 * gflops / peak,
              options.samples);
  std::fflush(stdout);
}

std::vector<Size> parse_sizes(const std::string& text) {
  std::vector<Size> sizes;
  for (const std::string& part : split(text)) {
    const std::size_t cross = part.find('x');
    const std::size_t rows = std::stoul(part);
    sizes.push_back({rows, cross == std::string::npos ? rows : std::stoul(part.substr(cross + 1))});
  }
  return sizes;
}

Options parse(int count, char** arguments) {
  Options options;
  read_options(count, arguments, [&](const std::string& name, const std::string& value) {
    if (name == "--sizes") {
      options.sizes = parse_sizes(value);
    } else if (name == "--threads") {
      options.threads = std::stoul(value);
    } else if (name == "--samples") {
      options.samples = std::max<std::size_t>(1, std::stoul(value));
    } else if (name == "--outputs" && (value == "codes" || value == "all")) {
      options.all_outputs = value == "all";
    } else {
      return false;
    }
    return true;
  });
  return options;
}

}  // namespace
}  // namespace dd::bench

int main(int count, char** arguments) {
  try {
    const dd::bench::Options options = dd::bench::parse(count, arguments);
    for (const dd::bench::Size& size : options.sizes) dd::bench::measure(size, options);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
