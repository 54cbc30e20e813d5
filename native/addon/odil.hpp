// PDE residuals as JavaScript functions, one file per part; contract in lib/odil/native.ts.
#pragma once

#include <napi.h>

namespace dd::addon {

/// Adds `odil`, an object of functions, to the exports.
void export_odil(Napi::Object exports);

/// Add the functions of their part to that object.
void export_odil_problem(Napi::Object room);
void export_odil_solve(Napi::Object room);
void export_odil_first_order(Napi::Object room);
void export_odil_laplace(Napi::Object room);
void export_odil_evolution(Napi::Object room);

}  // namespace dd::addon
