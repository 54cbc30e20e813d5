// Options of an optimizer: what may be given, what it means by default, and what native code receives.
import {
  boolean,
  fail,
  functionOf,
  integer,
  number,
  object,
  oneOf,
  optional,
  parse,
  type Schema,
  withDefault,
} from '../runtime/validate';
import { type AdaptiveRadiusOptions, adaptiveMembers } from './dynamics';
import type { PolytopeName } from './geometry';
import { type NativeEngineOptions, nativePolytopes, type Reals } from './native';
import { isDelta, isNative, type Objective, objectiveSchema } from './objective';
import {
  assignmentMembers,
  type CostScale,
  costScaleSchema,
  nativeAssignment,
  nativeTransport,
  type Rule,
  ruleNames,
  type TransportOptions,
  transportMembers,
} from './plan';
import { type ProgressiveSchedule, progressiveSchema, type Schedule, scheduleSchema } from './schedules';
import { boundSchema, box, conflict, dimensionOf, type Start, startOf, startSchema } from './start';
import {
  type CheckedSubspace,
  layOut,
  nativeSubspace,
  type SubspaceEntry,
  type SubspaceOptions,
  subspaceSchema,
} from './subspace';

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
  /** Turns each frame so that its first axis is the last displacement; default off. */
  biasedRotation?: boolean;
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

const flagOr = <Result>(schema: Schema<Result>): Schema<boolean | Result> => {
  return (value, argument) => (typeof value === 'boolean' ? value : schema(value, argument));
};
const epsilonSchema: Schema<Schedule | ReturnType<typeof progressiveSchema>> = (value, argument) => {
  if (typeof value === 'number') return number({ above: 0 })(value, argument);
  if ((value as { kind?: unknown } | null)?.kind === 'progressive') return progressiveSchema(value, argument);
  return scheduleSchema(value, argument);
};
const stepRadiusSchema: Schema<Schedule> = (value, argument) =>
  typeof value === 'number' ? number({ min: 0 })(value, argument) : scheduleSchema(value, argument);
const probeRadiusSchema: Schema<Schedule> = (value, argument) =>
  typeof value === 'number' ? number({ above: 0 })(value, argument) : scheduleSchema(value, argument);
const convergenceMembers = {
  threshold: withDefault(number({ min: 0 }), 1e-3),
  peak: withDefault(number({ min: 0 }), 0.01),
};

/** Its members are read when the shapes are known. */
const subspaceObject: Schema<Omit<SubspaceOptions, 'shapes'> & { shapes?: SubspaceOptions['shapes'] }> = (
  value,
  argument,
) => {
  if (typeof value !== 'object' || value === null) fail('ERR_INVALID_ARG_TYPE', argument, 'an object', value);
  return value;
};
const transportSchema = object({ ...transportMembers, warmStart: withDefault(boolean, true) });

const optimizerMembers = {
  objective: optional(objectiveSchema),
  dimension: optional(integer({ min: 1 })),
  initial: optional(startSchema),
  mode: optional(oneOf(['population', 'block'])),
  particles: optional(integer({ min: 1 })),
  particleDimension: optional(integer({ min: 1 })),
  preset: withDefault(oneOf(['default', 'paper']), 'default'),
  polytope: withDefault(oneOf(nativePolytopes), 'orthoplex'),
  probes: withDefault(integer({ min: 1 }), 1),
  probing: optional(oneOf(['probes', 'vertices'])),
  rule: optional(oneOf(ruleNames)),
  epsilon: optional(epsilonSchema),
  ...assignmentMembers,
  scaleCost: optional(costScaleSchema),
  transport: optional(transportSchema),
  stepRadius: optional(stepRadiusSchema),
  probeRadius: optional(probeRadiusSchema),
  radiusMode: optional(oneOf(['relative', 'absolute'])),
  radiusDecay: withDefault(number({ above: 0, max: 1 }), 1),
  probeRadiusJitter: withDefault(number({ min: 0, max: 1 - 1e-9 }), 0),
  momentum: withDefault(
    flagOr(
      object({
        initial: withDefault(number({ min: 0, max: 1 }), 0.5),
        final: withDefault(number({ min: 0, max: 1 }), 0.95),
        steps: withDefault(integer({ min: 1 }), 50),
        rate: withDefault(number({ min: 0 }), 1),
      }),
    ),
    false,
  ),
  amortizeSteps: withDefault(integer({ min: 1 }), 1),
  amortizeAverage: withDefault(number({ min: 0, max: 1 }), 0.7),
  adaptiveRadius: optional(
    flagOr(
      object({
        ...adaptiveMembers,
        loss: withDefault(oneOf(['rowMinimum', 'mean']), 'rowMinimum'),
        perParticle: withDefault(boolean, false),
      }),
    ),
  ),
  newtonRefinement: withDefault(boolean, false),
  trustRegion: withDefault(boolean, false),
  biasedRotation: withDefault(boolean, false),
  update: optional(oneOf(['jacobi', 'sequential'])),
  lower: optional(boundSchema),
  upper: optional(boundSchema),
  repair: optional(functionOf<(view: Reals, count: number) => void>()),
  subspace: optional(subspaceObject),
  rotations: optional(functionOf<(step: number) => Float64Array | readonly number[] | undefined>()),
  dtype: withDefault(oneOf(['float32', 'float64']), 'float32'),
  seed: withDefault(integer({ min: 0 }), 0),
  threads: optional(integer({ min: 1, max: 256 })),
  maxEvaluations: withDefault(number({ min: 0, infinite: true }), Infinity),
  concurrency: withDefault(integer({ min: 1, max: 1024 }), 1),
  bufferBytes: withDefault(integer({ min: 1, max: 2 ** 32 }), 2 ** 26),
  patience: withDefault(integer({ min: 0 }), 0),
  minDelta: withDefault(number({ min: 0 }), 1e-4),
  convergence: optional((value: unknown, argument: string) =>
    typeof value === 'number'
      ? { threshold: number({ above: 0 })(value, argument), peak: 0.01 }
      : object(convergenceMembers)(value, argument),
  ),
};

const optimizerSchema = object(optimizerMembers);

/** Options with every default filled in. @internal */
export interface Settings {
  native: NativeEngineOptions;
  initial: Reals;
  objective: Objective | undefined;
  epsilon: Schedule | ReturnType<typeof progressiveSchema>;
  stepRadius: Schedule;
  probeRadius: Schedule;
  relative: { step: boolean; probe: boolean };
  radiusDecay: number;
  subspace: CheckedSubspace | undefined;
  repair: ((view: Reals, count: number) => void) | undefined;
  rotations: ((step: number) => Float64Array | readonly number[] | undefined) | undefined;
  threads: number;
  maxEvaluations: number;
  concurrency: number;
  bufferBytes: number;
  maxIterations: number;
  warnings: string[];
}

const product = (shape: readonly number[]): number => shape.reduce((all, extent) => all * extent, 1);

/** Reads, completes and checks options. @internal */
export function settingsOf(options: OptimizerOptions): Settings {
  const given = parse(options, 'options', optimizerSchema);
  const { objective, preset, polytope, probes, seed } = given;
  const native = isNative(objective);
  const paper = preset === 'paper';
  const warnings: string[] = [];

  let subspace: CheckedSubspace | undefined;
  if (given.subspace !== undefined) {
    const shapes = given.subspace.shapes ?? (native ? objective.tensors?.map(({ shape }) => shape) : undefined);
    if (shapes === undefined) conflict('subspace.shapes', 'must be given: the objective does not say its own');
    subspace = parse({ ...given.subspace, shapes }, 'options.subspace', subspaceSchema);
  }
  const shaped = subspace?.shapes.reduce((sum, shape) => sum + product(shape), 0);
  const particles = given.particles ?? 1;
  const dimension = dimensionOf(objective, given, shaped);
  if (shaped !== undefined && shaped !== dimension) {
    fail('ERR_SHAPE_MISMATCH', 'options.subspace.shapes', `shapes of ${dimension} parameters`, shaped);
  }

  const mode = given.mode ?? (native || isDelta(objective) || subspace !== undefined ? 'block' : 'population');
  const block = mode === 'block';
  if (block && particles > 1) conflict('particles', 'is of population mode: in block mode the dimension gives it');
  if (!block && given.particleDimension !== undefined) conflict('particleDimension', 'is of block mode');
  if (!block && subspace !== undefined) conflict('subspace', 'is of block mode');
  if (isDelta(objective) && (!block || subspace !== undefined)) {
    conflict('objective', 'with `replacements` needs block mode without a subspace');
  }
  const sequential =
    (given.update ??
      (native && objective.sequential === true && block && subspace === undefined && !paper
        ? 'sequential'
        : 'jacobi')) === 'sequential';
  if (sequential && (!native || !block || subspace !== undefined)) {
    conflict('update', "'sequential' needs a native objective in block mode without a subspace");
  }
  const atVertices = (given.probing ?? (objective === undefined ? 'vertices' : 'probes')) === 'vertices';
  if (atVertices && probes > 1) conflict('probes', 'must be 1 where vertices are evaluated');

  const scaleCost = given.scaleCost ?? (paper ? (atVertices ? 'mean' : 1) : 'rowStd');
  let rule = given.rule ?? (paper && subspace === undefined && !atVertices && !sequential ? 'sinkhorn' : 'softmax');
  const rowDimension = block ? (given.particleDimension ?? (subspace === undefined ? 2 : 8)) : dimension;
  const twoSided = rule === 'sinkhorn' || rule === 'kl';
  const entries: SubspaceEntry[] | undefined =
    subspace && layOut(subspace, subspace.rankSchedule?.[0]?.[1] ?? subspace.rank, given.dtype === 'float32' ? 4 : 8);
  const coordinates = entries?.reduce((sum, entry) => sum + entry.coordinates, 0) ?? dimension;
  const rows = block ? Math.ceil(coordinates / rowDimension) : particles;
  if (rows === 1 && (rule === 'sinkhorn' || (rule === 'kl' && given.lambda === Infinity))) {
    warnings.push(`with one particle, '${rule}' would ignore the costs: softmax is used instead`);
    rule = 'softmax';
  }
  if (polytope === 'cube' && rowDimension > 16)
    fail('ERR_OUT_OF_RANGE', 'options.polytope', "'orthoplex' or 'simplex' above 16 dimensions", polytope);
  if (polytope === 'cube' && rowDimension > 4)
    warnings.push(`a cube of ${rowDimension} dimensions has ${2 ** rowDimension} vertices`);
  if (subspace?.maxSubspaceDim !== undefined && coordinates > subspace.maxSubspaceDim) {
    warnings.push(
      `the subspace has ${coordinates} coordinates: the cap of ${subspace.maxSubspaceDim} is less than its tensors need`,
    );
  }
  if (entries?.some((entry) => entry.sparse && entry.coordinates / (entry.rows * entry.columns) < 1e-5) === true) {
    warnings.push('a sparse basis has less than 1e-5 coordinates per parameter');
  }

  const adaptive = given.adaptiveRadius ?? (!paper && !given.trustRegion);
  const adaptiveOptions = typeof adaptive === 'object' ? adaptive : undefined;
  const defaults = object(adaptiveMembers)({}, 'options.adaptiveRadius');
  const momentum = given.momentum;
  const momentumOptions = typeof momentum === 'object' ? momentum : { initial: 0.5, final: 0.95, steps: 50, rate: 1 };
  const modelled = given.newtonRefinement ? 'newtonRefinement' : given.trustRegion ? 'trustRegion' : undefined;
  if (modelled !== undefined && polytope !== 'orthoplex')
    conflict(modelled, 'reads antithetic pairs, which only the orthoplex has');
  if (modelled !== undefined && sequential) conflict(modelled, 'does not go with sequential updates');
  if (given.trustRegion && objective === undefined)
    conflict('trustRegion', 'needs an objective, which it asks again after a step');
  if (given.trustRegion && (momentum !== false || given.amortizeSteps > 1))
    conflict('trustRegion', 'does not go with momentum or amortised steps');
  if (sequential) {
    if (momentum !== false) conflict('momentum', 'does not go with sequential updates');
    if (given.amortizeSteps > 1) conflict('amortizeSteps', 'does not go with sequential updates');
    if (given.biasedRotation) conflict('biasedRotation', 'does not go with sequential updates');
    if (twoSided) conflict('rule', 'with a column marginal does not go with sequential updates');
    if (adaptiveOptions?.perParticle === true)
      conflict('adaptiveRadius.perParticle', 'does not go with sequential updates');
    if (rule !== 'rank' && typeof scaleCost !== 'number' && !['none', 'rowStd', 'rank'].includes(scaleCost)) {
      conflict('scaleCost', 'must look at single rows in sequential updates: a number, none, rowStd or rank');
    }
  }
  if (given.amortizeSteps > 1 && given.probeRadiusJitter > 0) conflict('amortizeSteps', 'does not go with jitter');
  if (given.repair !== undefined) {
    if (!atVertices)
      conflict('repair', "needs `probing: 'vertices'`: the points that are evaluated are those that are moved to");
    if (native || isDelta(objective)) conflict('repair', 'does not go with this objective');
    if (twoSided || subspace !== undefined)
      conflict('repair', 'needs a rule without a column marginal, and no subspace');
  }
  if (subspace !== undefined && (given.lower !== undefined || given.upper !== undefined))
    conflict('lower', 'does not go with a subspace');

  const [lower, upper] = box(given.lower, given.upper, dimension);
  const single = given.dtype === 'float32';
  const initial = startOf(given.initial, objective, {
    dimension,
    particles: block ? 1 : particles,
    seed,
    single,
    lower,
    upper,
  });
  const progressive = typeof given.epsilon === 'object' && given.epsilon.kind === 'progressive';
  if (progressive && !twoSided)
    conflict('epsilon', 'of kind progressive follows the solves of sinkhorn or kl: other rules have none');

  const stepRadius = given.stepRadius ?? (paper && !atVertices ? 1 : 0.5);
  const probeRadius = given.probeRadius ?? (paper ? 2 : scaled(stepRadius, (probes + 1) / probes));
  const relativeTo = (radius: Schedule): boolean =>
    given.radiusMode === undefined
      ? paper && !atVertices && typeof radius === 'number'
      : given.radiusMode === 'relative';
  if (paper && native && objective.spiking === true && typeof stepRadius !== 'number') {
    warnings.push('a scheduled step radius ruined the published spiking networks: a number keeps it as it is');
  }
  const transport = given.transport ?? transportSchema({}, 'options.transport');
  return {
    native: {
      ...nativeAssignment(rule, scaleCost, given),
      single,
      block,
      dimension,
      particles,
      particleDimension: rowDimension,
      polytope: nativePolytopes.indexOf(polytope),
      probes,
      atVertices,
      transport: nativeTransport(transport),
      warmStart: transport.warmStart,
      sequential,
      lower,
      upper,
      seed,
      jitter: given.probeRadiusJitter,
      momentum: momentum !== false,
      momentumInitial: momentumOptions.initial,
      momentumFinal: momentumOptions.final,
      momentumRate: momentumOptions.rate,
      momentumHorizon: momentumOptions.steps,
      amortize: given.amortizeSteps,
      amortizeAverage: given.amortizeAverage,
      adaptiveRadius: adaptive !== false,
      adaptivePerParticle: adaptiveOptions?.perParticle ?? false,
      adaptiveByMean: adaptiveOptions?.loss === 'mean',
      adaptive: adaptiveOptions ?? defaults,
      newtonRefinement: given.newtonRefinement,
      trustRegion: given.trustRegion,
      biasedRotation: given.biasedRotation,
      absorbEvery: subspace?.absorbEvery ?? 0,
      redrawEveryStep: subspace?.kind === 'adaptive' && subspace.bases === undefined,
      patience: given.patience,
      minDelta: given.minDelta,
      convergenceThreshold: given.convergence?.threshold ?? 0,
      convergencePeak: given.convergence?.peak ?? 0.01,
      subspace: subspace && entries && nativeSubspace(subspace, entries, seed),
    },
    initial,
    objective,
    epsilon: given.epsilon ?? (paper && !atVertices ? 0.1 : 0.5),
    stepRadius,
    probeRadius,
    relative: { step: relativeTo(stepRadius), probe: relativeTo(probeRadius) },
    radiusDecay: given.radiusDecay,
    subspace,
    repair: given.repair,
    rotations: given.rotations,
    threads: given.threads ?? 0,
    maxEvaluations: given.maxEvaluations,
    concurrency: given.concurrency,
    bufferBytes: given.bufferBytes,
    maxIterations: transport.maxIterations,
    warnings,
  };
}

/** A schedule times a factor, in the form it was given. */
function scaled(schedule: Schedule, factor: number): Schedule {
  if (typeof schedule === 'number') return schedule * factor;
  if (typeof schedule === 'function') return (step) => factor * schedule(step);
  if (schedule.kind === 'power') return { ...schedule, initial: schedule.initial * factor };
  const ends = { initial: schedule.initial * factor, target: schedule.target * factor };
  if (schedule.kind === 'geometric') return { ...schedule, ...ends };
  if (schedule.kind === 'linear') return { ...schedule, ...ends, decay: schedule.decay * factor };
  return { ...schedule, ...ends, ...(schedule.decay !== undefined && { decay: schedule.decay * factor }) };
}
