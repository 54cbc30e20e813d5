// Running native computations: the options every solver shares, cancellation, progress, and what a rejected promise
// carries. Domains call `runAsync` or `runSync` and never touch promises or signals themselves.
import { type ArgumentHomes, errorFromRecord, makeError } from './errors';
import type { NativeJob, NativeProgress, NativeRun } from './native';
import { fail, functionOf, integer, number, oneOf, optional, type Schema, withDefault } from './validate';

/** Which back end computes. `'auto'` takes the fastest one that is there and worth it. */
export type BackendChoice = 'auto' | 'cpu' | 'cuda';

/** A snapshot of a running computation. */
export interface Progress<Best = unknown> {
  /** What the computation is doing. */
  readonly phase: string;
  /** Part done in [0, 1], or NaN where the end is not known. */
  readonly fraction: number;
  /** Iterations so far. */
  readonly iterations: number;
  /** Best objective so far. */
  readonly objective: number;
  /** Best proven lower bound so far, -Infinity where none is known. */
  readonly lowerBound: number;
  /** Seconds since the start. */
  readonly seconds: number;
  /** The best state so far, a copy. */
  readonly best?: Best;
}

/** Options that every solver takes. */
export interface RunOptions<Best = unknown> {
  /** Back end; default `'auto'`. `'cuda'` throws ERR_BACKEND_UNAVAILABLE where there is none. */
  backend?: BackendChoice;
  /** Threads to use; default: the processors this process may run on, at most 16. Results do not depend on it. */
  threads?: number;
  /** Seed of all random numbers, 0 to 2^53 - 1; default 0. The same seed gives the same result. */
  seed?: number;
  /** Stops the run when aborted. */
  signal?: AbortSignal;
  /**
   * What an abort does to the promise: `'reject'` (default) rejects with `signal.reason`, `'return'` resolves with the
   * best state so far and the status `'cancelled'`.
   */
  onAbort?: 'reject' | 'return';
  /** Called at most every 50 ms. An exception in it stops the run and rejects the promise with that exception. */
  onProgress?: (progress: Progress<Best>) => void;
  /** Time limit in milliseconds; the best state so far is returned when it is over. Default: none. */
  timeLimitMs?: number;
}

/** Options of the synchronous twins: no signal, but a flag on shared memory. */
export interface SyncRunOptions<Best = unknown> extends Omit<RunOptions<Best>, 'signal' | 'onAbort'> {
  /** An Int32Array on a SharedArrayBuffer; the run stops when its first element is not zero. */
  cancelFlag?: Int32Array;
}

const signalSchema: Schema<AbortSignal> = (value, argument) => {
  const signal = value as AbortSignal | null;
  if (
    typeof signal !== 'object' ||
    signal === null ||
    typeof signal.addEventListener !== 'function' ||
    !('aborted' in signal)
  ) {
    fail('ERR_INVALID_ARG_TYPE', argument, 'an AbortSignal', value);
  }
  return signal;
};

const cancelFlagSchema: Schema<Int32Array> = (value, argument) => {
  const flag = value as Int32Array | null;
  if (
    Object.prototype.toString.call(value) !== '[object Int32Array]' ||
    Object.prototype.toString.call((flag as Int32Array).buffer) !== '[object SharedArrayBuffer]' ||
    (flag as Int32Array).length < 1
  ) {
    fail('ERR_INVALID_ARG_TYPE', argument, 'an Int32Array on a SharedArrayBuffer', value);
  }
  return flag as Int32Array;
};

const commonMembers = {
  backend: withDefault(oneOf(['auto', 'cpu', 'cuda']), 'auto'),
  threads: optional(integer({ min: 1, max: 256 })),
  seed: withDefault(integer({ min: 0 }), 0),
  onProgress: optional(functionOf<(progress: Progress<never>) => void>()),
  timeLimitMs: optional(number({ above: 0, infinite: true })),
};

/** Members of every options object of an async solver, for `object({ ...runMembers, ... })`. @internal */
export const runMembers = {
  ...commonMembers,
  signal: optional(signalSchema),
  onAbort: withDefault(oneOf(['reject', 'return']), 'reject'),
};

/** The same for the synchronous twins. @internal */
export const syncRunMembers = { ...commonMembers, cancelFlag: optional(cancelFlagSchema) };

type Checked<Members extends Record<string, Schema<unknown>>> = { [Key in keyof Members]: ReturnType<Members[Key]> };

function nativeRun(options: Checked<typeof commonMembers>): NativeRun {
  return {
    async: false,
    threads: options.threads ?? 0,
    timeLimitSeconds: (options.timeLimitMs ?? Infinity) / 1000,
  };
}

/** A function, because the compiler would otherwise remember an answer that changes while we wait. */
function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

/** Starts a native computation as a job; `at` says where its arguments were given. @internal */
export async function runAsync<Result>(
  options: Checked<typeof runMembers>,
  start: (run: NativeRun) => unknown,
  at?: ArgumentHomes,
): Promise<Result> {
  const { signal, onProgress, onAbort } = options;
  if (isAborted(signal)) throw signal?.reason;
  let thrown: { reason: unknown } | undefined;
  let job: NativeJob<Result> | undefined;
  const run = nativeRun(options);
  run.async = true;
  if (onProgress !== undefined) {
    run.onProgress = (progress: NativeProgress) => {
      if (thrown !== undefined) return;
      try {
        (onProgress as (value: NativeProgress) => void)(progress);
      } catch (reason) {
        thrown = { reason };
        job?.cancel();
      }
    };
  }
  const onAborted = (): void => job?.cancel();
  try {
    job = start(run) as NativeJob<Result>;
    signal?.addEventListener('abort', onAborted, { once: true });
    const result = await job.promise;
    if (thrown !== undefined) throw thrown.reason;
    if (isAborted(signal) && onAbort === 'reject') throw signal?.reason;
    return result;
  } catch (reason) {
    throw errorFromRecord(reason, at);
  } finally {
    signal?.removeEventListener('abort', onAborted);
  }
}

/** Runs a native computation on this thread; `at` says where its arguments were given. @internal */
export function runSync<Result>(
  options: Checked<typeof syncRunMembers>,
  start: (run: NativeRun) => unknown,
  at?: ArgumentHomes,
): Result {
  const run = nativeRun(options);
  if (options.onProgress !== undefined) run.onProgress = options.onProgress as (progress: NativeProgress) => void;
  if (options.cancelFlag !== undefined) run.cancelFlag = options.cancelFlag;
  try {
    return start(run) as Result;
  } catch (reason) {
    throw errorFromRecord(reason, at);
  }
}

/** Throws when `'cuda'` was asked for and `domain` has nothing for it. @internal */
export function requireBackend(choice: BackendChoice, reason: string): void {
  if (choice === 'cuda') {
    throw makeError('ERR_BACKEND_UNAVAILABLE', 'options.backend', `the back end 'cuda' is not available: ${reason}`);
  }
}
