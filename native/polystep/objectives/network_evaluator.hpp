// Scoring of networks: whole points group by group, replacements by following what they change, steps by the layer they
// change.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "core/thread_pool.hpp"
#include "polystep/objectives/network.hpp"
#include "polystep/objectives/network_isa.hpp"
#include "polystep/objectives/step_pass.hpp"

namespace dd::polystep {

template <class Scalar>
class NetworkEvaluator final : public Evaluator<Scalar> {
 public:
  NetworkEvaluator(const Network& network, std::uint64_t seed, double share = 1)
      : network_(network),
        share_(share),
        order_(network.samples().count, network.batch_size(), seed),
        parameters_(network.dimension()),
        effective_(network.graph().effective) {
    begin_step(0, 1);
  }

  void begin_step(std::uint64_t step, std::size_t) override {
    if (batch_.count != 0 && network_.batch_size() >= network_.samples().count) return;
    const std::span<const std::uint32_t> chosen = order_.of_step(step);
    const auto count = static_cast<std::size_t>(std::ceil(share_ * static_cast<double>(chosen.size())));
    gather(network_.samples(), chosen.first(std::clamp<std::size_t>(count, 1, chosen.size())), batch_);
    const std::size_t rows = batch_.groups * network_.graph().nodes.front().units;
    lit_.resize(rows);
    for (std::size_t i = 0; i < rows; ++i) {
      const Scalar* const values = batch_.inputs.data() + i * group_samples;
      lit_[i] = std::any_of(values, values + group_samples, [](Scalar x) { return x != 0; }) ? 1 : 0;
    }
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
    ++base_;
    replaced_ = false;
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
    const Block block(network_, first, std::min(replacements.columns, parameters_.size() - first));
    if (table_pays(block, replacements.rows, *scratch)) return look_up(block, replacements, values, *scratch);
    auto& edits = scratch->edits;
    edits.resize(std::max(edits.size(), replacements.rows));
    std::vector<PartialLoss> totals(replacements.rows);
    bool finite = true;
    for (std::size_t i = 0; i < replacements.rows; ++i) {
      edits[i].clear();
      for (std::size_t j = 0; j < block.width; ++j) add_edit(first + j, replacements(i, j), edits[i]);
      for (const ParameterEdit<Scalar>& edit : edits[i]) finite = finite && std::isfinite(edit.difference);
    }
    for (std::size_t g = 0; g < batch_.groups; ++g) {
      const GroupView<Scalar> base = view(g);
      const bool dark = finite && is_dark(block, g);
      for (std::size_t i = 0; i < replacements.rows; ++i) {
        if (dark || edits[i].empty() || !scratch->pass.run(effective_.data(), edits[i], base)) {
          totals[i] += losses_[g];
          continue;
        }
        scratch->pass.output(base, scratch->output.data());
        totals[i] += loss_of(g, scratch->output.data());
      }
    }
    for (std::size_t i = 0; i < replacements.rows; ++i) values[i] = finish(totals[i]);
  }

  bool can_follow(std::size_t first, std::size_t parameters) const noexcept override {
    return linear_node(network_.graph(), first, parameters) != 0;
  }

  void evaluate_along(const Directions<Scalar>& directions, MatrixView<const Scalar> coefficients,
                      std::span<double> values) const override {
    const ScratchUse scratch(*this);
    const std::size_t node = linear_node(network_.graph(), directions.first, directions.parameters);
    const std::size_t features = network_.graph().nodes.front().units;
    std::vector<PartialLoss> totals(coefficients.rows);
    for (std::size_t g = 0; g < batch_.groups; ++g) {
      const GroupView<Scalar> base = view(g);
      scratch->steps.combine(node, directions, coefficients, base, lit_.data() + g * features);
      for (std::size_t i = 0; i < coefficients.rows; ++i) {
        if (!scratch->pass.run_rows(node, scratch->steps.rows(i), effective_.data(), base)) {
          totals[i] += losses_[g];
          continue;
        }
        scratch->pass.output(base, scratch->output.data());
        totals[i] += loss_of(g, scratch->output.data());
      }
    }
    for (std::size_t i = 0; i < coefficients.rows; ++i) values[i] = finish(totals[i]);
  }

  bool can_multiply(std::span<const StepTensor> tensors) const noexcept override {
    return follows_products(network_.graph(), tensors);
  }

  void evaluate_products(const ProductSteps<Scalar>& steps, std::span<double> values) const override {
    const ScratchUse scratch(*this);
    scratch->state.resize(network_.layout().size);
    std::vector<PartialLoss> totals(values.size());
    for (std::size_t g = 0; g < batch_.groups; ++g) {
      const GroupView<Scalar> base = view(g);
      scratch->steps.begin_products(steps, base);
      for (std::size_t i = 0; i < values.size(); ++i) {
        Scalar* const state = scratch->state.data();
        scratch->steps.finish_products(steps, i, effective_.data(), base, state);
        totals[i] += loss_of(g, state + network_.layout().post.back());
      }
    }
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = finish(totals[i]);
  }

  void replace(std::size_t first, std::span<const Scalar> values) override {
    const ScratchUse scratch(*this);
    replaced_ = true;
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
  /// Neighbouring parameters that candidates replace.
  struct Block {
    Block(const Network& network, std::size_t first_parameter, std::size_t count)
        : first(first_parameter), width(count), unit(network.place(first)) {
      const auto& nodes = network.graph().nodes;
      for (std::size_t j = 0; j < width; ++j) {
        const ParameterPlace& place = network.place(first + j);
        const bool weight = nodes[place.node].kind == NodeKind::dense && place.column != no_offset;
        of_one_unit = of_one_unit && weight && place.node == unit.node && place.row == unit.row;
        of_inputs = of_inputs && weight && nodes[place.node].source == 0;
      }
    }
    std::size_t first, width;
    ParameterPlace unit;      ///< of the first one
    bool of_one_unit = true;  ///< weights of one unit
    bool of_inputs = true;    ///< weights of inputs
  };
  /// Losses of the samples for each answer of one unit: groups x answers x 16.
  struct Table {
    std::size_t node = 0, row = 0, asked = 0;
    std::uint64_t base = 0;  ///< none has this number
    bool filled = false;
    LargeVector<Scalar> losses;
  };
  struct Scratch {
    explicit Scratch(const Network& network)
        : pass(network.graph(), network.layout()),
          steps(network.graph(), network.layout()),
          output(network.graph().output().units * group_samples) {}
    ChangePass<Scalar> pass;
    StepPass<Scalar> steps;
    AlignedBuffer<Scalar> output;
    LargeVector<Scalar> state;
    std::vector<std::vector<ParameterEdit<Scalar>>> edits;
    Table table;
    std::vector<Scalar> differences;
    std::vector<std::uint32_t> columns;
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
    Scratch& operator*() const noexcept { return *scratch_; }

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
  /// Whether no sample of the group has anything at the inputs of the block's weights.
  bool is_dark(const Block& block, std::size_t group) const noexcept {
    if (!block.of_inputs) return false;
    const std::uint8_t* const lit = lit_.data() + group * network_.graph().nodes.front().units;
    for (std::size_t j = 0; j < block.width; ++j) {
      if (lit[network_.place(block.first + j).column] != 0) return false;
    }
    return true;
  }

  /// A table costs as much as so many candidates as it has rows, and holds for one unit and one base. Where all weights
  /// of the unit will be asked about like these, it is made at once. Either way gives the same bits.
  bool table_pays(const Block& block, std::size_t candidates, Scratch& scratch) const {
    const Responses<Scalar>& responses = network_.template responses<Scalar>(block.unit.node);
    if (!block.of_one_unit || replaced_ || !responses.few()) return false;
    Table& table = scratch.table;
    if (table.base != base_ || table.node != block.unit.node || table.row != block.unit.row) {
      table.node = block.unit.node;
      table.row = block.unit.row;
      table.base = base_;
      table.asked = 0;
      table.filled = false;
    }
    table.asked += candidates;
    if (table.filled) return true;
    const std::size_t expected = candidates * (network_.graph().nodes[table.node].inputs / block.width);
    if (table.asked <= responses.count() && expected <= 4 * responses.count()) return false;
    fill(responses, scratch);
    return true;
  }

  void fill(const Responses<Scalar>& responses, Scratch& scratch) const {
    Table& table = scratch.table;
    const std::size_t ticks = network_.graph().nodes[table.node].ticks;
    AlignedBuffer<Scalar> post(ticks * group_samples);
    table.losses.resize(batch_.groups * responses.count() * group_samples);
    Scalar* answered = table.losses.data();
    for (std::size_t g = 0; g < batch_.groups; ++g) {
      const GroupView<Scalar> base = view(g);
      for (std::size_t m = 0; m < responses.count(); ++m, answered += group_samples) {
        const Scalar* const answer = responses.answers.data() + m * ticks;
        if (m > 0 && std::equal(answer, answer + ticks, responses.answers.data())) {
          std::copy_n(answered - m * group_samples, group_samples, answered);  // NaN keeps a spiking unit silent, too
          continue;
        }
        for (std::size_t t = 0; t < ticks; ++t) {
          std::fill_n(post.data() + t * group_samples, group_samples, answer[t]);
        }
        scratch.pass.run_answer(table.node, table.row, post.data(), effective_.data(), base);
        scratch.pass.output(base, scratch.output.data());
        sample_losses(network_.loss(), network_.graph().output().units, scratch.output.data(),
                      batch_.labels.data() + g * group_samples, answered);
      }
    }
    table.filled = true;
  }

  void look_up(const Block& block, MatrixView<const Scalar> replacements, std::span<double> values,
               Scratch& scratch) const {
    const Graph& graph = network_.graph();
    const Node& node = graph.nodes[block.unit.node];
    const Responses<Scalar>& responses = network_.template responses<Scalar>(block.unit.node);
    scratch.differences.resize(replacements.rows * block.width);
    scratch.columns.resize(block.width);
    bool finite = true;
    for (std::size_t j = 0; j < block.width; ++j) {
      const ParameterPlace& place = network_.place(block.first + j);
      scratch.columns[j] = static_cast<std::uint32_t>(place.column);
      for (std::size_t i = 0; i < replacements.rows; ++i) {
        const Scalar difference = effective_weight(place.kind, replacements(i, j)) - effective_[block.first + j];
        finite = finite && std::isfinite(difference);
        scratch.differences[i * block.width + j] = difference;
      }
    }
    std::vector<double> sums(replacements.rows, 0.0);
    for (std::size_t g = 0; g < batch_.groups; ++g) {
      if (finite && is_dark(block, g)) {
        for (double& sum : sums) sum += losses_[g].sum;
        continue;
      }
      const GroupView<Scalar> base = view(g);
      response_sums(ResponseSums<Scalar>{
          replacements.rows, block.width, scratch.differences.data(), base.post(node.source), scratch.columns.data(),
          base.pre(block.unit.node) + block.unit.row * group_samples, responses.kind, static_cast<Scalar>(graph.levels),
          responses.steps.size(), responses.steps.data(),
          scratch.table.losses.data() + g * responses.count() * group_samples, batch_.valid(g), sums.data()});
    }
    for (std::size_t i = 0; i < replacements.rows; ++i) {
      PartialLoss total;
      total.sum = sums[i];
      values[i] = finish(total);
    }
  }

  void add_edit(std::size_t parameter, Scalar value, std::vector<ParameterEdit<Scalar>>& edits) const {
    const ParameterPlace& place = network_.place(parameter);
    const Scalar effective = effective_weight(place.kind, value);
    const Scalar difference = effective - effective_[parameter];
    if (!(difference == 0)) edits.push_back({parameter, place, effective, difference});
  }

  const Network& network_;
  double share_;
  BatchOrder order_;
  Batch<Scalar> batch_;
  std::vector<Scalar> parameters_;
  std::vector<Scalar> effective_;
  LargeVector<Scalar> state_;
  std::vector<PartialLoss> losses_;
  std::vector<std::uint8_t> lit_;  ///< groups x inputs: whether any sample of the group has something there
  std::uint64_t base_ = 0;         ///< counts bases
  bool replaced_ = false;          ///< since the base was set
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Scratch>> stock_;
};

}  // namespace dd::polystep
