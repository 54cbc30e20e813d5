// Which instruction-set level the CPU kernels run at, and the table through which every kernel compiled once per
// level is entered. A kernel file `name.isa.cpp` defines one function per routine with DD_ISA_ENTRY; the plain side
// declares it once with DD_ISA_KERNEL and calls `name(arguments...)`, which goes to the active level.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace dd {

enum class IsaLevel : std::uint8_t { baseline, avx2, avx512, neon };

#if defined(__x86_64__) || defined(_M_X64)
inline constexpr std::array<IsaLevel, 3> compiled_isa_levels{IsaLevel::baseline, IsaLevel::avx2, IsaLevel::avx512};
#elif defined(__aarch64__) || defined(_M_ARM64)
inline constexpr std::array<IsaLevel, 1> compiled_isa_levels{IsaLevel::neon};
#else
inline constexpr std::array<IsaLevel, 1> compiled_isa_levels{IsaLevel::baseline};
#endif

/// "baseline", "avx2", "avx512" or "neon".
const char* isa_name(IsaLevel level) noexcept;

/// Levels that are compiled in and that this CPU and operating system can run, lowest first.
std::span<const IsaLevel> available_isa_levels() noexcept;

/// The level kernels run at: the highest available one, or what DISCRETE_DESCENT_ISA names, or what
/// `set_active_isa` said last. A name that is unknown or not available here is ignored by lowering nothing;
/// `isa_override_problem` then says why.
IsaLevel active_isa() noexcept;

/// Switches the whole process to `level` (tests and `doctor`); false and no change when it is not available.
bool set_active_isa(IsaLevel level) noexcept;

/// Whether the active level is AVX-512 on a CPU that has VBMI and VNNI as well: kernels may have a form of their own
/// for permutations of bytes and integer dot products.
bool has_byte_permutations() noexcept;

/// Empty, or what is wrong with the value of DISCRETE_DESCENT_ISA.
const char* isa_override_problem() noexcept;

/// Position of a level in `compiled_isa_levels`, which is also its slot in every IsaTable.
constexpr std::size_t isa_slot(IsaLevel level) noexcept {
  for (std::size_t slot = 0; slot < compiled_isa_levels.size(); ++slot) {
    if (compiled_isa_levels[slot] == level) return slot;
  }
  return 0;
}

/// One kernel, one entry per compiled level.
template <class Function>
struct IsaTable {
  std::array<Function*, compiled_isa_levels.size()> entries;

  constexpr Function* at(IsaLevel level) const noexcept { return entries[isa_slot(level)]; }

  template <class... Arguments>
  auto operator()(Arguments... arguments) const noexcept {
    return at(active_isa())(arguments...);
  }
};

}  // namespace dd

#define DD_ISA_SYMBOL_(name, level) dd_##name##_##level
#define DD_ISA_SYMBOL(name, level) DD_ISA_SYMBOL_(name, level)

// In a kernel header: DD_ISA_KERNEL(one_flip_float64, void(const OneFlipArguments<double>*)) inside a namespace
// declares the per-level entries and the table `one_flip_float64`.
#define DD_ISA_KERNEL(name, ...)       \
  namespace isa_detail {               \
  using name##_function = __VA_ARGS__; \
  DD_ISA_DECLARE_ALL_(name)            \
  }                                    \
  inline constexpr ::dd::IsaTable<isa_detail::name##_function> name { DD_ISA_LIST_ALL_(name) }

#if defined(__x86_64__) || defined(_M_X64)
#define DD_ISA_DECLARE_ALL_(name)                           \
  extern "C" name##_function DD_ISA_SYMBOL(name, baseline); \
  extern "C" name##_function DD_ISA_SYMBOL(name, avx2);     \
  extern "C" name##_function DD_ISA_SYMBOL(name, avx512);
#define DD_ISA_LIST_ALL_(name)                                                        \
  {                                                                                   \
    isa_detail::DD_ISA_SYMBOL(name, baseline), isa_detail::DD_ISA_SYMBOL(name, avx2), \
        isa_detail::DD_ISA_SYMBOL(name, avx512)                                       \
  }
#elif defined(__aarch64__) || defined(_M_ARM64)
#define DD_ISA_DECLARE_ALL_(name) extern "C" name##_function DD_ISA_SYMBOL(name, neon);
#define DD_ISA_LIST_ALL_(name) \
  { isa_detail::DD_ISA_SYMBOL(name, neon) }
#else
#define DD_ISA_DECLARE_ALL_(name) extern "C" name##_function DD_ISA_SYMBOL(name, baseline);
#define DD_ISA_LIST_ALL_(name) \
  { isa_detail::DD_ISA_SYMBOL(name, baseline) }
#endif

// In a `.isa.cpp` file, which the build compiles once per level with -DDD_ISA=<level>:
//   DD_ISA_ENTRY(void, one_flip_float64)(const OneFlipArguments<double>* arguments) { ... }
#ifdef DD_ISA
#define DD_ISA_ENTRY(result, name) extern "C" result DD_ISA_SYMBOL(name, DD_ISA)
#endif
