/// <reference lib="esnext.disposable" preserve="true" />
// The second moment of a layer's inputs, gathered batch by batch.
import { callNative, makeError } from '../runtime/errors';
import { type NativeJob, type NativeRun } from '../runtime/native';
import { type RunOptions, runAsync, runMembers } from '../runtime/run';
import { fail, integer, object, optional, parse, type Schema, typedArray, withDefault } from '../runtime/validate';
import { type NativeHessian, nativeQuantize } from './native';

/** How a batch counts. */
export interface BatchOptions {
  /** Sequences (calibration samples) in the batch; default 1. The mean is over sequences, not over tokens. */
  sequences?: number;
  /** Threads to use; default: the processors this process may run on, at most 16. Results do not depend on it. */
  threads?: number;
}

/** How a batch counts, and who may stop it or watch. */
export interface AsyncBatchOptions extends BatchOptions, Pick<RunOptions, 'signal' | 'onProgress'> {}

/**
 * H = (2 / n) sum_t x_t x_t^T over all tokens, n being the number of sequences: the curvature of the layer's output
 * error. Layers that read the same tensor share one. Made by {@link createHessian}.
 */
export class Hessian {
  /** Inputs of the layer. */
  readonly columns: number;
  readonly #handle: NativeHessian;
  #sequences = 0;
  #tokens = 0;
  #disposed = false;
  #last: Promise<unknown> = Promise.resolve();

  /** @internal */
  constructor(handle: NativeHessian, columns: number) {
    this.#handle = handle;
    this.columns = columns;
  }

  /** Sequences added so far. */
  get sequences(): number {
    return this.#sequences;
  }

  /** Tokens added so far. */
  get tokens(): number {
    return this.#tokens;
  }

  /**
   * Adds a batch; blocks the calling thread ({@link Hessian.addAsync} does not).
   *
   * @param activations  tokens x columns, row-major
   * @throws ERR_SHAPE_MISMATCH  no tokens, or the length is no multiple of `columns`
   * @throws ERR_NOT_FINITE  NaN or infinity among them; nothing is added
   * Cost: tokens columns^2 operations, float32 products added up in float64.
   */
  add(activations: Float32Array | readonly number[], options: BatchOptions = {}): this {
    const { handle } = this;
    const given = parse(activations, 'activations', activationsSchema(this.columns));
    const { sequences, threads } = parse(options, 'options', batch);
    callNative(() => {
      nativeQuantize.addActivations(handle, given, sequences, threads ?? 0);
    });
    this.#sequences += sequences;
    this.#tokens += given.length / this.columns;
    return this;
  }

  /**
   * Adds a copy of a batch without blocking the calling thread. Batches are added in the order of the calls; a
   * promise is rejected where its batch was refused or aborted, and the others count. What is asked of the Hessian
   * before a promise is settled waits for the batch that is under way, and does not know of those behind it.
   *
   * A batch that `signal` aborts is added as a whole or not at all: when the promise is rejected with `signal.reason`
   * it was not. Batches of 4096 tokens and more stop within 512 tokens, at the price of a copy of H while they run;
   * shorter ones only before their turn. `onProgress` is about such long batches; an exception in it aborts them, and
   * the promise is rejected with it (`tokens` tells whether it came too late).
   *
   * @param activations  tokens x columns, row-major
   * @throws as {@link Hessian.add}; ERR_DISPOSED also where the Hessian is disposed before the batch's turn
   */
  async addAsync(activations: Float32Array | readonly number[], options: AsyncBatchOptions = {}): Promise<this> {
    if (this.#disposed) throw disposed();
    const given = parse(activations, 'activations', activationsSchema(this.columns)).slice();
    const { sequences, ...members } = parse(options, 'options', asyncBatch);
    const run = parse(members, 'options', object(runMembers));
    const outcome = { added: false };
    const start = (native: NativeRun): unknown => {
      const job = nativeQuantize.addActivationsJob(this.handle, given, sequences, native) as NativeJob<boolean>;
      void job.promise.then(
        (added) => (outcome.added = added),
        () => undefined,
      );
      return job;
    };
    const turn = this.#last.then(() => runAsync<boolean>(run, start));
    this.#last = turn.catch(() => undefined);
    try {
      await turn;
    } catch (reason) {
      // An abort that came too late is none.
      if (!outcome.added || run.signal?.aborted !== true || reason !== run.signal.reason) throw reason;
    } finally {
      if (outcome.added) {
        this.#sequences += sequences;
        this.#tokens += given.length / this.columns;
      }
    }
    return this;
  }

  /** H, columns x columns, row-major, symmetric; a copy. Throws ERR_INVALID_ARG_VALUE while nothing was added. */
  get matrix(): Float64Array {
    const { handle } = this;
    return callNative(() => nativeQuantize.hessianMatrix(handle));
  }

  /** Whether `dispose` has been called. */
  get disposed(): boolean {
    return this.#disposed;
  }

  /** Frees the native memory now; runs that use it keep their copy. Calling it again does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    nativeQuantize.disposeHessian(this.#handle);
  }

  /** For `using`: the same as `dispose`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @internal */
  get handle(): NativeHessian {
    if (this.#disposed) throw disposed();
    return this.#handle;
  }
}

function disposed(): Error {
  return makeError('ERR_DISPOSED', 'hessian', '`hessian` has been disposed');
}

const batchMembers = {
  sequences: withDefault(integer({ min: 1 }), 1),
  threads: optional(integer({ min: 1, max: 256 })),
};
const batch = object(batchMembers);
const asyncBatch = object({ ...batchMembers, signal: runMembers.signal, onProgress: runMembers.onProgress });

const numbers = typedArray(['Float32Array']);

/** tokens x columns numbers, at least one token. @internal */
export function activationsSchema(columns: number): Schema<Float32Array> {
  return (value, argument) => {
    const given = numbers(value, argument);
    if (given.length === 0 || given.length % columns !== 0) {
      fail('ERR_SHAPE_MISMATCH', argument, `tokens x ${columns} numbers with at least one token`, value);
    }
    return given;
  };
}

/** A Hessian made by `createHessian`. @internal */
export const hessianSchema: Schema<Hessian> = (value, argument) => {
  if (!(value instanceof Hessian)) fail('ERR_INVALID_ARG_TYPE', argument, 'a Hessian made by createHessian()', value);
  return value;
};

/**
 * An empty Hessian for layers with `columns` inputs; memory 8 columns^2 bytes, 20 columns^2 once a layer has been quantised with it:
 * the factor stays for the next one.
 *
 * Source: GPTQ (arXiv 2210.17323), section 2; n counts sequences as its public code does.
 */
export function createHessian(columns: number): Hessian {
  const checked = parse(columns, 'columns', integer({ min: 1, max: 2 ** 20 }));
  return new Hessian(
    callNative(() => nativeQuantize.createHessian(checked)),
    checked,
  );
}
