// Quantisation as JavaScript functions, one file per part; contract in lib/quantize/native.ts.
#pragma once

#include <napi.h>

namespace dd::addon {

/// Adds `quantize`, an object of functions, to the exports.
void export_quantize(Napi::Object exports);

/// Add the functions of their part to that object.
void export_quantize_assignment(Napi::Object room);
void export_quantize_layer(Napi::Object room);
void export_quantize_packing(Napi::Object room);

}  // namespace dd::addon
