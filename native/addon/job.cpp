// Jobs: a pool thread computes, one thread-safe function per environment brings progress and settlement back to the
// JavaScript thread. When the environment ends, its jobs are cancelled and waited for.
#include "addon/job.hpp"

#include <atomic>
#include <condition_variable>
#include <exception>
#include <limits>
#include <mutex>
#include <unordered_set>
#include <utility>
#include <vector>

#include "addon/arguments.hpp"
#include "addon/edge.hpp"
#include "core/thread_pool.hpp"

namespace dd::addon {
namespace {

struct Job;

enum class MessageKind { progress, done };

struct Message {
  std::shared_ptr<Job> job;
  MessageKind kind;
};

void deliver(napi_env env, napi_value, void*, void* data);
/// For a message that can no longer reach JavaScript: its job must not touch the environment when it is destroyed.
void abandon(const Message& message) noexcept;

/// What one environment (main thread or worker) owns. Jobs share it, so it outlives the environment's own hook.
class JobEnvironment {
 public:
  explicit JobEnvironment(Napi::Env env) {
    napi_value name = Napi::String::New(env, "discrete-descent job");
    const napi_status status = napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr,
                                                               nullptr, deliver, &to_javascript_);
    if (status != napi_ok) throw Error(ErrorCode::internal, "", "cannot create the thread-safe function");
    napi_unref_threadsafe_function(env, to_javascript_);
  }

  void started(Napi::Env env, Job* job) {
    const std::lock_guard<std::mutex> lock(mutex_);
    running_.insert(job);
    if (unsettled_++ == 0) napi_ref_threadsafe_function(env, to_javascript_);
  }
  /// On the pool thread, as the last thing it does for a job.
  void computed(Job* job) {
    const std::lock_guard<std::mutex> lock(mutex_);
    running_.erase(job);
    idle_.notify_all();
  }
  /// On the JavaScript thread, when the promise is settled: an idle environment must not be kept alive.
  void settled(Napi::Env env) {
    if (--unsettled_ == 0) napi_unref_threadsafe_function(env, to_javascript_);
  }
  void send(std::shared_ptr<Job> job, MessageKind kind) {
    auto message = std::make_unique<Message>(Message{std::move(job), kind});
    if (napi_call_threadsafe_function(to_javascript_, message.get(), napi_tsfn_nonblocking) == napi_ok) {
      static_cast<void>(message.release());  // deliver() takes it
    } else {
      abandon(*message);
    }
  }
  void close();

 private:
  napi_threadsafe_function to_javascript_ = nullptr;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::unordered_set<Job*> running_;
  std::size_t unsettled_ = 0;
};

struct Snapshot {
  Progress progress;
  std::vector<std::byte> best;
};

struct Job {
  Job(std::shared_ptr<JobEnvironment> owner, std::unique_ptr<Computation> work, std::size_t threads, double limit)
      : environment(std::move(owner)), computation(std::move(work)), control(threads, limit) {}

  std::shared_ptr<JobEnvironment> environment;
  std::unique_ptr<Computation> computation;
  RunControl control;
  napi_deferred deferred = nullptr;
  Napi::FunctionReference on_progress;
  std::exception_ptr failure;
  std::mutex snapshot_mutex;
  Snapshot snapshot;
  bool snapshot_queued = false;
};

void abandon(const Message& message) noexcept { message.job->on_progress.SuppressDestruct(); }

void JobEnvironment::close() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (Job* job : running_) job->control.cancel();
  idle_.wait(lock, [&] { return running_.empty(); });
}

Napi::Object progress_object(Napi::Env env, const Progress& progress, Computation& computation,
                             std::span<const std::byte> best) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("phase", progress.phase);
  object.Set("fraction", progress.fraction);
  object.Set("iterations", static_cast<double>(progress.iterations));
  object.Set("objective", progress.objective);
  object.Set("lowerBound", progress.lower_bound);
  object.Set("seconds", progress.seconds);
  object.Set("best", best.empty() ? env.Undefined() : computation.best(env, best));
  return object;
}

void deliver_progress(Napi::Env env, Job& job) {
  Snapshot snapshot;
  {
    const std::lock_guard<std::mutex> lock(job.snapshot_mutex);
    snapshot = std::move(job.snapshot);
    job.snapshot_queued = false;
  }
  if (job.on_progress.IsEmpty() || job.control.cancelled()) return;
  try {
    job.on_progress.Call({progress_object(env, snapshot.progress, *job.computation, snapshot.best)});
  } catch (const Napi::Error&) {
    // lib/runtime/run.ts never lets the user's exception come here; whatever does must still not be lost silently.
    job.control.cancel();
  }
}

void settle(Napi::Env env, Job& job) {
  const std::shared_ptr<JobEnvironment> environment = job.environment;
  job.on_progress.Reset();
  try {
    if (job.failure) {
      napi_reject_deferred(env, job.deferred, error_record(env, job.failure));
    } else {
      const Napi::Value value = job.computation->result(env);
      napi_resolve_deferred(env, job.deferred, value);
    }
  } catch (const Napi::Error& error) {
    napi_reject_deferred(env, job.deferred, error.Value());
  } catch (...) {
    napi_reject_deferred(env, job.deferred, error_record(env, std::current_exception()));
  }
  environment->settled(env);
}

void deliver(napi_env raw_env, napi_value, void*, void* data) {
  const std::unique_ptr<Message> message(static_cast<Message*>(data));
  if (raw_env == nullptr) {  // the environment is ending: nothing of JavaScript may be touched any more
    abandon(*message);
    return;
  }
  const Napi::Env env(raw_env);
  const Napi::HandleScope scope(env);
  if (message->kind == MessageKind::progress) {
    deliver_progress(env, *message->job);
  } else {
    settle(env, *message->job);
  }
}

std::shared_ptr<JobEnvironment>& job_environment(Napi::Env env) {
  return *env.GetInstanceData<std::shared_ptr<JobEnvironment>>();
}

Napi::Value run_now(Napi::Env env, Napi::Object options, std::unique_ptr<Computation> computation, std::size_t threads,
                    double limit) {
  RunControl control(threads, limit);
  if (const Napi::Value flag = options.Get("cancelFlag"); flag.IsTypedArray()) {
    const std::span<std::int32_t> words = typed_array<std::int32_t>(flag, "cancelFlag");
    if (words.empty()) throw_type("cancelFlag", "an Int32Array with one element");
    static_assert(sizeof(std::atomic<std::int32_t>) == sizeof(std::int32_t) &&
                  std::atomic<std::int32_t>::is_always_lock_free);
    control.watch(reinterpret_cast<const std::atomic<std::int32_t>*>(words.data()));
  }
  if (const Napi::Value callback = options.Get("onProgress"); callback.IsFunction()) {
    control.on_progress([&, function = callback.As<Napi::Function>()](const Progress& progress) {
      const Napi::HandleScope scope(env);
      function.Call({progress_object(env, progress, *computation, progress.best)});
    });
  }
  computation->run(control);
  return computation->result(env);
}

void start(const std::shared_ptr<Job>& job) {
  ThreadPool::shared().submit([job = job]() mutable {
    const std::shared_ptr<JobEnvironment> environment = job->environment;
    Job* const address = job.get();
    try {
      job->computation->run(job->control);
    } catch (...) {
      job->failure = std::current_exception();
    }
    environment->send(std::move(job), MessageKind::done);
    environment->computed(address);
  });
}

}  // namespace

Napi::Value run_computation(const Napi::Value& run_options, std::unique_ptr<Computation> computation) {
  const Napi::Env env = run_options.Env();
  const Napi::Object options = object(run_options, "run");
  const std::size_t threads = size(options.Get("threads"), "threads");
  const double limit = number(options.Get("timeLimitSeconds"), "timeLimitSeconds");
  if (!options.Get("async").ToBoolean()) return run_now(env, options, std::move(computation), threads, limit);

  const std::shared_ptr<JobEnvironment>& environment = job_environment(env);
  auto job = std::make_shared<Job>(environment, std::move(computation), threads, limit);
  napi_value promise = nullptr;
  if (napi_create_promise(env, &job->deferred, &promise) != napi_ok) throw Napi::Error::New(env);
  if (const Napi::Value callback = options.Get("onProgress"); callback.IsFunction()) {
    job->on_progress = Napi::Persistent(callback.As<Napi::Function>());
    job->control.on_progress([weak = std::weak_ptr<Job>(job)](const Progress& progress) {
      const std::shared_ptr<Job> owner = weak.lock();
      if (owner == nullptr) return;
      const std::lock_guard<std::mutex> lock(owner->snapshot_mutex);
      owner->snapshot.progress = progress;
      owner->snapshot.progress.best = {};
      owner->snapshot.best.assign(progress.best.begin(), progress.best.end());
      if (!std::exchange(owner->snapshot_queued, true)) owner->environment->send(owner, MessageKind::progress);
    });
  }
  Napi::Object handle = Napi::Object::New(env);
  handle.Set("promise", promise);
  handle.Set("cancel", Napi::Function::New(env, [weak = std::weak_ptr<Job>(job)](const Napi::CallbackInfo&) {
               if (const std::shared_ptr<Job> owner = weak.lock()) owner->control.cancel();
             }));
  environment->started(env, job.get());
  start(job);
  return handle;
}

void prepare_jobs(Napi::Env env) {
  auto environment = std::make_shared<JobEnvironment>(env);
  env.SetInstanceData(new std::shared_ptr<JobEnvironment>(environment));  // NOLINT: N-API owns and deletes it
  // Added after the thread-safe function's own hook, hence run before it: jobs end while messages can still be sent.
  env.AddCleanupHook([environment] { environment->close(); });
}

}  // namespace dd::addon
