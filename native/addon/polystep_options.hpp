// Options of PolyStep as JavaScript sends them.
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "addon/arguments.hpp"
#include "polystep/engine_options.hpp"
#include "polystep/subspace.hpp"

namespace dd::addon {

inline void read_assignment(const Napi::Object& given, polystep::Rule& rule, double& tau, std::size_t& k,
                            double& lambda, polystep::CostScale& scale, double& divisor) {
  rule = static_cast<polystep::Rule>(size(given.Get("rule"), "rule"));
  tau = number(given.Get("tau"), "tau");
  k = size(given.Get("k"), "k");
  lambda = number(given.Get("lambda"), "lambda");
  scale = static_cast<polystep::CostScale>(size(given.Get("scale"), "scaleCost"));
  divisor = number(given.Get("divisor"), "scaleCost");
}

/// groups: coordinates, factor of the temperature, factor of the radii of each.
inline void read_groups(const Napi::Object& given, std::vector<polystep::RowGroup>& groups) {
  const auto numbers = typed_array<double>(given.Get("groups"), "groups");
  for (std::size_t i = 0; i + 3 <= numbers.size(); i += 3) {
    groups.push_back({static_cast<std::size_t>(numbers[i]), numbers[i + 1], numbers[i + 2]});
  }
}

inline polystep::SinkhornOptions read_transport(const Napi::Object& given) {
  polystep::SinkhornOptions options;
  options.threshold = number(given.Get("threshold"), "threshold");
  options.max_iterations = size(given.Get("maxIterations"), "maxIterations");
  options.check_every = size(given.Get("checkEvery"), "checkEvery");
  if (options.check_every == 0) throw_type("checkEvery", "at least 1");
  options.omega = number(given.Get("omega"), "omega");
  options.adaptive_omega = given.Get("adaptiveOmega").ToBoolean();
  options.anderson_depth = size(given.Get("andersonDepth"), "andersonDepth");
  return options;
}

inline polystep::AdaptiveRadiusOptions read_adaptive(const Napi::Object& given) {
  polystep::AdaptiveRadiusOptions options;
  options.threshold = number(given.Get("threshold"), "threshold");
  options.patience = size(given.Get("patience"), "patience");
  options.increase = number(given.Get("increase"), "increase");
  options.decrease = number(given.Get("decrease"), "decrease");
  options.least = number(given.Get("least"), "least");
  options.most = number(given.Get("most"), "most");
  return options;
}

/// { kind, entries: Float64Array of six numbers each, seed, epoch, bases: (Float64Array | undefined)[] }.
template <class Scalar>
std::unique_ptr<polystep::Subspace<Scalar>> read_subspace(const Napi::Object& given) {
  const auto numbers = typed_array<double>(given.Get("entries"), "subspace.entries");
  std::vector<polystep::SubspaceEntry> entries;
  for (std::size_t i = 0; i + 6 <= numbers.size(); i += 6) {
    polystep::SubspaceEntry entry;
    entry.rows = static_cast<std::size_t>(numbers[i]);
    entry.columns = static_cast<std::size_t>(numbers[i + 1]);
    entry.coordinates = static_cast<std::size_t>(numbers[i + 2]);
    entry.rank = static_cast<std::size_t>(numbers[i + 3]);
    entry.projected = numbers[i + 4] != 0;
    entry.sparse = numbers[i + 5] != 0;
    entries.push_back(entry);
  }
  const Napi::Array bases = object(given.Get("bases"), "subspace.bases").As<Napi::Array>();
  std::vector<std::vector<double>> injected(entries.size());
  for (std::uint32_t e = 0; e < bases.Length() && e < injected.size(); ++e) {
    const Napi::Value basis = bases.Get(e);
    if (basis.IsUndefined()) continue;
    const auto values = typed_array<double>(basis, "subspace.bases");
    injected[e].assign(values.begin(), values.end());
  }
  return std::make_unique<polystep::Subspace<Scalar>>(
      static_cast<polystep::SubspaceKind>(size(given.Get("kind"), "subspace.kind")), std::move(entries),
      size(given.Get("seed"), "seed"), static_cast<std::uint32_t>(size(given.Get("epoch"), "epoch")),
      std::move(injected), 0);
}

}  // namespace dd::addon
