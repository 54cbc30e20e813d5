// The part of the kernel table that belongs to the searches polystep is compared with.
#pragma once

#include <span>

#include "core/kernel_registry.hpp"

namespace dd::polystep {

std::span<const KernelEntry> baseline_kernels() noexcept;

}  // namespace dd::polystep
