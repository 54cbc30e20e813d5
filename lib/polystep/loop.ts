// The loop that all searches share: steps until a budget, a rule or the caller ends them.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { requireBackend, type runAsync, runMembers } from '../runtime/run';
import { boolean, functionOf, integer, object, optional, parse, withDefault } from '../runtime/validate';
import { type History, HistoryColumns, type StepRecord } from './history';
import type { nativeStops, Reals } from './native';
import { isNative, type Objective } from './objective';
import { conflict } from './start';

/** What ends a run and what is made of its end. */
export interface LoopOptions<Searcher> {
  /** Default 200 where neither `maxEvaluations` nor `timeLimitMs` ends the run, else as many as it takes. */
  maxSteps?: number;
  /** Called after every step; returning true stops the run. */
  onStep?: (record: StepRecord, search: Searcher) => unknown;
  /**
   * Called after every epoch, `stepsPerEpoch` steps, with the number of epochs taken; returning true stops the run.
   */
  onEpoch?: (epoch: number, record: StepRecord, search: Searcher) => unknown;
  /** Steps of an epoch; default: those in which a network looks at all of its data. */
  stepsPerEpoch?: number;
  /** Whether `x` is the best candidate (default) or the last iterate. */
  restoreBest?: boolean;
  /** Whether the last iterate is scored once more, where the budget holds it; default true. */
  scoreFinal?: boolean;
}

/** Result of a run. */
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
   * `'steps'`, `'evaluations'`: the limit was reached; `'patience'`, `'converged'`; `'stopped'` by `onStep` or `onEpoch`;
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

/** What the loop asks of a search. @internal */
export interface Searching {
  readonly dimension: number;
  readonly evaluations: number;
  readonly value: number;
  readonly x: Reals;
  readonly iterate: Reals;
  readonly warnings: readonly string[];
  /** Up to `count` steps; `check` throws where a run of callbacks must end. */
  take(
    count: number,
    run: StepRun,
    check: () => void,
  ): Promise<{ records: StepRecord[]; stop: (typeof nativeStops)[number] }>;
  /** Scores the iterate, if the budget holds that. */
  score(run: StepRun): Promise<void>;
}

/** @internal */
export type StepRun = Parameters<typeof runAsync>[0];

const loopMembers = {
  maxSteps: optional(integer({ min: 0 })),
  onStep: optional(functionOf<(record: StepRecord, search: never) => unknown>()),
  onEpoch: optional(functionOf<(epoch: number, record: StepRecord, search: never) => unknown>()),
  stepsPerEpoch: optional(integer({ min: 1 })),
  restoreBest: withDefault(boolean, true),
  scoreFinal: withDefault(boolean, true),
};

/** Options of the loop, checked. @internal */
export interface LoopSettings<Searcher> {
  run: StepRun;
  loop: {
    /** Infinity where something else ends the run. */
    maxSteps: number;
    onStep: ((record: StepRecord, search: Searcher) => unknown) | undefined;
    onEpoch: ((epoch: number, record: StepRecord, search: Searcher) => unknown) | undefined;
    stepsPerEpoch: number | undefined;
    restoreBest: boolean;
    scoreFinal: boolean;
  };
  maxEvaluations: number;
}

const defaultSteps = 200;
/** Native steps per job: long enough that jobs cost nothing, short enough that history and limits keep up. */
const stepsPerJob = 256;
/** Pauses of a loop whose callbacks never wait, so that timers and signals get their turn. */
const turnMs = 20;

/**
 * Checks what a run and its loop take; `rest` is the search's own. Throws where the run was aborted before it began.
 * `cpuOnly` says why there is no other back end. @internal
 */
export function readLoop<Searcher>(
  options: object,
  cpuOnly: string,
): { settings: LoopSettings<Searcher>; rest: Record<string, unknown> } {
  const run: Record<string, unknown> = {};
  const loop: Record<string, unknown> = {};
  const rest: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (name in runMembers) run[name] = value;
    else if (name in loopMembers) loop[name] = value;
    else rest[name] = value;
  }
  const common = parse(run, 'options', object(runMembers));
  const { maxSteps, ...own } = parse(loop, 'options', object(loopMembers));
  requireBackend(common.backend, cpuOnly);
  if (common.signal?.aborted === true) throw common.signal.reason;
  const maxEvaluations = (rest['maxEvaluations'] as number | undefined) ?? Infinity;
  const limited = Number.isFinite(maxEvaluations) || common.timeLimitMs !== undefined;
  const resolved = { ...own, maxSteps: maxSteps ?? (limited ? Infinity : defaultSteps) };
  return { settings: { run: common, loop: resolved as LoopSettings<Searcher>['loop'], maxEvaluations }, rest };
}

/** Runs a search until something ends it. `restarts.next` starts a stalled search anew, `count` times. @internal */
export async function descend<Searcher extends Searching>(
  search: Searcher,
  objective: Objective,
  {
    run: { signal, onAbort, onProgress, timeLimitMs, ...common },
    loop: { maxSteps, onStep, onEpoch, stepsPerEpoch, restoreBest, scoreFinal },
    maxEvaluations,
    restarts,
  }: LoopSettings<Searcher> & { restarts?: { count: number; next: (number: number) => void } | undefined },
): Promise<Minimum> {
  const begun = performance.now();
  const deadline = begun + (timeLimitMs ?? Infinity);
  const columns = new HistoryColumns();
  const native = isNative(objective);
  const epoch = stepsPerEpoch ?? (isNative(objective) ? objective.stepsPerEpoch : undefined);
  if (onEpoch !== undefined && epoch === undefined)
    conflict('stepsPerEpoch', 'must be given: the objective has no epochs');
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
  while (ended === undefined) {
    if (columns.length >= maxSteps) {
      ended = 'steps';
      break;
    }
    const untilEpoch = onEpoch === undefined ? Infinity : (epoch as number) - (columns.length % (epoch as number));
    const count = native && onStep === undefined ? Math.min(stepsPerJob, maxSteps - columns.length, untilEpoch) : 1;
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
      check();
      const taken = await search.take(count, job, check);
      columns.add(taken.records);
      stop = taken.stop;
      if (onStep !== undefined) {
        for (const record of taken.records) if ((await onStep(record, search)) === true) ended = 'stopped';
      }
      const last = taken.records.at(-1);
      if (onEpoch !== undefined && last !== undefined && columns.length % (epoch as number) === 0) {
        if ((await onEpoch(columns.length / (epoch as number), last, search)) === true) ended = 'stopped';
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
        restarts.next(restarted);
      } else {
        ended = stop;
      }
    }
    const now = performance.now();
    if (!native && onProgress !== undefined && now - reported >= 50) {
      reported = now;
      const progress = {
        phase: 'steps',
        fraction: Math.max(columns.length / maxSteps, search.evaluations / maxEvaluations),
        iterations: columns.length,
        objective: search.value,
        lowerBound: -Infinity,
        seconds: (now - begun) / 1000,
        best: search.x,
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
    await search.score({ ...common, signal: undefined, onAbort, onProgress: undefined, timeLimitMs: undefined });
  }
  const iterate = search.iterate;
  return {
    x: restoreBest ? search.x : iterate.slice(0, search.dimension),
    value: search.value,
    iterate,
    evaluations: search.evaluations,
    steps: columns.length,
    status: ended as Minimum['status'],
    restarts: restarted,
    seconds: (performance.now() - begun) / 1000,
    history: columns.history(),
    warnings: search.warnings,
  };
}
