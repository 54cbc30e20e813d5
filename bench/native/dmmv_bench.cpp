// Measures the engine for min-max violation: kernel rates, and the quality of filters over seeds at a fixed effort.
// JSON lines on stdout. The commands behind docs/benchmarks/dmmv.md:
//   dd_bench_dmmv kernels
//   dd_bench_dmmv fir A35/8 ... --seconds 5 --seeds 10 [--iterations N] [--engine E]
//   dd_bench_dmmv hadamard 6 --seconds 1 --seeds 10
// Filter families: A to E as in specs/dmmv.md 8.1; P to S are the held-out ones on which defaults were chosen.
#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/error.hpp"
#include "core/isa.hpp"
#include "dmmv/dictionary_penalty.hpp"
#include "dmmv/evaluate.hpp"
#include "dmmv/exact.hpp"
#include "dmmv/fir.hpp"
#include "dmmv/one_flip.hpp"
#include "dmmv/projector.hpp"
#include "dmmv/solve.hpp"

namespace {

using namespace dd;
using namespace dd::dmmv;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// Least and median seconds of `repeats` calls.
template <class Function>
void time_calls(int repeats, Function&& function, double& least, double& median) {
  std::vector<double> seconds;
  for (int k = 0; k < repeats; ++k) {
    const double begun = now();
    function();
    seconds.push_back(now() - begun);
  }
  std::sort(seconds.begin(), seconds.end());
  least = seconds.front();
  median = seconds[seconds.size() / 2];
}

template <class Real>
void measure_one_flip(const char* type, std::size_t rows, std::size_t columns,
                      void (*kernel)(const OneFlipColumn<Real>*)) {
  AlignedBuffer<Real> matrix(rows * columns, Real(0.25)), residual(rows, Real(0.5));
  const Real steps[2] = {Real(-1), Real(1)};
  std::vector<Real> out(2 * columns);
  double least = 0, median = 0;
  const auto pass = [&] {
    for (std::size_t j = 0; j < columns; ++j) {
      const OneFlipColumn<Real> column{
          matrix.data() + j * rows, residual.data(), nullptr, nullptr, steps, out.data() + 2 * j, rows, 2};
      kernel(&column);
    }
  };
  time_calls(31, pass, least, median);
  // The limit beside it: the same bytes summed.
  double read_least = 0, read_median = 0;
  volatile Real sink = 0;
  const auto read = [&] {
    Real sums[64] = {};
    for (std::size_t k = 0; k + 64 <= rows * columns; k += 64) {
      for (std::size_t l = 0; l < 64; ++l) sums[l] += matrix[k + l];
    }
    Real total = 0;
    for (const Real value : sums) total += value;
    sink = total;
  };
  time_calls(31, read, read_least, read_median);
  std::printf(
      "{\"kernel\":\"one_flip\",\"type\":\"%s\",\"isa\":\"%s\",\"rows\":%zu,\"columns\":%zu,\"ms_least\":%.4f,\"ms_"
      "median\":%.4f,"
      "\"gigabytes_per_second\":%.1f,\"read_ms_least\":%.4f}\n",
      type, isa_name(active_isa()), rows, columns, least * 1e3, median * 1e3,
      static_cast<double>(rows * columns * sizeof(Real)) / least * 1e-9, read_least * 1e3);
}

template <class Real>
void measure_dictionary(const char* type, std::size_t rows, std::size_t pairs,
                        void (*kernel)(const DictionaryPenalty<Real>*)) {
  const std::size_t stride = (rows + 15) / 16 * 16;
  AlignedBuffer<Real> moves(stride * pairs), residual(stride, Real(0.1)), weight(stride, Real(1));
  for (std::size_t k = 0; k < moves.size(); ++k) moves[k] = Real(double(k * 7919 % 1000) / 1000 - 0.5);
  std::vector<Real> out(2 * pairs);
  const DictionaryPenalty<Real> arguments{moves.data(), residual.data(), weight.data(), nullptr, nullptr,
                                          out.data(),   stride,          stride,        pairs,   Real(0.2)};
  double least = 0, median = 0;
  constexpr int batch = 200;
  time_calls(
      31,
      [&] {
        for (int k = 0; k < batch; ++k) kernel(&arguments);
      },
      least, median);
  std::printf(
      "{\"kernel\":\"dictionary_penalty\",\"type\":\"%s\",\"isa\":\"%s\",\"rows\":%zu,\"moves\":%zu,\"calls_per_"
      "second\":%.0f,"
      "\"calls_per_second_median\":%.0f}\n",
      type, isa_name(active_isa()), rows, 2 * pairs, batch / least, batch / median);
}

void kernels() {
  for (const IsaLevel level : available_isa_levels()) {
    set_active_isa(level);
    measure_one_flip<float>("float32", 4096, 768, one_flip_float32.at(level));
    measure_one_flip<double>("float64", 4096, 768, one_flip_float64.at(level));
    measure_dictionary<float>("float32", 262, 18, dictionary_penalty_float32.at(level));
    measure_dictionary<double>("float64", 262, 18, dictionary_penalty_float64.at(level));
    measure_dictionary<float>("float32", 910, 126, dictionary_penalty_float32.at(level));
    measure_dictionary<double>("float64", 910, 126, dictionary_penalty_float64.at(level));
  }
}

FirSpecification filter(const std::string& name) {
  FirSpecification specification;
  char family = 0;
  int taps = 0, bits = 0;
  if (std::sscanf(name.c_str(), "%c%d/%d", &family, &taps, &bits) != 3) {
    throw Error(ErrorCode::invalid_argument_value, "filter", "`filter` must look like A35/8, got " + name);
  }
  specification.taps = taps;
  specification.word_length = bits;
  switch (family) {
    case 'A':
      specification.bands = {{0, .4, 1, 1}, {.5, 1, 0, 1}};
      break;
    case 'B':
      specification.bands = {{0, .4, 1, 1}, {.5, 1, 0, 10}};
      break;
    case 'C':
      specification.bands = {{0, .24, 1, 1}, {.4, .68, 0, 1}, {.84, 1, 1, 1}};
      break;
    case 'D':
      specification.bands = {{0, .24, 1, 1}, {.4, .68, 0, 10}, {.84, 1, 1, 1}};
      break;
    case 'E':
      specification.bands = {{.02, .42, 1, 1}, {.52, .98, 0, 1}};
      break;
    case 'P':
      specification.bands = {{0, .3, 1, 1}, {.42, 1, 0, 1}};
      break;
    case 'Q':
      specification.bands = {{0, .35, 1, 1}, {.47, 1, 0, 7}};
      break;
    case 'R':
      specification.bands = {{0, .2, 1, 1}, {.35, .6, 0, 1}, {.78, 1, 1, 1}};
      break;
    case 'S':
      specification.bands = {{0, .28, 1, 1}, {.42, .66, 0, 6}, {.8, 1, 1, 1}};
      break;
    default:
      throw Error(ErrorCode::invalid_argument_value, "filter", "`filter` must begin with A-E or P-S, got " + name);
  }
  return specification;
}

struct Settings {
  std::vector<std::string> names;
  double seconds = 5;
  int seeds = 10;
  int first_seed = 1;
  unsigned long long iterations = 0;
  int moves = 0;
  double eta = 0, decay = 0.9;
  std::uint32_t tabu = 2;
  Engine engine = Engine::automatic;
  bool coefficients = false;
};

void print_summary(const char* kind, const std::string& name, std::vector<double> values, std::vector<double> times) {
  std::sort(values.begin(), values.end());
  std::sort(times.begin(), times.end());
  std::printf(
      "{\"%s\":\"%s\",\"runs\":%zu,\"best\":%.10g,\"median\":%.10g,\"worst\":%.10g,\"median_seconds_to_last_gain\":%."
      "3f}\n",
      kind, name.c_str(), values.size(), values.front(), values[values.size() / 2], values.back(),
      times[times.size() / 2]);
  std::fflush(stdout);
}

SolveOptions options_of(const Settings& settings, int seed) {
  SolveOptions options;
  options.seed = static_cast<std::uint64_t>(seed);
  options.iteration_limit = settings.iterations;
  options.engine = settings.engine;
  options.moves = static_cast<Moves>(settings.moves);
  options.eta = settings.eta;
  options.decay = settings.decay;
  options.tabu = settings.tabu;
  return options;
}

void filters(const Settings& settings) {
  for (const std::string& name : settings.names) {
    std::vector<double> values, times;
    for (int seed = settings.first_seed; seed < settings.first_seed + settings.seeds; ++seed) {
      RunControl control(1, settings.seconds);
      const FirDesign design = design_fir(filter(name), options_of(settings, seed), control);
      values.push_back(design.ripple);
      times.push_back(design.search.trace.back().seconds);
      std::printf(
          "{\"fir\":\"%s\",\"seed\":%d,\"ripple\":%.12g,\"continuous_ripple\":%.12g,\"rounded\":%.6g,\"lower_bound\":%."
          "10g,"
          "\"status\":\"%s\",\"iterations\":%llu,\"seconds\":%.2f,\"seconds_to_best\":%.3f,\"relaxation_s\":%.3f,"
          "\"reduction_s\":%.3f,"
          "\"starts_s\":%.3f",
          name.c_str(), seed, design.ripple, design.continuous_ripple, design.rounded_ripple, design.lower_bound,
          solve_status_name(design.search.status), static_cast<unsigned long long>(design.search.iterations),
          control.seconds(), times.back(), design.search.seconds.relaxation, design.search.seconds.reduction,
          design.search.seconds.starts);
      if (settings.coefficients) {
        std::printf(",\"half\":[");
        const std::size_t centre = design.coefficients.size() / 2;
        for (std::size_t k = 0; k <= centre; ++k) std::printf("%s%d", k ? "," : "", design.coefficients[centre + k]);
        std::printf("]");
      }
      std::printf("}\n");
      std::fflush(stdout);
    }
    print_summary("fir_summary", name, values, times);
  }
}

void hadamard(const Settings& settings) {
  for (const std::string& name : settings.names) {
    const std::size_t n = std::size_t{1} << std::atoi(name.c_str());
    std::vector<double> matrix(n * n), zeros(n, 0.0);
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t i = 0; i < n; ++i) matrix[i + j * n] = std::popcount(i & j) % 2 == 0 ? 1 : -1;
    }
    ProblemDescription description;
    description.matrix = MatrixView<const double>::column_major(matrix.data(), n, n);
    description.lower = description.upper = zeros;
    description.levels = UniformLevels{-1, 2, 2};
    const Problem problem = Problem::create(description);
    std::vector<double> values, times;
    for (int seed = settings.first_seed; seed < settings.first_seed + settings.seeds; ++seed) {
      RunControl control(1, settings.seconds);
      const SolveResult result = solve(problem, options_of(settings, seed), control);
      values.push_back(result.objective);
      times.push_back(result.trace.back().seconds);
    }
    print_summary("hadamard_summary", name, values, times);
  }
}

/// Proofs from the first good coefficients and from the worst ones.
void exact(const Settings& settings) {
  for (const std::string& name : settings.names) {
    const Problem problem = make_fir_problem(filter(name));
    RunControl control(1, settings.seconds);
    ExactOptions options;
    options.search_iterations = 20'000;
    const ExactResult found = solve_exact(problem, options, control);
    RunControl again(1, settings.seconds);
    ExactResult plain;
    enumerate_from(problem, std::vector<std::int32_t>(problem.variables(), 0), options.gap, plain, again);
    std::printf("%-8s %.10g %s, nodes %llu, search %.3f s, proof %.3f s; from the worst coefficients %.10g %s %.3f s\n",
                name.c_str(), found.objective, found.proven ? "proven" : "open",
                static_cast<unsigned long long>(found.nodes), found.seconds.search, found.seconds.proof,
                plain.objective, plain.proven ? "proven" : "open", again.seconds());
  }
}

/// All single changes of a 0/1 image of 128 x 128 pixels seen from 64 angles, by its entries and densified.
void sparse() {
  std::vector<double> angles(64);
  for (std::size_t a = 0; a < angles.size(); ++a) angles[a] = static_cast<double>(a) * 3.14159265358979323846 / 64;
  const SparseColumnsData data = joseph_projector({128, 128, angles}, 1e12);
  const std::vector<double> b(data.rows, 20.0);
  ProblemDescription description;
  description.matrix = SparseColumns{data.rows, data.columns, data.column_pointers, data.row_indices, data.values};
  description.lower = description.upper = b;
  description.levels = UniformLevels{0, 1, 2};
  const Problem entries = Problem::create(description);
  std::vector<double> full(data.rows * data.columns, 0.0);
  for (std::size_t j = 0; j < data.columns; ++j) {
    entries.matrix().for_each(j, [&](std::size_t i, double value) { full[i + j * data.rows] = value; });
  }
  description.matrix = MatrixView<const double>::column_major(full.data(), data.rows, data.columns);
  const Problem dense = Problem::create(description);
  std::vector<std::int32_t> indices(data.columns);
  for (std::size_t j = 0; j < data.columns; ++j) indices[j] = j * 7919 % 5 < 2 ? 1 : 0;
  std::vector<double> out(2 * data.columns);
  double least[2], median[2];
  time_calls(
      9, [&] { one_flip_table(entries, indices, 1, out); }, least[0], median[0]);
  time_calls(
      9, [&] { one_flip_table(dense, indices, 1, out); }, least[1], median[1]);
  std::printf("sparse %.2f ms, %.1f MB; dense %.2f ms, %.1f MB: %.1f times the time, %.1f times the memory\n",
              1e3 * least[0], 12e-6 * static_cast<double>(data.values.size()), 1e3 * least[1],
              8e-6 * static_cast<double>(full.size()), least[1] / least[0],
              8 * static_cast<double>(full.size()) / (12 * static_cast<double>(data.values.size())));
}

}  // namespace

int main(int count, char** arguments) {
  Settings settings;
  const std::string command = count > 1 ? arguments[1] : "";
  for (int k = 2; k < count; ++k) {
    const std::string word = arguments[k];
    const char* value = k + 1 < count ? arguments[k + 1] : "";
    if (word.rfind("--", 0) != 0) {
      settings.names.push_back(word);
      continue;
    }
    if (word == "--coefficients") {
      settings.coefficients = true;
      continue;
    }
    ++k;
    if (word == "--seconds") settings.seconds = std::atof(value);
    if (word == "--seeds") settings.seeds = std::atoi(value);
    if (word == "--first-seed") settings.first_seed = std::atoi(value);
    if (word == "--iterations") settings.iterations = std::strtoull(value, nullptr, 10);
    if (word == "--moves") settings.moves = std::atoi(value);
    if (word == "--eta") settings.eta = std::atof(value);
    if (word == "--decay") settings.decay = std::atof(value);
    if (word == "--tabu") settings.tabu = static_cast<std::uint32_t>(std::atoi(value));
    if (word == "--engine") {
      settings.engine = std::strcmp(value, "annealing") == 0 ? Engine::norm_annealing
                        : std::strcmp(value, "target") == 0  ? Engine::target_search
                                                             : Engine::automatic;
    }
  }
  try {
    if (command == "kernels") {
      kernels();
    } else if (command == "fir") {
      filters(settings);
    } else if (command == "hadamard") {
      hadamard(settings);
    } else if (command == "exact") {
      exact(settings);
    } else if (command == "sparse") {
      sparse();
    } else {
      std::fprintf(stderr,
                   "usage: dd_bench_dmmv kernels | sparse | fir NAME... | exact NAME... | hadamard M... [--seconds S]"
                   " [--seeds N]\n");
      return 2;
    }
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
