// The kernels of sparse problems for the registry.
#pragma once

#include <span>

#include "core/kernel_registry.hpp"

namespace dd::dmmv {

std::span<const KernelEntry> sparse_kernels() noexcept;

}  // namespace dd::dmmv
