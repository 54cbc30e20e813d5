// Optimizers as handles: steps whose losses JavaScript computes, and jobs that take whole steps of a native objective.
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "addon/arguments.hpp"
#include "addon/edge.hpp"
#include "addon/polystep.hpp"
#include "addon/polystep_options.hpp"
#include "addon/polystep_search.hpp"
#include "polystep/engine.hpp"

namespace dd::addon {
namespace {

using namespace dd::polystep;

using Optimizer = EitherSearch<Engine>;
using Held = HeldSearch<Engine>;
template <class Scalar>
using Typed = TypedSearch<Engine, Scalar>;

Optimizer& idle(const Napi::Value& value) { return idle_search<Engine>(value, "optimizer"); }

std::vector<double> numbers(const Napi::Value& value, std::string_view argument) {
  const auto elements = typed_array<double>(value, argument);
  return {elements.begin(), elements.end()};
}

EngineOptions read_options(const Napi::Object& given) {
  EngineOptions o;
  o.mode = given.Get("block").ToBoolean() ? SearchMode::block : SearchMode::population;
  o.dimension = size(given.Get("dimension"), "dimension");
  o.particles = size(given.Get("particles"), "particles");
  o.particle_dimension = size(given.Get("particleDimension"), "particleDimension");
  o.polytope = static_cast<PolytopeKind>(size(given.Get("polytope"), "polytope"));
  o.probes = size(given.Get("probes"), "probes");
  if (o.dimension == 0 || o.particles == 0 || o.particle_dimension == 0 || o.probes == 0) {
    throw_type("options", "positive counts");
  }
  o.at_vertices = given.Get("atVertices").ToBoolean();
  read_assignment(given, o.rule, o.tau, o.k, o.lambda, o.scale, o.divisor);
  o.transport = read_transport(object(given.Get("transport"), "transport"));
  o.warm_start = given.Get("warmStart").ToBoolean();
  o.sequential = given.Get("sequential").ToBoolean();
  read_groups(given, o.groups);
  o.adapt_covariance = given.Get("adaptCovariance").ToBoolean();
  o.lower = numbers(given.Get("lower"), "lower");
  o.upper = numbers(given.Get("upper"), "upper");
  if (o.lower.size() != o.upper.size()) throw_type("upper", "as long as `lower`");
  o.seed = size(given.Get("seed"), "seed");
  o.jitter = number(given.Get("jitter"), "probeRadiusJitter");
  o.momentum = given.Get("momentum").ToBoolean();
  o.momentum_initial = number(given.Get("momentumInitial"), "momentum");
  o.momentum_final = number(given.Get("momentumFinal"), "momentum");
  o.momentum_rate = number(given.Get("momentumRate"), "momentum");
  o.momentum_horizon = size(given.Get("momentumHorizon"), "momentum");
  o.amortize = size(given.Get("amortize"), "amortizeSteps");
  o.amortize_average = number(given.Get("amortizeAverage"), "amortizeAverage");
  o.adaptive_radius = given.Get("adaptiveRadius").ToBoolean();
  o.adaptive_per_particle = given.Get("adaptivePerParticle").ToBoolean();
  o.adaptive_by_mean = given.Get("adaptiveByMean").ToBoolean();
  o.adaptive = read_adaptive(object(given.Get("adaptive"), "adaptiveRadius"));
  o.newton_refinement = given.Get("newtonRefinement").ToBoolean();
  o.trust_region = given.Get("trustRegion").ToBoolean();
  o.biased_rotation = given.Get("biasedRotation").ToBoolean();
  o.absorb_every = size(given.Get("absorbEvery"), "absorbEvery");
  o.redraw_every_step = given.Get("redrawEveryStep").ToBoolean();
  o.screening_keep = number(given.Get("screeningKeep"), "screening.keep");
  o.leading.kind = static_cast<LeadingKind>(size(given.Get("leading"), "subspace.directions"));
  o.leading.share = number(given.Get("leadingShare"), "subspace.directionShare");
  o.leading.steps = size(given.Get("leadingSteps"), "subspace.directionSteps");
  o.patience = size(given.Get("patience"), "patience");
  o.min_delta = number(given.Get("minDelta"), "minDelta");
  o.convergence_threshold = number(given.Get("convergenceThreshold"), "convergence");
  o.convergence_peak = number(given.Get("convergencePeak"), "convergence");
  return o;
}

/// An evaluator that looks at a part of the data, for directions that are screened.
template <class Scalar>
void screen_by(Typed<Scalar>& typed, const Objective* objective, std::uint64_t seed, const Napi::Object& given) {
  const double share = number(given.Get("screeningFidelity"), "screening.fidelity");
  if (objective != nullptr) {
    if constexpr (sizeof(Scalar) == sizeof(float)) {
      typed.screen = objective->float32_screen(seed, share);
    } else {
      typed.screen = objective->float64_screen(seed, share);
    }
  }
  if (typed.screen == nullptr) {
    throw Error(ErrorCode::invalid_argument_value, "screening",
                "`screening` needs an objective with data, of which it looks at a part: a network");
  }
  typed.driver->screen_with(typed.screen.get());
}

template <class Scalar>
void make(Typed<Scalar>& typed, const EngineOptions& options, const Napi::Object& given, const Napi::Value& x0,
          const Objective* objective) {
  const bool population = options.mode == SearchMode::population;
  const auto start = typed_array<Scalar>(x0, "initial", options.dimension * (population ? options.particles : 1));
  std::unique_ptr<Subspace<Scalar>> subspace;
  if (const Napi::Value chosen = given.Get("subspace"); chosen.IsObject()) {
    subspace = read_subspace<Scalar>(chosen.As<Napi::Object>());
    if (subspace->parameters() != options.dimension) throw_type("subspace", "of as many parameters as `initial`");
  }
  typed.driver = std::make_unique<Engine<Scalar>>(options, start, std::move(subspace));
  typed.evaluate_by(objective, options.dimension, options.seed);
  if (options.screening_keep > 0) screen_by(typed, objective, options.seed, given);
}

/// (options, x0, objective or undefined).
Napi::Value create(const Napi::CallbackInfo& info) {
  const Napi::Object given = object(info[0], "options");
  const EngineOptions options = read_options(given);
  auto held = std::make_shared<Held>();
  Optimizer& optimizer = *held->search;
  if (!info[2].IsUndefined()) optimizer.objective = object_of<Objective>(info[2], "objective");
  if (given.Get("single").ToBoolean()) {
    make(optimizer.single, options, given, info[1], optimizer.objective.get());
  } else {
    make(optimizer.exact, options, given, info[1], optimizer.objective.get());
  }
  const std::size_t bytes = optimizer.with([](auto& typed) { return typed.driver->bytes(); });
  return make_handle<Held>(info.Env(), std::shared_ptr<const Held>(std::move(held)), bytes);
}

Napi::Value dispose(const Napi::CallbackInfo& info) {
  handle_of<Held>(info[0], "optimizer").release(info.Env());
  return info.Env().Undefined();
}

/// -> { particles, rowDimension, vertices, candidates, nextEvaluations, points, step, evaluations, bestValue, stop,
/// confirmations }.
Napi::Value info_of(const Napi::CallbackInfo& info) {
  return idle(info[0]).with([&](auto& typed) -> Napi::Value {
    const auto& engine = *typed.driver;
    Napi::Object object = Napi::Object::New(info.Env());
    object.Set("particles", static_cast<double>(engine.particles()));
    object.Set("rowDimension", static_cast<double>(engine.particle_dimension()));
    object.Set("vertices", static_cast<double>(engine.vertices()));
    object.Set("candidates", static_cast<double>(engine.particles() * engine.candidates_per_particle()));
    object.Set("nextEvaluations", static_cast<double>(engine.next_evaluations()));
    object.Set("points", static_cast<double>(engine.points()));
    object.Set("step", static_cast<double>(engine.step()));
    object.Set("evaluations", engine.evaluations());
    object.Set("bestValue", engine.best_value());
    object.Set("stop", static_cast<double>(engine.stop()));
    object.Set("confirmations", static_cast<double>(engine.confirmations()));
    return object;
  });
}

Napi::Value current(const Napi::CallbackInfo& info) {
  return idle(info[0]).with([&]<class Scalar>(Typed<Scalar>& typed) -> Napi::Value {
    std::vector<Scalar> values(typed.driver->points() * typed.driver->options().dimension);
    typed.driver->current(values.data());
    return copy_to_typed_array<Scalar>(info.Env(), values);
  });
}

/// The best point, of length 0 where nothing was evaluated yet.
Napi::Value best(const Napi::CallbackInfo& info) {
  return idle(info[0]).with([&]<class Scalar>(Typed<Scalar>& typed) -> Napi::Value {
    return copy_to_typed_array<Scalar>(info.Env(), typed.driver->best());
  });
}

/// (optimizer, epsilon, stepRadius, probeRadius, rotations or undefined, threads).
Napi::Value begin(const Napi::CallbackInfo& info) {
  std::span<const double> rotations;
  if (!info[4].IsUndefined()) rotations = typed_array<double>(info[4], "rotations");
  const StepParameters parameters{number(info[1], "epsilon"), number(info[2], "stepRadius"),
                                  number(info[3], "probeRadius")};
  const std::size_t threads = size(info[5], "threads");
  idle(info[0]).with([&](auto& typed) { typed.driver->begin(parameters, rotations, threads); });
  return info.Env().Undefined();
}

template <class Scalar>
std::span<Scalar> room_for(const Napi::Value& view, std::size_t rows, std::size_t width) {
  const auto elements = typed_array<Scalar>(view, "view");
  if (elements.size() < rows * width) throw_type("view", "large enough for the candidates");
  return elements;
}

void require_begun(bool begun) {
  if (!begun) throw Error(ErrorCode::invalid_argument_value, "optimizer", "`optimizer` has no step begun");
}

/// (optimizer, first, count, view, threads, whether only the replaced coordinates).
Napi::Value candidates(const Napi::CallbackInfo& info) {
  const std::size_t first = size(info[1], "first"), count = size(info[2], "count");
  const std::size_t threads = size(info[4], "threads");
  const bool replaced = info[5].ToBoolean();
  idle(info[0]).with([&]<class Scalar>(Typed<Scalar>& typed) {
    Engine<Scalar>& engine = *typed.driver;
    require_begun(engine.begun());
    const std::size_t all = engine.particles() * engine.candidates_per_particle() + (replaced ? 0 : engine.points());
    if (count == 0 || first + count > all) throw_type("count", "within the candidates of the step");
    if (replaced) {
      const auto view = room_for<Scalar>(info[3], count, engine.particle_dimension());
      engine.replacements(first, count, view.data(), threads);
    } else {
      engine.candidates(first, count, room_for<Scalar>(info[3], count, engine.options().dimension).data(), threads);
    }
  });
  return info.Env().Undefined();
}

/// (optimizer, losses, points or undefined, threads) -> metrics.
Napi::Value finish(const Napi::CallbackInfo& info) {
  const auto losses = typed_array<double>(info[1], "costs");
  RunControl control(size(info[3], "threads"));
  return idle(info[0]).with([&]<class Scalar>(Typed<Scalar>& typed) -> Napi::Value {
    Engine<Scalar>& engine = *typed.driver;
    require_begun(engine.begun());
    const std::size_t all = engine.particles() * engine.candidates_per_particle();
    const std::size_t confirmed = engine.options().trust_region ? engine.points() : 0;
    if (losses.size() + confirmed != engine.next_evaluations()) throw_type("costs", "a loss per evaluation");
    std::span<const Scalar> points;
    if (!info[2].IsUndefined()) points = room_for<Scalar>(info[2], all, engine.options().dimension);
    const StepMetrics metrics = engine.finish(losses, points, control);
    return metrics_array(info.Env(), {&metrics, 1});
  });
}

Napi::Value abandon(const Napi::CallbackInfo& info) {
  idle(info[0]).with([](auto& typed) { typed.driver->abandon(); });
  return info.Env().Undefined();
}

/// (optimizer, losses of `current`).
Napi::Value confirm(const Napi::CallbackInfo& info) {
  idle(info[0]).with(
      [&](auto& typed) { typed.driver->confirm(typed_array<double>(info[1], "costs", typed.driver->points())); });
  return info.Env().Undefined();
}

/// (optimizer, losses of `current`): counted as evaluations.
Napi::Value offer(const Napi::CallbackInfo& info) {
  idle(info[0]).with([&](auto& typed) {
    const auto losses = typed_array<double>(info[1], "costs", typed.driver->points());
    typed.driver->count_evaluations(static_cast<double>(losses.size()));
    typed.driver->offer(losses);
  });
  return info.Env().Undefined();
}

/// Steps of a native objective as a job.
class Steps final : public StepsComputation<Engine> {
 public:
  Steps(std::shared_ptr<const Held> held, std::vector<double> parameters, double max_evaluations)
      : StepsComputation(std::move(held)), max_evaluations_(max_evaluations) {
    for (std::size_t i = 0; i + 3 <= parameters.size(); i += 3) {
      parameters_.push_back({parameters[i], parameters[i + 1], parameters[i + 2]});
    }
  }

  void run(RunControl& control) override {
    stop_ = search().with([&](auto& typed) {
      return typed.driver->run(*typed.evaluator, parameters_, max_evaluations_, metrics_, control);
    });
  }

 private:
  std::vector<StepParameters> parameters_;
  double max_evaluations_;
};

/// (optimizer, parameters, maxEvaluations, run).
Napi::Value run(const Napi::CallbackInfo& info) {
  Optimizer& optimizer = idle(info[0]);
  if (optimizer.objective == nullptr) throw_type("objective", "a native objective");
  return run_computation(info[3],
                         std::make_unique<Steps>(object_of<Held>(info[0], "optimizer"), numbers(info[1], "parameters"),
                                                 number(info[2], "maxEvaluations")));
}

/// Scores the iterate with the native objective, as a job.
class Score final : public SearchComputation<Engine> {
 public:
  using SearchComputation::SearchComputation;

  void run(RunControl& control) override {
    search().with([&]<class Scalar>(Typed<Scalar>& typed) {
      Engine<Scalar>& engine = *typed.driver;
      const std::size_t n = engine.options().dimension;
      LargeVector<Scalar> points(engine.points() * n);
      values_.resize(engine.points());
      engine.current(points.data());
      typed.evaluator->begin_step(engine.step(), control.threads());
      typed.evaluator->evaluate(MatrixView<const Scalar>::row_major(points.data(), engine.points(), n), values_);
      engine.count_evaluations(static_cast<double>(values_.size()));
      engine.offer(values_);
    });
  }
  Napi::Value result(Napi::Env env) override {
    search().busy.store(false);
    return copy_to_typed_array<double>(env, values_);
  }

 private:
  std::vector<double> values_;
};

/// (optimizer, run).
Napi::Value score(const Napi::CallbackInfo& info) {
  if (idle(info[0]).objective == nullptr) throw_type("objective", "a native objective");
  return run_computation(info[1], std::make_unique<Score>(object_of<Held>(info[0], "optimizer")));
}

/// (optimizer, number, lower, upper).
Napi::Value restart(const Napi::CallbackInfo& info) {
  const auto lower = typed_array<double>(info[2], "lower"), upper = typed_array<double>(info[3], "upper");
  idle(info[0]).with([&](auto& typed) {
    if (lower.size() != typed.driver->options().dimension || upper.size() != lower.size()) {
      throw_type("restarts", "a box of the candidates' dimension");
    }
    typed.driver->restart(static_cast<std::uint32_t>(size(info[1], "number")), lower, upper);
  });
  return info.Env().Undefined();
}

/// (optimizer, subspace or undefined): absorbs, and goes on in that subspace.
Napi::Value absorb(const Napi::CallbackInfo& info) {
  idle(info[0]).with([&]<class Scalar>(Typed<Scalar>& typed) {
    if (info[1].IsUndefined()) return typed.driver->absorb();
    typed.driver->change_subspace(read_subspace<Scalar>(object(info[1], "subspace")));
  });
  return info.Env().Undefined();
}

Napi::Value save(const Napi::CallbackInfo& info) {
  return idle(info[0]).with([&]<class Scalar>(Typed<Scalar>& typed) -> Napi::Value {
    const Napi::Env env = info.Env();
    const EngineState<Scalar> state = typed.driver->save();
    Napi::Object object = Napi::Object::New(env);
    object.Set("x", copy_to_typed_array<Scalar>(env, state.x));
    object.Set("base", copy_to_typed_array<Scalar>(env, state.base));
    object.Set("velocity", copy_to_typed_array<Scalar>(env, state.velocity));
    object.Set("average", copy_to_typed_array<Scalar>(env, state.average));
    object.Set("direction", copy_to_typed_array<Scalar>(env, state.direction));
    object.Set("best", copy_to_typed_array<Scalar>(env, state.best));
    object.Set("history", copy_to_typed_array<double>(env, state.history));
    object.Set("leading", copy_to_typed_array<double>(env, state.leading));
    object.Set("covariance", copy_to_typed_array<double>(env, state.covariance));
    object.Set("f", copy_to_typed_array<double>(env, state.f));
    object.Set("g", copy_to_typed_array<double>(env, state.g));
    object.Set("particleRadii", copy_to_typed_array<double>(env, state.particle_radii));
    object.Set("counters", copy_to_typed_array<double>(env, state.counters));
    return object;
  });
}

/// (optimizer, what save gave).
Napi::Value load(const Napi::CallbackInfo& info) {
  const Napi::Object given = object(info[1], "checkpoint");
  idle(info[0]).with([&]<class Scalar>(Typed<Scalar>& typed) {
    const auto scalars = [&](const char* name) {
      const auto values = typed_array<Scalar>(given.Get(name), std::string("checkpoint.") + name);
      return LargeVector<Scalar>(values.begin(), values.end());
    };
    EngineState<Scalar> state;
    state.x = scalars("x");
    state.base = scalars("base");
    state.velocity = scalars("velocity");
    state.average = scalars("average");
    state.direction = scalars("direction");
    state.best = scalars("best");
    state.history = numbers(given.Get("history"), "checkpoint.history");
    state.leading = numbers(given.Get("leading"), "checkpoint.leading");
    state.covariance = numbers(given.Get("covariance"), "checkpoint.covariance");
    state.f = numbers(given.Get("f"), "checkpoint.f");
    state.g = numbers(given.Get("g"), "checkpoint.g");
    state.particle_radii = numbers(given.Get("particleRadii"), "checkpoint.particleRadii");
    state.counters = numbers(given.Get("counters"), "checkpoint.counters");
    typed.driver->load(state);
  });
  return info.Env().Undefined();
}

/// (view, elements): a number that changes when anything in them does, as far as 52 bits can tell.
Napi::Value checksum(const Napi::CallbackInfo& info) {
  const std::size_t elements = size(info[1], "count");
  const bool single = info[0].IsTypedArray() && info[0].As<Napi::TypedArray>().TypedArrayType() == napi_float32_array;
  const std::byte* bytes = nullptr;
  std::size_t count = 0;
  if (single) {
    const auto view = room_for<float>(info[0], elements, 1);
    bytes = reinterpret_cast<const std::byte*>(view.data());
    count = elements * sizeof(float);
  } else {
    const auto view = room_for<double>(info[0], elements, 1);
    bytes = reinterpret_cast<const std::byte*>(view.data());
    count = elements * sizeof(double);
  }
  // Sums and sums of sums, four words at a time: order counts, and it runs at the speed of memory.
  std::uint64_t sums[4]{}, orders[4]{};
  std::size_t i = 0;
  for (; i + 32 <= count; i += 32) {
    std::uint64_t words[4];
    std::memcpy(words, bytes + i, 32);
    for (int k = 0; k < 4; ++k) {
      sums[k] += words[k];
      orders[k] += sums[k];
    }
  }
  std::uint64_t hash = count;
  for (; i < count; ++i) hash = hash * 0x100000001b3 ^ static_cast<std::uint64_t>(bytes[i]);
  for (int k = 0; k < 4; ++k) {
    hash = (hash ^ sums[k]) * 0x9e3779b97f4a7c15;
    hash = (hash ^ hash >> 29 ^ orders[k]) * 0xbf58476d1ce4e5b9;
  }
  return Napi::Number::New(info.Env(), static_cast<double>(hash >> 12));
}

/// (view): takes its memory away, so that whoever kept it sees nothing.
Napi::Value detach(const Napi::CallbackInfo& info) {
  if (info[0].IsTypedArray()) detach_typed_array(info[0]);
  return info.Env().Undefined();
}

}  // namespace

void export_polystep_engine(Napi::Object room) {
  export_function<create>(room, "createOptimizer");
  export_function<dispose>(room, "disposeOptimizer");
  export_function<info_of>(room, "info");
  export_function<current>(room, "current");
  export_function<best>(room, "best");
  export_function<begin>(room, "begin");
  export_function<candidates>(room, "candidates");
  export_function<finish>(room, "finish");
  export_function<abandon>(room, "abandon");
  export_function<confirm>(room, "confirm");
  export_function<offer>(room, "offer");
  export_function<run>(room, "run");
  export_function<score>(room, "score");
  export_function<restart>(room, "restart");
  export_function<absorb>(room, "absorb");
  export_function<save>(room, "save");
  export_function<load>(room, "load");
  export_function<checksum>(room, "checksum");
  export_function<detach>(room, "detach");
}

}  // namespace dd::addon
