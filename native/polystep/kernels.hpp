// The optimizer's part of the kernel table.
#pragma once

#include <span>

#include "core/kernel_registry.hpp"

namespace dd::polystep {

std::span<const KernelEntry> kernels() noexcept;
/// Of random numbers and what is made of them.
std::span<const KernelEntry> random_kernels() noexcept;

}  // namespace dd::polystep
