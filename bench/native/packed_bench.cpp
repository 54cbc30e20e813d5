// Products with packed weights, one JSON object per mix of widths on standard output, in the form of gptq_bench.cpp.
//
//   dd_bench_packed [--size=4096x4096] [--bits=2,3,4,8,mixed] [--tokens=1] [--isa=avx2] [--threads=1] [--samples=21]
//
// `mixed` has as many columns of 2 as of 4 bits: the bytes of 3 bits. The peer is the bandwidth of reading as many
// bytes once, in turn with the product; with several tokens also the float32 matrix product of the same shape. The 10th
// percentile is the speed. Packed weights are read again and again, so they lie in the last-level cache where it holds
// them, for both.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/isa.hpp"
#include "core/machine_limits_isa.hpp"
#include "core/philox.hpp"
#include "linalg/gemm.hpp"
#include "options.hpp"
#include "quantize/packed_weights.hpp"

namespace dd::bench {
namespace {

struct Options {
  std::size_t rows = 4096, columns = 4096;
  std::vector<std::string> widths{"2", "3", "4", "mixed"};
  std::size_t tokens = 1, threads = 1, samples = 21;
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

void measure(const std::string& width, const Options& options) {
  const std::size_t rows = options.rows, columns = options.columns, tokens = options.tokens;
  PhiloxStream random(7, 1);
  std::vector<std::uint32_t> levels(columns);
  for (std::size_t j = 0; j < columns; ++j) {
    levels[j] = 1u << (width == "mixed" ? (j % 2 == 0 ? 2 : 4) : std::stoul(width));
  }
  std::vector<std::uint8_t> codes(rows * columns);
  for (std::size_t e = 0; e < codes.size(); ++e) {
    codes[e] = static_cast<std::uint8_t>(random.next_below(levels[e % columns]));
  }
  const std::vector<float> range(rows, 0.04f), ratio(rows, 0.5f);
  const auto packed = quantize::PackedWeights::create(
      {rows, columns, std::span<const std::uint8_t>(codes), levels, quantize::GridForm::range, 1, range, ratio, {}}, 0);
  std::vector<float> x(tokens * columns), y(tokens * rows);
  for (float& value : x) value = static_cast<float>(2 * random.next_uniform() - 1);
  const bool wall = options.threads > 1;
  const std::size_t bytes = packed.bytes();
  AlignedBuffer<double> memory(bytes / sizeof(double) + 8, 1.0);
  double sink = 0;
  std::vector<double> ours, reading, dense;
  AlignedBuffer<float> values(tokens > 1 ? rows * columns : 0);
  if (tokens > 1) packed.dequantize(values.span(), 1);
  for (std::size_t sample = 0; sample < options.samples + 2; ++sample) {
    double start = now(wall);
    packed.multiply(x, tokens, y, options.threads);
    const double product = now(wall) - start;
    start = now(wall);
    sink += read_float64(memory.data(), bytes / sizeof(double));
    const double read = now(wall) - start;
    if (tokens > 1) {
      start = now(wall);
      linalg::gemm(1.0f, MatrixView<const float>::row_major(x.data(), tokens, columns),
                   MatrixView<const float>::row_major(values.data(), rows, columns).transposed(), 0.0f,
                   MatrixView<float>::row_major(y.data(), tokens, rows), options.threads);
      if (sample >= 2) dense.push_back(now(wall) - start);
    }
    if (sample < 2) continue;
    ours.push_back(product);
    reading.push_back(read);
  }
  if (!(sink > 0)) throw std::runtime_error("reading lost its values");
  const double size = static_cast<double>(bytes), median = percentile(ours, 0.5);
  std::printf(
      "{\"family\":\"quantize\",\"routine\":\"packed %s, %s "
      "bits\",\"dtype\":\"float32\",\"sizes\":{\"m\":%zu,\"n\":%zu,"
      "\"k\":%zu},\"isa\":\"%s\",\"threads\":%zu,\"ours\":{\"p10Seconds\":%.6g,\"medianSeconds\":%.6g,\"gigabytes\":"
      "%.4g},\"peers\":{\"read\":{\"medianSeconds\":%.6g}",
      tokens == 1 ? "gemv" : "gemm", width.c_str(), rows, columns, tokens == 1 ? 0 : tokens, isa_name(active_isa()),
      options.threads, percentile(ours, 0.1), median, size / median * 1e-9, percentile(reading, 0.5));
  if (tokens > 1) std::printf(",\"dense float32\":{\"medianSeconds\":%.6g}", percentile(dense, 0.5));
  std::printf("},\"peakPercent\":%.3g,\"samples\":%zu}\n", 100 * percentile(reading, 0.1) / percentile(ours, 0.1),
              options.samples);
  std::fflush(stdout);
}

Options parse(int count, char** arguments) {
  Options options;
  read_options(count, arguments, [&](const std::string& name, const std::string& value) {
    if (name == "--size") {
      const std::size_t cross = value.find('x');
      options.rows = std::stoul(value);
      options.columns = cross == std::string::npos ? options.rows : std::stoul(value.substr(cross + 1));
    } else if (name == "--bits") {
      options.widths = split(value);
    } else if (name == "--tokens") {
      options.tokens = std::max<std::size_t>(1, std::stoul(value));
    } else if (name == "--threads") {
      options.threads = std::stoul(value);
    } else if (name == "--samples") {
      options.samples = std::max<std::size_t>(1, std::stoul(value));
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
    for (const std::string& width : options.widths) dd::bench::measure(width, options);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
