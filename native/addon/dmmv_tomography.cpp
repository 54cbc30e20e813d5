// Tomography: reads arguments, calls dmmv, converts results.
#include <memory>
#include <vector>

#include "addon/arguments.hpp"
#include "addon/dmmv.hpp"
#include "addon/edge.hpp"
#include "addon/job.hpp"
#include "dmmv/algebraic.hpp"
#include "dmmv/projector.hpp"

namespace dd::addon {
namespace {

/// (size, detectors, angles, memoryLimitBytes) -> { rows, columns, columnPointers, rowIndices, values }.
Napi::Value projector(const Napi::CallbackInfo& info) {
  dmmv::ParallelBeams beams;
  beams.size = size(info[0], "size");
  beams.detectors = size(info[1], "detectors");
  beams.angles = typed_array<double>(info[2], "angles");
  const dmmv::SparseColumnsData made = dmmv::joseph_projector(beams, number(info[3], "memoryLimitBytes"));
  const Napi::Env env = info.Env();
  Napi::Object object = Napi::Object::New(env);
  object.Set("rows", static_cast<double>(made.rows));
  object.Set("columns", static_cast<double>(made.columns));
  object.Set("columnPointers", copy_to_typed_array<std::int32_t>(env, made.column_pointers));
  object.Set("rowIndices", copy_to_typed_array<std::int32_t>(env, made.row_indices));
  object.Set("values", copy_to_typed_array<double>(env, made.values));
  return object;
}

/// A sparse matrix and what was measured, copied: the computation may run while JavaScript goes on.
struct Measured {
  std::vector<std::int32_t> pointers, indices;
  std::vector<double> values, sinogram;
  dmmv::SparseColumns matrix;

  Measured(const Napi::Object& given, const Napi::Value& measured) {
    const std::size_t columns = size(given.Get("columns"), "matrix.columns");
    const auto p = typed_array<std::int32_t>(given.Get("columnPointers"), "matrix.columnPointers", columns + 1);
    const auto i = typed_array<std::int32_t>(given.Get("rowIndices"), "matrix.rowIndices");
    const auto v = typed_array<double>(given.Get("values"), "matrix.values");
    const auto b = typed_array<double>(measured, "sinogram");
    pointers.assign(p.begin(), p.end());
    indices.assign(i.begin(), i.end());
    values.assign(v.begin(), v.end());
    sinogram.assign(b.begin(), b.end());
    matrix = {size(given.Get("rows"), "matrix.rows"), columns, pointers, indices, values};
  }
};

class Sirt final : public Computation {
 public:
  Sirt(const Napi::Object& matrix, const Napi::Value& sinogram, const Napi::Object& chosen)
      : measured_(matrix, sinogram) {
    options_.iterations = size(chosen.Get("iterations"), "iterations");
    options_.lower = number(chosen.Get("lower"), "lower");
    options_.upper = number(chosen.Get("upper"), "upper");
  }
  void run(RunControl& control) override {
    image_ = dmmv::sirt(measured_.matrix, measured_.sinogram, {}, options_, control);
  }
  Napi::Value result(Napi::Env env) override { return copy_to_typed_array<double>(env, image_); }

 private:
  Measured measured_;
  dmmv::SirtOptions options_;
  std::vector<double> image_;
};

class Dart final : public Computation {
 public:
  Dart(const Napi::Object& matrix, const Napi::Value& sinogram, const Napi::Object& chosen)
      : measured_(matrix, sinogram) {
    const auto levels = typed_array<double>(chosen.Get("levels"), "levels");
    levels_.assign(levels.begin(), levels.end());
    options_.size = size(chosen.Get("size"), "size");
    options_.sirt_iterations = size(chosen.Get("sirtIterations"), "sirtIterations");
    options_.iterations = size(chosen.Get("iterations"), "iterations");
    options_.steps = size(chosen.Get("steps"), "steps");
    options_.free_part = number(chosen.Get("freePart"), "freePart");
    options_.smoothing = number(chosen.Get("smoothing"), "smoothing");
    options_.seed = size(chosen.Get("seed"), "seed");
  }
  void run(RunControl& control) override {
    codes_ = dmmv::dart(measured_.matrix, measured_.sinogram, levels_, options_, control);
  }
  Napi::Value result(Napi::Env env) override { return copy_to_typed_array<std::int32_t>(env, codes_); }

 private:
  Measured measured_;
  std::vector<double> levels_;
  dmmv::DartOptions options_;
  std::vector<std::int32_t> codes_;
};

/// (matrix, sinogram, options, run).
template <class Method>
Napi::Value reconstruct(const Napi::CallbackInfo& info) {
  return run_computation(info[3],
                         std::make_unique<Method>(object(info[0], "matrix"), info[1], object(info[2], "options")));
}

}  // namespace

void export_dmmv_tomography(Napi::Object room) {
  export_function<projector>(room, "projector");
  export_function<reconstruct<Sirt>>(room, "sirt");
  export_function<reconstruct<Dart>>(room, "dart");
}

}  // namespace dd::addon
