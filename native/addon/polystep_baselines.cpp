// Searches that polystep is compared with, as handles: steps whose losses JavaScript computes, and jobs that take whole
// steps of a native objective.
#include <memory>
#include <utility>
#include <vector>

#include "addon/arguments.hpp"
#include "addon/edge.hpp"
#include "addon/polystep.hpp"
#include "addon/polystep_objectives.hpp"
#include "addon/polystep_search.hpp"
#include "polystep/baselines/cma_es.hpp"
#include "polystep/baselines/evolution_strategy.hpp"
#include "polystep/baselines/random_search.hpp"
#include "polystep/baselines/search.hpp"
#include "polystep/baselines/two_point.hpp"

namespace dd::addon {
namespace {

using namespace dd::polystep;

/// In the order of nativeMethods in lib/polystep/baselines/native.ts.
enum class Method : std::uint8_t { open_ai_es, cma_es, spsa, me_zo, eggroll, random_search };

using Baseline = EitherSearch<Search>;
using Held = HeldSearch<Search>;
template <class Scalar>
using Typed = TypedSearch<Search, Scalar>;

Baseline& idle(const Napi::Value& value) { return idle_search<Search>(value, "search"); }

/// Options by name; what a method does not have is never asked for.
class Given {
 public:
  explicit Given(const Napi::Object& options) : options_(options) {}

  double real(const char* name) const { return number(options_.Get(name), name); }
  std::size_t count(const char* name) const { return size(options_.Get(name), name); }
  bool flag(const char* name) const { return options_.Get(name).ToBoolean(); }
  std::vector<double> numbers(const char* name) const {
    const auto elements = typed_array<double>(options_.Get(name), name);
    return {elements.begin(), elements.end()};
  }
  /// The number of candidates of a step: at least `least` and a multiple of `unit`.
  std::size_t population(std::size_t least, std::size_t unit) const {
    const std::size_t given = count("population");
    if (given < least || given % unit != 0) throw_type("population", "large enough, and even for mirrored candidates");
    return given;
  }

 private:
  Napi::Object options_;
};

std::unique_ptr<SearchMethod> make_strategy(const Given& given, std::span<const double> x0, Perturbations directions) {
  EvolutionStrategyOptions o;
  o.population = given.population(2, 2);
  o.sigma = given.real("sigma");
  o.sigma_decay = given.real("sigmaDecay");
  o.learning_rate = given.real("learningRate");
  o.learning_rate_decay = given.real("learningRateDecay");
  o.rule = static_cast<DescentRule>(given.count("optimizer"));
  o.scale = static_cast<CostScale>(given.count("scale"));
  o.divisor = given.real("divisor");
  return std::make_unique<EvolutionStrategy>(x0, std::move(directions), o);
}

std::unique_ptr<SearchMethod> make_two_point(const Given& given, std::span<const double> x0, Perturbations directions) {
  TwoPointOptions o;
  o.directions = given.count("directions");
  if (o.directions == 0) throw_type("directions", "at least 1");
  o.learning_rate = given.real("learningRate");
  o.decay = given.real("learningRateDecay");
  o.perturbation = given.real("perturbation");
  o.stability = given.real("stability");
  o.rate_exponent = given.real("learningRateExponent");
  o.distance_exponent = given.real("perturbationExponent");
  return std::make_unique<TwoPoint>(x0, std::move(directions), o);
}

/// Tensors: rows, columns and rank of each.
std::vector<PerturbedTensor> read_tensors(const Given& given, std::size_t dimension) {
  const std::vector<double> numbers = given.numbers("tensors");
  std::vector<PerturbedTensor> tensors;
  std::size_t total = 0;
  for (std::size_t i = 0; i + 3 <= numbers.size(); i += 3) {
    tensors.push_back({static_cast<std::size_t>(numbers[i]), static_cast<std::size_t>(numbers[i + 1]),
                       static_cast<std::size_t>(numbers[i + 2])});
    total += tensors.back().rows * tensors.back().columns;
  }
  if (total != dimension) throw_type("tensors", "tensors of as many numbers as a candidate has");
  return tensors;
}

std::unique_ptr<SearchMethod> make_method(const Given& given, std::span<const double> x0) {
  const std::size_t seed = given.count("seed");
  switch (static_cast<Method>(given.count("method"))) {
    case Method::open_ai_es:
      return make_strategy(given, x0, {seed, Noise::normal, x0.size()});
    case Method::eggroll:
      return make_strategy(given, x0, {seed, Noise::normal, read_tensors(given, x0.size())});
    case Method::spsa:
      return make_two_point(given, x0, {seed, Noise::sign, x0.size()});
    case Method::me_zo:
      return make_two_point(given, x0, {seed, Noise::normal, x0.size()});
    case Method::cma_es: {
      const CmaOptions options{given.population(2, 1), given.real("sigma"), given.flag("separable"),
                               given.flag("active")};
      return std::make_unique<CmaEs>(x0, seed, options);
    }
    case Method::random_search: {
      RandomSearchOptions options{given.population(2, 1), given.real("sigma"), given.real("sigmaDecay"), {}, {}};
      if (given.flag("uniform")) {
        options.lower = given.numbers("lower");
        options.upper = given.numbers("upper");
        if (options.lower.size() != x0.size() || options.upper.size() != x0.size()) throw_type("lower", "a box");
      }
      return std::make_unique<RandomSearch>(x0, seed, std::move(options));
    }
  }
  throw_type("method", "a known method");
}

template <class Scalar>
void make(Typed<Scalar>& typed, const Given& given, const Napi::Value& x0, const Objective* objective) {
  const std::size_t dimension = given.count("dimension");
  if (dimension == 0) throw_type("dimension", "positive");
  const auto start = typed_array<Scalar>(x0, "initial", dimension);
  SearchOptions options{given.numbers("lower"), given.numbers("upper"), given.count("patience"),
                        given.real("minDelta")};
  if (options.lower.size() != options.upper.size() || (!options.lower.empty() && options.lower.size() != dimension)) {
    throw_type("upper", "as long as `lower`");
  }
  typed.driver = std::make_unique<Search<Scalar>>(std::move(options),
                                                  make_method(given, std::vector<double>(start.begin(), start.end())));
  typed.evaluate_by(objective, dimension, given.count("seed"));
}

/// (options, initial, objective or undefined) -> handle.
Napi::Value create(const Napi::CallbackInfo& info) {
  const Given given(object(info[0], "options"));
  auto held = std::make_unique<Held>();
  Baseline& baseline = *held->search;
  if (!info[2].IsUndefined()) baseline.objective = object_of<Objective>(info[2], "objective");
  if (given.flag("single")) {
    make(baseline.single, given, info[1], baseline.objective.get());
  } else {
    make(baseline.exact, given, info[1], baseline.objective.get());
  }
  const std::size_t bytes = given.count("bytes");
  return make_handle<Held>(info.Env(), std::shared_ptr<const Held>(std::move(held)), bytes);
}

Napi::Value dispose(const Napi::CallbackInfo& info) {
  handle_of<Held>(info[0], "search").release(info.Env());
  return info.Env().Undefined();
}

/// -> { candidates, step, evaluations, bestValue, stop }.
Napi::Value info_of(const Napi::CallbackInfo& info) {
  return idle(info[0]).with([&](auto& typed) -> Napi::Value {
    const auto& search = *typed.driver;
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("candidates", static_cast<double>(search.candidates()));
    result.Set("step", static_cast<double>(search.step()));
    result.Set("evaluations", search.evaluations());
    result.Set("bestValue", search.best_value());
    result.Set("stop", static_cast<double>(search.stop()));
    return result;
  });
}

Napi::Value current(const Napi::CallbackInfo& info) {
  return idle(info[0]).with([&]<class Scalar>(Typed<Scalar>& typed) -> Napi::Value {
    std::vector<Scalar> values(typed.driver->dimension());
    typed.driver->current(values);
    return copy_to_typed_array<Scalar>(info.Env(), values);
  });
}

/// The best point, of length 0 where nothing was evaluated yet.
Napi::Value best(const Napi::CallbackInfo& info) {
  return idle(info[0]).with([&]<class Scalar>(Typed<Scalar>& typed) -> Napi::Value {
    return copy_to_typed_array<Scalar>(info.Env(), typed.driver->best());
  });
}

/// (search, first, count, view, threads).
Napi::Value candidates(const Napi::CallbackInfo& info) {
  const std::size_t first = size(info[1], "first"), count = size(info[2], "count");
  idle(info[0]).with([&]<class Scalar>(Typed<Scalar>& typed) {
    const Search<Scalar>& search = *typed.driver;
    if (count == 0 || first + count > search.candidates()) throw_type("count", "within the candidates of the step");
    const auto view = typed_array<Scalar>(info[3], "view");
    if (view.size() < count * search.dimension()) throw_type("view", "large enough for the candidates");
    search.write_candidates(first, count, view.data(), threads_of(info[4]));
  });
  return info.Env().Undefined();
}

/// (search, losses, threads) -> metrics.
Napi::Value finish(const Napi::CallbackInfo& info) {
  return idle(info[0]).with([&](auto& typed) -> Napi::Value {
    const auto losses = typed_array<double>(info[1], "costs", typed.driver->candidates());
    const StepMetrics metrics = typed.driver->finish(losses, threads_of(info[2]));
    return metrics_array(info.Env(), {&metrics, 1});
  });
}

/// (search, loss of `current`).
Napi::Value offer(const Napi::CallbackInfo& info) {
  const double loss = number(info[1], "loss");
  idle(info[0]).with([&](auto& typed) { typed.driver->offer(loss); });
  return info.Env().Undefined();
}

/// Steps of a native objective as a job.
class Steps final : public StepsComputation<Search> {
 public:
  Steps(std::shared_ptr<const Held> held, std::size_t steps, double max_evaluations)
      : StepsComputation(std::move(held)), steps_(steps), max_evaluations_(max_evaluations) {}

  void run(RunControl& control) override {
    stop_ = search().with(
        [&](auto& typed) { return typed.driver->run(*typed.evaluator, steps_, max_evaluations_, metrics_, control); });
  }

 private:
  std::size_t steps_;
  double max_evaluations_;
};

/// (search, steps, maxEvaluations, run).
Napi::Value run(const Napi::CallbackInfo& info) {
  if (idle(info[0]).objective == nullptr) throw_type("objective", "a native objective");
  return run_computation(info[3], std::make_unique<Steps>(object_of<Held>(info[0], "search"), size(info[1], "steps"),
                                                          number(info[2], "maxEvaluations")));
}

/// Scores the iterate with the native objective, as a job.
class Score final : public SearchComputation<Search> {
 public:
  using SearchComputation::SearchComputation;

  void run(RunControl& control) override {
    search().with([&]<class Scalar>(Typed<Scalar>& typed) {
      std::vector<Scalar> point(typed.driver->dimension());
      typed.driver->current(point);
      typed.evaluator->begin_step(typed.driver->step(), control.threads());
      double loss = 0;
      typed.evaluator->evaluate(MatrixView<const Scalar>::row_major(point.data(), 1, point.size()), {&loss, 1});
      typed.driver->offer(loss);
    });
  }
  Napi::Value result(Napi::Env env) override {
    search().busy.store(false);
    return env.Undefined();
  }
};

/// (search, run).
Napi::Value score(const Napi::CallbackInfo& info) {
  if (idle(info[0]).objective == nullptr) throw_type("objective", "a native objective");
  return run_computation(info[1], std::make_unique<Score>(object_of<Held>(info[0], "search")));
}

}  // namespace

void export_polystep_baselines(Napi::Object exports) {
  Napi::Object room = Napi::Object::New(exports.Env());
  export_function<create>(room, "create");
  export_function<dispose>(room, "dispose");
  export_function<info_of>(room, "info");
  export_function<current>(room, "current");
  export_function<best>(room, "best");
  export_function<candidates>(room, "candidates");
  export_function<finish>(room, "finish");
  export_function<offer>(room, "offer");
  export_function<run>(room, "run");
  export_function<score>(room, "score");
  exports.Set("polystepBaselines", room);
}

}  // namespace dd::addon
