// What an objective knows of its own search, filled in where the default preset is asked for and nothing contradicts.
import { isNative } from './objective';
import type { OptimizerOptions } from './options';

/** Steps that are assumed where neither steps nor evaluations are limited. */
const assumedSteps = 150;

/** Vertices of a block of d coordinates. */
const verticesOf = {
  orthoplex: (d: number) => 2 * d,
  simplex: (d: number) => d + 1,
  cube: (d: number) => 2 ** d,
} as const;

/** Steps of a budget of evaluations. */
function stepsWithin(options: OptimizerOptions, dimension: number): number | undefined {
  const { maxEvaluations, particleDimension, polytope = 'orthoplex', probes = 1 } = options;
  // What is no number is refused with its name when all options are read.
  if (typeof maxEvaluations !== 'number' || !Number.isFinite(maxEvaluations)) return undefined;
  const width = typeof particleDimension === 'number' && particleDimension >= 1 ? particleDimension : 2;
  const vertices = Object.hasOwn(verticesOf, polytope) ? verticesOf[polytope](width) : 2 * width;
  const each = Math.ceil(dimension / width) * vertices * (typeof probes === 'number' && probes >= 1 ? probes : 1);
  return Math.max(1, Math.floor(maxEvaluations / each));
}

/**
 * The options with those of a native objective's own search below them: in block mode over all parameters, under the
 * default preset, unless one that makes up that search (a radius, the temperature, and what else the objective names)
 * is given. `steps`: length of the run, where it is known. @internal
 */
export function withSuitableOptions(options: OptimizerOptions, steps?: number): OptimizerOptions {
  const { objective, preset = 'default', subspace, mode = 'block' } = options;
  if (!isNative(objective) || objective.suitableOptions === undefined) return options;
  if (preset !== 'default' || subspace !== undefined || mode !== 'block') return options;
  const { options: usual, together } = objective.suitableOptions(assumedSteps);
  if (together.some((name) => options[name as keyof OptimizerOptions] !== undefined)) return options;
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const known = Number.isSafeInteger(steps) && (steps as number) >= 1 ? steps : undefined;
  // How many candidates a step has is theirs to say, where the caller does not.
  const shape = { ...usual, ...given };
  const length = known ?? stepsWithin(shape, objective.dimension) ?? assumedSteps;
  return { ...objective.suitableOptions(length).options, ...given };
}
