// The one pool of the process: parallel regions whose tasks are fixed by sizes, and background jobs (the async calls).
//
// Which thread runs a task depends on timing, which tasks exist never does: callers cut work by sizes only, so results
// do not depend on the number of threads. The pool is created at first use and leaked on purpose, because joining
// threads from static destructors of a dlopened object hangs on several platforms.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>

#include "core/function_ref.hpp"

namespace dd {

class ThreadPool {
 public:
  static ThreadPool& shared();

  /// min(processors this process may run on, 16), or DISCRETE_DESCENT_THREADS.
  static std::size_t default_threads() noexcept;

  /// Runs task(0) ... task(task_count - 1), each once, on up to `threads` threads, the caller being one of them, and
  /// returns when all are done. Inside a task of another region it runs serially. The first exception that a task
  /// throws is rethrown here after the others have ended (tasks not yet begun are dropped).
  void run_tasks(std::size_t threads, std::size_t task_count, FunctionRef<void(std::size_t)> task);

  /// Runs `job` on a pool thread some time later. It must not throw.
  void submit(std::function<void()> job);

  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

 private:
  struct Region;

  ThreadPool() = default;
  void ensure_workers(std::size_t count);
  void work();
  static void help(Region& region);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Region*> regions_;
  std::deque<std::function<void()>> jobs_;
  std::size_t workers_ = 0;
};

/// Cuts [0, count) into pieces of `grain` (the last may be shorter) and runs body(begin, end) for each.
inline void parallel_for(std::size_t threads, std::size_t count, std::size_t grain,
                         FunctionRef<void(std::size_t, std::size_t)> body) {
  if (count == 0) return;
  if (grain == 0) grain = 1;
  const std::size_t pieces = (count + grain - 1) / grain;
  ThreadPool::shared().run_tasks(threads, pieces, [&](std::size_t piece) {
    const std::size_t begin = piece * grain;
    body(begin, begin + grain < count ? begin + grain : count);
  });
}

}  // namespace dd
