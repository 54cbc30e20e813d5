// Clock and throttling of a run.
#include "core/run_control.hpp"

#include <cstdio>
#include <utility>

#include "core/error.hpp"
#include "core/thread_pool.hpp"

namespace dd {

RunControl::RunControl(std::size_t threads, double time_limit_seconds) noexcept
    : threads_(threads == 0 ? ThreadPool::default_threads() : threads),
      time_limit_seconds_(time_limit_seconds),
      start_(Clock::now()),
      next_report_(start_) {}

RunControl::RunControl(const RunControl& parent, double time_limit_seconds) noexcept
    : RunControl(parent.threads_, time_limit_seconds) {
  parent_ = &parent;
  memory_limit_bytes_ = parent.memory_limit_bytes_;
}

double RunControl::seconds() const noexcept { return std::chrono::duration<double>(Clock::now() - start_).count(); }

StopReason RunControl::stop_reason() const noexcept {
  if (cancelled()) return StopReason::cancelled;
  if (seconds() >= time_limit_seconds_) return StopReason::time_limit;
  if (parent_ != nullptr) return parent_->stop_reason();
  return StopReason::none;
}

void RunControl::require_memory(double bytes, const char* what) const {
  if (bytes <= memory_limit_bytes_) return;
  char text[200];
  std::snprintf(text, sizeof text, "%s needs about %.3g GB, and %.3g GB may be used", what, bytes * 1e-9,
                memory_limit_bytes_ * 1e-9);
  throw Error(ErrorCode::out_of_memory, "memoryLimitBytes", text);
}

void RunControl::on_progress(ProgressSink sink, double interval_seconds) {
  sink_ = std::move(sink);
  report_interval_ = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(interval_seconds));
}

bool RunControl::wants_progress() const noexcept { return sink_ && Clock::now() >= next_report_; }

void RunControl::report(Progress progress) {
  if (!wants_progress()) return;
  next_report_ = Clock::now() + report_interval_;
  progress.seconds = seconds();
  sink_(progress);
}

}  // namespace dd
