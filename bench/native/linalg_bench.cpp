// Dense linear algebra against OpenBLAS and Eigen, call by call in the same seconds. One JSON object per case on
// standard output, so that the TypeScript harness and a person with `jq` read the same thing.
//
//   dd_bench_linalg [--routine=gemm,syrk,...] [--dtype=float64,float32] [--sizes=64,37x53x71] [--isa=avx2]
//                   [--threads=1] [--samples=15] [--openblas-core=Haswell] [--path=direct|packed]
//                   [--peers=openblas,eigen]
//
// One thread is timed by its CPU time, several by the wall clock. A sample lasts at least 0.2 ms, with several threads
// 20 ms, because the first call has to wake a sleeping thread; routines that work in place get fresh copies, made
// outside the timed region. The 10th percentile is the speed, the median what is
// typical; the peak of the machine is taken before and after each case, because the clock of a shared machine moves.
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/isa.hpp"
#include "core/machine_limits_isa.hpp"
#include "core/philox.hpp"
#include "eigen_peer.hpp"
#include "linalg/batched.hpp"
#include "linalg/cholesky.hpp"
#include "linalg/gemm.hpp"
#include "linalg/product.hpp"
#include "linalg/syrk.hpp"
#include "linalg/triangular.hpp"
#include "openblas_peer.hpp"
#include "options.hpp"

namespace dd::bench {
namespace {

using linalg::Side;
using linalg::Triangle;

struct Size {
  std::size_t m, n, k;
};

struct Options {
  std::vector<std::string> routines{"gemm", "syrk", "syrk_mixed", "cholesky", "inverse", "solve", "batched_cholesky"};
  std::vector<std::string> types{"float64", "float32"};
  std::vector<Size> sizes;
  std::string peers = "openblas,eigen";
  std::size_t threads = 1;
  std::size_t samples = 15;
  std::string openblas_core;
  bool openblas_core_given = false;
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
template <class T>
double measure_peak() {
  volatile T scale = T(0.999), shift = T(0.001);
  double best = 0;
  T sink = 0;
  for (int repeat = 0; repeat < 20; ++repeat) {
    const double start = now(false);
    double flops = 0;
    if constexpr (sizeof(T) == 4) {
      flops = fma_loop_float32(std::size_t{100000}, T(scale), T(shift), &sink);
    } else {
      flops = fma_loop_float64(std::size_t{100000}, T(scale), T(shift), &sink);
    }
    best = std::max(best, flops / (now(false) - start));
  }
  if (!std::isfinite(static_cast<double>(sink))) throw std::runtime_error("the peak loop lost its values");
  return best * 1e-9;
}

/// One routine of one library: writes its result over a fresh copy of `start`.
struct Competitor {
  std::string name;
  std::function<void(void*)> run;
  std::vector<double> samples;
  AlignedBuffer<std::byte> output;
  std::function<void(void*)> finish;  // brings a result of another type into the output, after the timing
};

struct Problem {
  std::string routine;
  Size size;
  double flops;
  const void* start;  // what the output holds before each call; null when the call overwrites it
  std::size_t output_bytes;
};

void reset(const Problem& problem, Competitor& competitor, std::size_t copies) {
  if (problem.start == nullptr) return;
  for (std::size_t copy = 0; copy < copies; ++copy) {
    std::memcpy(competitor.output.data() + copy * problem.output_bytes, problem.start, problem.output_bytes);
  }
}

/// How often a sample calls: `rounds` times `copies`, with fresh outputs before every round.
struct Repeats {
  std::size_t copies = 1, rounds = 1;
};

double time_once(const Problem& problem, Competitor& competitor, const Repeats& repeats, bool wall) {
  const std::size_t step = problem.start == nullptr ? 0 : problem.output_bytes;
  double seconds = 0;
  for (std::size_t round = 0; round < repeats.rounds; ++round) {
    reset(problem, competitor, repeats.copies);
    const double start = now(wall);
    for (std::size_t r = 0; r < repeats.copies; ++r) competitor.run(competitor.output.data() + r * step);
    seconds += now(wall) - start;
  }
  return seconds / static_cast<double>(repeats.copies * repeats.rounds);
}

template <class Out>
double largest_difference(const Problem& problem, const Competitor& a, const Competitor& b) {
  const auto* left = reinterpret_cast<const Out*>(a.output.data());
  const auto* right = reinterpret_cast<const Out*>(b.output.data());
  const bool lower = problem.routine != "gemm" && problem.routine != "gemv" && problem.routine != "solve";
  const std::size_t rows = problem.size.m;
  double largest = 0;
  for (std::size_t e = 0; e < problem.output_bytes / sizeof(Out); ++e) {
    if (lower && e % rows < e / rows % rows) continue;
    const double difference = std::fabs(static_cast<double>(left[e]) - static_cast<double>(right[e]));
    largest = std::isnan(difference) ? INFINITY : std::max(largest, difference);
  }
  return largest;
}

template <class T, class Out>
void measure(const Problem& problem, std::vector<Competitor>& all, const Options& options) {
  const bool wall = options.threads > 1;
  const double peak_before = measure_peak<T>();
  // Fresh copies beyond the caches would time the memory.
  constexpr std::size_t most_copies = 512, most_copied_bytes = std::size_t{2} << 20;
  const double least_seconds = wall ? 2e-2 : 2e-4;
  std::size_t calls = 1;
  for (Competitor& competitor : all) {
    competitor.output = AlignedBuffer<std::byte>(problem.output_bytes);
    time_once(problem, competitor, {}, wall);  // warms up, and grows scratch memory
    const double seconds = time_once(problem, competitor, {}, wall);
    calls = std::max(calls, static_cast<std::size_t>(least_seconds / std::max(seconds, 1e-8)) + 1);
  }
  Repeats repeats{std::min(calls, most_copies), 1};
  if (problem.start != nullptr) {
    repeats.copies = std::clamp<std::size_t>(most_copied_bytes / problem.output_bytes, 1, repeats.copies);
    for (Competitor& competitor : all) {
      competitor.output = AlignedBuffer<std::byte>(problem.output_bytes * repeats.copies);
    }
  }
  if (wall) repeats.rounds = (calls + repeats.copies - 1) / repeats.copies;
  for (std::size_t sample = 0; sample < options.samples; ++sample) {
    for (Competitor& competitor : all) competitor.samples.push_back(time_once(problem, competitor, repeats, wall));
  }
  const double peak = (peak_before + measure_peak<T>()) / 2 * static_cast<double>(options.threads);
  for (Competitor& competitor : all) {
    if (competitor.finish) competitor.finish(competitor.output.data());
  }

  const double ours = percentile(all[0].samples, 0.1);
  const double gflops = problem.flops / ours * 1e-9;
  std::printf(
      "{\"family\":\"linalg\",\"routine\":\"%s\",\"dtype\":\"%s\",\"sizes\":{\"m\":%zu,\"n\":%zu,\"k\":%zu},"
      "\"isa\":\"%s\",\"threads\":%zu,\"ours\":{\"p10Seconds\":%.6g,\"medianSeconds\":%.6g,\"gflops\":%.4g},"
      "\"peers\":{",
      problem.routine.c_str(), sizeof(T) == 4 ? "float32" : "float64", problem.size.m, problem.size.n, problem.size.k,
      isa_name(active_isa()), options.threads, ours, percentile(all[0].samples, 0.5), gflops);
  double difference = 0;
  for (std::size_t c = 1; c < all.size(); ++c) {
    const double peer = percentile(all[c].samples, 0.1);
    const double apart = largest_difference<Out>(problem, all[0], all[c]);
    difference = std::max(difference, apart);
    std::printf(
        "%s\"%s\":{\"p10Seconds\":%.6g,\"medianSeconds\":%.6g,\"gflops\":%.4g,\"ratio\":%.4g,\"difference\":%.3g}",
        c > 1 ? "," : "", all[c].name.c_str(), peer, percentile(all[c].samples, 0.5), problem.flops / peer * 1e-9,
        peer / ours, apart);
  }
  std::printf("},\"peakGflops\":%.4g,\"peakPercent\":%.3g,\"maxDifference\":%.3g,\"samples\":%zu}\n", peak,
              100 * gflops / peak, difference, options.samples);
  std::fflush(stdout);
}

template <class T>
AlignedBuffer<T> random_values(std::size_t count, std::uint32_t stream) {
  AlignedBuffer<T> values(count);
  PhiloxStream random(7, stream);
  for (T& value : values) value = static_cast<T>(random.next_uniform() * 2 - 1);
  return values;
}

int narrow(std::size_t value) { return static_cast<int>(value); }

template <class T>
class Suite {
 public:
  Suite(const Options& options, const OpenBlas& blas) : options_(options), blas_(blas) {}

  void run(const std::string& routine, const Size& size) {
    if (routine == "gemm") return gemm(size);
    if (routine == "gemv") return gemv(size);
    if (routine == "syrk") return syrk(size);
    if (routine == "syrk_mixed") return syrk_mixed(size);
    if (routine == "cholesky") return cholesky(size);
    if (routine == "inverse") return inverse(size);
    if (routine == "solve") return solve(size);
    if (routine == "batched_cholesky") return batched_cholesky(size);
    throw std::runtime_error("unknown routine " + routine);
  }

 private:
  template <class Out = T, class Ours, class Blas, class Eigen>
  void compare(const Problem& problem, Ours ours, Blas blas, [[maybe_unused]] Eigen eigen) {
    std::vector<Competitor> all;
    const auto add = [&](const char* name, std::function<void(void*)> run) {
      all.push_back({name, std::move(run), {}, {}, {}});
    };
    const std::size_t threads = options_.threads;
    add("ours", [=](void* out) { ours(static_cast<Out*>(out), threads); });
    if (wants("openblas") && blas_.available()) add("openblas", [=](void* out) { blas(static_cast<Out*>(out)); });
#if DD_BENCH_EIGEN
    if (wants("eigen") && threads == 1 && active_isa() == available_isa_levels().back()) {
      add("eigen", [=](void* out) { eigen(static_cast<Out*>(out)); });
    }
#endif
    if (threads > 1) add("one thread", [=](void* out) { ours(static_cast<Out*>(out), 1); });
    measure<T, Out>(problem, all, options_);
  }

  bool wants(const char* peer) const { return options_.peers.find(peer) != std::string::npos; }

  MatrixView<const T> columns(const AlignedBuffer<T>& data, std::size_t rows, std::size_t cols) {
    return MatrixView<const T>::column_major(data.data(), rows, cols);
  }

  void gemm(const Size& size) {
    const auto [m, n, k] = size;
    const auto a = random_values<T>(m * k, 1), b = random_values<T>(k * n, 2);
    compare(
        {"gemm", size, 2.0 * static_cast<double>(m * n * k), nullptr, m * n * sizeof(T)},
        [&](T* c, std::size_t threads) {
          linalg::gemm(T(1), columns(a, m, k), columns(b, k, n), T(0), MatrixView<T>::column_major(c, m, n), threads);
        },
        [&](T* c) { blas_.gemm(narrow(m), narrow(n), narrow(k), a.data(), b.data(), c); },
        [&](T* c) { eigen::gemm(m, n, k, a.data(), b.data(), c); });
  }

  void gemv(const Size& size) {
    const auto [m, n, k] = size;
    const auto a = random_values<T>(m * k, 1), x = random_values<T>(k, 2);
    compare(
        {"gemv", {m, 1, k}, 2.0 * static_cast<double>(m * k), nullptr, m * sizeof(T)},
        [&](T* y, std::size_t threads) {
          linalg::gemm(T(1), columns(a, m, k), columns(x, k, 1), T(0), MatrixView<T>::column_major(y, m, 1), threads);
        },
        [&](T* y) { blas_.gemv(narrow(m), narrow(k), a.data(), x.data(), y); },
        [&](T* y) { eigen::gemm(m, 1, k, a.data(), x.data(), y); });
  }

  void syrk(const Size& size) {
    const std::size_t n = size.n, k = size.k;
    const auto a = random_values<T>(n * k, 1);
    compare(
        {"syrk", {n, n, k}, static_cast<double>(n * n * k), nullptr, n * n * sizeof(T)},
        [&](T* c, std::size_t threads) {
          linalg::syrk(T(1), columns(a, n, k), T(0), MatrixView<T>::column_major(c, n, n), Triangle::lower, threads);
        },
        [&](T* c) { blas_.syrk(narrow(n), narrow(k), a.data(), c); }, [&](T* c) { eigen::syrk(n, k, a.data(), c); });
  }

  /// The peer is our own float32 product: what does accumulating in float64 cost?
  void syrk_mixed(const Size& size) {
    if constexpr (sizeof(T) == 4) {
      const std::size_t n = size.n, k = size.k, threads = options_.threads;
      const auto a = random_values<T>(n * k, 1);
      AlignedBuffer<T> single(n * n);
      std::vector<Competitor> all(2);
      all[0].name = "ours";
      all[0].run = [&](void* out) {
        linalg::syrk(1.0, columns(a, n, k), 0.0, MatrixView<double>::column_major(static_cast<double*>(out), n, n),
                     Triangle::lower, threads);
      };
      all[1].name = "float32";
      all[1].run = [&](void*) {
        linalg::syrk(T(1), columns(a, n, k), T(0), MatrixView<T>::column_major(single.data(), n, n), Triangle::lower,
                     threads);
      };
      all[1].finish = [&](void* out) { std::copy(single.begin(), single.end(), static_cast<double*>(out)); };
      measure<T, double>({"syrk_mixed", {n, n, k}, static_cast<double>(n * n * k), nullptr, n * n * sizeof(double)},
                         all, options_);
    }
  }

  AlignedBuffer<T> positive(std::size_t n) {
    auto a = random_values<T>(n * n, 3);
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t i = 0; i < j; ++i) a[i + j * n] = a[j + i * n];
      a[j + j * n] = static_cast<T>(n);
    }
    return a;
  }

  AlignedBuffer<T> triangular(std::size_t n) {
    auto l = random_values<T>(n * n, 4);
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t i = 0; i < n; ++i) l[i + j * n] = i < j ? T(0) : l[i + j * n] / static_cast<T>(n);
      l[j + j * n] = T(1) + l[j + j * n] * T(0.5);
    }
    return l;
  }

  void cholesky(const Size& size) {
    const std::size_t n = size.n;
    const auto a = positive(n);
    compare(
        {"cholesky", {n, n, 0}, std::pow(static_cast<double>(n), 3) / 3, a.data(), n * n * sizeof(T)},
        [&](T* l, std::size_t threads) {
          if (linalg::cholesky(MatrixView<T>::column_major(l, n, n), Triangle::lower, threads) != 0) std::abort();
        },
        [&](T* l) { blas_.cholesky(narrow(n), l); }, [&](T* l) { eigen::cholesky(n, l); });
  }

  void inverse(const Size& size) {
    const std::size_t n = size.n;
    const auto l = triangular(n);
    compare(
        {"inverse", {n, n, 0}, std::pow(static_cast<double>(n), 3) / 3, l.data(), n * n * sizeof(T)},
        [&](T* x, std::size_t threads) {
          if (linalg::invert_triangular(Triangle::lower, MatrixView<T>::column_major(x, n, n), threads) != 0)
            std::abort();
        },
        [&](T* x) { blas_.inverse(narrow(n), x); }, [&](T* x) { eigen::inverse(n, x); });
  }

  void solve(const Size& size) {
    const std::size_t n = size.n, m = size.m;
    const auto l = triangular(n), b = random_values<T>(n * m, 5);
    compare(
        {"solve", {n, m, 0}, static_cast<double>(n * n * m), b.data(), n * m * sizeof(T)},
        [&](T* x, std::size_t threads) {
          if (linalg::solve_triangular(Side::left, Triangle::lower, columns(l, n, n),
                                       MatrixView<T>::column_major(x, n, m), threads) != 0)
            std::abort();
        },
        [&](T* x) { blas_.solve(narrow(n), narrow(m), l.data(), x); }, [&](T* x) { eigen::solve(n, m, l.data(), x); });
  }

  /// Interleaved against one by one (ours and OpenBLAS). All write column-major copies, so that results can be
  /// compared; converting back is not timed because data is meant to be born interleaved.
  void batched_cholesky(const Size& size) {
    const std::size_t n = size.n;
    const std::size_t count = std::max<std::size_t>(linalg::batch_group<T>, 16384 / (n * n) / 16 * 16);
    AlignedBuffer<T> matrices(count * n * n);
    for (std::size_t c = 0; c < count; ++c) {
      const auto a = positive(n);
      std::copy_n(a.data(), n * n, matrices.data() + c * n * n);
    }
    AlignedBuffer<T> mixed(linalg::batch_elements<T>(count, n, n)), mixed_start(mixed.size());
    linalg::interleave<T>(count, n, n, matrices.span(), mixed_start.span(), linalg::BatchPadding::identity);
    std::vector<std::int32_t> status(count);
    const Problem problem{"batched_cholesky",
                          {n, n, count},
                          static_cast<double>(count) * std::pow(static_cast<double>(n), 3) / 3,
                          matrices.data(),
                          count * n * n * sizeof(T)};
    // Timed by hand: the interleaved copy is the competitor's own fresh input.
    std::vector<double> ours, single, blas;
    AlignedBuffer<T> work(matrices.size()), check(matrices.size());
    const double peak_before = measure_peak<T>();
    for (std::size_t sample = 0; sample < options_.samples + 2; ++sample) {
      double total = 0;
      constexpr std::size_t repeats = 20;
      for (std::size_t r = 0; r < repeats; ++r) {
        std::copy(mixed_start.begin(), mixed_start.end(), mixed.begin());
        const double start = now(false);
        linalg::batched_cholesky<T>(count, n, mixed.span(), status);
        total += now(false) - start;
      }
      ours.push_back(total / repeats);
      std::copy(matrices.begin(), matrices.end(), work.begin());
      double start = now(false);
      for (std::size_t c = 0; c < count; ++c) {
        if (linalg::cholesky(MatrixView<T>::column_major(work.data() + c * n * n, n, n)) != 0) std::abort();
      }
      single.push_back(now(false) - start);
      if (blas_.available()) {
        std::copy(matrices.begin(), matrices.end(), work.begin());
        start = now(false);
        for (std::size_t c = 0; c < count; ++c) blas_.cholesky(narrow(n), work.data() + c * n * n);
        blas.push_back(now(false) - start);
      }
    }
    std::vector<Competitor> all(1);
    const auto keep = [&](Competitor& competitor, std::vector<double> samples, const char* name) {
      competitor.name = name;
      competitor.samples = std::vector<double>(samples.begin() + 2, samples.end());
    };
    keep(all[0], ours, "ours");
    linalg::deinterleave<T>(count, n, n, mixed.span(), check.span());
    double difference = 0;
    for (std::size_t e = 0; e < check.size(); ++e) {
      if (e % n < e / n % n) continue;
      difference = std::max(difference, std::fabs(static_cast<double>(check[e]) - static_cast<double>(work[e])));
    }
    const double peak = (peak_before + measure_peak<T>()) / 2;
    const double p10 = percentile(all[0].samples, 0.1), gflops = problem.flops / p10 * 1e-9;
    std::printf(
        "{\"family\":\"linalg\",\"routine\":\"batched_cholesky\",\"dtype\":\"%s\",\"sizes\":{\"m\":%zu,\"n\":%zu,\"k\":"
        "%zu},"
        "\"isa\":\"%s\",\"threads\":1,\"ours\":{\"p10Seconds\":%.6g,\"medianSeconds\":%.6g,\"gflops\":%.4g},\"peers\":"
        "{",
        sizeof(T) == 4 ? "float32" : "float64", n, n, count, isa_name(active_isa()), p10,
        percentile(all[0].samples, 0.5), gflops);
    const auto print_peer = [&](const char* name, const std::vector<double>& samples) {
      const double peer = percentile(samples, 0.1);
      std::printf("\"%s\":{\"p10Seconds\":%.6g,\"medianSeconds\":%.6g,\"gflops\":%.4g,\"ratio\":%.4g}", name, peer,
                  percentile(samples, 0.5), problem.flops / peer * 1e-9, peer / p10);
    };
    print_peer("one by one", single);
    if (!blas.empty()) {
      std::printf(",");
      print_peer("openblas", blas);
    }
    std::printf("},\"peakGflops\":%.4g,\"peakPercent\":%.3g,\"maxDifference\":%.3g,\"samples\":%zu}\n", peak,
                100 * gflops / peak, difference, options_.samples);
    std::fflush(stdout);
  }

  const Options& options_;
  const OpenBlas& blas_;
};

Size parse_size(const std::string& text) {
  const std::vector<std::string> parts = split(text, 'x');
  const auto number = [&](std::size_t i) { return static_cast<std::size_t>(std::stoul(parts[i])); };
  if (parts.size() == 1) return {number(0), number(0), 0};
  if (parts.size() == 3) return {number(0), number(1), number(2)};
  throw std::runtime_error("a size is n or m x n x k, got " + text);
}

Options parse(int count, char** arguments) {
  Options options;
  read_options(count, arguments, [&](const std::string& name, const std::string& value) {
    if (name == "--routine") {
      options.routines = split(value, ',');
    } else if (name == "--dtype") {
      options.types = split(value, ',');
    } else if (name == "--sizes") {
      for (const std::string& size : split(value, ',')) options.sizes.push_back(parse_size(size));
    } else if (name == "--threads") {
      options.threads = std::stoul(value);
    } else if (name == "--samples") {
      options.samples = std::stoul(value);
    } else if (name == "--openblas-core") {
      options.openblas_core = value;
      options.openblas_core_given = true;
    } else if (name == "--peers") {
      options.peers = value;
    } else if (name == "--path") {
      linalg::force_product_path(value == "direct" ? 0 : value == "packed" ? 1 : -1);
    } else {
      return false;
    }
    return true;
  });
  return options;
}

std::vector<Size> default_sizes(const std::string& routine) {
  std::vector<Size> sizes;
  if (routine == "batched_cholesky") {
    for (const std::size_t n : {4, 8, 16, 24, 32}) sizes.push_back({n, n, 0});
    return sizes;
  }
  for (const std::size_t n : {32, 64, 128, 256, 512, 1024, 2048}) sizes.push_back({n, n, 0});
  if (routine == "gemm") {
    for (const Size& odd : {Size{37, 53, 71}, Size{65, 65, 65}, Size{100, 100, 100}}) sizes.push_back(odd);
  }
  return sizes;
}

void run(int count, char** arguments) {
  Options options = parse(count, arguments);
  if (!options.openblas_core_given && active_isa() != available_isa_levels().back()) {
    if (active_isa() == IsaLevel::baseline) options.openblas_core = "Nehalem";
    if (active_isa() == IsaLevel::avx2) options.openblas_core = "Haswell";
  }
  const OpenBlas blas(options.openblas_core);
  if (blas.available()) {
    blas.set_threads(static_cast<int>(options.threads));
    std::fprintf(stderr, "OpenBLAS kernels: %s; our level: %s\n", blas.core_name().c_str(), isa_name(active_isa()));
  } else {
    std::fprintf(stderr, "OpenBLAS is not installed: no ratios to it; our level: %s\n", isa_name(active_isa()));
  }
  for (const std::string& routine : options.routines) {
    for (const std::string& type : options.types) {
      for (Size size : options.sizes.empty() ? default_sizes(routine) : options.sizes) {
        if (size.k == 0) size.k = routine.rfind("syrk", 0) == 0 ? 2048 : size.n;
        if (type == "float32") {
          Suite<float>(options, blas).run(routine, size);
        } else {
          Suite<double>(options, blas).run(routine, size);
        }
      }
    }
  }
}

}  // namespace
}  // namespace dd::bench

int main(int count, char** arguments) {
  try {
    dd::bench::run(count, arguments);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
