// Workers help parallel regions first and take jobs second; a region's caller always works in it, so a full pool can
// never deadlock.
#include "core/thread_pool.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <thread>
#include <utility>

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace dd {
namespace {

constexpr std::size_t most_default_threads = 16;
constexpr std::size_t most_workers = 256;
// A worker that has just finished looks for more work this many times before it sleeps: sleeping and waking cost
// more than the small matrix products that follow each other in a factorisation.
constexpr int spins_before_sleep = 4000;

thread_local bool inside_task = false;

void relax() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

std::size_t processors_allowed() noexcept {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    const int count = CPU_COUNT(&set);
    if (count > 0) return static_cast<std::size_t>(count);
  }
#endif
  return std::max<std::size_t>(1, std::thread::hardware_concurrency());
}

}  // namespace

struct ThreadPool::Region {
  Region(FunctionRef<void(std::size_t)> region_task, std::size_t tasks, std::size_t helpers)
      : task(region_task), task_count(tasks), helpers_wanted(helpers) {}

  FunctionRef<void(std::size_t)> task;
  std::size_t task_count;
  std::size_t helpers_wanted;
  std::size_t helpers_inside = 0;
  std::atomic<std::size_t> next{0};
  std::atomic<std::size_t> helpers_running{0};
  std::mutex mutex;
  std::condition_variable left;
  std::exception_ptr failure;

  void run() noexcept {
    const bool was_inside = std::exchange(inside_task, true);
    for (;;) {
      const std::size_t index = next.fetch_add(1, std::memory_order_relaxed);
      if (index >= task_count) break;
      try {
        task(index);
      } catch (...) {
        next.store(task_count, std::memory_order_relaxed);
        const std::lock_guard<std::mutex> lock(mutex);
        if (!failure) failure = std::current_exception();
      }
    }
    inside_task = was_inside;
  }
};

ThreadPool& ThreadPool::shared() {
  static auto* pool = new ThreadPool;  // NOLINT(cppcoreguidelines-owning-memory): leaked on purpose, see the header
  return *pool;
}

std::size_t ThreadPool::default_threads() noexcept {
  static const std::size_t threads = [] {
    if (const char* text = std::getenv("DISCRETE_DESCENT_THREADS")) {
      char* end = nullptr;
      const unsigned long value = std::strtoul(text, &end, 10);
      if (end != text && *end == '\0' && value > 0) return std::min<std::size_t>(value, most_workers);
    }
    return std::min(processors_allowed(), most_default_threads);
  }();
  return threads;
}

void ThreadPool::ensure_workers(std::size_t count) {
  count = std::min(count, most_workers);
  while (workers_ < count) {
    std::thread(&ThreadPool::work, this).detach();
    ++workers_;
  }
}

void ThreadPool::help(Region& region) {
  region.run();
  // The caller may destroy the region as soon as the count is zero, so the count falls under the region's mutex, which
  // the caller takes last.
  const std::lock_guard<std::mutex> lock(region.mutex);
  if (region.helpers_running.fetch_sub(1, std::memory_order_acq_rel) == 1) region.left.notify_one();
}

void ThreadPool::work() {
  std::unique_lock<std::mutex> lock(mutex_);
  int idle_spins = 0;
  for (;;) {
    if (!regions_.empty()) {
      Region* region = regions_.front();
      if (++region->helpers_inside >= region->helpers_wanted) regions_.pop_front();
      region->helpers_running.fetch_add(1, std::memory_order_relaxed);
      lock.unlock();
      help(*region);
      lock.lock();
      idle_spins = 0;
    } else if (!jobs_.empty()) {
      std::function<void()> job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
      job = nullptr;
      lock.lock();
      idle_spins = 0;
    } else if (idle_spins < spins_before_sleep) {
      ++idle_spins;
      lock.unlock();
      for (int i = 0; i < 8; ++i) relax();
      lock.lock();
    } else {
      wake_.wait(lock);
      idle_spins = 0;
    }
  }
}

void ThreadPool::run_tasks(std::size_t threads, std::size_t task_count, FunctionRef<void(std::size_t)> task) {
  if (task_count == 0) return;
  if (threads == 0) threads = default_threads();
  const std::size_t helpers = std::min(threads, task_count) - 1;
  if (helpers == 0 || inside_task) {
    for (std::size_t index = 0; index < task_count; ++index) task(index);
    return;
  }
  Region region(task, task_count, helpers);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ensure_workers(helpers);
    regions_.push_back(&region);
  }
  if (helpers == 1) {
    wake_.notify_one();
  } else {
    wake_.notify_all();
  }
  region.run();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto position = std::find(regions_.begin(), regions_.end(), &region);
    if (position != regions_.end()) regions_.erase(position);
  }
  for (int spin = 0; spin < spins_before_sleep && region.helpers_running.load(std::memory_order_acquire) != 0; ++spin) {
    relax();
  }
  std::unique_lock<std::mutex> lock(region.mutex);
  region.left.wait(lock, [&] { return region.helpers_running.load(std::memory_order_acquire) == 0; });
  if (region.failure) std::rethrow_exception(region.failure);
}

void ThreadPool::submit(std::function<void()> job) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ensure_workers(default_threads());
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
}

}  // namespace dd
