// Concatenation of the rooms' tables; a new room adds one line to `rooms` and its files to block_kernels.hpp.
#include "core/block_launcher.hpp"

namespace dd {
namespace {

std::vector<BlockKernelInfo>& listed_block_kernels() {
  static std::vector<BlockKernelInfo> list;
  return list;
}

struct ListBlockKernel {
  explicit ListBlockKernel(const BlockKernelInfo& kernel) { listed_block_kernels().push_back(kernel); }
};

}  // namespace
}  // namespace dd

// The file that registers a kernel has compiled it for every executor; here only the addresses are wanted.
#define DD_COMPILED_ELSEWHERE(executor, ...)                                         \
  extern template void ::dd::run_on_host<__VA_ARGS__, ::dd::HostExecutor::executor>( \
      const void* arguments, ::dd::Grid grid, std::uint64_t seed);
#undef DD_LIST_BLOCK_KERNEL
#define DD_LIST_BLOCK_KERNEL(name, ...)        \
  DD_COMPILED_ELSEWHERE(ordered, __VA_ARGS__)  \
  DD_COMPILED_ELSEWHERE(checking, __VA_ARGS__) \
  DD_COMPILED_ELSEWHERE(threaded, __VA_ARGS__) \
  static const ::dd::ListBlockKernel dd_list_##name(::dd::block_kernel_info<__VA_ARGS__>);
#include "block_kernels.hpp"
#include "catalog.hpp"
#include "core/kernels.hpp"
#include "dmmv/kernels.hpp"
#include "dmmv/rounding_kernels.hpp"
#include "dmmv/sparse_kernels.hpp"
#include "linalg/kernels.hpp"
#include "linalg/nearest_plane_kernel.hpp"
#include "odil/kernels.hpp"
#include "odil/program_kernels.hpp"
#include "odil/row_solver_kernels.hpp"
#include "polystep/kernels.hpp"
#include "polystep/objectives/kernels.hpp"
#include "quantize/assignment_kernels.hpp"
#include "quantize/kernels.hpp"
#include "quantize/packed_kernels.hpp"

namespace dd {

std::span<const KernelEntry> all_kernels() {
  static const std::vector<KernelEntry> table = [] {
    const std::span<const KernelEntry> rooms[] = {core::kernels(),
                                                  linalg::kernels(),
                                                  linalg::nearest_plane_kernels(),
                                                  dmmv::kernels(),
                                                  dmmv::rounding_kernels(),
                                                  dmmv::sparse_kernels(),
                                                  odil::kernels(),
                                                  odil::program_kernels(),
                                                  odil::row_solver_kernels(),
                                                  quantize::kernels(),
                                                  quantize::assignment_kernels(),
                                                  quantize::packed_kernels(),
                                                  polystep::kernels(),
                                                  polystep::random_kernels(),
                                                  polystep::maxsat_kernels(),
                                                  polystep::network_kernels(),
                                                  polystep::response_kernels(),
                                                  polystep::steps_kernels()};
    std::vector<KernelEntry> all;
    for (const std::span<const KernelEntry> room : rooms) all.insert(all.end(), room.begin(), room.end());
    return all;
  }();
  return table;
}

std::span<const BlockKernelInfo> all_block_kernels() { return listed_block_kernels(); }

const BlockKernelInfo* find_block_kernel(std::string_view symbol) {
  for (const BlockKernelInfo& kernel : all_block_kernels()) {
    if (symbol == kernel.name) return &kernel;
  }
  return nullptr;
}

}  // namespace dd
