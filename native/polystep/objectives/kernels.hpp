// The native objectives' part of the kernel table.
#pragma once

#include <span>

#include "core/kernel_registry.hpp"

namespace dd::polystep {

std::span<const KernelEntry> maxsat_kernels() noexcept;
std::span<const KernelEntry> network_kernels() noexcept;
std::span<const KernelEntry> response_kernels() noexcept;
std::span<const KernelEntry> steps_kernels() noexcept;

}  // namespace dd::polystep
