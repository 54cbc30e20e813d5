// From options to what a run is made with: defaults, what goes with what, and what native code receives.
import { fail, object, parse } from '../runtime/validate';
import { adaptiveMembers } from './dynamics';
import { type CheckedGroups, groupsOf, nativeGroups } from './groups';
import { type NativeEngineOptions, nativeDirections, nativePolytopes, type Reals } from './native';
import { isDelta, isNative, type Objective } from './objective';
import { optimizerSchema, transportSchema } from './option-members';
import type { OptimizerOptions } from './options';
import { nativeAssignment, nativeTransport } from './plan';
import type { progressiveSchema, Schedule } from './schedules';
import { box, conflict, dimensionOf, startOf } from './start';
import { type CheckedSubspace, layOut, nativeSubspace, type SubspaceEntry, subspaceSchema } from './subspace';

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

  const groups = groupsFor(given.groups, { block, sequential, subspace, entries, objective, dimension, rowDimension });
  const { screening } = given;
  if (screening !== undefined) {
    if (!native) conflict('screening', 'needs a native objective with data: a network');
    if (polytope !== 'orthoplex') conflict('screening', 'reads antithetic pairs, which only the orthoplex has');
    if (sequential) conflict('screening', 'does not go with sequential updates');
    if (modelled !== undefined) conflict('screening', `does not go with \`${modelled}\`, which reads all directions`);
    if (twoSided) conflict('screening', 'needs a rule without a column marginal');
    if (rule !== 'rank' && typeof scaleCost !== 'number' && !['none', 'rowStd', 'rank'].includes(scaleCost)) {
      conflict('screening', 'needs a `scaleCost` that looks at single rows: a number, none, rowStd or rank');
    }
    if (screening.fidelity / probes + screening.keep >= 1)
      warnings.push('screening with these shares costs more than it saves: fidelity / probes + keep is not below 1');
  }
  if (given.adaptCovariance) {
    if (!block || sequential) conflict('adaptCovariance', 'needs block mode with all blocks updated from one point');
    if (subspace?.kind === 'adaptive')
      conflict('adaptCovariance', 'does not go with a basis that is drawn anew each step');
    if (subspace?.kind === 'lowRank') conflict('adaptCovariance', "does not go with the factors of 'lowRank'");
    if (rule === 'linear') conflict('adaptCovariance', "does not go with 'linear', whose weights are of both signs");
    if (given.repair !== undefined) conflict('adaptCovariance', 'does not go with repaired candidates');
  }
  const directions = subspace?.directions ?? 'random';
  if (directions !== 'random' && (subspace?.kind !== 'adaptive' || subspace.bases !== undefined))
    conflict('subspace.directions', "are of kind 'adaptive' without given bases");

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
      groups,
      adaptCovariance: given.adaptCovariance,
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
      screeningKeep: screening?.keep ?? 0,
      screeningFidelity: screening?.fidelity ?? 1,
      leading: nativeDirections.indexOf(directions),
      leadingShare: subspace?.directionShare ?? (directions === 'transport' ? 0.3 : 0.5),
      leadingSteps: subspace?.directionSteps ?? 200,
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

/** Groups of rows as native code reads them; empty where all rows are assigned together. */
function groupsFor(
  given: CheckedGroups | undefined,
  of: {
    block: boolean;
    sequential: boolean;
    subspace: CheckedSubspace | undefined;
    entries: SubspaceEntry[] | undefined;
    objective: Objective | undefined;
    dimension: number;
    rowDimension: number;
  },
): Float64Array {
  if (given === undefined) return new Float64Array(0);
  const { subspace, entries, objective, dimension } = of;
  if (!of.block) conflict('groups', 'are of block mode');
  if (of.sequential) conflict('groups', 'do not go with sequential updates');
  if (subspace?.rankSchedule !== undefined) conflict('groups', 'do not go with a rank schedule');
  if (isDelta(objective)) conflict('groups', 'do not go with an objective of replacements');
  const tensors = isNative(objective) ? objective.tensors?.map(({ shape }) => product(shape)) : undefined;
  const sizes = entries?.map((entry) => entry.coordinates) ?? tensors;
  if (given.by === 'tensors' && sizes === undefined) {
    conflict('groups.by', "'tensors' needs an objective that names its tensors, or a subspace");
  }
  return nativeGroups(given, groupsOf(given, sizes ?? [dimension], of.rowDimension));
}
