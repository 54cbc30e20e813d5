// Entries of the peak measurement: 24 lanes operations a turn.
#pragma once

#include <cstddef>

#include "core/isa.hpp"

namespace dd::bench {

DD_ISA_KERNEL(bench_peak_float32, double(std::size_t turns, const volatile float* factors));
DD_ISA_KERNEL(bench_peak_float64, double(std::size_t turns, const volatile double* factors));
inline constexpr double peak_operations_per_lane = 24;

}  // namespace dd::bench
