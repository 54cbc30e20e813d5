// A back end of an older version: right ABI number, fewer members.
#include "core/backend_abi.h"

extern "C" __attribute__((visibility("default"))) const DdBackend* DD_BACKEND_ENTRY(uint32_t) {
  static const DdBackend table = [] {
    DdBackend older{};
    older.abi = DD_BACKEND_ABI;
    older.struct_size = 24;
    older.name = "older";
    return older;
  }();
  return &table;
}
