// A whole run: steps until a budget, a rule or the caller ends it.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { requireBackend, type RunOptions, runMembers } from '../runtime/run';
import {
  boolean,
  fail,
  functionOf,
  integer,
  object,
  optional,
  parse,
  typedArray,
  withDefault,
} from '../runtime/validate';
import { type History, historyOf, type StepRecord } from './history';
import type { Reals } from './native';
import { isNative, type Objective } from './objective';
import { Optimizer } from './optimizer';
import type { OptimizerOptions } from './options';
import { withSuitableOptions } from './suitable';

/** New starts where a run stands still. */
export interface RestartOptions {
  /** At most so many. */
  count: number;
  /** Box that starts are drawn from, a number or D numbers; default: the box of the run. */
  lower?: number | Float64Array | readonly number[];
  /** See `lower`. */
  upper?: number | Float64Array | readonly number[];
}

/** Options of {@link minimize}. */
export interface MinimizeOptions extends Omit<OptimizerOptions, 'objective' | 'threads' | 'seed'>, RunOptions<Reals> {
  /** Default 200 where neither `maxEvaluations` nor `timeLimitMs` ends the run, else as many as it takes. */
  maxSteps?: number;
  /** Called after every step; returning true stops the run. */
  onStep?: (record: StepRecord, optimizer: Optimizer) => unknown;
  /** Starts again when `patience` or `convergence` ends a descent. */
  restarts?: RestartOptions;
  /** Whether `x` is the best candidate (default) or the last iterate. */
  restoreBest?: boolean;
  /** Whether the last iterate is scored once more, where the budget holds it; default true. */
  scoreFinal?: boolean;
}

/** Result of {@link minimize}. */
export interface Minimum {
  /** D numbers: the candidate with the least loss, or the iterate (the first particle's) without `restoreBest`. */
  readonly x: Reals;
  /** Least loss of any candidate; infinity where none was finite. */
  readonly value: number;
  /** The last iterate: D numbers, in population mode particles x D. */
  readonly iterate: Reals;
  /** Candidates scored. */
  readonly evaluations: number;
  /** Steps taken, those that coast included. */
  readonly steps: number;
  /**
   * `'steps'`, `'evaluations'`: the limit was reached; `'patience'`, `'converged'`; `'stopped'` by `onStep`;
   * `'cancelled'`; `'time-limit'`.
   */
  readonly status: 'steps' | 'evaluations' | 'patience' | 'converged' | 'stopped' | 'cancelled' | 'time-limit';
  /** Restarts made. */
  readonly restarts: number;
  /** Wall time. */
  readonly seconds: number;
  /** Steps as columns. */
  readonly history: History;
  /** What was noticed, each thing once. */
  readonly warnings: readonly string[];
}

const boundSchema = (value: unknown, argument: string): number | Float64Array =>
  typeof value === 'number' ? value : typedArray(['Float64Array'])(value, argument);

const loopMembers = {
  maxSteps: optional(integer({ min: 0 })),
  onStep: optional(functionOf<NonNullable<MinimizeOptions['onStep']>>()),
  restarts: optional(
    object({ count: integer({ min: 0 }), lower: optional(boundSchema), upper: optional(boundSchema) }),
  ),
  restoreBest: withDefault(boolean, true),
  scoreFinal: withDefault(boolean, true),
};

const defaultSteps = 200;
/** Native steps per job: long enough that jobs cost nothing, short enough that history and limits keep up. */
const stepsPerJob = 256;
/** Pauses of a loop whose callbacks never wait, so that timers and signals get their turn. */
const turnMs = 20;

function bound(given: number | Float64Array | undefined, dimension: number, argument: string): Float64Array {
  const box = typeof given === 'number' ? new Float64Array(dimension).fill(given) : given;
  if (box === undefined || !box.every(Number.isFinite))
    fail('ERR_INVALID_ARG_VALUE', argument, 'finite, or the box of the run', given);
  if (box.length !== dimension) fail('ERR_SHAPE_MISMATCH', argument, `of length ${dimension}`, given);
  return box;
}

/**
 * Minimises a loss of which only values are needed: it may be piecewise constant, noisy, or infinite in places.
 *
 * @example
 * const { x, value } = await polystep.minimize(
 *   (view, count, out) => { for (let i = 0; i < count; i += 1) out[i] = loss(view.subarray(20 * i, 20 * i + 20)); },
 *   { dimension: 20, initial: 1, maxEvaluations: 12000, radiusDecay: 0.98 },
 * );
 *
 * @param objective  a batched callback, a callback for replaced blocks, or a native objective
 * @param options    see {@link MinimizeOptions}
 * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE, ERR_SHAPE_MISMATCH, ERR_NOT_FINITE  naming the option, before any work
 * @throws ERR_INVALID_ARG_TYPE, ERR_SHAPE_MISMATCH  `objective` gave one number for a whole batch, or too few
 * @throws whatever the objective throws; what it kept of its views is empty then
 * Cost: V K evaluations per particle and step; see {@link createOptimizer}. Source: arXiv 2605.01928.
 */
export async function minimize(objective: Objective, options: MinimizeOptions = {}): Promise<Minimum> {
  const run: Record<string, unknown> = {};
  const loop: Record<string, unknown> = {};
  const rest: Record<string, unknown> = { objective };
  for (const [name, value] of Object.entries(options)) {
    if (name in runMembers) run[name] = value;
    else if (name in loopMembers) loop[name] = value;
    else rest[name] = value;
  }
  const { signal, onAbort, onProgress, timeLimitMs, ...common } = parse(run, 'options', object(runMembers));
  const { onStep, restarts, restoreBest, scoreFinal, ...limits } = parse(loop, 'options', object(loopMembers));
  requireBackend(common.backend, 'polystep runs on the CPU only');
  if (signal?.aborted === true) throw signal.reason;
  const limited = Number.isFinite(options.maxEvaluations ?? Infinity) || timeLimitMs !== undefined;
  const maxSteps = limits.maxSteps ?? (limited ? Infinity : defaultSteps);
  const given: OptimizerOptions = {
    ...(rest as OptimizerOptions),
    seed: common.seed,
    ...(common.threads !== undefined && { threads: common.threads }),
  };
  const optimizer = new Optimizer(withSuitableOptions(given, maxSteps));
  const begun = performance.now();
  const deadline = begun + (timeLimitMs ?? Infinity);
  const records: StepRecord[] = [];
  let restarted = 0;
  let paused = begun;
  let reported = -Infinity;
  let ended: Minimum['status'] | undefined;
  const interrupted = new Error('interrupted');
  const isAborted = (): boolean => signal?.aborted === true;
  const check = (): void => {
    if (!isAborted() && performance.now() < deadline) return;
    ended = isAborted() ? 'cancelled' : 'time-limit';
    throw interrupted;
  };
  try {
    const lower =
      restarts &&
      bound(
        restarts.lower ?? (rest['lower'] as Float64Array | undefined),
        optimizer.dimension,
        'options.restarts.lower',
      );
    const upper =
      restarts &&
      bound(
        restarts.upper ?? (rest['upper'] as Float64Array | undefined),
        optimizer.dimension,
        'options.restarts.upper',
      );
    const native = isNative(objective);
    while (ended === undefined) {
      if (records.length >= maxSteps) {
        ended = 'steps';
        break;
      }
      const count = native && onStep === undefined ? Math.min(stepsPerJob, maxSteps - records.length) : 1;
      const limit = Math.max(deadline - performance.now(), 1e-3);
      const job = {
        ...common,
        signal,
        onAbort: 'return' as const,
        onProgress,
        timeLimitMs: Number.isFinite(limit) ? limit : undefined,
      };
      let stop: string;
      try {
        if (!native) check();
        const taken = await optimizer.take(count, job, check);
        records.push(...taken.records);
        stop = taken.stop;
        if (onStep !== undefined) {
          for (const record of taken.records) if ((await onStep(record, optimizer)) === true) ended = 'stopped';
        }
      } catch (reason) {
        if (reason !== interrupted) throw reason;
        break;
      }
      if (stop === 'budget') ended ??= 'evaluations';
      if (stop === 'cancelled' || stop === 'time-limit') ended ??= stop;
      if ((stop === 'patience' || stop === 'converged') && ended === undefined) {
        if (restarts !== undefined && restarted < restarts.count) {
          restarted += 1;
          optimizer.restart(restarted, lower as Float64Array, upper as Float64Array);
        } else {
          ended = stop;
        }
      }
      const now = performance.now();
      if (!native && onProgress !== undefined && now - reported >= 50) {
        reported = now;
        const progress = {
          phase: 'steps',
          fraction: Math.max(records.length / maxSteps, optimizer.evaluations / (options.maxEvaluations ?? Infinity)),
          iterations: records.length,
          objective: optimizer.value,
          lowerBound: -Infinity,
          seconds: (now - begun) / 1000,
          best: optimizer.x,
        };
        (onProgress as (value: unknown) => void)(progress);
      }
      if (!native && now - paused >= turnMs) {
        await nextTurn();
        paused = performance.now();
      }
    }
    if (ended === 'cancelled' && onAbort === 'reject') throw signal?.reason;
    if (scoreFinal && ended !== 'cancelled' && ended !== 'time-limit') {
      await optimizer.score({ ...common, signal: undefined, onAbort, onProgress: undefined, timeLimitMs: undefined });
    }
    const iterate = optimizer.iterate;
    return {
      x: restoreBest ? optimizer.x : iterate.slice(0, optimizer.dimension),
      value: optimizer.value,
      iterate,
      evaluations: optimizer.evaluations,
      steps: records.length,
      status: ended as Minimum['status'],
      restarts: restarted,
      seconds: (performance.now() - begun) / 1000,
      history: historyOf(records),
      warnings: optimizer.warnings,
    };
  } finally {
    optimizer.dispose();
  }
}
