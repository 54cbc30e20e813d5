// A back end of another version: it does not know our ABI number.
#include "core/backend_abi.h"

extern "C" __attribute__((visibility("default"))) const DdBackend* DD_BACKEND_ENTRY(uint32_t abi) {
  static_assert(DD_BACKEND_ABI != 999);
  static const DdBackend table{};
  return abi == 999 ? &table : nullptr;
}
