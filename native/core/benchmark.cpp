// Sampling of kernels: calibrate the calls per sample, sample, take percentiles.
#include "core/benchmark.hpp"

#include <algorithm>
#include <memory>

#include "core/clock.hpp"

namespace dd {
namespace {

/// As many independent sets of buffers as a sample has calls, where calls destroy their input; else one.
class CallBuffers {
 public:
  CallBuffers(const KernelEntry& entry, const KernelTarget& target, const KernelSize& size, std::uint64_t seed)
      : entry_(entry), target_(target), start_(make_workload(entry, size, seed)) {
    for (std::size_t i = 0; i < start_.specs().size(); ++i) {
      bytes_ += start_.bytes(i);
      fresh_ = fresh_ || start_.specs()[i].role == BufferRole::in_out;
    }
    resize(1);
  }

  /// Calls a sample may have: all copies together stay below 256 MiB.
  std::size_t max_calls() const noexcept {
    return fresh_ ? std::max<std::size_t>(1, (std::size_t{256} << 20) / std::max<std::size_t>(1, bytes_))
                  : ~std::size_t{0};
  }
  void resize(std::size_t calls) {
    const std::size_t sets = fresh_ ? calls : 1;
    while (host_.size() < sets) {
      host_.push_back(std::make_unique<Workload>(start_.size(), entry_.buffers(start_.size())));
      host_.back()->copy_from(start_);
      if (target_.form == KernelTarget::Form::launcher) {
        device_.push_back(std::make_unique<DeviceWorkload>(*target_.launcher, start_));
      }
    }
  }
  void refresh() {
    if (!fresh_) return;
    for (const auto& workload : host_) workload->copy_from(start_);
    for (const auto& workload : device_) workload->upload(start_);
  }
  void run(std::size_t calls) {
    for (std::size_t call = 0; call < calls; ++call) {
      const std::size_t set = fresh_ ? call : 0;
      if (target_.form == KernelTarget::Form::launcher) {
        entry_.block(*target_.launcher, start_.size(), device_[set]->pointers());
      } else {
        run_target(entry_, target_, *host_[set]);
      }
    }
    if (target_.form == KernelTarget::Form::launcher) target_.launcher->synchronize();
  }

 private:
  const KernelEntry& entry_;
  const KernelTarget& target_;
  Workload start_;
  std::vector<std::unique_ptr<Workload>> host_;
  std::vector<std::unique_ptr<DeviceWorkload>> device_;
  std::size_t bytes_ = 0;
  bool fresh_ = false;
};

double percentile(const std::vector<double>& sorted, double fraction) {
  return sorted[static_cast<std::size_t>(fraction * static_cast<double>(sorted.size() - 1))];
}

}  // namespace

BenchmarkResult benchmark_kernel(const KernelEntry& entry, const KernelTarget& target, const KernelSize& size,
                                 const BenchmarkOptions& options) {
  BenchmarkResult result;
  result.cpu_clock = target.form == KernelTarget::Form::cpu && target.threads == 1;
  const auto now = [&] { return result.cpu_clock ? thread_cpu_seconds() : wall_seconds(); };

  CallBuffers buffers(entry, target, size, options.seed);
  const auto sample = [&](std::size_t calls) {
    buffers.refresh();
    const double start = now();
    buffers.run(calls);
    return (now() - start) / static_cast<double>(calls);
  };

  sample(1);
  std::size_t calls = 1;
  while (calls < buffers.max_calls() && sample(calls) * static_cast<double>(calls) < options.sample_seconds) {
    calls = std::min(2 * calls, buffers.max_calls());
    buffers.resize(calls);
  }

  std::vector<double> seconds;
  const double start = wall_seconds();
  while (seconds.size() < options.min_samples ||
         (seconds.size() < options.max_samples && wall_seconds() - start < options.budget_seconds)) {
    seconds.push_back(sample(calls));
  }
  std::sort(seconds.begin(), seconds.end());
  result.samples = seconds.size();
  result.calls_per_sample = calls;
  result.seconds_p10 = percentile(seconds, 0.1);
  result.seconds_median = percentile(seconds, 0.5);
  result.seconds_p90 = percentile(seconds, 0.9);
  result.gflops = entry.flops(size) / result.seconds_p10 * 1e-9;
  result.gigabytes = entry.bytes(size) / result.seconds_p10 * 1e-9;
  return result;
}

}  // namespace dd
