// PolyStep as JavaScript functions, one file per part; contract in lib/polystep/native.ts.
#pragma once

#include <napi.h>

namespace dd::addon {

/// Adds `polystep`, an object of functions, to the exports.
void export_polystep(Napi::Object exports);

/// Adds the functions of optimizers to that object.
void export_polystep_engine(Napi::Object room);

/// Adds `polystepBaselines` to the exports; contract in lib/polystep/baselines/native.ts.
void export_polystep_baselines(Napi::Object exports);

}  // namespace dd::addon
