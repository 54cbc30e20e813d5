// How a kernel is run on each kind of target, and how its outputs are judged.
#include "core/self_test.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "core/error.hpp"

namespace dd {
namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

/// Sets the ISA level and puts the old one back.
class IsaScope {
 public:
  explicit IsaScope(IsaLevel level) : before_(active_isa()) {
    if (!set_active_isa(level)) {
      throw Error(ErrorCode::backend_unavailable, isa_name(level), "this CPU does not run that level");
    }
  }
  ~IsaScope() { set_active_isa(before_); }
  IsaScope(const IsaScope&) = delete;
  IsaScope& operator=(const IsaScope&) = delete;

 private:
  IsaLevel before_;
};

void run_on_launcher(const KernelEntry& entry, BlockLauncher& launcher, const Workload& workload) {
  struct Release {
    BlockLauncher& launcher;
    ~Release() { launcher.release_allocations(); }
  } const release{launcher};
  std::vector<void*> device;
  for (std::size_t i = 0; i < workload.specs().size(); ++i) {
    const std::span<const std::byte> host(static_cast<const std::byte*>(workload.pointers()[i]), workload.bytes(i));
    auto* memory = launcher.allocate<std::byte>(host.size());
    launcher.upload(memory, host);
    device.push_back(memory);
  }
  entry.block(launcher, workload.size(), device);
  for (std::size_t i = 0; i < device.size(); ++i) {
    const std::span<std::byte> host(static_cast<std::byte*>(workload.pointers()[i]), workload.bytes(i));
    launcher.download(static_cast<const std::byte*>(device[i]), host);
  }
  launcher.synchronize();
}

/// Judges the outputs; empty when all is well.
std::string compare(const KernelEntry& entry, const Workload& inputs, const Workload& out, const Workload& truth,
                    SelfTestResult& result) {
  for (std::size_t buffer = 0; buffer < out.specs().size(); ++buffer) {
    const BufferSpec& spec = out.specs()[buffer];
    if (spec.role == BufferRole::input) {
      if (out.bytes(buffer) > 0 &&
          std::memcmp(out.pointers()[buffer], inputs.pointers()[buffer], out.bytes(buffer)) != 0) {
        return "input `" + std::string(spec.name) + "` was changed";
      }
      continue;
    }
    for (std::size_t i = 0; i < spec.count; ++i) {
      const double value = out.value(buffer, i);
      const double expected = truth.value(buffer, i);
      const bool same = value == expected || (std::isnan(value) && std::isnan(expected));
      if (same) continue;
      const double error = std::fabs(value - expected);
      const double allowed = entry.tolerance.absolute + entry.tolerance.relative * std::fabs(expected);
      if (std::isfinite(error)) {
        result.largest_error = std::max(result.largest_error, error);
        result.tolerance_ratio = std::max(result.tolerance_ratio, error / allowed);
      }
      if (!std::isfinite(expected) || !(error <= allowed)) {
        return "`" + std::string(spec.name) + "`[" + std::to_string(i) + "] is " + number(value) + ", expected " +
               number(expected) + " within " + number(allowed);
      }
    }
  }
  const std::string_view broken = out.broken_guard();
  if (!broken.empty()) return "something was written past the end of `" + std::string(broken) + "`";
  return {};
}

}  // namespace

SelfTestTarget SelfTestTarget::cpu(IsaLevel isa, std::size_t threads) {
  SelfTestTarget target;
  target.name =
      std::string("cpu ") + isa_name(isa) + ", " + std::to_string(threads) + (threads == 1 ? " thread" : " threads");
  target.isa = isa;
  target.threads = threads;
  return target;
}

SelfTestTarget SelfTestTarget::host_blocks(HostExecutor executor, std::uint64_t seed) {
  SelfTestTarget target;
  target.name = executor == HostExecutor::ordered    ? "blocks, ordered"
                : executor == HostExecutor::checking ? "blocks, checking, seed " + std::to_string(seed)
                                                     : "blocks, threaded";
  target.form = Form::host_blocks;
  target.executor = executor;
  target.seed = seed;
  return target;
}

SelfTestTarget SelfTestTarget::on(BlockLauncher& launcher, std::string name) {
  SelfTestTarget target;
  target.name = std::move(name);
  target.form = Form::launcher;
  target.launcher = &launcher;
  return target;
}

std::vector<SelfTestTarget> host_self_test_targets() {
  std::vector<SelfTestTarget> targets;
  for (const IsaLevel level : available_isa_levels()) {
    targets.push_back(SelfTestTarget::cpu(level, 1));
    targets.push_back(SelfTestTarget::cpu(level, 3));
  }
  targets.push_back(SelfTestTarget::host_blocks(HostExecutor::ordered));
  for (const std::uint64_t seed : {1, 2, 3})
    targets.push_back(SelfTestTarget::host_blocks(HostExecutor::checking, seed));
  return targets;
}

Workload make_workload(const KernelEntry& entry, const KernelSize& size, std::uint64_t seed, Inputs inputs) {
  Workload workload(size, entry.buffers(size));
  PhiloxStream random(seed, 1);
  (inputs == Inputs::special ? entry.fill_special : entry.fill)(workload, random);
  return workload;
}

void run_target(const KernelEntry& entry, const SelfTestTarget& target, const Workload& workload) {
  switch (target.form) {
    case SelfTestTarget::Form::cpu: {
      const IsaScope isa(target.isa);
      entry.cpu(target.threads, workload.size(), workload.pointers());
      break;
    }
    case SelfTestTarget::Form::host_blocks: {
      HostLauncher launcher(target.executor, target.seed);
      entry.block(launcher, workload.size(), workload.pointers());
      break;
    }
    case SelfTestTarget::Form::launcher:
      run_on_launcher(entry, *target.launcher, workload);
      break;
  }
}

SelfTestResult self_test(const KernelEntry& entry, const SelfTestTarget& target, const KernelSize& size,
                         std::uint64_t seed, Inputs inputs) {
  SelfTestResult result;
  std::string problem;
  try {
    const Workload start = make_workload(entry, size, seed, inputs);
    Workload truth(size, entry.buffers(size));
    Workload out(size, entry.buffers(size));
    truth.copy_from(start);
    out.copy_from(start);
    entry.reference(size, truth.pointers());
    run_target(entry, target, out);
    problem = compare(entry, start, out, truth, result);
  } catch (const std::exception& error) {
    problem = error.what();
  }
  result.passed = problem.empty();
  if (!result.passed) {
    result.message = std::string(entry.name) + " on " + target.name + " (" + describe_size(entry, size) + ", seed " +
                     std::to_string(seed) + (inputs == Inputs::special ? ", special inputs" : "") + "): " + problem;
  }
  return result;
}

SelfTestResult self_test_all_sizes(const KernelEntry& entry, const SelfTestTarget& target) {
  SelfTestResult all;
  all.passed = true;
  for (const KernelSize& size : entry.test_sizes()) {
    for (const Inputs inputs : {Inputs::ordinary, Inputs::special}) {
      if (inputs == Inputs::special && entry.fill_special == nullptr) continue;
      for (const std::uint64_t seed : {1, 2}) {
        SelfTestResult one = self_test(entry, target, size, seed, inputs);
        if (!one.passed) return one;
        all.largest_error = std::max(all.largest_error, one.largest_error);
        all.tolerance_ratio = std::max(all.tolerance_ratio, one.tolerance_ratio);
      }
    }
  }
  return all;
}

}  // namespace dd
