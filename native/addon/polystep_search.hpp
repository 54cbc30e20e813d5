// What the handles of optimizers and of baselines share: a search of either precision, its native objective, and one
// call at a time.
#pragma once

#include <napi.h>

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "addon/edge.hpp"
#include "addon/handle.hpp"
#include "addon/job.hpp"
#include "polystep/engine_options.hpp"
#include "polystep/objective.hpp"

namespace dd::addon {

/// A search in one precision; `Driver` is polystep::Engine or polystep::Search.
template <template <class> class Driver, class Scalar>
struct TypedSearch {
  std::unique_ptr<Driver<Scalar>> driver;
  std::unique_ptr<polystep::Evaluator<Scalar>> evaluator;  // null without a native objective
  std::unique_ptr<polystep::Evaluator<Scalar>> screen;     // null unless directions are screened

  void evaluate_by(const polystep::Objective* objective, std::size_t dimension, std::uint64_t seed) {
    if (objective == nullptr) return;
    if (objective->dimension() != dimension) throw_type("objective", "of the dimension of `initial`");
    if constexpr (sizeof(Scalar) == sizeof(float)) {
      evaluator = objective->float32_evaluator(seed);
    } else {
      evaluator = objective->float64_evaluator(seed);
    }
  }
};

/// A search of either precision. One call at a time: `busy` while a job has it.
template <template <class> class Driver>
struct EitherSearch {
  TypedSearch<Driver, float> single;
  TypedSearch<Driver, double> exact;
  std::shared_ptr<const polystep::Objective> objective;  // outlives its evaluator
  std::atomic<bool> busy{false};

  template <class Body>
  decltype(auto) with(Body&& body) {
    return single.driver != nullptr ? body(single) : body(exact);
  }
};

/// What a handle holds: the handle's objects are constant, a search is not.
template <template <class> class Driver>
struct HeldSearch {
  std::unique_ptr<EitherSearch<Driver>> search = std::make_unique<EitherSearch<Driver>>();
};

/// The search of a handle, unless a job has it; `name` is the argument's.
template <template <class> class Driver>
EitherSearch<Driver>& idle_search(const Napi::Value& value, const char* name) {
  EitherSearch<Driver>& search = *object_of<HeldSearch<Driver>>(value, name)->search;
  if (search.busy.load()) {
    throw Error(ErrorCode::invalid_argument_value, name,
                "`" + std::string(name) + "` is taking a step: await it first");
  }
  return search;
}

/// A job that has the search to itself until its result is read, or until it is dropped.
template <template <class> class Driver>
class SearchComputation : public Computation {
 public:
  explicit SearchComputation(std::shared_ptr<const HeldSearch<Driver>> held) : held_(std::move(held)) {
    search().busy.store(true);
  }
  ~SearchComputation() override { search().busy.store(false); }
  SearchComputation(const SearchComputation&) = delete;
  SearchComputation& operator=(const SearchComputation&) = delete;

 protected:
  EitherSearch<Driver>& search() const { return *held_->search; }

 private:
  std::shared_ptr<const HeldSearch<Driver>> held_;
};

inline Napi::Value metrics_array(Napi::Env env, std::span<const polystep::StepMetrics> metrics) {
  static_assert(sizeof(polystep::StepMetrics) == polystep::step_metric_count * sizeof(double));
  const auto* const first = reinterpret_cast<const double*>(metrics.data());
  return copy_to_typed_array<double>(env, {first, metrics.size() * polystep::step_metric_count});
}

/// Steps of a native objective; derived classes say how.
template <template <class> class Driver>
class StepsComputation : public SearchComputation<Driver> {
 public:
  using SearchComputation<Driver>::SearchComputation;

  Napi::Value result(Napi::Env env) override {
    this->search().busy.store(false);
    Napi::Object object = Napi::Object::New(env);
    object.Set("metrics", metrics_array(env, metrics_));
    object.Set("stop", static_cast<double>(stop_));
    return object;
  }
  Napi::Value best(Napi::Env env, std::span<const std::byte> state) override {
    return this->search().with([&]<class Scalar>(TypedSearch<Driver, Scalar>&) -> Napi::Value {
      return copy_to_typed_array<Scalar>(
          env, {reinterpret_cast<const Scalar*>(state.data()), state.size() / sizeof(Scalar)});
    });
  }

 protected:
  std::vector<polystep::StepMetrics> metrics_;
  polystep::RunStop stop_ = polystep::RunStop::steps;
};

}  // namespace dd::addon
