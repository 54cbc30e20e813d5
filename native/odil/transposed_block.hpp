// J^T w of one block: gathered where points are regular (gather.hpp), scattered point by point at the edges.
//
// Source: specs/odil-engine.md, section 2.3.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "odil/gather.hpp"
#include "odil/pass.hpp"

namespace dd::odil {

template <class T>
struct PointSources;

/// What the targets hold when a transposed product begins.
enum class Targets : std::uint8_t { filled, fresh };

class TransposedBlock {
 public:
  /// `domain`: what the block reads, the weights last; the first `fields` operands are fields. The first region is the
  /// largest.
  TransposedBlock(Graph& graph, const Domain& domain, std::size_t fields, const Shape& shape,
                  std::span<const Region> regions);

  /// targets[f] += (d F / d field f)^T w, parameter_sums[p] += (d F / d p)^T w; fresh targets are set. The weights are
  /// scratch: they hold the same numbers afterwards.
  template <class T>
  void run(const PointSources<T>& sources, std::span<T> weights, std::span<T* const> targets,
           std::span<double> parameter_sums, Targets state, std::size_t threads) const;

 private:
  /// Points at equal distances in memory.
  struct Line {
    std::ptrdiff_t flat = 0, step = 0;
    std::size_t count = 0;
  };
  RegionOutputs scatter(Graph& graph, const Region& region, const Box& box) const;
  void find_edge_lines(std::span<const Region> regions);
  template <class T>
  void run_gathers(const PointSources<T>& sources, std::span<T> weights, std::span<T* const> targets,
                   std::span<double> parameter_sums, Targets state, std::size_t threads) const;

  Domain domain_;
  std::size_t fields_;
  Shape shape_;
  std::optional<Gather> gather_;
  Pass edges_;
  std::vector<Line> edge_lines_;  // points between the first and the last of the gather that do not belong to it
  std::size_t edge_points_ = 0;   // those that the gather must not read, the ends of the block included
};

}  // namespace dd::odil
