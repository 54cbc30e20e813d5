// What a solver may know of a parameter: where it may lie, how far it may move at once, and whether its logarithm is
// the better unknown.
import { arrayOf, fail, number, oneOf, optional, type Schema, withDefault } from '../runtime/validate';

/** Where a parameter may lie and how it moves; used by `'control-space'`. */
export interface ParameterRangeOptions {
  /** Lower bound, one for all elements or one for each; default none. */
  lower?: number | readonly number[];
  /** Upper bound, likewise; default none. */
  upper?: number | readonly number[];
  /**
   * The step you are willing to take at once, one for all elements or one for each; with a logarithm the step of that.
   * Default 1, or 0.7 with a logarithm.
   */
  scale?: number | readonly number[];
  /** `'log'`: the solver moves the logarithm, and the parameter stays positive. Default `'none'`. */
  transform?: 'log' | 'none';
}

/** The ranges of all parameters, one after the other. @internal */
export interface ParameterRanges {
  lower: Float64Array;
  upper: Float64Array;
  scale: Float64Array;
  logarithm: Uint8Array;
}

/** One number for all, or one for each. */
const perElement: Schema<number | number[]> = (value, argument) =>
  typeof value === 'number' ? number()(value, argument) : arrayOf(number(), { min: 1 })(value, argument);
const positive = number({ above: 0 });

/** Members for the schema of a parameter. @internal */
export const rangeMembers = {
  lower: optional(perElement),
  upper: optional(perElement),
  scale: optional<number | number[]>((value, argument) =>
    typeof value === 'number' ? positive(value, argument) : arrayOf(positive, { min: 1 })(value, argument),
  ),
  transform: withDefault(oneOf(['log', 'none']), 'none'),
};
type Given = { [Key in keyof typeof rangeMembers]: ReturnType<(typeof rangeMembers)[Key]> };

function spread(value: number | number[] | undefined, otherwise: number, size: number, argument: string): number[] {
  if (value === undefined || typeof value === 'number') return new Array<number>(size).fill(value ?? otherwise);
  if (value.length !== size) fail('ERR_SHAPE_MISMATCH', argument, `a number, or ${size} (size)`, value);
  return value;
}

/** Appends the range of one parameter. @internal */
export class RangeList {
  readonly #lower: number[] = [];
  readonly #upper: number[] = [];
  readonly #scale: number[] = [];
  readonly #logarithm: number[] = [];

  /** Throws ERR_OUT_OF_RANGE for bounds that exclude each other, and as `checkRange` does for the initial values. */
  add(given: Given, initial: Float64Array, argument: string): void {
    const size = initial.length;
    const logarithm = given.transform === 'log';
    const lower = spread(given.lower, -Infinity, size, `${argument}.lower`);
    const upper = spread(given.upper, Infinity, size, `${argument}.upper`);
    lower.forEach((low, k) => {
      if (low > (upper[k] as number)) {
        fail('ERR_OUT_OF_RANGE', `${argument}.lower`, `at most the upper bound ${String(upper[k])}`, low);
      }
    });
    initial.forEach((value, k) => {
      checkRange(value, [lower[k] as number, upper[k] as number, logarithm], `${argument}.initial[${k}]`);
    });
    this.#lower.push(...lower);
    this.#upper.push(...upper);
    this.#scale.push(...spread(given.scale, logarithm ? 0.7 : 1, size, `${argument}.scale`));
    this.#logarithm.push(...new Array<number>(size).fill(Number(logarithm)));
  }

  /** Numbers that may be anything: weights of a network. */
  addFree(size: number): void {
    this.add(
      { lower: undefined, upper: undefined, scale: undefined, transform: 'none' },
      new Float64Array(size),
      'networks',
    );
  }

  get ranges(): ParameterRanges {
    return {
      lower: Float64Array.from(this.#lower),
      upper: Float64Array.from(this.#upper),
      scale: Float64Array.from(this.#scale),
      logarithm: Uint8Array.from(this.#logarithm),
    };
  }
}

/** Throws for a value outside its bounds, or without a logarithm where one is needed. @internal */
export function checkRange(value: number, [low, high, log]: [number, number, boolean], argument: string): void {
  if (value < low || value > high) {
    fail('ERR_OUT_OF_RANGE', argument, `between its bounds ${low} and ${high}`, value);
  }
  if (log && !(value > 0)) fail('ERR_INVALID_ARG_VALUE', argument, "positive, for the transform 'log'", value);
}
