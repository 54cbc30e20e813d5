// What every domain shares, as JavaScript functions: versions, instruction-set levels, back ends, the kernel table with
// its self-test and benchmark, and the pieces that the tests of the edge itself need.
#pragma once

#include <napi.h>

namespace dd::addon {

void export_runtime(Napi::Object exports);

}  // namespace dd::addon
