// Reads arguments of dmmv, calls it, converts results; no loop over data but conversions.
#include "addon/dmmv.hpp"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "addon/arguments.hpp"
#include "addon/edge.hpp"
#include "addon/handle.hpp"
#include "addon/job.hpp"
#include "dmmv/bound.hpp"
#include "dmmv/evaluate.hpp"
#include "dmmv/fir.hpp"
#include "dmmv/problem.hpp"
#include "dmmv/solve.hpp"

namespace dd::addon {
namespace {

using dmmv::Problem;

/// A matrix argument: keeps the float64 copy of float32 data alive while the description is in use.
class MatrixArgument {
 public:
  explicit MatrixArgument(const Napi::Object& matrix) {
    const std::size_t rows = size(matrix.Get("rows"), "matrix.rows");
    const std::size_t columns = size(matrix.Get("columns"), "matrix.columns");
    if (text(matrix.Get("kind"), "matrix.kind") == "sparse") {
      description_ = dmmv::SparseColumns{
          rows, columns, typed_array<std::int32_t>(matrix.Get("columnPointers"), "matrix.columnPointers", columns + 1),
          typed_array<std::int32_t>(matrix.Get("rowIndices"), "matrix.rowIndices"),
          typed_array<double>(matrix.Get("values"), "matrix.values")};
      return;
    }
    const Napi::Value data = matrix.Get("data");
    const double* elements = nullptr;
    if (data.IsTypedArray() && data.As<Napi::TypedArray>().TypedArrayType() == napi_float32_array) {
      const auto single = typed_array<float>(data, "matrix.data", rows * columns);
      converted_.assign(single.begin(), single.end());
      elements = converted_.data();
    } else {
      elements = typed_array<double>(data, "matrix.data", rows * columns).data();
    }
    description_ = text(matrix.Get("order"), "matrix.order") == "row"
                       ? MatrixView<const double>::row_major(elements, rows, columns)
                       : MatrixView<const double>::column_major(elements, rows, columns);
  }
  const dmmv::MatrixDescription& description() const noexcept { return description_; }

 private:
  std::vector<double> converted_;
  dmmv::MatrixDescription description_;
};

/// Levels in one of the three forms of lib/dmmv/problem.ts: { shared }, { values, starts } or { offset, step, count }.
class LevelsArgument {
 public:
  explicit LevelsArgument(const Napi::Object& levels) {
    if (levels.Has("shared")) {
      description_ = dmmv::SharedLevels{typed_array<double>(levels.Get("shared"), "levels")};
    } else if (levels.Has("starts")) {
      const auto starts = typed_array<double>(levels.Get("starts"), "levels.starts");
      starts_.assign(starts.begin(), starts.end());
      description_ = dmmv::OwnLevels{typed_array<double>(levels.Get("values"), "levels.values"), starts_};
    } else {
      description_ =
          dmmv::UniformLevels{number(levels.Get("offset"), "levels.offset"), number(levels.Get("step"), "levels.step"),
                              static_cast<std::int64_t>(size(levels.Get("count"), "levels.count"))};
    }
  }
  const dmmv::LevelDescription& description() const noexcept { return description_; }

 private:
  std::vector<std::size_t> starts_;
  dmmv::LevelDescription description_;
};

std::size_t bytes_of(const Problem& problem) {
  return problem.matrix().stored_entries() * sizeof(double) + problem.rows() * 3 * sizeof(double);
}

Napi::Value create_problem(const Napi::CallbackInfo& info) {
  const Napi::Object options = object(info[0], "options");
  const MatrixArgument matrix(object(options.Get("matrix"), "matrix"));
  const LevelsArgument levels(object(options.Get("levels"), "levels"));
  dmmv::ProblemDescription description;
  description.matrix = matrix.description();
  description.lower = typed_array<double>(options.Get("lower"), "lower");
  description.upper = typed_array<double>(options.Get("upper"), "upper");
  if (const Napi::Value weights = options.Get("weights"); !weights.IsUndefined()) {
    description.weights = typed_array<double>(weights, "weights");
  }
  description.levels = levels.description();
  std::unique_ptr<MatrixArgument> soft_matrix;
  if (const Napi::Value value = options.Get("softRows"); !value.IsUndefined()) {
    const Napi::Object soft = object(value, "softRows");
    soft_matrix = std::make_unique<MatrixArgument>(object(soft.Get("matrix"), "softRows.matrix"));
    description.soft_rows =
        dmmv::SoftRowsDescription{soft_matrix->description(), typed_array<double>(soft.Get("lower"), "softRows.lower"),
                                  typed_array<double>(soft.Get("upper"), "softRows.upper"),
                                  typed_array<double>(soft.Get("multipliers"), "softRows.multipliers")};
  }
  auto problem = std::make_shared<const Problem>(Problem::create(description));
  const std::size_t bytes = bytes_of(*problem);
  return make_handle<Problem>(info.Env(), std::move(problem), bytes);
}

Napi::Value dispose_problem(const Napi::CallbackInfo& info) {
  handle_of<Problem>(info[0], "problem").release(info.Env());
  return info.Env().Undefined();
}

Napi::Value evaluate(const Napi::CallbackInfo& info) {
  const auto problem = object_of<Problem>(info[0], "problem");
  const dmmv::Evaluation evaluation = dmmv::evaluate(*problem, typed_array<std::int32_t>(info[1], "indices"));
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("objective", evaluation.objective);
  result.Set("activities", copy_to_typed_array<double>(info.Env(), evaluation.activities));
  result.Set("violations", copy_to_typed_array<double>(info.Env(), evaluation.violations));
  result.Set("worstRow", static_cast<double>(evaluation.worst_row));
  result.Set("softPenalty", evaluation.soft_penalty);
  return result;
}

Napi::Value one_flip_table(const Napi::CallbackInfo& info) {
  const auto problem = object_of<Problem>(info[0], "problem");
  const auto indices = typed_array<std::int32_t>(info[1], "indices");
  problem->check_indices(indices, "indices");
  auto table = Napi::Float64Array::New(info.Env(), problem->levels().total());
  dmmv::one_flip_table(*problem, indices, size(info[2], "threads"), {table.Data(), table.ElementLength()});
  return table;
}

Napi::Value check_certificate(const Napi::CallbackInfo& info) {
  const auto problem = object_of<Problem>(info[0], "problem");
  return Napi::Number::New(info.Env(), dmmv::check_certificate(*problem, typed_array<double>(info[1], "multipliers")));
}

Napi::Value nearest_levels(const Napi::CallbackInfo& info) {
  const auto problem = object_of<Problem>(info[0], "problem");
  return copy_to_typed_array<std::int32_t>(info.Env(),
                                           dmmv::nearest_levels(*problem, typed_array<double>(info[1], "point")));
}

Napi::Value level_values(const Napi::CallbackInfo& info) {
  const auto problem = object_of<Problem>(info[0], "problem");
  const auto indices = typed_array<std::int32_t>(info[1], "indices");
  problem->check_indices(indices, "indices");
  return copy_to_typed_array<double>(info.Env(), dmmv::level_values(*problem, indices));
}

class LowerBound final : public Computation {
 public:
  LowerBound(std::shared_ptr<const Problem> problem, const dmmv::LinearRelaxationOptions& options, double memory_limit)
      : problem_(std::move(problem)), options_(options), memory_limit_(memory_limit) {}

  void run(RunControl& control) override {
    control.limit_memory(memory_limit_);
    relaxation_ = dmmv::lower_bound(*problem_, options_, control);
  }
  Napi::Value result(Napi::Env env) override {
    Napi::Object object = Napi::Object::New(env);
    object.Set("bound", relaxation_.bound);
    object.Set("useful", relaxation_.useful);
    object.Set("source", dmmv::bound_source_name(relaxation_.source));
    object.Set("converged", relaxation_.converged);
    object.Set("multipliers", copy_to_typed_array<double>(env, relaxation_.multipliers));
    object.Set("point", copy_to_typed_array<double>(env, relaxation_.point));
    object.Set("iterations", static_cast<double>(relaxation_.iterations));
    return object;
  }

 private:
  std::shared_ptr<const Problem> problem_;
  dmmv::LinearRelaxationOptions options_;
  double memory_limit_;
  dmmv::LinearRelaxation relaxation_;
};

Napi::Value lower_bound(const Napi::CallbackInfo& info) {
  const Napi::Object given = object(info[1], "options");
  dmmv::LinearRelaxationOptions options;
  options.method = static_cast<dmmv::RelaxationMethod>(size(given.Get("method"), "method"));
  options.tolerance = number(given.Get("tolerance"), "tolerance");
  options.iteration_limit = size(given.Get("maxIterations"), "maxIterations");
  return run_computation(info[2],
                         std::make_unique<LowerBound>(object_of<Problem>(info[0], "problem"), options,
                                                      number(given.Get("memoryLimitBytes"), "memoryLimitBytes")));
}

/// Search options with the arrays they point to.
struct SearchArguments {
  dmmv::SolveOptions options;
  std::vector<std::int32_t> initial;
  std::vector<double> continuous;
  double memory_limit = 0;

  explicit SearchArguments(const Napi::Object& given) {
    if (const Napi::Value value = given.Get("initial"); !value.IsUndefined()) {
      const auto indices = typed_array<std::int32_t>(value, "initial");
      initial.assign(indices.begin(), indices.end());
      options.initial = initial;
    }
    if (const Napi::Value value = given.Get("continuous"); !value.IsUndefined()) {
      const auto point = typed_array<double>(value, "continuous");
      continuous.assign(point.begin(), point.end());
      options.continuous = continuous;
    }
    options.engine = static_cast<dmmv::Engine>(size(given.Get("engine"), "engine"));
    options.moves = static_cast<dmmv::Moves>(size(given.Get("moves"), "moves"));
    options.eta = number(given.Get("eta"), "eta");
    options.decay = number(given.Get("decay"), "decay");
    options.tabu = static_cast<std::uint32_t>(size(given.Get("tabu"), "tabu"));
    options.seed = size(given.Get("seed"), "seed");
    options.target = number(given.Get("target"), "target");
    options.iteration_limit = size(given.Get("maxIterations"), "maxIterations");
    if (const Napi::Value value = given.Get("l2Guard"); !value.IsUndefined()) {
      options.l2_guard = number(value, "l2Guard");
    }
    options.bound = static_cast<dmmv::BoundRequest>(size(given.Get("bound"), "bound"));
    memory_limit = number(given.Get("memoryLimitBytes"), "memoryLimitBytes");
  }
  SearchArguments(const SearchArguments&) = delete;
  SearchArguments& operator=(const SearchArguments&) = delete;
};

Napi::Object search_object(Napi::Env env, const dmmv::SolveResult& found) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("indices", copy_to_typed_array<std::int32_t>(env, found.indices));
  object.Set("objective", found.objective);
  object.Set("softPenalty", found.soft_penalty);
  object.Set("lowerBound", found.lower_bound);
  object.Set("gap", found.gap);
  object.Set("multipliers",
             found.multipliers.empty() ? env.Null() : copy_to_typed_array<double>(env, found.multipliers));
  object.Set("continuous", found.continuous.empty() ? env.Null() : copy_to_typed_array<double>(env, found.continuous));
  object.Set("status", dmmv::solve_status_name(found.status));
  object.Set("iterations", static_cast<double>(found.iterations));
  object.Set("evaluations", static_cast<double>(found.evaluations));
  Napi::Object seconds = Napi::Object::New(env);
  seconds.Set("relaxation", found.seconds.relaxation);
  seconds.Set("reduction", found.seconds.reduction);
  seconds.Set("starts", found.seconds.starts);
  seconds.Set("search", found.seconds.search);
  object.Set("seconds", seconds);
  Napi::Array trace = Napi::Array::New(env, found.trace.size());
  for (std::uint32_t i = 0; i < found.trace.size(); ++i) {
    Napi::Object step = Napi::Object::New(env);
    step.Set("objective", found.trace[i].objective);
    step.Set("iterations", static_cast<double>(found.trace[i].iterations));
    step.Set("seconds", found.trace[i].seconds);
    trace.Set(i, step);
  }
  object.Set("trace", trace);
  return object;
}

Napi::Value indices_from_bytes(Napi::Env env, std::span<const std::byte> state) {
  return copy_to_typed_array<std::int32_t>(
      env, {reinterpret_cast<const std::int32_t*>(state.data()), state.size() / sizeof(std::int32_t)});
}

class Solve final : public Computation {
 public:
  Solve(std::shared_ptr<const Problem> problem, const Napi::Object& options)
      : problem_(std::move(problem)), search_(options) {}

  void run(RunControl& control) override {
    control.limit_memory(search_.memory_limit);
    found_ = dmmv::solve(*problem_, search_.options, control);
  }
  Napi::Value result(Napi::Env env) override {
    Napi::Object object = search_object(env, found_);
    object.Set("values", copy_to_typed_array<double>(env, dmmv::level_values(*problem_, found_.indices)));
    return object;
  }
  Napi::Value best(Napi::Env env, std::span<const std::byte> state) override { return indices_from_bytes(env, state); }

 private:
  std::shared_ptr<const Problem> problem_;
  SearchArguments search_;
  dmmv::SolveResult found_;
};

Napi::Value solve(const Napi::CallbackInfo& info) {
  return run_computation(info[2],
                         std::make_unique<Solve>(object_of<Problem>(info[0], "problem"), object(info[1], "options")));
}

dmmv::FirType fir_type(const Napi::Value& value) {
  const std::size_t type = size(value, "type");
  if (type < 1 || type > 4) throw_type("type", "1 to 4");
  return static_cast<dmmv::FirType>(type);
}

dmmv::FirSpecification fir_specification(const Napi::Object& given) {
  dmmv::FirSpecification specification;
  specification.taps = static_cast<std::int32_t>(size(given.Get("taps"), "taps"));
  specification.word_length = static_cast<std::int32_t>(size(given.Get("wordLength"), "wordLength"));
  specification.grid_density = number(given.Get("gridDensity"), "gridDensity");
  const Napi::Array bands = given.Get("bands").As<Napi::Array>();
  for (std::uint32_t i = 0; i < bands.Length(); ++i) {
    const Napi::Object band = object(bands.Get(i), "bands");
    specification.bands.push_back({number(band.Get("from"), "from"), number(band.Get("to"), "to"),
                                   number(band.Get("gain"), "gain"), number(band.Get("weight"), "weight"),
                                   number(band.Get("slope"), "slope")});
  }
  specification.type = fir_type(given.Get("type"));
  const auto zeros = typed_array<std::int32_t>(given.Get("zeroTaps"), "zeroTaps");
  specification.zero_taps.assign(zeros.begin(), zeros.end());
  specification.zero_tap_count = static_cast<std::int32_t>(size(given.Get("zeroTapCount"), "zeroTaps"));
  specification.max_signed_powers = static_cast<std::int32_t>(size(given.Get("maxSignedPowers"), "maxSignedPowers"));
  if (const Napi::Value range = given.Get("gainRange"); !range.IsUndefined()) {
    const Napi::Object limits = object(range, "gainRange");
    specification.gain_range = {number(limits.Get("min"), "gainRange.min"), number(limits.Get("max"), "gainRange.max")};
  }
  return specification;
}

class DesignFir final : public Computation {
 public:
  DesignFir(dmmv::FirSpecification specification, const Napi::Object& options)
      : specification_(std::move(specification)), search_(options) {
    dmmv::check_specification(specification_);
  }

  void run(RunControl& control) override {
    control.limit_memory(search_.memory_limit);
    design_ = dmmv::design_fir(specification_, search_.options, control);
  }
  Napi::Value result(Napi::Env env) override {
    Napi::Object object = search_object(env, design_.search);
    object.Set("coefficients", copy_to_typed_array<std::int32_t>(env, design_.coefficients));
    object.Set("gainFactor", design_.gain_factor);
    object.Set("ripple", design_.ripple);
    object.Set("continuousRipple", design_.continuous_ripple);
    object.Set("unquantisedRipple", design_.unquantised_ripple);
    object.Set("unquantised", copy_to_typed_array<double>(env, design_.unquantised));
    object.Set("rounded", copy_to_typed_array<std::int32_t>(env, design_.rounded));
    object.Set("roundedRipple", design_.rounded_ripple);
    object.Set("lowerBound", design_.lower_bound);
    return object;
  }
  Napi::Value best(Napi::Env env, std::span<const std::byte> state) override { return indices_from_bytes(env, state); }

 private:
  dmmv::FirSpecification specification_;
  SearchArguments search_;
  dmmv::FirDesign design_;
};

Napi::Value design_fir(const Napi::CallbackInfo& info) {
  return run_computation(
      info[2], std::make_unique<DesignFir>(fir_specification(object(info[0], "options")), object(info[1], "search")));
}

/// (half response in units of the last bit, type, word length, frequencies) -> response at each frequency.
Napi::Value fir_response(const Napi::CallbackInfo& info) {
  const auto half = typed_array<double>(info[0], "half");
  const dmmv::FirType type = fir_type(info[1]);
  const auto word_length = static_cast<std::int32_t>(size(info[2], "wordLength"));
  const auto frequencies = typed_array<double>(info[3], "frequencies");
  auto response = Napi::Float64Array::New(info.Env(), frequencies.size());
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    response[i] = dmmv::fir_response(half, type, word_length, frequencies[i]);
  }
  return response;
}

}  // namespace

void export_dmmv(Napi::Object exports) {
  Napi::Object room = Napi::Object::New(exports.Env());
  export_function<create_problem>(room, "createProblem");
  export_function<dispose_problem>(room, "disposeProblem");
  export_function<evaluate>(room, "evaluate");
  export_function<one_flip_table>(room, "oneFlipTable");
  export_function<check_certificate>(room, "checkCertificate");
  export_function<nearest_levels>(room, "nearestLevels");
  export_function<level_values>(room, "levelValues");
  export_function<lower_bound>(room, "lowerBound");
  export_function<solve>(room, "solve");
  export_function<design_fir>(room, "designFir");
  export_function<fir_response>(room, "firResponse");
  export_dmmv_exact(room);
  export_dmmv_rounding(room);
  export_dmmv_tomography(room);
  exports.Set("dmmv", room);
}

}  // namespace dd::addon
