// The contract with native/addon/polystep*.cpp. Enumerations are sent as their position in the lists here.
import { native, type NativeRun } from '../runtime/native';

/** Names of native/polystep/assignment.hpp's rules, in their order. @internal */
export const nativeRules = [
  'softmax',
  'temperedSoftmax',
  'greedy',
  'topK',
  'linear',
  'sample',
  'sinkhorn',
  'kl',
] as const;
/** Names of native/polystep/costs.hpp's scales, in their order. @internal */
export const nativeScales = ['none', 'number', 'mean', 'max', 'std', 'rowStd', 'rank', 'rawMean', 'rawMax'] as const;
/** Names of native/polystep/polytope.hpp's polytopes, in their order. @internal */
export const nativePolytopes = ['orthoplex', 'simplex', 'cube'] as const;
/** Names of native/polystep/subspace.hpp's kinds, in their order. @internal */
export const nativeSubspaces = ['hybrid', 'linear', 'lowRank', 'factored', 'sparse', 'adaptive'] as const;
/** Names of native/polystep/leading_directions.hpp's kinds, in their order. @internal */
export const nativeDirections = ['random', 'displacements', 'transport'] as const;
/** Names of native/polystep/rotation.hpp's streams, in their order. @internal */
export const nativeStreams = [
  'rotations',
  'jitter',
  'minibatch',
  'initialisation',
  'bases',
  'sampling',
  'perturbations',
] as const;
/** Names of native/polystep/engine_options.hpp's reasons to stop, in their order. @internal */
export const nativeStops = ['steps', 'budget', 'patience', 'converged', 'cancelled', 'time-limit'] as const;
/** Names of native/polystep/engine_options.hpp's outcomes of a step, in their order. */
export const stepOutcomes = ['moved', 'coasted', 'infeasible', 'reverted'] as const;

/** Members of native/polystep/engine_options.hpp's StepMetrics, in their order. @internal */
export const nativeMetrics = [
  'step',
  'evaluations',
  'meanCost',
  'minCost',
  'meanSquaredDisplacement',
  'effectiveSamples',
  'relativeDisplacement',
  'frozenRows',
  'epsilon',
  'stepRadius',
  'probeRadius',
  'radiusMultiplier',
  'outcome',
  'best',
  'transportIterations',
  'transportConverged',
  'transportObjective',
  'klViolation',
  'trustMultiplier',
  'absorbed',
  'silentOutputs',
] as const;

/** Numbers of either precision. */
export type Reals = Float64Array | Float32Array;

/** @internal */
export interface NativeTransport {
  threshold: number;
  maxIterations: number;
  checkEvery: number;
  omega: number;
  adaptiveOmega: boolean;
  andersonDepth: number;
}

/** @internal */
export interface NativeAssignment {
  rule: number;
  tau: number;
  k: number;
  lambda: number;
  scale: number;
  divisor: number;
}

/** @internal */
export interface NativePlanOptions extends NativeAssignment {
  epsilon: number;
  transport: NativeTransport;
  start: { f: Float64Array; g: Float64Array; epsilon: number } | undefined;
  threads: number;
}

/** @internal */
export interface NativePlan {
  plan: Float64Array;
  f: Float64Array;
  g: Float64Array;
  iterations: number;
  converged: boolean;
  error: number;
  objective: number;
  klViolation: number;
  omega: number;
}

/** @internal */
export interface NativeAdaptive {
  threshold: number;
  patience: number;
  increase: number;
  decrease: number;
  least: number;
  most: number;
}

/** Entries: rows, columns, coordinates, rank, projected, sparse of each. @internal */
export interface NativeSubspace {
  kind: number;
  entries: Float64Array;
  seed: number;
  epoch: number;
  bases: (Float64Array | undefined)[];
}

/** @internal */
export interface NativeEngineOptions extends NativeAssignment {
  single: boolean;
  block: boolean;
  dimension: number;
  particles: number;
  particleDimension: number;
  polytope: number;
  probes: number;
  atVertices: boolean;
  transport: NativeTransport;
  warmStart: boolean;
  sequential: boolean;
  /** Coordinates, factor of the temperature, factor of the radii of each group. */
  groups: Float64Array;
  adaptCovariance: boolean;
  lower: Float64Array;
  upper: Float64Array;
  seed: number;
  jitter: number;
  momentum: boolean;
  momentumInitial: number;
  momentumFinal: number;
  momentumRate: number;
  momentumHorizon: number;
  amortize: number;
  amortizeAverage: number;
  adaptiveRadius: boolean;
  adaptivePerParticle: boolean;
  adaptiveByMean: boolean;
  adaptive: NativeAdaptive;
  newtonRefinement: boolean;
  trustRegion: boolean;
  biasedRotation: boolean;
  absorbEvery: number;
  redrawEveryStep: boolean;
  screeningKeep: number;
  screeningFidelity: number;
  leading: number;
  leadingShare: number;
  leadingSteps: number;
  patience: number;
  minDelta: number;
  convergenceThreshold: number;
  convergencePeak: number;
  subspace: NativeSubspace | undefined;
}

declare const optimizerBrand: unique symbol;
/** An opaque handle. @internal */
export type NativeOptimizer = { [optimizerBrand]: never };
/** @internal */
export interface NativeOptimizerInfo {
  particles: number;
  rowDimension: number;
  vertices: number;
  candidates: number;
  nextEvaluations: number;
  points: number;
  step: number;
  evaluations: number;
  bestValue: number;
  stop: number;
  confirmations: number;
}

/** What native code remembers of a run. */
export interface OptimizerState {
  /** Iterate, or coordinates of a subspace; particles x row dimension, padded. */
  readonly x: Reals;
  /** Parameters at coordinates zero, with a subspace. */
  readonly base: Reals;
  /** Momentum. */
  readonly velocity: Reals;
  /** Running average of displacements, with amortised steps. */
  readonly average: Reals;
  /** Last displacements, with biased rotations. */
  readonly direction: Reals;
  /** Best point so far; empty where none is known. */
  readonly best: Reals;
  /** What the next basis of an adaptive subspace is led by: directions of D numbers. */
  readonly history: Float64Array;
  /** The directions that the present basis begins with. */
  readonly leading: Float64Array;
  /** Variances of the coordinates with `adaptCovariance`, then the two paths they are learned from. */
  readonly covariance: Float64Array;
  /** Duals of the rows. */
  readonly f: Float64Array;
  /** Duals of the vertices. */
  readonly g: Float64Array;
  /** Adaptive radii of particles, three numbers each. */
  readonly particleRadii: Float64Array;
  /** Everything else that is a number. */
  readonly counters: Float64Array;
}

/** @internal */
export interface NativePolystep {
  plan(
    costs: Float64Array,
    rowMarginal: Float64Array,
    columnMarginal: Float64Array,
    options: NativePlanOptions,
    uniforms: Float64Array,
  ): NativePlan;
  scaleCosts(costs: Float64Array, vertices: number, scale: number, divisor: number): Float64Array;
  polytopeVertices(kind: number, dimension: number): Float64Array;
  polytopeCombine(kind: number, dimension: number, weights: Float64Array): Float64Array;
  polytopeDirections(kind: number, dimension: number, rotation: Float64Array): Float64Array;
  haarRotation(seed: number, particle: number, step: number, dimension: number): Float64Array;
  haarFromGaussian(gaussian: Float64Array, dimension: number): Float64Array;
  biasRotation(rotation: Float64Array, dimension: number, direction: Float64Array): Float64Array;
  normals(seed: number, particle: number, step: number, stream: number, count: number): Float64Array;
  uniforms(seed: number, particle: number, step: number, stream: number, count: number): Float64Array;
  momentumCoefficient(iteration: number, maxIterations: number, initial: number, final: number): number;
  adaptRadius(state: Float64Array, loss: number, options: NativeAdaptive): Float64Array;
  trustRegion(predicted: number, actual: number, current: number): number;
  quadraticModel(
    losses: Float64Array,
    scales: Float64Array,
    probeRadius: number,
    centre: number,
    maxNorm: number,
  ): Float64Array;
  expandSubspace(subspace: NativeSubspace, base: Float64Array, coordinates: Float64Array): Float64Array;
  covarianceConstants(dimension: number, effectiveSize: number): Float64Array;
  evolvePath(
    path: Float64Array,
    displacement: Float64Array,
    rate: number,
    effectiveSize: number,
    stalled: boolean,
  ): Float64Array;
  pathStalled(norm: number, expected: number, dimension: number, rate: number, generation: number): boolean;
  adaptVariances(
    variances: Float64Array,
    path: Float64Array,
    rankMu: Float64Array,
    rates: Float64Array,
    stalled: boolean,
  ): Float64Array;
  confidentRows(plan: Float64Array, vertices: number, count: number): Float64Array;
  createOptimizer(options: NativeEngineOptions, initial: Reals, objective: object | undefined): NativeOptimizer;
  disposeOptimizer(optimizer: NativeOptimizer): void;
  info(optimizer: NativeOptimizer): NativeOptimizerInfo;
  current(optimizer: NativeOptimizer): Reals;
  best(optimizer: NativeOptimizer): Reals;
  begin(
    optimizer: NativeOptimizer,
    epsilon: number,
    stepRadius: number,
    probeRadius: number,
    rotations: Float64Array | undefined,
    threads: number,
  ): void;
  candidates(
    optimizer: NativeOptimizer,
    first: number,
    count: number,
    view: Reals,
    threads: number,
    replaced: boolean,
  ): void;
  finish(optimizer: NativeOptimizer, losses: Float64Array, points: Reals | undefined, threads: number): Float64Array;
  abandon(optimizer: NativeOptimizer): void;
  confirm(optimizer: NativeOptimizer, losses: Float64Array): void;
  offer(optimizer: NativeOptimizer, losses: Float64Array): void;
  run(optimizer: NativeOptimizer, parameters: Float64Array, maxEvaluations: number, run: NativeRun): unknown;
  score(optimizer: NativeOptimizer, run: NativeRun): unknown;
  restart(optimizer: NativeOptimizer, number: number, lower: Float64Array, upper: Float64Array): void;
  absorb(optimizer: NativeOptimizer, subspace: NativeSubspace | undefined): void;
  save(optimizer: NativeOptimizer): OptimizerState;
  load(optimizer: NativeOptimizer, state: OptimizerState): void;
  checksum(view: Reals, count: number): number;
  detach(view: Reals): void;
}

/** The add-on's functions of this domain. @internal */
export const nativePolystep = native.polystep as NativePolystep;
