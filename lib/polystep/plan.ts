// The bare assignment rules: costs in, plan out.
import { callNative, makeError } from '../runtime/errors';
import { uniforms } from '../runtime/random';
import {
  boolean,
  fail,
  integer,
  number,
  object,
  oneOf,
  optional,
  parse,
  type Schema,
  typedArray,
  withDefault,
} from '../runtime/validate';
import { type NativeAssignment, type NativeTransport, nativePolystep, nativeRules, nativeScales } from './native';

/**
 * How costs become weights. `'softmax'`; `'temperedSoftmax'` with a temperature of its own; `'greedy'`; `'topK'`;
 * `'linear'`, signed weights; `'rank'`, softmax of ranks; `'sample'`, one vertex drawn from softmax; `'sinkhorn'`, both
 * marginals; `'kl'`, between softmax (lambda 0) and Sinkhorn (infinity).
 */
export type Rule = 'softmax' | 'temperedSoftmax' | 'greedy' | 'topK' | 'linear' | 'rank' | 'sinkhorn' | 'kl' | 'sample';

/** @internal */
export const ruleNames = [
  'softmax',
  'temperedSoftmax',
  'greedy',
  'topK',
  'linear',
  'rank',
  'sinkhorn',
  'kl',
  'sample',
] as const;

/**
 * What recentred costs are divided by: a positive number; the `'mean'`, `'max'` or `'std'` of all entries; the standard
 * deviation of each row (`'rowStd'`); nothing (`'none'`); or `'rank'`, costs replaced by their ranks within the row, in
 * [0, 1]. `'rawMean'` and `'rawMax'` divide without recentring, as old releases did.
 */
export type CostScale = number | 'mean' | 'max' | 'none' | 'std' | 'rowStd' | 'rank' | 'rawMean' | 'rawMax';

const scaleNames = ['mean', 'max', 'none', 'std', 'rowStd', 'rank', 'rawMean', 'rawMax'] as const;
const scaleName = oneOf(scaleNames);
const positive = number({ above: 0 });

/** @internal */
export const costScaleSchema: Schema<CostScale> = (value, argument) =>
  typeof value === 'number' ? positive(value, argument) : scaleName(value, argument);

/** Options of the rules with a column marginal. */
export interface TransportOptions {
  /** Largest marginal error (of `'kl'`: change of the duals) to stop at; default 1e-6. 0: exactly `maxIterations`. */
  threshold?: number;
  /** Iterations at most; default 2000. */
  maxIterations?: number;
  /** Iterations between checks; default 10. */
  checkEvery?: number;
  /** Relaxation in [0.5, 1.95]; default 1. Above 1.5 it falls back to 1 when the duals keep growing. */
  omega?: number;
  /** Estimates the relaxation from successive errors; default false. */
  adaptiveOmega?: boolean;
  /** Pairs that Anderson acceleration remembers; default 0: off. */
  andersonDepth?: number;
}

/** @internal */
export const transportMembers = {
  threshold: withDefault(number(), 1e-6),
  maxIterations: withDefault(integer({ min: 1 }), 2000),
  checkEvery: withDefault(integer({ min: 1 }), 10),
  omega: withDefault(number({ min: 0.5, max: 1.95 }), 1),
  adaptiveOmega: withDefault(boolean, false),
  andersonDepth: withDefault(integer({ min: 0, max: 20 }), 0),
};

/** Members that say how costs are assigned. @internal */
export const assignmentMembers = {
  tau: withDefault(positive, 1),
  k: withDefault(integer({ min: 1 }), 3),
  lambda: withDefault(number({ min: 0, infinite: true }), 1),
};

/** @internal */
export function nativeAssignment(
  rule: Rule,
  scale: CostScale,
  { tau, k, lambda }: { tau: number; k: number; lambda: number },
): NativeAssignment {
  const scaleIndex = rule === 'rank' ? 'rank' : typeof scale === 'number' ? 'number' : scale;
  return {
    rule: nativeRules.indexOf(rule === 'rank' ? 'softmax' : rule),
    tau,
    k,
    lambda,
    scale: nativeScales.indexOf(scaleIndex),
    divisor: typeof scale === 'number' ? scale : 1,
  };
}

/** Numbers, row by row. */
export type Costs = Float64Array | Float32Array | readonly number[] | readonly (readonly number[] | Float64Array)[];

/** Options of {@link plan}. */
export interface PlanOptions extends TransportOptions {
  /** P, particles; not needed when costs are an array of rows. */
  rows?: number;
  /** V, vertices; not needed when costs are an array of rows. */
  vertices?: number;
  /** Default `'softmax'`. */
  rule?: Rule;
  /** Temperature, positive; default 0.1. */
  epsilon?: number;
  /** Temperature of `'temperedSoftmax'`, positive; default 1. */
  tau?: number;
  /** Vertices of `'topK'`; default 3. */
  k?: number;
  /** Weight of the column marginal of `'kl'`, in [0, infinity]; default 1. */
  lambda?: number;
  /** Default `'none'`: recentred only. */
  scaleCost?: CostScale;
  /** Mass of each row, P non-negative numbers; default 1 / P. */
  rowMarginal?: Float64Array | readonly number[];
  /** Mass of each vertex, V non-negative numbers; default 1 / V. Only `'sinkhorn'` and `'kl'` read it. */
  columnMarginal?: Float64Array | readonly number[];
  /** Duals to start `'sinkhorn'` from, with the temperature they were found at. */
  start?: {
    /** Of the rows, P numbers. */
    f: Float64Array | readonly number[];
    /** Of the vertices, V numbers. */
    g: Float64Array | readonly number[];
    /** Default: that of the call. */
    epsilon?: number;
  };
  /** Seed of `'sample'`; default 0. */
  seed?: number;
  /** Threads; default 1. The plan does not depend on it. */
  threads?: number;
}

/** Result of {@link plan}. */
export interface Plan {
  /** P x V weights row by row; row i sums to its mass (`'linear'`: to 0). */
  readonly plan: Float64Array;
  /** Duals of the rows, of costs shifted so that the least is 0; empty for rules without them. */
  readonly f: Float64Array;
  /** Duals of the vertices. */
  readonly g: Float64Array;
  /** Iterations taken; 1 for rules without any. */
  readonly iterations: number;
  /** Whether the threshold was reached. */
  readonly converged: boolean;
  /** Larger of the marginals' largest errors; NaN for rules without duals. */
  readonly error: number;
  /** <C, T> of the scaled costs; for `'sinkhorn'` the dual objective. */
  readonly objective: number;
  /** KL(T^T 1 || b); 0 for rules without a column marginal. */
  readonly klViolation: number;
  /** 1 / sum_n w_n^2 / V averaged over rows: 1 where weights are uniform, 1 / V where they are one-hot. */
  readonly effectiveSamples: number;
  /** What was noticed. */
  readonly warnings: readonly string[];
}

/** Any numbers, NaN and infinities included, as float64. @internal */
export function lossesOf(value: unknown, argument: string): Float64Array {
  if (Object.prototype.toString.call(value) === '[object Float64Array]') return value as Float64Array;
  if (Object.prototype.toString.call(value) === '[object Float32Array]')
    return Float64Array.from(value as Float32Array);
  if (!Array.isArray(value)) {
    fail('ERR_INVALID_ARG_TYPE', argument, 'a Float64Array, a Float32Array or an array of numbers', value);
  }
  value.forEach((element, i) => {
    if (typeof element !== 'number') fail('ERR_INVALID_ARG_TYPE', `${argument}[${i}]`, 'a number', element);
  });
  return Float64Array.from(value as number[]);
}

interface Matrix {
  rows: number;
  vertices: number;
  data: Float64Array;
}

function matrixOf(costs: unknown, rows: number | undefined, vertices: number | undefined): Matrix {
  if (Array.isArray(costs) && (Array.isArray(costs[0]) || ArrayBuffer.isView(costs[0]))) {
    const lines = costs.map((row, i) => lossesOf(row, `costs[${i}]`));
    const width = (lines[0] as Float64Array).length;
    const data = new Float64Array(lines.length * width);
    lines.forEach((line, i) => {
      if (line.length !== width)
        fail('ERR_SHAPE_MISMATCH', `costs[${i}]`, `of length ${width}, as the first row`, line);
      data.set(line, i * width);
    });
    if (rows !== undefined && rows !== lines.length) {
      fail('ERR_SHAPE_MISMATCH', 'options.rows', `${lines.length}, as costs have`, rows);
    }
    if (vertices !== undefined && vertices !== width) {
      fail('ERR_SHAPE_MISMATCH', 'options.vertices', `${width}, as costs have`, vertices);
    }
    if (width === 0) fail('ERR_SHAPE_MISMATCH', 'costs[0]', 'at least one number', costs[0]);
    return { rows: lines.length, vertices: width, data };
  }
  const data = lossesOf(costs, 'costs');
  if (data.length === 0) fail('ERR_SHAPE_MISMATCH', 'costs', 'at least one number', costs);
  const height = rows ?? (vertices === undefined ? 1 : data.length / vertices);
  const width = vertices ?? data.length / height;
  if (!Number.isInteger(height) || !Number.isInteger(width) || height * width !== data.length) {
    const expected = `rows x vertices numbers, ${rows ?? '?'} x ${vertices ?? '?'}`;
    fail('ERR_SHAPE_MISMATCH', 'costs', expected, costs);
  }
  return { rows: height, vertices: width, data };
}

function marginal(given: Float64Array | undefined, count: number, argument: string): Float64Array {
  if (given === undefined) return new Float64Array(count).fill(1 / count);
  if (given.length !== count) fail('ERR_SHAPE_MISMATCH', argument, `of length ${count}`, given);
  let mass = 0;
  given.forEach((part, i) => {
    if (part < 0) fail('ERR_OUT_OF_RANGE', `${argument}[${i}]`, 'non-negative', part);
    mass += part;
  });
  if (!(mass > 0)) fail('ERR_OUT_OF_RANGE', argument, 'of positive mass', given);
  return given;
}

const numbers = typedArray(['Float64Array']);

const planSchema = object({
  ...transportMembers,
  ...assignmentMembers,
  rows: optional(integer({ min: 1 })),
  vertices: optional(integer({ min: 1 })),
  rule: withDefault(oneOf(ruleNames), 'softmax'),
  epsilon: withDefault(positive, 0.1),
  scaleCost: withDefault(costScaleSchema, 'none'),
  rowMarginal: optional(numbers),
  columnMarginal: optional(numbers),
  start: optional(object({ f: numbers, g: numbers, epsilon: optional(positive) })),
  seed: withDefault(integer({ min: 0 }), 0),
  threads: withDefault(integer({ min: 1, max: 256 }), 1),
});

/** @internal */
export function nativeTransport(options: Required<TransportOptions>): NativeTransport {
  const { threshold, maxIterations, checkEvery, omega, adaptiveOmega, andersonDepth } = options;
  return { threshold, maxIterations, checkEvery, omega, adaptiveOmega, andersonDepth };
}

/**
 * Weights of vertices for particles from their costs: one assignment, as a step of the optimizer makes it.
 *
 * Costs that are not finite count as 2 max |finite| + 1 (1 where none is finite).
 *
 * @example
 * const { plan } = polystep.plan([[3, 1, 2], [0, 0, 5]], { epsilon: 0.5 });
 *
 * @param costs    P x V numbers: an array of rows, or flat with `rows` or `vertices`
 * @param options  see {@link PlanOptions}
 * @throws ERR_OUT_OF_RANGE, ERR_NOT_FINITE  a temperature, scale, marginal or option that is not allowed
 * @throws ERR_SHAPE_MISMATCH  lengths that do not fit
 * Cost: P V operations; `'sinkhorn'` and `'kl'`: 2 P V exponentials per iteration.
 * Source: arXiv 2605.01928, section 4; arXiv 2309.15970.
 */
export function plan(costs: Costs, options: PlanOptions = {}): Plan {
  const checked = parse(options, 'options', planSchema);
  const { rows, vertices, data } = matrixOf(costs, checked.rows, checked.vertices);
  const rowMarginal = marginal(checked.rowMarginal, rows, 'options.rowMarginal');
  const columnMarginal = marginal(checked.columnMarginal, vertices, 'options.columnMarginal');
  const { rule, epsilon, start } = checked;
  const warnings: string[] = [];
  const mass = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0);
  const twoSided = rule === 'sinkhorn' || rule === 'kl';
  if (twoSided && Math.abs(mass(rowMarginal) - mass(columnMarginal)) > 1e-3 * mass(rowMarginal)) {
    warnings.push('the masses of the two marginals differ by more than 1e-3: no plan meets both');
  }
  if (rows === 1 && (rule === 'sinkhorn' || (rule === 'kl' && checked.lambda === Infinity))) {
    warnings.push('with one row, a rule with both marginals ignores the costs');
  }
  if (start !== undefined && (start.f.length !== rows || start.g.length !== vertices)) {
    throw makeError(
      'ERR_SHAPE_MISMATCH',
      'options.start',
      `\`options.start\` must hold ${rows} and ${vertices} duals, got ${start.f.length} and ${start.g.length}`,
    );
  }
  const draw = uniforms(checked.seed);
  const found = callNative(() =>
    nativePolystep.plan(
      data,
      rowMarginal,
      columnMarginal,
      {
        ...nativeAssignment(rule, checked.scaleCost, checked),
        epsilon,
        transport: nativeTransport(checked),
        start: start && { f: start.f, g: start.g, epsilon: start.epsilon ?? epsilon },
        threads: checked.threads,
      },
      rule === 'sample' ? Float64Array.from(rowMarginal, () => draw()) : new Float64Array(0),
    ),
  );
  if (!found.converged) warnings.push(`not converged after ${found.iterations} iterations`);
  let samples = 0;
  for (let i = 0; i < rows; i += 1) {
    const row = found.plan.subarray(i * vertices, (i + 1) * vertices);
    const total = rule === 'linear' ? 0 : mass(row);
    const squares = row.reduce((sum, weight) => sum + weight * weight, 0);
    samples += squares > 0 && total > 0 ? (total * total) / squares / vertices : 1;
  }
  const { omega: _, ...result } = found;
  return { ...result, effectiveSamples: samples / rows, warnings };
}

/**
 * Costs as assignment rules read them: what is not finite replaced, recentred, divided (or ranked).
 *
 * @param costs  rows x vertices numbers, row by row
 * @param options  `vertices` of a row, and how to scale; default: one row, `'none'`
 * @returns        a Float64Array of the same length
 * @throws ERR_SHAPE_MISMATCH, ERR_OUT_OF_RANGE
 * Cost: one or two passes over the costs; `'rank'` sorts each row. Source: arXiv 2605.01928, section 4.
 */
export function scaleCosts(
  costs: Costs,
  options: { rows?: number; vertices?: number; scaleCost?: CostScale } = {},
): Float64Array {
  const members = {
    rows: optional(integer({ min: 1 })),
    vertices: optional(integer({ min: 1 })),
    scaleCost: withDefault(costScaleSchema, 'none'),
  };
  const { rows, vertices, scaleCost } = parse(options, 'options', object(members));
  const matrix = matrixOf(costs, rows, vertices);
  const { scale, divisor } = nativeAssignment('softmax', scaleCost, { tau: 1, k: 1, lambda: 0 });
  return callNative(() => nativePolystep.scaleCosts(matrix.data, matrix.vertices, scale, divisor));
}
