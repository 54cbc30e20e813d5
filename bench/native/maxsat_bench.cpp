// A sequential sweep with sampling over random 3-SAT (specs/polystep.md, section 11.4), one JSON object per size: what
// scoring and replacing cost by themselves, without an optimizer's bookkeeping.
//
//   dd_bench_maxsat [--sizes=1000,100000,1000000] [--sweeps=334] [--threads=1] [--isa=avx2] [--steps=20]
//
// --steps: instead, whole steps of the optimizer beside the random access they cannot do without, the count of every
// clause of every variable read once: medians of so many, taken in turn.
//
// Blocks of two variables, box 0.7, probe distance and step 1, temperature geometric from 1 to 0.1. One thread goes
// through the blocks in order; several take the blocks of a colour side by side. Angles and draws are made before each
// sweep and are not timed.
#include <time.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/isa.hpp"
#include "core/philox.hpp"
#include "core/run_control.hpp"
#include "core/thread_pool.hpp"
#include "options.hpp"
#include "polystep/engine.hpp"
#include "polystep/objectives/maxsat.hpp"

namespace dd::bench {
namespace {

struct Options {
  std::vector<std::size_t> sizes{1000, 100000, 1000000};
  std::size_t sweeps = 0;  ///< 334, or 84 from a million variables on
  std::size_t threads = 1;
  std::size_t steps = 0;  ///< whole steps beside random access
};

double now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

constexpr float box = 0.7f;

struct Block {
  float cosine, sine, uniform;
};

/// One block: four probes at distance 1, one drawn by exp(-cost / temperature), taken over.
void step_block(polystep::Evaluator<float>& evaluator, std::vector<float>& x, std::size_t block, const Block& random,
                float inverse_temperature) {
  const std::size_t first = 2 * block, width = std::min<std::size_t>(2, x.size() - first);
  const std::array<float, 8> probes{x[first] + random.cosine, (width == 2 ? x[first + 1] : 0) + random.sine,
                                    x[first] - random.sine,   (width == 2 ? x[first + 1] : 0) + random.cosine,
                                    x[first] - random.cosine, (width == 2 ? x[first + 1] : 0) - random.sine,
                                    x[first] + random.sine,   (width == 2 ? x[first + 1] : 0) - random.cosine};
  std::array<double, 4> costs{};
  evaluator.evaluate_replacements(first, MatrixView<const float>::row_major(probes.data(), 4, 2), costs);
  const double lowest = std::min(std::min(costs[0], costs[1]), std::min(costs[2], costs[3]));
  std::array<float, 4> weights{};
  float sum = 0;
  for (std::size_t v = 0; v < 4; ++v) {
    const double above = costs[v] - lowest;
    weights[v] = above == 0 ? 1.0f : std::exp(-static_cast<float>(above) * inverse_temperature);
    sum += weights[v];
  }
  float rest = random.uniform * sum;
  std::size_t chosen = 0;
  while (chosen < 3 && (rest -= weights[chosen]) >= 0) ++chosen;
  std::array<float, 2> taken{};
  for (std::size_t j = 0; j < width; ++j) {
    taken[j] = std::clamp(probes[2 * chosen + j], -box, box);
    x[first + j] = taken[j];
  }
  evaluator.replace(first, {taken.data(), width});
}

void run(std::size_t variables, const Options& options) {
  const auto clauses = static_cast<std::size_t>(4.27 * static_cast<double>(variables));
  std::vector<std::int32_t> literals(3 * clauses), starts(clauses + 1);
  polystep::random_clauses(variables, 3, 42, options.threads, literals);
  for (std::size_t c = 0; c <= clauses; ++c) starts[c] = static_cast<std::int32_t>(3 * c);
  const double begin = now();
  const polystep::MaxSat problem({variables, literals, starts, {}, polystep::MaxSatCost::count});
  const double built = now() - begin;
  const auto evaluator = problem.float32_evaluator(0);

  const double colouring = now();
  const auto groups = evaluator->blocks_by_colour(2);
  const double coloured = now() - colouring;

  PhiloxStream random(1, 0, 5);
  std::vector<float> x(variables);
  for (float& value : x) value = static_cast<float>(0.2 * random.next_uniform() - 0.1);
  evaluator->set_base(x, options.threads);
  const std::size_t blocks = (variables + 1) / 2;
  const std::size_t sweeps = options.sweeps != 0 ? options.sweeps : variables >= 1000000 ? 84 : 334;
  std::vector<Block> draws(blocks);
  double seconds = 0;
  for (std::size_t sweep = 0; sweep < sweeps; ++sweep) {
    parallel_for(2, blocks, 4096, [&](std::size_t from, std::size_t to) {
      PhiloxStream own(2, static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(sweep));
      for (std::size_t b = from; b < to; ++b) {
        const auto angle = static_cast<float>(2 * std::numbers::pi * own.next_uniform());
        draws[b] = {std::cos(angle), std::sin(angle), static_cast<float>(own.next_uniform())};
      }
    });
    const double fraction = sweeps == 1 ? 0 : static_cast<double>(sweep) / static_cast<double>(sweeps - 1);
    const auto inverse = static_cast<float>(std::pow(10.0, fraction));
    const double start = now();
    if (options.threads == 1) {
      for (std::size_t b = 0; b < blocks; ++b) step_block(*evaluator, x, b, draws[b], inverse);
    } else {
      for (const auto& group : groups) {
        evaluator->begin_colour(1);
        parallel_for(options.threads, group.size(), 2048, [&](std::size_t from, std::size_t to) {
          for (std::size_t i = from; i < to; ++i) step_block(*evaluator, x, group[i], draws[group[i]], inverse);
        });
      }
    }
    seconds += now() - start;
  }
  const double candidates = 4.0 * static_cast<double>(blocks) * static_cast<double>(sweeps);
  std::printf(
      "{\"variables\":%zu,\"clauses\":%zu,\"sweeps\":%zu,\"threads\":%zu,\"isa\":\"%s\",\"seconds\":%.3f,"
      "\"microsecondsPerCandidate\":%.4f,\"satisfied\":%.5f,\"buildSeconds\":%.3f,\"colourSeconds\":%.3f,"
      "\"colours\":%zu}\n",
      variables, clauses, sweeps, options.threads, isa_name(active_isa()), seconds, 1e6 * seconds / candidates,
      1 - evaluator->base_loss() / static_cast<double>(clauses), built, coloured, groups.size());
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// One thread's reads of counts[clause] for all occurrences in order of variables, as fast as plain code does them.
std::uint64_t read_counts(const polystep::MaxSat& problem, const std::vector<std::uint8_t>& counts) {
  const std::uint32_t* const occurrences = problem.occurrence_data();
  const std::size_t count = problem.occurrence_starts()[problem.variables()];
  std::uint64_t sums[4]{};
  std::size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    for (std::size_t k = 0; k < 4; ++k) sums[k] += counts[occurrences[i + k] >> 1];
  }
  for (; i < count; ++i) sums[0] += counts[occurrences[i] >> 1];
  return sums[0] + sums[1] + sums[2] + sums[3];
}

void run_steps(std::size_t variables, const Options& options) {
  const auto clauses = static_cast<std::size_t>(4.27 * static_cast<double>(variables));
  std::vector<std::int32_t> literals(3 * clauses), starts(clauses + 1);
  polystep::random_clauses(variables, 3, 42, options.threads, literals);
  for (std::size_t c = 0; c <= clauses; ++c) starts[c] = static_cast<std::int32_t>(3 * c);
  const polystep::MaxSat problem({variables, literals, starts, {}, polystep::MaxSatCost::count});
  PhiloxStream random(1, 0, 5);
  std::vector<float> x(variables);
  for (float& value : x) value = static_cast<float>(0.2 * random.next_uniform() - 0.1);
  std::vector<std::uint8_t> counts(clauses);
  for (std::uint8_t& value : counts) value = static_cast<std::uint8_t>(random.next_below(4));
  for (const bool sequential : {false, true}) {
    polystep::EngineOptions engine_options;
    engine_options.dimension = variables;
    if (sequential) {
      engine_options.sequential = true;
      engine_options.rule = polystep::Rule::sample;
      engine_options.scale = polystep::CostScale::none;
      engine_options.lower.assign(variables, -box);
      engine_options.upper.assign(variables, box);
    }
    polystep::Engine<float> engine(engine_options, x, nullptr);
    const auto evaluator = problem.float32_evaluator(0);
    RunControl control(options.threads);
    std::vector<double> steps, reads;
    std::uint64_t sum = 0;
    for (std::size_t step = 0; step < options.steps + 2; ++step) {
      std::vector<polystep::StepMetrics> metrics;
      const polystep::StepParameters parameters{0.5, 1, 2};
      const double begin = now();
      engine.run(*evaluator, {&parameters, 1}, 1e18, metrics, control);
      const double stepped = now();
      sum += read_counts(problem, counts);
      const double read = now();
      if (step < 2) continue;
      steps.push_back(stepped - begin);
      reads.push_back(read - stepped);
    }
    std::printf(
        "{\"variables\":%zu,\"threads\":%zu,\"update\":\"%s\",\"millisecondsPerStep\":%.3f,\"millisecondsOfReads\":%."
        "3f,"
        "\"share\":%.3f,\"checksum\":%llu}\n",
        variables, options.threads, sequential ? "sequential" : "jacobi", 1e3 * median(steps), 1e3 * median(reads),
        median(reads) / median(steps), static_cast<unsigned long long>(sum));
  }
}

Options parse(int count, char** arguments) {
  Options options;
  read_options(count, arguments, [&](const std::string& name, const std::string& value) {
    if (name == "--sizes") {
      options.sizes = numbers(value);
    } else if (name == "--sweeps") {
      options.sweeps = std::stoull(value);
    } else if (name == "--threads") {
      options.threads = std::stoull(value);
    } else if (name == "--steps") {
      options.steps = std::stoull(value);
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
    for (const std::size_t size : options.sizes) {
      if (options.steps > 0) {
        dd::bench::run_steps(size, options);
      } else {
        dd::bench::run(size, options);
      }
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
  return 0;
}
