// The pool runs every task once, hands exceptions to the caller, nests serially and takes jobs while regions run.
#include "core/thread_pool.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <vector>

TEST_CASE("every task runs exactly once, for any number of threads") {
  for (std::size_t threads : {1u, 2u, 3u, 7u}) {
    for (std::size_t count : {0u, 1u, 2u, 5u, 1000u}) {
      std::vector<std::atomic<int>> runs(count);
      dd::ThreadPool::shared().run_tasks(threads, count, [&](std::size_t i) { ++runs[i]; });
      for (auto& run : runs) CHECK(run.load() == 1);
    }
  }
}

TEST_CASE("an exception in a task reaches the caller and the pool lives on") {
  auto fail = [](std::size_t i) {
    if (i == 3) throw std::runtime_error("task 3");
  };
  CHECK_THROWS_AS(dd::ThreadPool::shared().run_tasks(3, 64, fail), std::runtime_error);
  std::atomic<int> sum{0};
  dd::ThreadPool::shared().run_tasks(3, 64, [&](std::size_t) { ++sum; });
  CHECK(sum.load() == 64);
}

TEST_CASE("nested regions run serially inside their task") {
  std::atomic<int> sum{0};
  dd::ThreadPool::shared().run_tasks(
      4, 8, [&](std::size_t) { dd::ThreadPool::shared().run_tasks(4, 8, [&](std::size_t) { ++sum; }); });
  CHECK(sum.load() == 64);
}

TEST_CASE("parallel_for covers the range in pieces that depend on the grain only") {
  std::vector<int> hits(1003, 0);
  std::atomic<int> pieces{0};
  dd::parallel_for(3, hits.size(), 100, [&](std::size_t begin, std::size_t end) {
    ++pieces;
    for (std::size_t i = begin; i < end; ++i) ++hits[i];
  });
  CHECK(pieces.load() == 11);
  for (int hit : hits) CHECK(hit == 1);
}

TEST_CASE("submitted jobs run, and may open parallel regions themselves") {
  std::mutex mutex;
  std::condition_variable done;
  int finished = 0;
  std::atomic<int> sum{0};
  for (int job = 0; job < 10; ++job) {
    dd::ThreadPool::shared().submit([&] {
      dd::ThreadPool::shared().run_tasks(2, 10, [&](std::size_t) { ++sum; });
      const std::lock_guard<std::mutex> lock(mutex);
      ++finished;
      done.notify_one();
    });
  }
  std::unique_lock<std::mutex> lock(mutex);
  done.wait(lock, [&] { return finished == 10; });
  CHECK(sum.load() == 100);
}
