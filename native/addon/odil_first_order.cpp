// Runs gradient methods on problems, in double or single precision.
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "addon/arguments.hpp"
#include "addon/edge.hpp"
#include "addon/handle.hpp"
#include "addon/job.hpp"
#include "addon/odil.hpp"
#include "addon/odil_options.hpp"
#include "odil/adam.hpp"
#include "odil/discrete_loss.hpp"
#include "odil/gradient_descent.hpp"
#include "odil/history.hpp"
#include "odil/lbfgs.hpp"

namespace dd::addon {
namespace {

using namespace dd::odil;

std::vector<double> numbers(const Napi::Value& value, std::string_view argument) {
  const auto given = typed_array<double>(value, argument);
  return {given.begin(), given.end()};
}

/// { values, counters }, as a solution holds it.
Checkpoint checkpoint_of(const Napi::Object& given) {
  Checkpoint checkpoint;
  checkpoint.values = numbers(given.Get("values"), "resume.values");
  for (const double counter : typed_array<double>(given.Get("counters"), "resume.counters")) {
    if (!(counter >= 0 && counter <= 0x1p53)) throw_type("resume.counters", "made of counts");
    checkpoint.counters.push_back(static_cast<std::uint64_t>(counter));
  }
  return checkpoint;
}

template <class T>
std::unique_ptr<FirstOrderMethod<T>> make_method(const Napi::Object& chosen, const auto& start) {
  const std::string name = text(chosen.Get("method"), "method");
  const auto option = [&](const char* key) { return number(chosen.Get(key), key); };
  if (name == "adam") {
    return std::make_unique<Adam<T>>(AdamOptions{.learning_rate = option("learningRate"),
                                                 .beta1 = option("beta1"),
                                                 .beta2 = option("beta2"),
                                                 .epsilon = option("epsilon")},
                                     start);
  }
  if (name == "gradient-descent") {
    return std::make_unique<GradientDescent<T>>(GradientDescentOptions{.learning_rate = option("learningRate")}, start);
  }
  if (name != "lbfgs") throw_type("method", "the name of a gradient method");
  return std::make_unique<Lbfgs<T>>(
      LbfgsOptions{.memory = size(chosen.Get("memory"), "memory"),
                   .line_search = {.decrease = option("decrease"),
                                   .curvature = option("curvature"),
                                   .evaluations = size(chosen.Get("searchEvaluations"), "searchEvaluations")}},
      start);
}

template <class T>
class FirstOrderSolve final : public Computation {
 public:
  FirstOrderSolve(std::shared_ptr<const Problem> problem, std::span<const T> state, const Napi::Object& chosen)
      : problem_(std::move(problem)),
        weights_(block_weights_of(chosen, problem_->description().blocks.size())),
        history_(size(chosen.Get("historyEvery"), "historyEvery")),
        rule_{.iterations = size(chosen.Get("maxIterations"), "maxIterations"),
              .gradient_tolerance = number(chosen.Get("gradientTolerance"), "gradientTolerance"),
              .step_tolerance = number(chosen.Get("stepTolerance"), "stepTolerance"),
              .loss_tolerance = number(chosen.Get("lossTolerance"), "lossTolerance")},
        loss_(*problem_, normalization_of(chosen.Get("normalization")), weights_, decompositions_of(chosen)) {
    if (const Napi::Value resumed = chosen.Get("checkpoint"); resumed.IsObject()) {
      method_ = make_method<T>(chosen, checkpoint_of(resumed.As<Napi::Object>()));
      if (method_->current().size() != loss_.unknowns()) {
        throw Error(ErrorCode::shape_mismatch, "resume",
                    "`resume` has " + std::to_string(method_->current().size()) + " unknowns, this run " +
                        std::to_string(loss_.unknowns()));
      }
    } else {
      AlignedBuffer<T> z(loss_.unknowns());
      loss_.decompose(state, z.span());
      method_ = make_method<T>(chosen, std::as_const(z).span());
    }
  }
  void run(RunControl& control) override {
    loss_.use_threads(control.threads());
    result_ = method_->run(loss_, rule_, control, [&](const FirstOrderRecord& record) { history_.add(record); });
    if (result_.status == SolveStatus::not_finite) {
      const auto failure = loss_.failure();
      if (!std::isfinite(method_->best_loss())) {
        throw Error(ErrorCode::not_finite, failure.name, failure.what + " at the start");
      }
      detail_ = failure.what;
    }
    seconds_ = control.seconds();
  }
  Napi::Value best(Napi::Env env, std::span<const std::byte> bytes) override {
    std::vector<T> z(bytes.size() / sizeof(T));
    std::memcpy(z.data(), bytes.data(), bytes.size());
    return composed(env, z);
  }
  Napi::Value result(Napi::Env env) override {
    Napi::Object object = Napi::Object::New(env);
    object.Set("unknowns", composed(env, method_->best()));
    object.Set("status", solve_status_name(result_.status));
    if (!detail_.empty()) object.Set("detail", detail_);
    object.Set("iterations", static_cast<double>(result_.iterations));
    object.Set("evaluations", static_cast<double>(method_->evaluations()));
    object.Set("seconds", seconds_);
    object.Set("weights", weights_at(env, weights_, method_->iterations()));
    const std::vector<FirstOrderRecord> records = history_.records();
    Napi::Array history = Napi::Array::New(env, records.size());
    for (std::uint32_t k = 0; k < records.size(); ++k) {
      const FirstOrderRecord& record = records[k];
      Napi::Object one = Napi::Object::New(env);
      one.Set("iteration", static_cast<double>(record.iteration));
      one.Set("loss", record.loss);
      one.Set("gradient", record.gradient_max);
      one.Set("step", record.step_max);
      one.Set("evaluations", static_cast<double>(record.evaluations));
      history.Set(k, one);
    }
    object.Set("history", history);
    const Checkpoint checkpoint = method_->save();
    Napi::Object saved = Napi::Object::New(env);
    saved.Set("values", copy_to_typed_array<double>(env, checkpoint.values));
    saved.Set("counters", copy_to_typed_array<double>(
                              env, std::vector<double>(checkpoint.counters.begin(), checkpoint.counters.end())));
    object.Set("checkpoint", saved);
    return object;
  }

 private:
  std::vector<Decomposition> decompositions_of(const Napi::Object& chosen) const {
    if (!chosen.Get("multigrid").ToBoolean()) return {};
    return decompose_fields(*problem_, size(chosen.Get("levels"), "levels"), numbers(chosen.Get("factors"), "factors"));
  }
  Napi::Value composed(Napi::Env env, std::span<const T> z) const {
    std::vector<T> state(problem_->unknowns());
    loss_.compose(z, state, 1);
    return copy_to_typed_array<T>(env, state);
  }

  std::shared_ptr<const Problem> problem_;
  BlockWeights weights_;
  History<FirstOrderRecord> history_;
  StoppingRule rule_;
  DiscreteLoss<T> loss_;
  std::unique_ptr<FirstOrderMethod<T>> method_;
  FirstOrderResult result_;
  std::string detail_;
  double seconds_ = 0;
};

/// (problem, unknowns, options, run).
Napi::Value first_order(const Napi::CallbackInfo& info) {
  auto problem = object_of<Problem>(info[0], "problem");
  const Napi::Object chosen = object(info[2], "options");
  const std::size_t unknowns = problem->unknowns();
  if (is_float32(info[1])) {
    const auto state = typed_array<float>(info[1], "state", unknowns);
    return run_computation(info[3], std::make_unique<FirstOrderSolve<float>>(std::move(problem), state, chosen));
  }
  const auto state = typed_array<double>(info[1], "state", unknowns);
  return run_computation(info[3], std::make_unique<FirstOrderSolve<double>>(std::move(problem), state, chosen));
}

}  // namespace

void export_odil_first_order(Napi::Object room) { export_function<first_order>(room, "firstOrder"); }

}  // namespace dd::addon
