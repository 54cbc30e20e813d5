// What a running computation needs to know from outside and to say to it: threads, cancellation, a time limit and
// progress. One object per run; the solver polls it, anybody may cancel it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>

namespace dd {

enum class StopReason : std::uint8_t { none, cancelled, time_limit };

/// A snapshot of a run. `best` is the domain's own best-so-far state as bytes, empty where there is none; it is only
/// valid during the call that receives it.
struct Progress {
  const char* phase = "";
  double fraction = std::numeric_limits<double>::quiet_NaN();
  std::uint64_t iterations = 0;
  double objective = std::numeric_limits<double>::quiet_NaN();
  double lower_bound = -std::numeric_limits<double>::infinity();
  double seconds = 0;
  std::span<const std::byte> best;
};

class RunControl {
 public:
  using Clock = std::chrono::steady_clock;
  using ProgressSink = std::function<void(const Progress&)>;

  /// threads: 0 means the size of the shared pool. time_limit_seconds: infinity means none.
  explicit RunControl(std::size_t threads = 1,
                      double time_limit_seconds = std::numeric_limits<double>::infinity()) noexcept;
  /// A part of `parent`'s run: it stops when the parent does, or by itself after `time_limit_seconds`.
  RunControl(const RunControl& parent, double time_limit_seconds) noexcept;
  RunControl(const RunControl&) = delete;
  RunControl& operator=(const RunControl&) = delete;

  std::size_t threads() const noexcept { return threads_; }
  double seconds() const noexcept;
  double time_limit_seconds() const noexcept { return time_limit_seconds_; }

  /// How much memory large parts of the run may take each; infinite unless told.
  void limit_memory(double bytes) noexcept { memory_limit_bytes_ = bytes; }
  /// Throws ERR_OUT_OF_MEMORY with the estimate when `bytes` are more than that: before they are allocated, since an
  /// operating system that gives what it does not have ends the process instead of refusing.
  void require_memory(double bytes, const char* what) const;

  /// From any thread; the computation stops at its next poll, which must come at least every 5 ms of work.
  void cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }
  /// A flag outside (an Int32Array on shared memory) that means cancel when it is not zero.
  void watch(const std::atomic<std::int32_t>* flag) noexcept { external_flag_ = flag; }
  bool cancelled() const noexcept {
    return cancelled_.load(std::memory_order_relaxed) ||
           (external_flag_ != nullptr && external_flag_->load(std::memory_order_relaxed) != 0) ||
           (parent_ != nullptr && parent_->cancelled());
  }
  /// Reads the flags and the clock (about 30 ns): poll it every few microseconds of work, not in inner loops.
  StopReason stop_reason() const noexcept;
  bool should_stop() const noexcept { return stop_reason() != StopReason::none; }

  /// `sink` is called on the computing thread, at most once every `interval_seconds`.
  void on_progress(ProgressSink sink, double interval_seconds = 0.05);
  /// True when a report would be passed on now: lets a solver skip the making of one.
  bool wants_progress() const noexcept;
  /// Fills in `seconds` and passes it on if one is due. Only one thread of a run may report.
  void report(Progress progress);

 private:
  std::atomic<bool> cancelled_{false};
  const std::atomic<std::int32_t>* external_flag_ = nullptr;
  const RunControl* parent_ = nullptr;
  std::size_t threads_;
  double time_limit_seconds_;
  double memory_limit_bytes_ = std::numeric_limits<double>::infinity();
  Clock::time_point start_;
  Clock::time_point next_report_;
  Clock::duration report_interval_{};
  ProgressSink sink_;
};

}  // namespace dd
