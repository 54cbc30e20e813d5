// The object `odil` of the exports.
#include "addon/odil.hpp"

namespace dd::addon {

void export_odil(Napi::Object exports) {
  Napi::Object room = Napi::Object::New(exports.Env());
  export_odil_problem(room);
  export_odil_solve(room);
  export_odil_first_order(room);
  export_odil_laplace(room);
  export_odil_evolution(room);
  exports.Set("odil", room);
}

}  // namespace dd::addon
