// The parts of a step as calls of their own: plans, polytopes, rotations, models, subspaces.
#include "addon/polystep.hpp"

#include <vector>

#include "addon/arguments.hpp"
#include "addon/edge.hpp"
#include "addon/polystep_options.hpp"
#include "core/run_control.hpp"
#include "polystep/covariance.hpp"
#include "polystep/dynamics.hpp"
#include "polystep/leading_directions.hpp"
#include "polystep/plan.hpp"
#include "polystep/polytope.hpp"
#include "polystep/rotation.hpp"
#include "polystep/subspace.hpp"

namespace dd::addon {
namespace {

using namespace dd::polystep;

/// (costs, a, b, options, uniforms) -> { plan, f, g, iterations, converged, error, objective, klViolation, omega }.
Napi::Value plan(const Napi::CallbackInfo& info) {
  const auto costs = typed_array<double>(info[0], "costs");
  const auto a = typed_array<double>(info[1], "rowMarginal"), b = typed_array<double>(info[2], "columnMarginal");
  if (costs.size() != a.size() * b.size() || a.empty() || b.empty()) throw_type("costs", "rows x vertices numbers");
  const Napi::Object given = object(info[3], "options");
  PlanOptions options;
  read_assignment(given, options.rule, options.tau, options.k, options.lambda, options.scale, options.divisor);
  options.transport = read_transport(object(given.Get("transport"), "transport"));
  options.transport.epsilon = number(given.Get("epsilon"), "epsilon");
  if (const Napi::Value start = given.Get("start"); start.IsObject()) {
    const Napi::Object duals = start.As<Napi::Object>();
    options.transport.start_f = typed_array<double>(duals.Get("f"), "start.f", a.size());
    options.transport.start_g = typed_array<double>(duals.Get("g"), "start.g", b.size());
    options.transport.start_epsilon = number(duals.Get("epsilon"), "start.epsilon");
  }
  const auto uniforms = typed_array<double>(info[4], "uniforms");
  if (!uniforms.empty() && uniforms.size() != a.size()) throw_type("uniforms", "a number per row");
  RunControl control(size(given.Get("threads"), "threads"));
  const TransportPlan found = assign({costs.begin(), costs.end()}, a, b, options, uniforms, control);
  const Napi::Env env = info.Env();
  Napi::Object result = Napi::Object::New(env);
  result.Set("plan", copy_to_typed_array<double>(env, found.plan));
  result.Set("f", copy_to_typed_array<double>(env, found.f));
  result.Set("g", copy_to_typed_array<double>(env, found.g));
  result.Set("iterations", static_cast<double>(found.iterations));
  result.Set("converged", found.converged);
  result.Set("error", found.error);
  result.Set("objective", found.objective);
  result.Set("klViolation", found.kl_violation);
  result.Set("omega", found.omega);
  return result;
}

/// (costs, vertices, scale, number) -> costs, sanitised and scaled.
Napi::Value scaled(const Napi::CallbackInfo& info) {
  const auto given = typed_array<double>(info[0], "costs");
  std::vector<double> costs(given.begin(), given.end());
  const std::size_t vertices = size(info[1], "vertices");
  if (vertices == 0 || costs.size() % vertices != 0) throw_type("costs", "rows x vertices numbers");
  replace_infeasible(costs, infeasible_cost(largest_finite(costs)));
  scale_costs(costs, vertices, static_cast<CostScale>(size(info[2], "scaleCost")), number(info[3], "scaleCost"));
  return copy_to_typed_array<double>(info.Env(), costs);
}

Polytope polytope_of(const Napi::CallbackInfo& info) {
  return {static_cast<PolytopeKind>(size(info[0], "polytope")), size(info[1], "dimension")};
}

/// (kind, dimension) -> vertices x dimension.
Napi::Value polytope_vertices(const Napi::CallbackInfo& info) {
  const Polytope polytope = polytope_of(info);
  const std::size_t d = polytope.dimension();
  std::vector<double> table(polytope.vertices() * d);
  for (std::size_t n = 0; n < polytope.vertices(); ++n) polytope.vertex(n, std::span(table).subspan(n * d, d));
  return copy_to_typed_array<double>(info.Env(), table);
}

/// (kind, dimension, weights) -> sum_n w_n v_n.
Napi::Value polytope_combine(const Napi::CallbackInfo& info) {
  const Polytope polytope = polytope_of(info);
  std::vector<double> sum(polytope.dimension());
  polytope.combine(typed_array<double>(info[2], "weights", polytope.vertices()), sum);
  return copy_to_typed_array<double>(info.Env(), sum);
}

/// (kind, dimension, rotation) -> R v_n, vertices x dimension.
Napi::Value polytope_directions(const Napi::CallbackInfo& info) {
  const Polytope polytope = polytope_of(info);
  const std::size_t d = polytope.dimension();
  std::vector<double> directions(polytope.vertices() * d);
  polytope.directions(typed_array<double>(info[2], "rotation", d * d), directions);
  return copy_to_typed_array<double>(info.Env(), directions);
}

/// (seed, particle, step, dimension).
Napi::Value haar(const Napi::CallbackInfo& info) {
  const std::size_t d = size(info[3], "dimension");
  if (d == 0) throw_type("dimension", "at least 1");
  std::vector<double> rotation(d * d), scratch;
  haar_rotations(size(info[0], "seed"), {size(info[1], "particle"), 1},
                 static_cast<std::uint32_t>(size(info[2], "step")), d, rotation, scratch);
  return copy_to_typed_array<double>(info.Env(), rotation);
}

/// (gaussian, dimension).
Napi::Value haar_of(const Napi::CallbackInfo& info) {
  const std::size_t d = size(info[1], "dimension");
  std::vector<double> rotation(d * d);
  haar_from_gaussian(typed_array<double>(info[0], "gaussian", d * d), d, rotation);
  return copy_to_typed_array<double>(info.Env(), rotation);
}

/// (rotation, dimension, direction).
Napi::Value bias(const Napi::CallbackInfo& info) {
  const std::size_t d = size(info[1], "dimension");
  const auto given = typed_array<double>(info[0], "rotation", d * d);
  std::vector<double> rotation(given.begin(), given.end());
  bias_rotation(rotation, d, typed_array<double>(info[2], "direction", d));
  return copy_to_typed_array<double>(info.Env(), rotation);
}

/// (seed, particle, step, stream, count).
Napi::Value normals(const Napi::CallbackInfo& info) {
  std::vector<double> values(size(info[4], "count"));
  philox_normals(size(info[0], "seed"), static_cast<std::uint32_t>(size(info[1], "particle")),
                 static_cast<std::uint32_t>(size(info[2], "step")), static_cast<RandomStream>(size(info[3], "stream")),
                 values);
  return copy_to_typed_array<double>(info.Env(), values);
}

/// (seed, particle, step, stream, count).
Napi::Value uniforms(const Napi::CallbackInfo& info) {
  std::vector<double> values(size(info[4], "count"));
  philox_uniforms(size(info[0], "seed"), static_cast<std::uint32_t>(size(info[1], "particle")),
                  static_cast<std::uint32_t>(size(info[2], "step")), static_cast<RandomStream>(size(info[3], "stream")),
                  values);
  return copy_to_typed_array<double>(info.Env(), values);
}

/// (iteration, maxIterations, initial, final).
Napi::Value momentum(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), momentum_coefficient(size(info[0], "iteration"), size(info[1], "maxIterations"),
                                                            number(info[2], "initial"), number(info[3], "final")));
}

/// ([previous loss, stagnation, multiplier], loss, options) -> the same three numbers after the loss.
Napi::Value adapt_radius(const Napi::CallbackInfo& info) {
  const auto state = typed_array<double>(info[0], "state", 3);
  AdaptiveRadius radius{state[0], static_cast<std::uint64_t>(state[1]), state[2]};
  radius.update(number(info[1], "loss"), read_adaptive(object(info[2], "options")));
  const double next[] = {radius.previous_loss, static_cast<double>(radius.stagnation), radius.multiplier};
  return copy_to_typed_array<double>(info.Env(), next);
}

/// (predicted, actual, current).
Napi::Value trust_region(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), trust_region_multiplier(number(info[0], "predicted"), number(info[1], "actual"),
                                                               number(info[2], "current")));
}

/// (losses 2d x K, scales, probeRadius, centre, maxNorm) -> [gradient, curvature, newton step, predicted change].
Napi::Value model(const Napi::CallbackInfo& info) {
  const auto losses = typed_array<double>(info[0], "losses"), scales = typed_array<double>(info[1], "scales");
  if (scales.empty() || losses.size() % (2 * scales.size()) != 0) throw_type("losses", "2 d x scales numbers");
  const std::size_t d = losses.size() / (2 * scales.size());
  std::vector<double> result(3 * d + 1);
  const std::span<double> all(result);
  quadratic_model(losses, scales, number(info[2], "probeRadius"), number(info[3], "centre"), all.first(d),
                  all.subspan(d, d));
  newton_step(all.first(d), all.subspan(d, d), number(info[4], "maxNorm"), all.subspan(2 * d, d));
  all[3 * d] = predicted_change(all.first(d), all.subspan(d, d), all.subspan(2 * d, d));
  return copy_to_typed_array<double>(info.Env(), result);
}

/// (subspace description, base, coordinates) -> base + B c.
Napi::Value expand(const Napi::CallbackInfo& info) {
  const auto subspace = read_subspace<double>(object(info[0], "subspace"));
  const auto base = typed_array<double>(info[1], "base", subspace->parameters());
  const auto coordinates = typed_array<double>(info[2], "coordinates", subspace->coordinates());
  std::vector<double> out(subspace->parameters());
  subspace->expand(base, coordinates, out);
  return copy_to_typed_array<double>(info.Env(), out);
}

/// (n, effective size or 0) -> [mu, c_sigma, c_c, c_1, c_mu, d_sigma, expected norm].
Napi::Value covariance_of(const Napi::CallbackInfo& info) {
  const CovarianceConstants c = covariance_constants(size(info[0], "dimension"), number(info[1], "effectiveSize"));
  const double all[] = {c.effective_size, c.path_rate, c.rank_one_path_rate, c.rank_one,
                        c.rank_mu,        c.damping,   c.expected_norm};
  return copy_to_typed_array<double>(info.Env(), all);
}

/// (path, displacement, rate, effective size, stalled) -> the path afterwards.
Napi::Value path_after(const Napi::CallbackInfo& info) {
  const auto given = typed_array<double>(info[0], "path");
  std::vector<double> path(given.begin(), given.end());
  evolve_path(path, typed_array<double>(info[1], "displacement", path.size()), number(info[2], "rate"),
              number(info[3], "effectiveSize"), info[4].ToBoolean());
  return copy_to_typed_array<double>(info.Env(), path);
}

/// (norm, expected, n, rate, generation).
Napi::Value stalled(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(),
                            path_stalled(number(info[0], "norm"), number(info[1], "expected"), size(info[2], "n"),
                                         number(info[3], "rate"), size(info[4], "generation")));
}

/// (variances, path, rank mu, [c_c, c_1, c_mu], stalled) -> the variances afterwards.
Napi::Value variances_after(const Napi::CallbackInfo& info) {
  const auto given = typed_array<double>(info[0], "variances");
  std::vector<double> variances(given.begin(), given.end());
  const auto rates = typed_array<double>(info[3], "rates", 3);
  CovarianceConstants constants;
  constants.rank_one_path_rate = rates[0];
  constants.rank_one = rates[1];
  constants.rank_mu = rates[2];
  adapt_variances(variances, typed_array<double>(info[1], "path", variances.size()),
                  typed_array<double>(info[2], "rankMu", variances.size()), constants, info[4].ToBoolean());
  return copy_to_typed_array<double>(info.Env(), variances);
}

/// (plan, vertices, count) -> numbers of the rows with the most concentrated weights.
Napi::Value confident(const Napi::CallbackInfo& info) {
  const auto plan = typed_array<double>(info[0], "plan");
  const std::size_t vertices = size(info[1], "vertices");
  if (vertices == 0 || plan.size() % vertices != 0) throw_type("plan", "rows x vertices numbers");
  const std::vector<std::size_t> rows = confident_rows(plan, vertices, size(info[2], "count"));
  return copy_to_typed_array<double>(info.Env(), std::vector<double>(rows.begin(), rows.end()));
}

}  // namespace

void export_polystep(Napi::Object exports) {
  Napi::Object room = Napi::Object::New(exports.Env());
  export_function<plan>(room, "plan");
  export_function<scaled>(room, "scaleCosts");
  export_function<polytope_vertices>(room, "polytopeVertices");
  export_function<polytope_combine>(room, "polytopeCombine");
  export_function<polytope_directions>(room, "polytopeDirections");
  export_function<haar>(room, "haarRotation");
  export_function<haar_of>(room, "haarFromGaussian");
  export_function<bias>(room, "biasRotation");
  export_function<normals>(room, "normals");
  export_function<uniforms>(room, "uniforms");
  export_function<momentum>(room, "momentumCoefficient");
  export_function<adapt_radius>(room, "adaptRadius");
  export_function<trust_region>(room, "trustRegion");
  export_function<model>(room, "quadraticModel");
  export_function<expand>(room, "expandSubspace");
  export_function<covariance_of>(room, "covarianceConstants");
  export_function<path_after>(room, "evolvePath");
  export_function<stalled>(room, "pathStalled");
  export_function<variances_after>(room, "adaptVariances");
  export_function<confident>(room, "confidentRows");
  export_polystep_engine(room);
  exports.Set("polystep", room);
}

}  // namespace dd::addon
