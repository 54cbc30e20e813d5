// The object `quantize` of the exports.
#include "addon/quantize.hpp"

namespace dd::addon {

void export_quantize(Napi::Object exports) {
  Napi::Object room = Napi::Object::New(exports.Env());
  export_quantize_assignment(room);
  export_quantize_layer(room);
  export_quantize_packing(room);
  exports.Set("quantize", room);
}

}  // namespace dd::addon
