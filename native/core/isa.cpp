// Detection of the instruction-set level with our own cpuid code: __builtin_cpu_supports is not usable in a shared
// object built with clang, and feature bits alone do not say that the operating system saves the registers.
#include "core/isa.hpp"

#include <atomic>
#include <cstdlib>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace dd {
namespace {

#if defined(__x86_64__)
struct CpuFeatures {
  bool avx2 = false;
  bool avx512 = false;
  bool byte_permutations = false;
};

std::uint64_t read_xcr0() noexcept {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<std::uint64_t>(high) << 32) | low;
}

// The whole of x86-64-v3 and -v4 is asked for, because the compiler may use any of it in those objects.
CpuFeatures read_cpu_features() noexcept {
  CpuFeatures features;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return features;
  constexpr unsigned fma = 1u << 12, sse3 = 1u << 0, ssse3 = 1u << 9, cx16 = 1u << 13, sse41 = 1u << 19,
                     sse42 = 1u << 20, movbe = 1u << 22, popcnt = 1u << 23, osxsave = 1u << 27, avx = 1u << 28,
                     f16c = 1u << 29;
  constexpr unsigned leaf1 = fma | sse3 | ssse3 | cx16 | sse41 | sse42 | movbe | popcnt | osxsave | avx | f16c;
  if ((c & leaf1) != leaf1) return features;
  const std::uint64_t xcr0 = read_xcr0();
  if ((xcr0 & 0x6) != 0x6) return features;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return features;
  constexpr unsigned bmi1 = 1u << 3, avx2 = 1u << 5, bmi2 = 1u << 8;
  constexpr unsigned avx512f = 1u << 16, avx512dq = 1u << 17, avx512cd = 1u << 28, avx512bw = 1u << 30,
                     avx512vl = 1u << 31;
  constexpr unsigned vbmi = 1u << 1, vnni = 1u << 11;
  const unsigned leaf7 = b, leaf7_c = c;
  unsigned extended_c = 0;
  if (__get_cpuid(0x80000001u, &a, &b, &extended_c, &d) == 0) return features;
  constexpr unsigned lzcnt = 1u << 5;
  features.avx2 = (leaf7 & (bmi1 | avx2 | bmi2)) == (bmi1 | avx2 | bmi2) && (extended_c & lzcnt) != 0;
  constexpr unsigned all512 = avx512f | avx512dq | avx512cd | avx512bw | avx512vl;
  features.avx512 = features.avx2 && (leaf7 & all512) == all512 && (xcr0 & 0xe6) == 0xe6;
  features.byte_permutations = features.avx512 && (leaf7_c & (vbmi | vnni)) == (vbmi | vnni);
  return features;
}
#endif

struct IsaState {
  std::array<IsaLevel, compiled_isa_levels.size()> available{};
  std::size_t available_count = 0;
  bool byte_permutations = false;
  const char* override_problem = "";
  std::atomic<IsaLevel> active{compiled_isa_levels[0]};

  IsaState() noexcept {
#if defined(__x86_64__)
    const CpuFeatures features = read_cpu_features();
    byte_permutations = features.byte_permutations;
#endif
    for (IsaLevel level : compiled_isa_levels) {
      bool runs = true;
#if defined(__x86_64__)
      if (level == IsaLevel::avx2) runs = features.avx2;
      if (level == IsaLevel::avx512) runs = features.avx512;
#endif
      if (runs) available[available_count++] = level;
    }
    active = available[available_count - 1];
    apply_override();
  }

  void apply_override() noexcept {
    const char* name = std::getenv("DISCRETE_DESCENT_ISA");
    if (name == nullptr || *name == '\0') return;
    for (std::size_t i = 0; i < available_count; ++i) {
      if (std::strcmp(name, isa_name(available[i])) == 0) {
        active = available[i];
        return;
      }
    }
    override_problem = "DISCRETE_DESCENT_ISA names a level that this CPU or this build does not have; it is ignored";
  }
};

IsaState& state() noexcept {
  static IsaState instance;
  return instance;
}

}  // namespace

const char* isa_name(IsaLevel level) noexcept {
  switch (level) {
    case IsaLevel::baseline:
      return "baseline";
    case IsaLevel::avx2:
      return "avx2";
    case IsaLevel::avx512:
      return "avx512";
    case IsaLevel::neon:
      return "neon";
  }
  return "unknown";
}

std::span<const IsaLevel> available_isa_levels() noexcept {
  return {state().available.data(), state().available_count};
}

IsaLevel active_isa() noexcept { return state().active.load(std::memory_order_relaxed); }

bool set_active_isa(IsaLevel level) noexcept {
  for (IsaLevel candidate : available_isa_levels()) {
    if (candidate == level) {
      state().active.store(level, std::memory_order_relaxed);
      return true;
    }
  }
  return false;
}

bool has_byte_permutations() noexcept { return active_isa() == IsaLevel::avx512 && state().byte_permutations; }

const char* isa_override_problem() noexcept { return state().override_problem; }

}  // namespace dd
