// dmmv as JavaScript functions, one file per part; contract in lib/dmmv/native.ts.
#pragma once

#include <napi.h>

namespace dd::addon {

/// Adds `dmmv`, an object of functions, to the exports.
void export_dmmv(Napi::Object exports);

/// Add the functions of their part to that object.
void export_dmmv_exact(Napi::Object room);
void export_dmmv_rounding(Napi::Object room);
void export_dmmv_tomography(Napi::Object room);

}  // namespace dd::addon
