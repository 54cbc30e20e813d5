// Two real threads that meet at every region's end: what the threaded executor of block kernels runs on, so that
// ThreadSanitizer sees a race between the threads of a block. Not for computing: that is what the pool is for.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "core/function_ref.hpp"

namespace dd {

class ThreadPair {
 public:
  ThreadPair() : helper_([this] { help(); }) {}
  ~ThreadPair() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    helper_.join();
  }
  ThreadPair(const ThreadPair&) = delete;
  ThreadPair& operator=(const ThreadPair&) = delete;

  /// Runs part(0) here and part(1) on the other thread, and returns when both are done. `part` must not throw.
  void run(FunctionRef<void(unsigned)> part) {
    {
      const std::lock_guard lock(mutex_);
      part_ = &part;
    }
    changed_.notify_all();
    part(0);
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return part_ == nullptr; });
  }

 private:
  void help() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return part_ != nullptr || stopping_; });
      if (part_ == nullptr) return;
      const FunctionRef<void(unsigned)>* part = part_;
      lock.unlock();
      (*part)(1);
      lock.lock();
      part_ = nullptr;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  const FunctionRef<void(unsigned)>* part_ = nullptr;
  bool stopping_ = false;
  std::thread helper_;
};

}  // namespace dd
