// Scoring of networks: whole points group by group, replacements by following what they change.
#include "polystep/objectives/network.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

#include "core/thread_pool.hpp"

namespace dd::polystep {
namespace {

template <class Scalar>
class NetworkEvaluator final : public Evaluator<Scalar> {
 public:
  NetworkEvaluator(const Network& network, std::uint64_t seed)
      : network_(network),
        order_(network.samples().count, network.batch_size(), seed),
        parameters_(network.dimension()),
        effective_(network.graph().effective) {
    begin_step(0, 1);
  }

  void begin_step(std::uint64_t step, std::size_t) override {
    if (batch_.count != 0 && network_.batch_size() >= network_.samples().count) return;
    gather(network_.samples(), order_.of_step(step), batch_);
  }

  void evaluate(MatrixView<const Scalar> points, std::span<double> values) const override {
    const Graph& graph = network_.graph();
    AlignedBuffer<Scalar> effective(graph.effective), state(network_.layout().size);
    std::vector<Scalar> point(graph.parameters);
    for (std::size_t i = 0; i < points.rows; ++i) {
      for (std::size_t j = 0; j < point.size(); ++j) point[j] = points(i, j);
      effective_weights(graph, point.data(), effective.data());
      PartialLoss total;
      for (std::size_t g = 0; g < batch_.groups; ++g) {
        forward_group(graph, network_.layout(), effective.data(), input(g), state.data());
        total += loss_of(g, state.data() + network_.layout().post.back());
      }
      values[i] = finish(total);
    }
  }

  double set_base(std::span<const Scalar> base, std::size_t threads) override {
    std::copy_n(base.begin(), parameters_.size(), parameters_.begin());
    effective_weights(network_.graph(), parameters_.data(), effective_.data());
    const std::size_t size = network_.layout().size;
    state_.resize(batch_.groups * size);
    losses_.resize(batch_.groups);
    parallel_for(threads, batch_.groups, 1, [&](std::size_t begin, std::size_t end) {
      for (std::size_t g = begin; g < end; ++g) {
        Scalar* const state = state_.data() + g * size;
        forward_group(network_.graph(), network_.layout(), effective_.data(), input(g), state);
        losses_[g] = loss_of(g, state + network_.layout().post.back());
      }
    });
    return base_loss();
  }

  double base_loss() const override {
    PartialLoss total;
    for (const PartialLoss& part : losses_) total += part;
    return finish(total);
  }

  bool can_fall_silent() const noexcept override {
    return network_.graph().output().activation == Activation::lif_counts;
  }

  double silent_outputs() const override {
    const std::size_t outputs = network_.graph().output().units, last = network_.graph().nodes.size() - 1;
    std::size_t silent = 0;
    for (std::size_t r = 0; r < outputs; ++r) {
      bool fires = false;
      for (std::size_t g = 0; g < batch_.groups && !fires; ++g) {
        const Scalar* const counts = view(g).post(last) + r * group_samples;
        fires = std::any_of(counts, counts + batch_.valid(g), [](Scalar count) { return count > 0; });
      }
      silent += fires ? 0 : 1;
    }
    return static_cast<double>(silent) / static_cast<double>(outputs);
  }

  void evaluate_replacements(std::size_t first, MatrixView<const Scalar> replacements,
                             std::span<double> values) const override {
    // Groups outside, rows inside: the base of a group stays in the first cache for all rows.
    const ScratchUse scratch(*this);
    auto& edits = scratch->edits;
    edits.resize(std::max(edits.size(), replacements.rows));
    std::vector<PartialLoss> totals(replacements.rows);
    for (std::size_t i = 0; i < replacements.rows; ++i) {
      edits[i].clear();
      const std::size_t width = std::min(replacements.columns, parameters_.size() - first);
      for (std::size_t j = 0; j < width; ++j) add_edit(first + j, replacements(i, j), edits[i]);
    }
    for (std::size_t g = 0; g < batch_.groups; ++g) {
      const GroupView<Scalar> base = view(g);
      for (std::size_t i = 0; i < replacements.rows; ++i) {
        if (edits[i].empty() || !scratch->pass.run(effective_.data(), edits[i], base)) {
          totals[i] += losses_[g];
          continue;
        }
        scratch->pass.output(base, scratch->output.data());
        totals[i] += loss_of(g, scratch->output.data());
      }
    }
    for (std::size_t i = 0; i < replacements.rows; ++i) values[i] = finish(totals[i]);
  }

  void replace(std::size_t first, std::span<const Scalar> values) override {
    const ScratchUse scratch(*this);
    std::vector<ParameterEdit<Scalar>> edits;
    const std::size_t width = std::min(values.size(), parameters_.size() - first);
    for (std::size_t j = 0; j < width; ++j) add_edit(first + j, values[j], edits);
    if (!edits.empty()) {
      for (std::size_t g = 0; g < batch_.groups; ++g) {
        const GroupView<Scalar> base = view(g);
        const bool changed = scratch->pass.run(effective_.data(), edits, base);
        Scalar* const state = state_.data() + g * network_.layout().size;
        scratch->pass.commit(state);
        if (changed) losses_[g] = loss_of(g, state + network_.layout().post.back());
      }
    }
    for (std::size_t j = 0; j < width; ++j) parameters_[first + j] = values[j];
    for (const ParameterEdit<Scalar>& edit : edits) {
      effective_[edit.parameter] = edit.value;
      for (const Node& node : network_.graph().nodes) {
        if (node.kind != NodeKind::gate || node.scores != edit.place.node || edit.place.column == no_offset) continue;
        effective_[node.gates + edit.place.row * node.units + edit.place.column] = gate_of(edit.value);
      }
    }
  }

 private:
  struct Scratch {
    explicit Scratch(const Network& network)
        : pass(network.graph(), network.layout()), output(network.graph().output().units * group_samples) {}
    ChangePass<Scalar> pass;
    AlignedBuffer<Scalar> output;
    std::vector<std::vector<ParameterEdit<Scalar>>> edits;
  };
  /// Scratch of this call: from the evaluator's own stock, and back.
  class ScratchUse {
   public:
    explicit ScratchUse(const NetworkEvaluator& owner) : owner_(owner) {
      const std::lock_guard lock(owner.mutex_);
      if (!owner.stock_.empty()) {
        scratch_ = std::move(owner.stock_.back());
        owner.stock_.pop_back();
      }
      if (scratch_ == nullptr) scratch_ = std::make_unique<Scratch>(owner.network_);
    }
    ~ScratchUse() {
      const std::lock_guard lock(owner_.mutex_);
      owner_.stock_.push_back(std::move(scratch_));
    }
    ScratchUse(const ScratchUse&) = delete;
    ScratchUse& operator=(const ScratchUse&) = delete;
    Scratch* operator->() const noexcept { return scratch_.get(); }

   private:
    const NetworkEvaluator& owner_;
    std::unique_ptr<Scratch> scratch_;
  };

  const Scalar* input(std::size_t group) const noexcept {
    return batch_.inputs.data() + group * network_.graph().nodes.front().units * group_samples;
  }
  GroupView<Scalar> view(std::size_t group) const noexcept {
    return {network_.layout(), input(group), state_.data() + group * network_.layout().size};
  }
  PartialLoss loss_of(std::size_t group, const Scalar* output) const {
    return group_loss(network_.loss(), network_.graph().output().units, output, batch_, group);
  }
  double finish(const PartialLoss& total) const noexcept {
    return finish_loss(network_.loss(), total, batch_.count, network_.graph().output().units);
  }
  void add_edit(std::size_t parameter, Scalar value, std::vector<ParameterEdit<Scalar>>& edits) const {
    const ParameterPlace& place = network_.place(parameter);
    const Scalar effective = effective_weight(place.kind, value);
    const Scalar difference = effective - effective_[parameter];
    if (!(difference == 0)) edits.push_back({parameter, place, effective, difference});
  }

  const Network& network_;
  BatchOrder order_;
  Batch<Scalar> batch_;
  std::vector<Scalar> parameters_;
  std::vector<Scalar> effective_;
  LargeVector<Scalar> state_;
  std::vector<PartialLoss> losses_;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Scratch>> stock_;
};

}  // namespace

Network::Network(Graph graph, Samples samples, Loss loss, std::size_t batch_size)
    : graph_(std::move(graph)),
      layout_(graph_),
      samples_(std::move(samples)),
      loss_(loss),
      batch_size_(std::min(batch_size, samples_.count)) {
  places_.reserve(graph_.parameters);
  for (std::size_t i = 0; i < graph_.parameters; ++i) places_.push_back(place_of(graph_, i));
}

std::unique_ptr<Evaluator<float>> Network::float32_evaluator(std::uint64_t seed) const {
  return std::make_unique<NetworkEvaluator<float>>(*this, seed);
}
std::unique_ptr<Evaluator<double>> Network::float64_evaluator(std::uint64_t seed) const {
  return std::make_unique<NetworkEvaluator<double>>(*this, seed);
}

template <class Scalar>
void Network::values(std::span<const Scalar> parameters, const Batch<Scalar>& batch, std::size_t node,
                     std::size_t threads, std::span<double> out) const {
  std::vector<Scalar> effective(graph_.effective);
  effective_weights(graph_, parameters.data(), effective.data());
  const std::size_t features = graph_.nodes.front().units, ticks = graph_.nodes[node].ticks;
  const std::size_t length = graph_.nodes[node].units * ticks;
  parallel_for(threads, batch.groups, 4, [&](std::size_t begin, std::size_t end) {
    AlignedBuffer<Scalar> state(layout_.size);
    for (std::size_t g = begin; g < end; ++g) {
      const Scalar* const input = batch.inputs.data() + g * features * group_samples;
      forward_group(graph_, layout_, effective.data(), input, state.data());
      const Scalar* const post = GroupView<Scalar>(layout_, input, state.data()).post(node);
      for (std::size_t lane = 0; lane < batch.valid(g); ++lane) {
        for (std::size_t i = 0; i < length; ++i) {
          out[(g * group_samples + lane) * length + i] = double{post[i * group_samples + lane]};
        }
      }
    }
  });
}
template void Network::values(std::span<const float>, const Batch<float>&, std::size_t, std::size_t,
                              std::span<double>) const;
template void Network::values(std::span<const double>, const Batch<double>&, std::size_t, std::size_t,
                              std::span<double>) const;

}  // namespace dd::polystep
