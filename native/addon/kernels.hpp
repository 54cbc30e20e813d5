// The kernel table as JavaScript functions: what `discrete-descent doctor` and `discrete-descent bench` walk.
#pragma once

#include <napi.h>

namespace dd::addon {

void export_kernels(Napi::Object exports);

}  // namespace dd::addon
