// PolyStep as JavaScript functions, one file per part; contract in lib/polystep/native.ts.
#pragma once

#include <napi.h>

namespace dd::addon {

/// Adds `polystep`, an object of functions, to the exports.
void export_polystep(Napi::Object exports);

/// Adds the functions of optimizers to that object.
void export_polystep_engine(Napi::Object room);

}  // namespace dd::addon
