// The kernels of weight rounding for the registry.
#pragma once

#include <span>

#include "core/kernel_registry.hpp"

namespace dd::dmmv {

std::span<const KernelEntry> rounding_kernels() noexcept;

}  // namespace dd::dmmv
