// Options of an optimizer, as they may be given.
import type { AdaptiveRadiusOptions } from './dynamics';
import type { PolytopeName } from './geometry';
import type { GroupOptions } from './groups';
import type { Reals } from './native';
import type { Objective } from './objective';
import type { CostScale, Rule, TransportOptions } from './plan';
import type { ProgressiveSchedule, Schedule } from './schedules';
import type { Start } from './start';
import type { SubspaceOptions } from './subspace';

/** Momentum of the displacements. */
export interface MomentumOptions {
  /** Coefficient of the first step; default 0.5. */
  initial?: number;
  /** Coefficient from step `steps` - 1 on; default 0.95. */
  final?: number;
  /** Default 50. */
  steps?: number;
  /** What the velocity is multiplied by; default 1. */
  rate?: number;
}

/** Options of {@link createOptimizer}. */
export interface OptimizerOptions {
  /** The loss; without one, `ask` and `tell` are the way. */
  objective?: Objective;
  /** D; default: that of the objective, of `initial` or of the subspace's shapes. */
  dimension?: number;
  /**
   * D numbers (in population mode also particles x D), one number for all, { normal: standard deviation } or
   * { uniform: [low, high] }. Default: the objective's own start; else uniform in a finite box for populations; else 0.
   */
  initial?: Start;
  /**
   * `'population'`: every particle is a whole point; a step takes particles x V x K evaluations. `'block'`: particles
   * are blocks of one point. Default: block for native and delta objectives and with a subspace.
   */
  mode?: 'population' | 'block';
  /** Particles of a population; default 1. */
  particles?: number;
  /** Numbers of a block; default 2, with a subspace 8. */
  particleDimension?: number;
  /**
   * Where defaults come from. `'default'`: softmax over costs divided by their row's standard deviation, absolute radii
   * that adapt, sequential updates where the objective suits them; networks and MAX-SAT bring the settings of their
   * `searchOptions`, unless radii or the temperature are given. `'paper'`: the published settings.
   */
  preset?: 'default' | 'paper';
  /** Default `'orthoplex'`; `'simplex'` needs half the evaluations and has no antithetic pairs. */
  polytope?: PolytopeName;
  /** K, probes along each direction at k / (K + 1) of the probe radius; default 1. */
  probes?: number;
  /** What is evaluated: points at fractions of the probe radius, or the vertices of the step. Default: vertices without an objective. */
  probing?: 'probes' | 'vertices';
  /** Default `'softmax'`; preset `'paper'`: `'sinkhorn'` without a subspace. */
  rule?: Rule;
  /** Temperature; default 0.5 (`'paper'`: 0.1, with vertices 0.5). */
  epsilon?: Schedule | ProgressiveSchedule;
  /** Of `'temperedSoftmax'`; default 1. */
  tau?: number;
  /** Of `'topK'`; default 3. */
  k?: number;
  /** Of `'kl'`; default 1. */
  lambda?: number;
  /** Default `'rowStd'`; preset `'paper'`: 1, with vertices `'mean'`. */
  scaleCost?: CostScale;
  /** Of `'sinkhorn'` and `'kl'`; duals start from the last step's unless `warmStart` is false. */
  transport?: TransportOptions & {
    /** Default true. */
    warmStart?: boolean;
  };
  /** Default 0.5 (`'paper'`: 1, with vertices 0.5). */
  stepRadius?: Schedule;
  /** Default: probes end at the step radius, (K + 1) / K times it (`'paper'`: 2). */
  probeRadius?: Schedule;
  /**
   * `'relative'`: radii are multiples of the temperature; `'absolute'`. Default absolute; preset `'paper'`: relative
   * for numbers with probes, absolute for schedules.
   */
  radiusMode?: 'relative' | 'absolute';
  /** Both radii are multiplied by this in every step; default 1. 0.95 to 0.99 lets a run settle. */
  radiusDecay?: number;
  /** Probe radius times 1 + a uniform number in [-jitter, jitter], once a step; default 0, theory asks for more. */
  probeRadiusJitter?: number;
  /** Default off. */
  momentum?: boolean | MomentumOptions;
  /** Evaluates one step in so many and coasts in between; default 1. */
  amortizeSteps?: number;
  /** Share of the old average while coasting; default 0.7. */
  amortizeAverage?: number;
  /**
   * Radii that shrink while the loss falls and grow when it stagnates: `loss` is the mean over particles of their least
   * cost (default) or the mean cost; `perParticle`: every particle has its own. Default: on, off in preset `'paper'`.
   */
  adaptiveRadius?:
    | boolean
    | (AdaptiveRadiusOptions & {
        /** What is followed; default `'rowMinimum'`. */
        loss?: 'rowMinimum' | 'mean';
        /** Default false. */
        perParticle?: boolean;
      });
  /** Pulls steps towards the minimum of a quadratic model, where it agrees; orthoplex only. Default off. */
  newtonRefinement?: boolean;
  /** Scales the step radius by how well that model predicted; needs an objective and the orthoplex. Default off. */
  trustRegion?: boolean;
  /**
   * Networks and the orthoplex only: the directions of each particle are ranked by how far apart the losses of their two
   * ends lie on a share `fidelity` of the step's data (default 0.25); only the share `keep` of them (default 0.5) is
   * scored on all data, the others get no weight. It saves time where fidelity / probes + keep is below 1; candidates
   * that are looked at with little data count as evaluations as well. Default off.
   */
  screening?: {
    /** Share of the data, in (0, 1]; default 0.25. */
    fidelity?: number;
    /** Share of the directions, in (0, 1]; default 0.5. */
    keep?: number;
  };
  /** Turns each frame so that its first axis is the last displacement; default off. */
  biasedRotation?: boolean;
  /**
   * Block mode: rows that are scaled and assigned without the others, with temperatures and radii of their own; steps
   * of the same evaluations. Default: all rows together.
   */
  groups?: GroupOptions;
  /**
   * Block mode, experimental: a step goes farther along coordinates in which good steps went far (the diagonal of
   * CMA-ES, of geometric mean 1, so that radii keep their size). Default off.
   */
  adaptCovariance?: boolean;
  /** `'sequential'`: a block moves before the next is probed; native objectives in block mode. Default: `'jacobi'`. */
  update?: 'jacobi' | 'sequential';
  /** Box, a number or D numbers, infinities allowed; candidates are clamped. */
  lower?: number | Float64Array | readonly number[];
  /** See `lower`. */
  upper?: number | Float64Array | readonly number[];
  /** Changes candidates in place before they are evaluated (rounding, for example); with vertices only. */
  repair?: (view: Reals, count: number) => void;
  /** Searches a subspace of the parameters. */
  subspace?: Omit<SubspaceOptions, 'shapes'> & {
    /** Default: those of the objective's tensors. */
    shapes?: SubspaceOptions['shapes'];
  };
  /** Rotations to use instead of drawing them: particles x d x d numbers for each step. */
  rotations?: (step: number) => Float64Array | readonly number[] | undefined;
  /** Arithmetic of the iterate; default `'float32'`. Costs are float64 in both, losses of callbacks are of this type. */
  dtype?: 'float32' | 'float64';
  /** Seed of everything random; default 0. */
  seed?: number;
  /** Threads; default: the processors this process may run on, at most 16. Results do not depend on it. */
  threads?: number;
  /** Evaluations at most; a step that does not fit is not begun. Default: no limit. */
  maxEvaluations?: number;
  /** Chunks of an asynchronous callback in flight; default 1. */
  concurrency?: number;
  /** Largest view in bytes; larger steps come in several chunks. Default 64 MiB. */
  bufferBytes?: number;
  /** Stops after so many steps without a better value by `minDelta` (1e-4). Default: never. */
  patience?: number;
  /** See `patience`. */
  minDelta?: number;
  /** Stops when displacements repeat to this relative change and are small against their peak; default: never. */
  convergence?:
    | number
    | {
        /** Relative change of the mean squared displacement; default 1e-3. */
        threshold?: number;
        /** Largest displacement against the largest so far; default 0.01. */
        peak?: number;
      };
}
