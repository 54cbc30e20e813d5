// Native objectives of polystep for JavaScript.
#pragma once

#include <napi.h>

namespace dd::addon {

/// Adds `polystepObjectives` to the exports. Handles are of dd::polystep::Objective (addon/handle.hpp).
void export_polystep_objectives(Napi::Object exports);

}  // namespace dd::addon
