// The add-on's part of the quantisation room: one object, filled by one function per part.
#pragma once

#include <napi.h>

namespace dd::addon {

void export_quantize(Napi::Object exports);
void export_quantize_assignment(Napi::Object room);

}  // namespace dd::addon
