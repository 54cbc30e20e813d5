// Reads the arguments of layer quantisation, calls it, converts results.
#include <algorithm>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "addon/arguments.hpp"
#include "addon/edge.hpp"
#include "addon/handle.hpp"
#include "addon/job.hpp"
#include "addon/quantize.hpp"
#include "core/aligned_buffer.hpp"
#include "quantize/hessian.hpp"
#include "quantize/layer.hpp"

namespace dd::addon {
namespace {

/// The last factor of a Hessian as it stands, for layers that share it and for one layer at several rates: runs leave
/// it here, on their own threads.
class FactorSlot {
 public:
  using Factor = std::shared_ptr<const quantize::DampedHessian>;

  Factor find(const quantize::HessianOptions& how) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return factor_ != nullptr && how.damping == how_.damping && how.act_order == how_.act_order ? factor_ : nullptr;
  }
  void keep(const quantize::HessianOptions& how, Factor factor) {
    const std::lock_guard<std::mutex> lock(mutex_);
    how_ = how;
    factor_ = std::move(factor);
  }

 private:
  std::mutex mutex_;
  quantize::HessianOptions how_;
  Factor factor_;
};

/// A Hessian grows in place while JavaScript holds it, by one batch at a time; layers take a copy.
class SharedHessian {
 public:
  explicit SharedHessian(std::size_t columns) : sum_(columns) {}

  std::size_t columns() const noexcept { return sum_.columns(); }
  void add(MatrixView<const float> activations, std::size_t sequences, std::size_t threads) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    sum_.add(activations, sequences, threads);
    slot_ = std::make_shared<FactorSlot>();
  }
  /// Whether they were added.
  bool add(MatrixView<const float> activations, std::size_t sequences, RunControl& control) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!sum_.add(activations, sequences, control)) return false;
    slot_ = std::make_shared<FactorSlot>();
    return true;
  }
  void write(std::span<double> matrix) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    sum_.write(matrix);
  }
  /// Where the factor of the Hessian as it stands is kept.
  std::shared_ptr<FactorSlot> slot() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return slot_;
  }

 private:
  mutable std::mutex mutex_;
  mutable quantize::HessianSum sum_;
  mutable std::shared_ptr<FactorSlot> slot_ = std::make_shared<FactorSlot>();  ///< another after each batch
};

Napi::Value create_hessian(const Napi::CallbackInfo& info) {
  const std::size_t columns = size(info[0], "columns");
  return make_handle<SharedHessian>(info.Env(), std::make_shared<const SharedHessian>(columns),
                                    columns * columns * (2 * sizeof(double) + sizeof(float)));  // with its factor
}

Napi::Value dispose_hessian(const Napi::CallbackInfo& info) {
  handle_of<SharedHessian>(info[0], "hessian").release(info.Env());
  return info.Env().Undefined();
}

MatrixView<const float> activations_of(std::span<const float> values, std::size_t columns) {
  return MatrixView<const float>::row_major(values.data(), columns == 0 ? 0 : values.size() / columns, columns);
}

/// (handle, activations, sequences, threads): adds them.
Napi::Value add_activations(const Napi::CallbackInfo& info) {
  const auto hessian = object_of<SharedHessian>(info[0], "hessian");
  const std::span<const float> values = typed_array<float>(info[1], "activations");
  hessian->add(activations_of(values, hessian->columns()), size(info[2], "sequences"), size(info[3], "threads"));
  return info.Env().Undefined();
}

class AddActivations final : public Computation {
 public:
  AddActivations(std::shared_ptr<const SharedHessian> hessian, std::span<const float> activations,
                 std::size_t sequences)
      : hessian_(std::move(hessian)), activations_(activations.begin(), activations.end()), sequences_(sequences) {}

  void run(RunControl& control) override {
    added_ = hessian_->add(activations_of(activations_, hessian_->columns()), sequences_, control);
  }
  Napi::Value result(Napi::Env env) override { return Napi::Boolean::New(env, added_); }

 private:
  std::shared_ptr<const SharedHessian> hessian_;
  std::vector<float> activations_;
  std::size_t sequences_;
  bool added_ = false;
};

/// (handle, activations, sequences, run): adds a copy of them; true, or false where it was cancelled and added nothing.
Napi::Value add_activations_job(const Napi::CallbackInfo& info) {
  return run_computation(info[3], std::make_unique<AddActivations>(object_of<SharedHessian>(info[0], "hessian"),
                                                                   typed_array<float>(info[1], "activations"),
                                                                   size(info[2], "sequences")));
}

Napi::Value hessian_matrix(const Napi::CallbackInfo& info) {
  const auto hessian = object_of<SharedHessian>(info[0], "hessian");
  auto matrix = Napi::Float64Array::New(info.Env(), hessian->columns() * hessian->columns());
  hessian->write({matrix.Data(), matrix.ElementLength()});
  return matrix;
}

bool flag(const Napi::Object& options, const char* name) {
  const Napi::Value value = options.Get(name);
  if (!value.IsBoolean()) throw_type(name, "true or false");
  return value.As<Napi::Boolean>().Value();
}

template <class Choice>
Choice choice(const Napi::Object& options, const char* name, std::size_t count) {
  const std::size_t value = size(options.Get(name), name);
  if (value >= count) throw_type(name, "a known choice");
  return static_cast<Choice>(value);
}

/// The options but for `levels`, which point into memory of the computation.
quantize::LayerOptions layer_options(const Napi::Object& given) {
  quantize::LayerOptions options;
  options.method = choice<quantize::Method>(given, "method", 3);
  options.allocation = choice<quantize::Allocation>(given, "mode", 4);
  options.budget = choice<quantize::Budget>(given, "budget", 2);
  options.symmetry = choice<quantize::Symmetry>(given, "symmetry", 3);
  options.search = choice<quantize::GridSearch>(given, "search", 3);
  options.average_bits = number(given.Get("averageBits"), "averageBits");
  options.damping = number(given.Get("damping"), "damping");
  options.ternary = flag(given, "ternary");
  options.per_tensor = flag(given, "perTensor");
  options.static_groups = flag(given, "staticGroups");
  options.exact_groups = flag(given, "exactGroups");
  options.allow_tail = flag(given, "allowTail");
  options.act_order = flag(given, "actOrder");
  options.refit = flag(given, "refitScales");
  options.range_fits = size(given.Get("rangeFits"), "rangeFits");
  options.measure_energy = flag(given, "measureEnergy");
  options.group_size = size(given.Get("groupSize"), "groupSize");
  options.block_columns = size(given.Get("blockSize"), "blockSize");
  options.rounds = size(given.Get("rounds"), "rounds");
  options.sweeps = size(given.Get("sweeps"), "sweeps");
  options.max_bits = static_cast<std::uint32_t>(size(given.Get("maxBits"), "maxBits"));
  return options;
}

Napi::Object grid_object(Napi::Env env, const quantize::QuantizedLayer& layer) {
  constexpr const char* names[3][2]{{"range", "ratio"}, {"scale", "zero"}, {"low", "high"}};
  const quantize::CodedGrid& grid = layer.grid;
  const auto kind = static_cast<std::size_t>(grid.kind);
  Napi::Object object = Napi::Object::New(env);
  object.Set("kind", kind == 0 ? "range" : kind == 1 ? "scale" : "ternary");
  object.Set(names[kind][0], copy_to_typed_array<float>(env, grid.first));
  object.Set(names[kind][1], copy_to_typed_array<float>(env, grid.second));
  if (grid.kind == quantize::GridKind::range && grid.groups == 1) return object;
  std::vector<std::int32_t> group(layer.columns);
  for (std::size_t j = 0; j < layer.columns; ++j) group[j] = static_cast<std::int32_t>(grid.group_of(j));
  object.Set("groups", static_cast<double>(grid.groups));
  object.Set("groupOfColumn", copy_to_typed_array<std::int32_t>(env, group));
  return object;
}

class QuantizeLayer final : public Computation {
 public:
  /// Copies all it reads: arrays may change or be transferred while it runs.
  QuantizeLayer(const Napi::Object& layer, const Napi::Object& options) : options_(layer_options(options)) {
    rows_ = size(layer.Get("rows"), "rows");
    columns_ = size(layer.Get("columns"), "columns");
    const auto weights = typed_array<float>(layer.Get("weights"), "weights", rows_ * columns_);
    weights_ = AlignedBuffer<float>(weights.size());
    std::copy(weights.begin(), weights.end(), weights_.begin());
    if (const Napi::Value levels = options.Get("levels"); !levels.IsUndefined()) {
      const auto given = typed_array<std::int32_t>(levels, "levels");
      for (const std::int32_t count : given) levels_.push_back(static_cast<std::uint32_t>(std::max(count, 0)));
      options_.levels = levels_;
    }
    const Napi::Value hessian = layer.Get("hessian"), activations = layer.Get("activations");
    quantize::check_layer(weights_view(), !hessian.IsUndefined() || !activations.IsUndefined(), options_);
    if (!hessian.IsUndefined()) {
      const auto shared = object_of<SharedHessian>(hessian, "hessian");
      if (shared->columns() != columns_) {
        throw Error(
            ErrorCode::shape_mismatch, "hessian",
            "`hessian` must have " + std::to_string(columns_) + " columns, got " + std::to_string(shared->columns()));
      }
      slot_ = shared->slot();
      factor_ = slot_->find(quantize::hessian_options(options_, 1));
      if (factor_ == nullptr) {
        hessian_ = AlignedBuffer<double>(columns_ * columns_);
        shared->write(hessian_.span());
      }
    } else if (!activations.IsUndefined()) {
      const auto given = typed_array<float>(activations, "activations");
      activations_ = AlignedBuffer<float>(given.size());
      std::copy(given.begin(), given.end(), activations_.begin());
      sequences_ = size(layer.Get("sequences"), "sequences");
    }
  }
  QuantizeLayer(const QuantizeLayer&) = delete;
  QuantizeLayer& operator=(const QuantizeLayer&) = delete;

  void run(RunControl& control) override {
    const double start = control.seconds();
    if (activations_.size() > 0) {
      quantize::HessianSum sum(columns_);
      sum.add(activations_of(activations_.span(), columns_), sequences_, control.threads());
      hessian_ = AlignedBuffer<double>(columns_ * columns_);
      sum.write(hessian_.span(), control.threads());
    }
    hessian_seconds_ = control.seconds() - start;
    if (hessian_.size() > 0) factor(control);
    const quantize::DampedHessian identity;
    const double begin = control.seconds();
    result_ = quantize::quantize_layer(weights_view(), factor_ != nullptr ? *factor_ : identity, options_, control);
    result_.seconds.factor = begin - start - hessian_seconds_;
  }

  Napi::Value result(Napi::Env env) override {
    Napi::Object object = Napi::Object::New(env);
    object.Set("codes", result_.wide.empty() ? copy_to_typed_array<std::uint8_t>(env, result_.codes)
                                             : copy_to_typed_array<std::uint16_t>(env, result_.wide));
    object.Set("levels", copy_to_typed_array<std::uint32_t>(env, result_.levels));
    object.Set("grid", grid_object(env, result_));
    object.Set("loss", result_.loss);
    object.Set("energy", result_.energy);
    object.Set("columnLosses", copy_to_typed_array<double>(env, result_.column_losses));
    object.Set("sensitivities",
               result_.sensitivities.empty() ? env.Null() : copy_to_typed_array<double>(env, result_.sensitivities));
    object.Set("gain", result_.gain);
    object.Set("damping", result_.damping);
    object.Set("deadColumns", copy_to_typed_array<std::uint32_t>(env, result_.dead));
    object.Set("status", quantize::layer_status_name(result_.status));
    Napi::Object seconds = Napi::Object::New(env);
    seconds.Set("hessian", hessian_seconds_);
    seconds.Set("factor", result_.seconds.factor);
    seconds.Set("grid", result_.seconds.grid);
    seconds.Set("quantize", result_.seconds.quantize);
    seconds.Set("allocate", result_.seconds.allocate);
    seconds.Set("refine", result_.seconds.refine);
    object.Set("seconds", seconds);
    return object;
  }

 private:
  void factor(RunControl& control) {
    Progress progress;
    progress.phase = "factor";
    progress.fraction = 0;
    control.report(progress);
    const quantize::HessianOptions how = quantize::hessian_options(options_, control.threads());
    factor_ =
        std::make_shared<const quantize::DampedHessian>(quantize::damp_and_factor(hessian_.span(), columns_, how));
    hessian_ = {};
    if (slot_ != nullptr) slot_->keep(how, factor_);
  }

  MatrixView<const float> weights_view() const noexcept {
    return MatrixView<const float>::row_major(weights_.data(), rows_, columns_);
  }

  quantize::LayerOptions options_;
  std::size_t rows_ = 0, columns_ = 0, sequences_ = 1;
  AlignedBuffer<float> weights_, activations_;  // whose memory waits for the next layer
  std::vector<std::uint32_t> levels_;
  AlignedBuffer<double> hessian_;
  std::shared_ptr<FactorSlot> slot_;
  FactorSlot::Factor factor_;
  double hessian_seconds_ = 0;
  quantize::QuantizedLayer result_;
};

/// (layer, options, run)
Napi::Value quantize_layer(const Napi::CallbackInfo& info) {
  return run_computation(info[2],
                         std::make_unique<QuantizeLayer>(object(info[0], "layer"), object(info[1], "options")));
}

}  // namespace

void export_quantize_layer(Napi::Object room) {
  export_function<create_hessian>(room, "createHessian");
  export_function<dispose_hessian>(room, "disposeHessian");
  export_function<add_activations>(room, "addActivations");
  export_function<add_activations_job>(room, "addActivationsJob");
  export_function<hessian_matrix>(room, "hessianMatrix");
  export_function<quantize_layer>(room, "quantizeLayer");
}

}  // namespace dd::addon
