// Uncertainty at a solution.
#include <memory>
#include <vector>

#include "addon/arguments.hpp"
#include "addon/edge.hpp"
#include "addon/handle.hpp"
#include "addon/job.hpp"
#include "addon/odil.hpp"
#include "odil/laplace.hpp"

namespace dd::addon {
namespace {

using namespace dd::odil;

class Laplace final : public Computation {
 public:
  Laplace(std::shared_ptr<const Problem> problem, std::span<const double> unknowns, const Napi::Object& chosen)
      : problem_(std::move(problem)),
        unknowns_(unknowns.begin(), unknowns.end()),
        memory_limit_(number(chosen.Get("memoryLimitBytes"), "memoryLimitBytes")) {
    const auto sigmas = typed_array<double>(chosen.Get("sigmas"), "noise", problem_->description().blocks.size());
    options_.sigmas.assign(sigmas.begin(), sigmas.end());
    options_.all_variances = chosen.Get("allVariances").ToBoolean();
    for (const double entry : typed_array<double>(chosen.Get("entries"), "entries")) {
      if (!(entry >= 0 && entry < static_cast<double>(problem_->unknowns()))) throw_type("entries", "made of unknowns");
      options_.entries.push_back(static_cast<std::size_t>(entry));
    }
    options_.samples = size(chosen.Get("samples"), "samples");
    options_.seed = size(chosen.Get("seed"), "seed");
  }
  void run(RunControl& control) override {
    control.limit_memory(memory_limit_);
    result_ = laplace(*problem_, unknowns_, options_, control);
    seconds_ = control.seconds();
  }
  Napi::Value result(Napi::Env env) override {
    Napi::Object object = Napi::Object::New(env);
    object.Set("variances", copy_to_typed_array<double>(env, result_.variances));
    object.Set("covariance", copy_to_typed_array<double>(env, result_.covariance));
    object.Set("samples", copy_to_typed_array<double>(env, result_.samples));
    object.Set("logDeterminant", result_.log_determinant);
    object.Set("seconds", seconds_);
    return object;
  }

 private:
  std::shared_ptr<const Problem> problem_;
  std::vector<double> unknowns_;
  double memory_limit_;
  LaplaceOptions options_;
  LaplaceResult result_;
  double seconds_ = 0;
};

/// (problem, unknowns, options, run).
Napi::Value laplace_of(const Napi::CallbackInfo& info) {
  auto problem = object_of<Problem>(info[0], "problem");
  const auto unknowns = typed_array<double>(info[1], "state", problem->unknowns());
  return run_computation(info[3], std::make_unique<Laplace>(std::move(problem), unknowns, object(info[2], "options")));
}

}  // namespace

void export_odil_laplace(Napi::Object room) { export_function<laplace_of>(room, "laplace"); }

}  // namespace dd::addon
