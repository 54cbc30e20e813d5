// One way to run a computation from JavaScript: at once on the calling thread, or as a job of the shared pool with a
// promise, cancellation and progress. Domains implement Computation and know nothing of threads or promises.
#pragma once

#include <napi.h>

#include <cstddef>
#include <memory>
#include <span>

#include "core/run_control.hpp"

namespace dd::addon {

class Computation {
 public:
  virtual ~Computation() = default;

  /// The work. Runs on a pool thread for an async call: no JavaScript here. A cancelled or timed-out run returns
  /// normally with its best state; lib/runtime/run.ts decides what a cancellation means to the caller.
  virtual void run(RunControl& control) = 0;
  /// The result, on the JavaScript thread, after `run` has returned.
  virtual Napi::Value result(Napi::Env env) = 0;
  /// The best-so-far state of a progress report as a JavaScript value (a copy).
  virtual Napi::Value best(Napi::Env env, std::span<const std::byte> state) {
    (void)state;
    return env.Undefined();
  }
};

/// `run_options` is what lib/runtime/run.ts sends: { async, threads, timeLimitSeconds, onProgress?, cancelFlag? }.
/// Sync: returns the result. Async: returns { promise, cancel() }.
Napi::Value run_computation(const Napi::Value& run_options, std::unique_ptr<Computation> computation);

/// Called once per environment when the add-on is loaded in it.
void prepare_jobs(Napi::Env env);

}  // namespace dd::addon
