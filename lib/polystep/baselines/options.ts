// Options of the baselines: what all take, and a table of what each takes besides.
import type { RunOptions } from '../../runtime/run';
import {
  arrayOf,
  boolean,
  fail,
  integer,
  number,
  oneOf,
  optional,
  type Schema,
  withDefault,
} from '../../runtime/validate';
import type { LoopOptions } from '../loop';
import { nativeScales, type Reals } from '../native';
import { isNative, type Objective } from '../objective';
import { boundSchema, conflict, type Start, startSchema } from '../start';
import { type NativeMethodOptions, nativeMethods, nativeOptimizers, type OptimizerName } from './native';
import type { BaselineSearch } from './search';

/** Options of every baseline. */
export interface BaselineOptions extends LoopOptions<BaselineSearch>, RunOptions<Reals> {
  /** D; default: that of the objective or of `initial`. */
  dimension?: number;
  /** As for {@link minimize}: D numbers, one for all, or random ones. Default: the objective's own start; else 0. */
  initial?: Start;
  /** Box, a number or D numbers, infinities allowed: candidates are clamped to it, the iterate stays in it. */
  lower?: number | Float64Array | readonly number[];
  /** See `lower`. */
  upper?: number | Float64Array | readonly number[];
  /** Precision of candidates; default `'float32'`. The iterate is float64 inside, losses of callbacks are of this type. */
  dtype?: 'float32' | 'float64';
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
}

/** Options of {@link openAiEs}. */
export interface OpenAiEsOptions extends BaselineOptions {
  /** Candidates of a step, even: they come in mirrored pairs. Default 2 (4 + floor(3 ln D)). */
  population?: number;
  /** Standard deviation of the perturbations; default 0.1. */
  sigma?: number;
  /** Of the optimizer; default 0.05. */
  learningRate?: number;
  /** Factor of `sigma` from step to step; default 1. */
  sigmaDecay?: number;
  /** Factor of `learningRate` from step to step; default 1. */
  learningRateDecay?: number;
  /** `'adam'` (default), `'momentum'` (coefficient 0.9) or `'sgd'`. */
  optimizer?: OptimizerName;
  /**
   * What losses of a step are replaced by: `'rank'` (default), ranks in [0, 1], so that no monotone change of the loss
   * matters; `'rowStd'`, divided by their standard deviation; `'none'`; or a divisor.
   */
  scaleCost?: 'rank' | 'rowStd' | 'none' | number;
}

/** Options of {@link eggroll}. */
export interface EggrollOptions extends OpenAiEsOptions {
  /** r of matrices' perturbations A B^T / sqrt(r); default 1. */
  rank?: number;
  /** Shapes of the parameters' tensors in order, one-dimensional ones are perturbed in full. Default: the objective's. */
  tensors?: readonly {
    /** Extents; the first one counts rows. */
    readonly shape: readonly number[];
  }[];
}

/** Options of {@link cmaEs}. */
export interface CmaEsOptions extends BaselineOptions {
  /** Candidates of a step; default 4 + floor(3 ln D). */
  population?: number;
  /** First standard deviation of the candidates; default 0.5. A third of where the minimum may lie is usual. */
  sigma?: number;
  /** `'full'` (default, D to 4096, memory 24 D^2 bytes) or `'separable'`: its diagonal only, which is linear in D. */
  covariance?: 'full' | 'separable';
  /** Whether bad candidates shrink the covariance (negative weights); default true. */
  active?: boolean;
}

/** Options of {@link spsa}. */
export interface SpsaOptions extends BaselineOptions {
  /** Pairs of candidates that are averaged in a step; default 1. */
  directions?: number;
  /** a of the gain a / (k + 1 + A)^alpha of step k; default 0.1. */
  learningRate?: number;
  /** c of the distance c / (k + 1)^gamma of step k; default 0.1. */
  perturbation?: number;
  /** A; default: a tenth of the steps that `maxSteps` or `maxEvaluations` allows, 20 without either. */
  stability?: number;
  /** alpha; default 0.602. */
  learningRateExponent?: number;
  /** gamma; default 0.101. */
  perturbationExponent?: number;
}

/** Options of {@link meZo}. */
export interface MeZoOptions extends BaselineOptions {
  /** Pairs of candidates that are averaged in a step; default 1. */
  directions?: number;
  /** Default 1e-3. The paper's 1e-6 is for the fine-tuning of language models. */
  learningRate?: number;
  /** Factor of `learningRate` from step to step; default 1. */
  learningRateDecay?: number;
  /** Distance of the candidates along a normal direction; default 1e-3. */
  perturbation?: number;
}

/** Options of {@link randomSearch}. */
export interface RandomSearchOptions extends BaselineOptions {
  /** Candidates of a step, the iterate among them; default 4 + floor(3 ln D). */
  population?: number;
  /** `'local'` (default): normal around the iterate. `'uniform'`: in the box, which must be finite. */
  sampling?: 'local' | 'uniform';
  /** Standard deviation of local candidates; default 0.1. */
  sigma?: number;
  /** Factor of `sigma` from step to step; default 1. */
  sigmaDecay?: number;
}

/** Members that all methods have, beside those of the loop and the run. @internal */
export const baselineMembers = {
  dimension: optional(integer({ min: 1 })),
  initial: optional(startSchema),
  lower: optional(boundSchema),
  upper: optional(boundSchema),
  dtype: withDefault(oneOf(['float32', 'float64']), 'float32'),
  maxEvaluations: withDefault(number({ min: 0, infinite: true }), Infinity),
  concurrency: withDefault(integer({ min: 1, max: 1024 }), 1),
  bufferBytes: withDefault(integer({ min: 1, max: 2 ** 32 }), 2 ** 26),
  patience: withDefault(integer({ min: 0 }), 0),
  minDelta: withDefault(number({ min: 0 }), 1e-4),
};

/** What a method's options depend on. @internal */
export interface MethodContext {
  objective: Objective;
  dimension: number;
  lower: Float64Array;
  upper: Float64Array;
  maxSteps: number;
  maxEvaluations: number;
}

type Members = Record<string, Schema<unknown>>;

/** A method: its options, and what native code receives for them. @internal */
export interface Method {
  index: number;
  members: Members;
  native(given: Record<string, unknown>, context: MethodContext): NativeMethodOptions;
}

function method<const Own extends Members>(
  name: (typeof nativeMethods)[number],
  members: Own,
  toNative: (given: { [Key in keyof Own]: ReturnType<Own[Key]> }, context: MethodContext) => NativeMethodOptions,
): Method {
  return { index: nativeMethods.indexOf(name), members, native: toNative };
}

/** The usual population of CMA-ES: Hansen, arXiv 1604.00772, Equation 48. */
const usualPopulation = (dimension: number): number => 4 + Math.floor(3 * Math.log(dimension));

const factor = withDefault(number({ above: 0 }), 1);
const scaleSchema: Schema<'rank' | 'rowStd' | 'none' | number> = (value, argument) =>
  typeof value === 'number'
    ? number({ above: 0 })(value, argument)
    : oneOf(['rank', 'rowStd', 'none'])(value, argument);

const strategyMembers = {
  population: optional(integer({ min: 2, max: 2 ** 24 })),
  sigma: withDefault(number({ above: 0 }), 0.1),
  learningRate: withDefault(number({ min: 0 }), 0.05),
  sigmaDecay: factor,
  learningRateDecay: factor,
  optimizer: withDefault(oneOf(nativeOptimizers), 'adam'),
};

interface Strategy {
  population: number | undefined;
  sigma: number;
  learningRate: number;
  sigmaDecay: number;
  learningRateDecay: number;
  optimizer: OptimizerName;
  scaleCost: 'rank' | 'rowStd' | 'none' | number;
}

function nativeStrategy({ population, optimizer, scaleCost, ...rest }: Strategy, dimension: number) {
  if (population !== undefined && population % 2 !== 0) {
    fail('ERR_OUT_OF_RANGE', 'options.population', 'even: candidates come in mirrored pairs', population);
  }
  const divided = typeof scaleCost === 'number';
  return {
    ...rest,
    population: population ?? 2 * usualPopulation(dimension),
    optimizer: nativeOptimizers.indexOf(optimizer),
    scale: nativeScales.indexOf(divided ? 'number' : scaleCost),
    divisor: divided ? scaleCost : 1,
  };
}

const tensorSchema: Schema<{ shape: number[] }> = (value, argument) => {
  if (typeof value !== 'object' || value === null) fail('ERR_INVALID_ARG_TYPE', argument, 'an object', value);
  const shape = arrayOf(integer({ min: 1 }), { min: 1 })((value as { shape?: unknown }).shape, `${argument}.shape`);
  return { shape };
};

/** Rows, columns and rank of each tensor. */
function nativeTensors(
  tensors: readonly { readonly shape: readonly number[] }[] | undefined,
  rank: number,
  { objective, dimension }: MethodContext,
): Float64Array {
  const given = tensors ?? (isNative(objective) ? objective.tensors : undefined);
  if (given === undefined) conflict('tensors', 'must be given: the objective does not say its own');
  const numbers = given.flatMap(({ shape: [rows = 1, ...others] }) => {
    const columns = others.reduce((product, extent) => product * extent, 1);
    return [rows, columns, others.length === 0 ? 0 : Math.min(rank, rows, columns)];
  });
  let total = 0;
  for (let i = 0; i < numbers.length; i += 3) total += (numbers[i] as number) * (numbers[i + 1] as number);
  if (total !== dimension) {
    fail('ERR_SHAPE_MISMATCH', 'options.tensors', `shapes of ${dimension} parameters`, total);
  }
  return Float64Array.from(numbers);
}

const twoPointMembers = { directions: withDefault(integer({ min: 1, max: 2 ** 23 }), 1) };

/** The methods, by name. @internal */
export const methods = {
  openAiEs: method(
    'openAiEs',
    { ...strategyMembers, scaleCost: (value: unknown, at: string) => scaleSchema(value ?? 'rank', at) },
    (given, { dimension }) => nativeStrategy(given, dimension),
  ),
  eggroll: method(
    'eggroll',
    {
      ...strategyMembers,
      scaleCost: (value: unknown, at: string) => scaleSchema(value ?? 'rowStd', at),
      rank: withDefault(integer({ min: 1 }), 1),
      tensors: optional(arrayOf(tensorSchema, { min: 1 })),
    },
    ({ rank, tensors, ...given }, context) => ({
      ...nativeStrategy(given, context.dimension),
      tensors: nativeTensors(tensors, rank, context),
    }),
  ),
  cmaEs: method(
    'cmaEs',
    {
      population: optional(integer({ min: 4, max: 2 ** 24 })),
      sigma: withDefault(number({ above: 0 }), 0.5),
      covariance: withDefault(oneOf(['full', 'separable']), 'full'),
      active: withDefault(boolean, true),
    },
    ({ population, covariance, ...rest }, { dimension }) => {
      if (covariance === 'full' && dimension > 4096) {
        fail('ERR_OUT_OF_RANGE', 'options.covariance', "'separable' above 4096 dimensions", covariance);
      }
      return { ...rest, population: population ?? usualPopulation(dimension), separable: covariance === 'separable' };
    },
  ),
  spsa: method(
    'spsa',
    {
      ...twoPointMembers,
      learningRate: withDefault(number({ min: 0 }), 0.1),
      perturbation: withDefault(number({ above: 0 }), 0.1),
      stability: optional(number({ min: 0 })),
      learningRateExponent: withDefault(number({ min: 0 }), 0.602),
      perturbationExponent: withDefault(number({ min: 0 }), 0.101),
    },
    ({ stability, directions, ...rest }, { maxSteps, maxEvaluations }) => {
      const steps = Math.min(maxSteps, maxEvaluations / (2 * directions));
      return {
        ...rest,
        directions,
        stability: stability ?? 0.1 * (Number.isFinite(steps) ? steps : 200),
        learningRateDecay: 1,
      };
    },
  ),
  meZo: method(
    'meZo',
    {
      ...twoPointMembers,
      learningRate: withDefault(number({ min: 0 }), 1e-3),
      learningRateDecay: factor,
      perturbation: withDefault(number({ above: 0 }), 1e-3),
    },
    (given) => ({ ...given, stability: 0, learningRateExponent: 0, perturbationExponent: 0 }),
  ),
  randomSearch: method(
    'randomSearch',
    {
      population: optional(integer({ min: 2, max: 2 ** 24 })),
      sampling: withDefault(oneOf(['local', 'uniform']), 'local'),
      sigma: withDefault(number({ above: 0 }), 0.1),
      sigmaDecay: factor,
    },
    ({ population, sampling, ...rest }, { dimension, lower, upper }) => {
      const uniform = sampling === 'uniform';
      if (uniform && (lower.length === 0 || !lower.every(Number.isFinite) || !upper.every(Number.isFinite))) {
        conflict('sampling', "'uniform' needs finite `lower` and `upper`");
      }
      return { ...rest, uniform, population: population ?? usualPopulation(dimension) };
    },
  ),
};
