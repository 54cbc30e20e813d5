// The optimizer: one state, and steps whose losses come from outside (candidates out, losses in) or from a native
// objective. Everything a step draws is a function of (seed, particle, step).
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/run_control.hpp"
#include "polystep/covariance.hpp"
#include "polystep/engine_options.hpp"
#include "polystep/objective.hpp"
#include "polystep/probe_costs.hpp"
#include "polystep/subspace.hpp"

namespace dd::polystep {

/// What the losses of a row say: where to go, nothing at all, or that it has to wait for the other rows' losses.
enum class RowState : std::uint8_t { moves, frozen, waits };

/// What outlives a step and is not an option, as flat arrays.
template <class Scalar>
struct EngineState {
  LargeVector<Scalar> x, base, velocity, average, direction, best;
  std::vector<double> history, leading;  ///< of an adaptive subspace: directions to come, those of its basis
  std::vector<double> covariance;        ///< variances, their path, the path of their rank-one part
  std::vector<double> f, g, particle_radii, counters;
};

template <class Scalar>
class Engine {
 public:
  /// x0: `dimension` numbers, in population mode a row per particle. subspace: block mode only; x0 is then the base.
  Engine(EngineOptions options, std::span<const Scalar> x0, std::unique_ptr<Subspace<Scalar>> subspace);

  const EngineOptions& options() const noexcept { return options_; }
  std::size_t particles() const noexcept { return particles_; }
  std::size_t particle_dimension() const noexcept { return d_; }
  std::size_t vertices() const noexcept { return polytope_.vertices(); }
  std::size_t candidates_per_particle() const noexcept { return polytope_.vertices() * scales_.size(); }
  std::size_t bytes() const noexcept;

  // ---- steps with losses from outside ----
  /// Evaluations of the next step: candidates, then centres (the model's own point, one per particle of a population,
  /// one in block mode). 0: the step coasts.
  std::size_t next_evaluations() const noexcept;
  /// Starts a step. rotations: particles x d x d to use instead of drawing, or none.
  void begin(const StepParameters& parameters, std::span<const double> rotations, std::size_t threads);
  /// Candidates first ... first + count - 1 as whole points, count x dimension.
  void candidates(std::size_t first, std::size_t count, Scalar* out, std::size_t threads);
  /// Block mode without a subspace: only the replaced coordinates, count x particle dimension.
  void replacements(std::size_t first, std::size_t count, Scalar* out, std::size_t threads);
  /// Ends the step: all losses in order; points: the candidates as they were evaluated, where they were repaired.
  StepMetrics finish(std::span<const double> losses, std::span<const Scalar> points, RunControl& control);
  /// Gives the step up: the state is that of the last finished one.
  void abandon() noexcept { begun_ = false; }
  bool begun() const noexcept { return begun_; }
  /// A step under a trust region waits for the losses of the points it moved to.
  std::size_t confirmations() const noexcept { return confirm_ ? points() : 0; }
  void confirm(std::span<const double> losses);

  // ---- steps of a native objective ----
  /// Scores with a part of the data which directions of each row are worth scoring in full; it outlives the runs.
  void screen_with(Evaluator<Scalar>* screen) noexcept { screen_ = screen; }
  /// Takes steps with parameters[0], [1], ... until they end, the budget does not hold another one, a stopping rule
  /// holds, or `control` says so; a step that was not finished leaves no trace.
  RunStop run(Evaluator<Scalar>& evaluator, std::span<const StepParameters> parameters, double max_evaluations,
              std::vector<StepMetrics>& metrics, RunControl& control);

  // ---- state ----
  std::uint64_t step() const noexcept { return step_; }
  double evaluations() const noexcept { return evaluations_; }
  void count_evaluations(double count) noexcept { evaluations_ += count; }
  /// Rows of `current`: 1 in block mode, the particles of a population.
  std::size_t points() const noexcept { return options_.mode == SearchMode::block ? 1 : particles_; }
  /// The iterate: points x dimension.
  void current(Scalar* out) const;
  /// Offers losses of `current` as best values.
  void offer(std::span<const double> losses);
  double best_value() const noexcept { return best_value_; }
  std::span<const Scalar> best() const noexcept { return best_; }
  /// RunStop::steps, or the rule that says to stop.
  RunStop stop() const noexcept { return stop_; }
  /// A new start, uniform in the box, everything but best values and counters forgotten; `number` counts restarts.
  void restart(std::uint32_t number, std::span<const double> lower, std::span<const double> upper);
  /// base <- base + B c, c <- 0, and what was learned along the basis forgotten.
  void absorb();
  /// Absorbs and goes on in another subspace.
  void change_subspace(std::unique_ptr<Subspace<Scalar>> subspace);

  EngineState<Scalar> save() const;
  /// Throws ERR_SHAPE_MISMATCH naming the array that does not fit.
  void load(const EngineState<Scalar>& state);

 private:
  struct Workspace;
  struct PassStats;
  struct Assignment;
  struct Late;
  struct Pass;

  template <class Self, class Visit>
  static void visit_counters(Self& self, Visit&& visit);

  Scalar* row(LargeVector<Scalar>& of, std::size_t p) const { return of.data() + p * d_; }
  void begin_step(const StepParameters& parameters);
  double multiplier(std::size_t p) const;
  /// Of the weights of row p.
  double temperature(std::size_t p) const {
    if (options_.rule == Rule::tempered_softmax) return options_.tau;
    const bool block = options_.mode == SearchMode::block;
    return block ? parameters_.epsilon * layout_.group(p).epsilon_factor : parameters_.epsilon;
  }
  /// Which coordinate number j of row p is; of padding: the number of coordinates or more.
  std::size_t coordinate(std::size_t p, std::size_t j) const noexcept {
    if (options_.mode == SearchMode::population) return j;
    if (layout_.contiguous()) return p * d_ + j;
    return j < layout_.width(p) ? layout_.first(p) + j : layout_.coordinates();
  }
  /// x without padding, as `refresh_point` left it.
  std::span<const Scalar> coordinates() const noexcept {
    return layout_.contiguous() ? std::span<const Scalar>(x_).first(layout_.coordinates()) : packed_;
  }
  double lower_bound(std::size_t p, std::size_t j) const noexcept {
    const std::size_t at = coordinate(p, j);
    return at < options_.lower.size() ? options_.lower[at] : -std::numeric_limits<double>::infinity();
  }
  double upper_bound(std::size_t p, std::size_t j) const noexcept {
    const std::size_t at = coordinate(p, j);
    return at < options_.upper.size() ? options_.upper[at] : std::numeric_limits<double>::infinity();
  }
  bool bounded() const noexcept { return !options_.lower.empty(); }
  std::size_t centres() const noexcept;
  std::size_t tile_rows() const noexcept;
  bool coasting() const noexcept;

  void make_layout();
  bool alike() const noexcept;
  /// Those of `rows` into work.rotations; that of the first one becomes the one at hand.
  void draw_rotations(const RowSet& rows, Workspace& work) const;
  void shape_rotation(std::size_t p, Workspace& work) const;
  void write_tile(const RowSet& rows, Scalar* out, Workspace& work) const;
  void write_offsets(std::size_t p, std::size_t first, std::size_t count, Scalar* out, Workspace& work) const;
  void clamp_rows(std::size_t p, std::size_t count, Scalar* rows) const;
  void write_candidates(std::size_t p, std::size_t first, std::size_t count, Scalar* out, Workspace& work) const;
  void score_tile(const RowSet& rows, const Evaluator<Scalar>& evaluator, std::size_t lane, std::span<double> values,
                  Workspace& work) const;
  void weigh_row(std::size_t p, std::span<const double> costs, std::span<double> weights) const;
  void weigh_rows(const RowSet& rows, std::span<double> costs, bool scaled, std::span<const RowState> states,
                  Workspace& work) const;
  void soften(const RowSet& rows, std::span<const double> costs, std::span<const RowState> states,
              Workspace& work) const;
  void displace_rows(const RowSet& rows, std::span<const double> weights, std::span<const double> losses,
                     std::span<const double> centres, std::span<const RowState> states, Workspace& work,
                     PassStats& stats);
  void move_rows(const RowSet& rows, std::span<double> costs, std::span<const double> losses,
                 std::span<const double> centres, std::span<const RowState> states, Workspace& work, PassStats& stats);
  void displace_row(std::size_t p, std::span<const double> weights, std::span<const double> losses, double centre,
                    bool frozen, Workspace& work, PassStats& stats);
  void refine_step(std::size_t p, std::span<const double> weights, std::span<const double> losses, double centre,
                   Workspace& work, PassStats& stats);
  void displace_plainly(std::size_t p, std::span<const double> weights, Workspace& work, PassStats& stats);
  void displace_within(std::size_t p, std::span<const double> weights, Workspace& work, PassStats& stats);
  void note_displacement(std::size_t p, std::span<const double> weights, PassStats& stats) const;
  void note_squares(std::size_t p, std::span<const double> weights, bool frozen, Workspace& work);
  void assign_group(const RowLayout::Group& group, std::size_t number, Assignment& assignment, RunControl& control,
                    PassStats& stats);
  void move_matrix(std::span<const double> losses, std::span<const double> centres, RunControl& control,
                   PassStats& stats);
  std::size_t kept_directions() const noexcept;
  void write_points(std::size_t p, std::size_t count, const Scalar* rows, Scalar* out) const;
  void set_base(Evaluator<Scalar>& evaluator, std::size_t threads);
  void score_row(std::size_t p, const Evaluator<Scalar>& evaluator, Scalar* offsets, std::span<double> values,
                 Workspace& work) const;
  void screen_row(std::size_t p, Workspace& work) const;
  void score_chosen(std::size_t p, const Evaluator<Scalar>& evaluator, std::span<double> values, Workspace& work) const;
  void move_screened(std::size_t p, std::span<double> costs, Workspace& work, PassStats& stats);
  bool follows(const Evaluator<Scalar>& evaluator) const;
  bool step_along(std::size_t p, const Evaluator<Scalar>& evaluator, Scalar* offsets, std::span<double> values,
                  Workspace& work) const;
  void pass_tile(const RowSet& rows, const Evaluator<Scalar>& evaluator, Pass& pass);
  bool pass(Evaluator<Scalar>& evaluator, RunControl& control, PassStats& stats);
  bool sweep(Evaluator<Scalar>& evaluator, RunControl& control, PassStats& stats);
  void sweep_tile(const RowSet& rows, Evaluator<Scalar>& evaluator, std::size_t lane, Workspace& work,
                  PassStats& stats);
  /// Adds the costs of row p to the sums of its tile.
  void note_costs(std::size_t p, const RowCosts& costs, PassStats& stats);
  /// x_p += displacement of p; rounding must not leave the box.
  void add_within_bounds(std::size_t p);
  void take_best(const PassStats& stats, std::span<const Scalar> points);
  /// Displacements towards the points that were evaluated instead of the vertices.
  void towards(std::span<const double> losses, std::span<const Scalar> points, PassStats& stats);
  StepMetrics settle(const PassStats& stats);
  void coast();
  void update_radii(const PassStats& stats);
  void refresh_point();
  void forget();
  void look_at_stopping(double displacement);
  void learn_variances();
  void remember_transport();
  void remember_displacement(const LargeVector<Scalar>& origin);
  void redraw_basis();

  EngineOptions options_;
  std::unique_ptr<Subspace<Scalar>> subspace_;
  std::size_t particles_, d_;
  RowLayout layout_;  // block mode
  Polytope polytope_;
  std::vector<double> scales_;

  LargeVector<Scalar> x_;          // particles x d, padded
  LargeVector<Scalar> base_;       // with a subspace
  LargeVector<Scalar> point_;      // block mode: the candidate everything differs from
  LargeVector<Scalar> transport_;  // particles x d: displacement of this step
  LargeVector<Scalar> direction_, velocity_, average_, best_;
  LargeVector<Scalar> packed_;  // coordinates without padding, where rows have some between them
  DiagonalCovariance covariance_;
  std::vector<double> squares_;  // of this step: weighted mean squares of where each coordinate could have gone
  std::vector<double> history_, leading_;
  std::vector<double> confidence_;  // of the rows of this step
  std::vector<double> f_, g_;
  double dual_epsilon_ = 0;
  AdaptiveRadius radius_;
  std::vector<AdaptiveRadius> particle_radii_;
  std::vector<double> row_minima_;  // of this step, for radii of particles
  double trust_ = 1;
  bool has_average_ = false, has_direction_ = false;
  Patience patience_;
  std::uint64_t step_ = 0, stagnation_ = 0, absorbed_ = 0, amortize_counter_ = 0;
  double evaluations_ = 0, last_mean_ = 0, last_min_ = 0, best_value_ = std::numeric_limits<double>::infinity(),
         last_displacement_ = 0, peak_displacement_ = 0;
  RunStop stop_ = RunStop::steps;

  // The step being taken.
  bool begun_ = false, confirm_ = false;
  StepParameters parameters_;
  double step_radius_ = 0, probe_radius_ = 0;
  std::vector<double> rotations_;  // injected, or kept while they are small
  bool has_rotations_ = false;
  double predicted_ = 0, centre_mean_ = 0;
  std::vector<std::vector<std::uint32_t>> colours_;  // of the objective's blocks, asked for once
  bool coloured_ = false;
  Evaluator<Scalar>* screen_ = nullptr;
};

extern template class Engine<float>;
extern template class Engine<double>;

}  // namespace dd::polystep
