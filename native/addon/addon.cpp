// Entry point of the add-on. Context-aware: all state is per environment (job.cpp), but for the pool and the tables of
// instruction-set levels and back ends, which belong to the process.
#include <napi.h>

#include "addon/dmmv.hpp"
#include "addon/job.hpp"
#include "addon/kernels.hpp"
#include "addon/odil.hpp"
#include "addon/polystep.hpp"
#include "addon/polystep_objectives.hpp"
#include "addon/quantize.hpp"
#include "addon/runtime.hpp"

static Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  dd::addon::prepare_jobs(env);
  dd::addon::export_runtime(exports);
  dd::addon::export_kernels(exports);
  dd::addon::export_dmmv(exports);
  dd::addon::export_odil(exports);
  dd::addon::export_polystep(exports);
  dd::addon::export_polystep_objectives(exports);
  dd::addon::export_polystep_baselines(exports);
  dd::addon::export_quantize(exports);
  return exports;
}

NODE_API_MODULE(discrete_descent, initialise)
