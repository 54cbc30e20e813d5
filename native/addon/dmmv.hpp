// dmmv as JavaScript functions, contract in lib/dmmv/native.ts.
#pragma once

#include <napi.h>

namespace dd::addon {

/// Adds `dmmv`, an object of functions, to the exports.
void export_dmmv(Napi::Object exports);

}  // namespace dd::addon
