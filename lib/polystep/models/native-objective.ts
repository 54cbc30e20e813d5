/// <reference lib="esnext.disposable" preserve="true" />
// What all native objectives have in common: a handle, a dimension, and scores of points without an optimizer.
import { callNative, makeError } from '../../runtime/errors';
import { fail, integer, object, optional, parse, type Schema, typedArray, withDefault } from '../../runtime/validate';
import { type NativeObjectiveHandle, nativeObjectives, type Scalars } from './native';

/** Points as a typed array (taken as they are, scored in their precision) or a plain array (converted to float64). */
export type Points = Float64Array | Float32Array | readonly number[];

/** What a score depends on beside the point. */
export interface ScoringOptions {
  /** Seed of minibatches, starting states and noise; default 0. */
  seed?: number;
  /** Step whose minibatch, starting states or noise are meant; default 0. */
  step?: number;
  /** Threads to use; default: the processors this process may run on, at most 16. Values do not depend on it. */
  threads?: number;
}

const scoring = object({
  seed: withDefault(integer({ min: 0 }), 0),
  step: withDefault(integer({ min: 0 }), 0),
  threads: optional(integer({ min: 1, max: 256 })),
});

/** Numbers in either precision, `length` of them. @internal */
export function scalars(length?: number, per?: string): Schema<Scalars> {
  return typedArray(['Float64Array', 'Float32Array'], {
    ...(length !== undefined && { length }),
    ...(per !== undefined && { per }),
  });
}

/**
 * A loss that native code computes, and whose changes it computes faster than the loss: made by the functions of
 * `polystep.models` and `polystep.functions`, taken by `polystep.minimize` in place of a callback. Immutable: any number
 * of optimizers may use it at once.
 */
export abstract class NativeObjective {
  /** Number of coordinates of a point. */
  readonly dimension: number;
  readonly #handle: NativeObjectiveHandle;
  #disposed = false;

  /** @internal */
  protected constructor(handle: NativeObjectiveHandle, dimension: number) {
    this.#handle = handle;
    this.dimension = dimension;
  }

  /**
   * Loss of each point.
   *
   * @param points   count x dimension numbers, row after row
   * @param options  see {@link ScoringOptions}
   * @returns        count losses; NaN or infinite where a point is infeasible
   * @throws ERR_SHAPE_MISMATCH  `points` are not whole rows
   * @throws ERR_NOT_FINITE      `points` hold NaN or an infinity
   * Cost: a full evaluation a point.
   */
  evaluate(points: Points, options: ScoringOptions = {}): Float64Array {
    const checked = parse(points, 'points', scalars());
    const { seed, step, threads } = parse(options, 'options', scoring);
    if (checked.length % this.dimension !== 0) {
      fail('ERR_SHAPE_MISMATCH', 'points', `rows of ${this.dimension} numbers`, points);
    }
    const handle = this.nativeObjective;
    return callNative(() => nativeObjectives.evaluate(handle, checked, { seed, step, threads: threads ?? 0 }));
  }

  /**
   * Loss of the base with `width` neighbouring coordinates replaced, for each row of replacements: computed from what
   * changes, as an optimizer in block mode does.
   *
   * @param base          dimension numbers
   * @param first         first coordinate replaced
   * @param width         coordinates a row replaces; those past the dimension are ignored
   * @param replacements  count x width numbers of the precision of `base`
   * @param options       see {@link ScoringOptions}
   * @returns             count losses
   * @throws ERR_SHAPE_MISMATCH    lengths do not fit
   * @throws ERR_OUT_OF_RANGE      `first` or `width` lie outside
   * @throws ERR_INVALID_ARG_TYPE  `base` and `replacements` differ in precision
   * Cost: one full evaluation, and for each row what it changes.
   */
  evaluateReplacements(
    base: Points,
    first: number,
    width: number,
    replacements: Points,
    options: ScoringOptions = {},
  ): Float64Array {
    const start = parse(base, 'base', scalars(this.dimension, 'one per coordinate'));
    parse(first, 'first', integer({ min: 0, max: this.dimension - 1 }));
    parse(width, 'width', integer({ min: 1, max: 2 ** 31 }));
    const rows = parse(replacements, 'replacements', scalars());
    const { seed, step, threads } = parse(options, 'options', scoring);
    const precision = Object.prototype.toString.call(start).slice(8, -1);
    if (Object.prototype.toString.call(rows).slice(8, -1) !== precision) {
      fail('ERR_INVALID_ARG_TYPE', 'replacements', `a ${precision} as \`base\` is one`, replacements);
    }
    if (rows.length % width !== 0) {
      fail('ERR_SHAPE_MISMATCH', 'replacements', `rows of ${width} numbers`, replacements);
    }
    const handle = this.nativeObjective;
    const settings = { seed, step, threads: threads ?? 0 };
    return callNative(() => nativeObjectives.evaluateReplacements(handle, start, first, width, rows, settings));
  }

  /** Whether `dispose` has been called. */
  get disposed(): boolean {
    return this.#disposed;
  }

  /** Frees the native memory now; running computations keep their own share. Calling it again does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    nativeObjectives.dispose(this.#handle);
  }

  /** For `using`: the same as `dispose`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @internal */
  get nativeObjective(): NativeObjectiveHandle {
    if (this.#disposed) throw makeError('ERR_DISPOSED', 'objective', '`objective` has been disposed');
    return this.#handle;
  }
}
