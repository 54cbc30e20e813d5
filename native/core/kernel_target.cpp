// How a kernel is run on each kind of target.
#include "core/kernel_target.hpp"

#include "core/error.hpp"

namespace dd {
namespace {

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

}  // namespace

DeviceWorkload::DeviceWorkload(BlockLauncher& launcher, const Workload& host) : launcher_(launcher), scope_(launcher) {
  for (std::size_t i = 0; i < host.specs().size(); ++i) {
    pointers_.push_back(launcher.allocate<std::byte>(host.bytes(i)));
  }
  upload(host);
}

void DeviceWorkload::upload(const Workload& host) {
  for (std::size_t i = 0; i < pointers_.size(); ++i) {
    launcher_.upload(static_cast<std::byte*>(pointers_[i]),
                     {static_cast<const std::byte*>(host.pointers()[i]), host.bytes(i)});
  }
}

void DeviceWorkload::download(const Workload& host) {
  for (std::size_t i = 0; i < pointers_.size(); ++i) {
    launcher_.download(static_cast<const std::byte*>(pointers_[i]),
                       {static_cast<std::byte*>(host.pointers()[i]), host.bytes(i)});
  }
}

KernelTarget KernelTarget::cpu(IsaLevel isa, std::size_t threads) {
  KernelTarget target;
  target.name =
      std::string("cpu ") + isa_name(isa) + ", " + std::to_string(threads) + (threads == 1 ? " thread" : " threads");
  target.isa = isa;
  target.threads = threads;
  return target;
}

KernelTarget KernelTarget::host_blocks(HostExecutor executor, std::uint64_t seed) {
  KernelTarget target;
  target.name = executor == HostExecutor::ordered    ? "blocks, ordered"
                : executor == HostExecutor::checking ? "blocks, checking, seed " + std::to_string(seed)
                                                     : "blocks, threaded";
  target.form = Form::host_blocks;
  target.executor = executor;
  target.seed = seed;
  return target;
}

KernelTarget KernelTarget::on(BlockLauncher& launcher, std::string name) {
  KernelTarget target;
  target.name = std::move(name);
  target.form = Form::launcher;
  target.launcher = &launcher;
  return target;
}

std::vector<KernelTarget> host_kernel_targets() {
  std::vector<KernelTarget> targets;
  for (const IsaLevel level : available_isa_levels()) {
    targets.push_back(KernelTarget::cpu(level, 1));
    targets.push_back(KernelTarget::cpu(level, 3));
  }
  targets.push_back(KernelTarget::host_blocks(HostExecutor::ordered));
  for (const std::uint64_t seed : {1, 2, 3}) targets.push_back(KernelTarget::host_blocks(HostExecutor::checking, seed));
  return targets;
}

Workload make_workload(const KernelEntry& entry, const KernelSize& size, std::uint64_t seed, Inputs inputs) {
  Workload workload(size, entry.buffers(size));
  PhiloxStream random(seed, 1);
  (inputs == Inputs::special ? entry.fill_special : entry.fill)(workload, random);
  return workload;
}

void run_target(const KernelEntry& entry, const KernelTarget& target, const Workload& workload) {
  switch (target.form) {
    case KernelTarget::Form::cpu: {
      const IsaScope isa(target.isa);
      entry.cpu(target.threads, workload.size(), workload.pointers());
      break;
    }
    case KernelTarget::Form::host_blocks: {
      HostLauncher launcher(target.executor, target.seed);
      entry.block(launcher, workload.size(), workload.pointers());
      break;
    }
    case KernelTarget::Form::launcher: {
      DeviceWorkload device(*target.launcher, workload);
      entry.block(*target.launcher, workload.size(), device.pointers());
      device.download(workload);
      target.launcher->synchronize();
      break;
    }
  }
}

}  // namespace dd
