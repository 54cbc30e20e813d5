// Where a run starts and the box it stays in: options that all searches read alike.
import { makeError } from '../runtime/errors';
import { fail, number, object, type Schema, typedArray } from '../runtime/validate';
import { nativePolystep, nativeStreams, type Reals } from './native';
import { isNative, type Objective } from './objective';

/** Where a run starts: numbers, one number for all, or random ones. */
export type Start =
  | number
  | Float64Array
  | Float32Array
  | readonly number[]
  | {
      /** Standard deviation of normal numbers. */
      readonly normal: number;
    }
  | {
      /** Ends of the interval of uniform numbers. */
      readonly uniform: readonly [number, number];
    };

const numbersSchema = typedArray(['Float64Array', 'Float32Array']);
/** @internal */
export const startSchema: Schema<Start> = (value, argument) => {
  if (typeof value === 'number') return number()(value, argument);
  if (typeof value === 'object' && value !== null && 'normal' in value) {
    return object({ normal: number({ min: 0 }) })(value, argument);
  }
  if (typeof value === 'object' && value !== null && 'uniform' in value) {
    const { uniform } = object({ uniform: typedArray(['Float64Array'], { length: 2 }) })(value, argument);
    const [low, high] = [uniform[0] as number, uniform[1] as number];
    if (low > high) fail('ERR_OUT_OF_RANGE', `${argument}.uniform`, '[low, high] with low at most high', value);
    return { uniform: [low, high] };
  }
  return numbersSchema(value, argument);
};
/** A bound for all coordinates, or one for each; infinities allowed. @internal */
export const boundSchema: Schema<number | Float64Array> = (value, argument) =>
  typeof value === 'number'
    ? number({ infinite: true })(value, argument)
    : typedArray(['Float64Array'], { infinite: true })(value, argument);

/** Throws: an option that does not go with the others. @internal */
export function conflict(argument: string, text: string): never {
  throw makeError('ERR_INVALID_ARG_VALUE', `options.${argument}`, `\`options.${argument}\` ${text}`);
}

/** Numbers of a candidate, from whatever says so. @internal */
export function dimensionOf(
  objective: Objective | undefined,
  given: { dimension: number | undefined; initial: Start | undefined },
  shaped?: number,
): number {
  const listed = ArrayBuffer.isView(given.initial) ? given.initial.length : undefined;
  const dimension = (isNative(objective) ? objective.dimension : undefined) ?? given.dimension ?? shaped ?? listed;
  if (dimension === undefined) conflict('dimension', 'must be given, or `initial` with as many numbers');
  if (dimension < 1) fail('ERR_SHAPE_MISMATCH', 'options.initial', 'at least one number', given.initial);
  if (given.dimension !== undefined && given.dimension !== dimension) {
    fail('ERR_SHAPE_MISMATCH', 'options.dimension', `${dimension}, as of the objective`, given.dimension);
  }
  return dimension;
}

/** Both ends of a box, a number per coordinate; empty where there is none. @internal */
export function box(
  lower: number | Float64Array | undefined,
  upper: number | Float64Array | undefined,
  dimension: number,
): [Float64Array, Float64Array] {
  if (lower === undefined && upper === undefined) return [new Float64Array(0), new Float64Array(0)];
  const fill = (bound: number | Float64Array | undefined, fallback: number, argument: string): Float64Array => {
    if (bound === undefined || typeof bound === 'number') return new Float64Array(dimension).fill(bound ?? fallback);
    if (bound.length !== dimension)
      fail('ERR_SHAPE_MISMATCH', argument, `of length ${dimension} (one per coordinate)`, bound);
    return bound;
  };
  const low = fill(lower, -Infinity, 'options.lower');
  const high = fill(upper, Infinity, 'options.upper');
  low.forEach((value, i) => {
    if (!(value <= (high[i] as number)))
      fail('ERR_OUT_OF_RANGE', 'options.lower', `at most \`options.upper\` at coordinate ${i}`, value);
  });
  return [low, high];
}

interface StartContext {
  dimension: number;
  particles: number;
  seed: number;
  single: boolean;
  lower: Float64Array;
  upper: Float64Array;
}

/** First points in the precision of the run, within the box. @internal */
export function startOf(start: Start | undefined, objective: Objective | undefined, context: StartContext): Reals {
  const { dimension, particles, seed, single, lower, upper } = context;
  const count = dimension * particles;
  const out = single ? new Float32Array(count) : new Float64Array(count);
  const stream = nativeStreams.indexOf('initialisation');
  const random = (stddev: number): Float64Array =>
    nativePolystep.normals(seed, 0, 0, stream, count).map((value) => stddev * value);
  const spread = (low: (i: number) => number, high: (i: number) => number): void => {
    const draws = nativePolystep.uniforms(seed, 0, 0, stream, count);
    for (let i = 0; i < count; i += 1) out[i] = low(i) + (draws[i] as number) * (high(i) - low(i));
  };
  if (start === undefined) {
    const own = isNative(objective) ? objective.initialParameters?.({ seed }) : undefined;
    if (own !== undefined) {
      if (own.length !== dimension)
        fail('ERR_SHAPE_MISMATCH', 'objective.initialParameters', `of length ${dimension}`, own);
      for (let i = 0; i < count; i += 1) out[i] = own[i % dimension] as number;
    } else if (particles > 1 && lower.length > 0 && lower.every(Number.isFinite) && upper.every(Number.isFinite)) {
      spread(
        (i) => lower[i % dimension] as number,
        (i) => upper[i % dimension] as number,
      );
    }
  } else if (typeof start === 'number') {
    out.fill(start);
  } else if ('normal' in start) {
    out.set(random(start.normal));
  } else if ('uniform' in start) {
    spread(
      () => start.uniform[0],
      () => start.uniform[1],
    );
  } else {
    if (start.length !== dimension && start.length !== count) {
      const expected = particles > 1 ? `${dimension} or ${particles} x ${dimension}` : String(dimension);
      fail('ERR_SHAPE_MISMATCH', 'options.initial', `of length ${expected}`, start);
    }
    for (let i = 0; i < count; i += 1) out[i] = start[i % start.length] as number;
  }
  for (let i = 0; i < count; i += 1) {
    const value = out[i] as number;
    if (!Number.isFinite(value))
      fail('ERR_NOT_FINITE', `options.initial[${i}]`, 'finite in the dtype of the run', value);
    if (lower.length > 0)
      out[i] = Math.min(Math.max(value, lower[i % dimension] as number), upper[i % dimension] as number);
  }
  return out;
}
