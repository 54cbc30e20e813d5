// How each option of an optimizer is read by itself.
import {
  boolean,
  fail,
  functionOf,
  integer,
  number,
  object,
  oneOf,
  optional,
  type Schema,
  withDefault,
} from '../runtime/validate';
import { adaptiveMembers } from './dynamics';
import { groupsSchema } from './groups';
import { nativePolytopes, type Reals } from './native';
import { objectiveSchema } from './objective';
import { assignmentMembers, costScaleSchema, ruleNames, transportMembers } from './plan';
import { progressiveSchema, type Schedule, scheduleSchema } from './schedules';
import { boundSchema, startSchema } from './start';
import type { SubspaceOptions } from './subspace';

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
/** @internal */
export const transportSchema = object({ ...transportMembers, warmStart: withDefault(boolean, true) });

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
  screening: optional(
    object({
      fidelity: withDefault(number({ above: 0, max: 1 }), 0.25),
      keep: withDefault(number({ above: 0, max: 1 }), 0.5),
    }),
  ),
  groups: optional(groupsSchema),
  adaptCovariance: withDefault(boolean, false),
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

/** @internal */
export const optimizerSchema = object(optimizerMembers);
