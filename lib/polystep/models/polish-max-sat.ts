// Local search for MAX-SAT from a given assignment.
import {
  requireBackend,
  runAsync,
  runMembers,
  type RunOptions,
  runSync,
  syncRunMembers,
  type SyncRunOptions,
} from '../../runtime/run';
import type { NativeRun } from '../../runtime/native';
import { fail, integer, object, oneOf, optional, parse, type Schema, withDefault } from '../../runtime/validate';
import { assignmentSchema, MaxSat } from './max-sat';
import { nativeObjectives } from './native';

/** How long local search is and how it chooses. */
export interface PolishSchedule {
  /** Flips after which the search ends; default 100 per variable. */
  maxFlips?: number;
  /**
   * `'annealed'` (default): flips that break clauses become rarer during a round of flips, as the exponent rises from
   * 0.87 to 1.7 times probSAT's; the first round has `maxFlips` or 200 flips per variable, whichever is less, each later
   * one twice as many as the one before. `'constant'`: probSAT as published.
   */
  choice?: 'annealed' | 'constant';
}

/** Options of {@link polishMaxSat}. */
export interface PolishOptions extends RunOptions, PolishSchedule {}

/** Options of {@link polishMaxSatSync}. */
export interface PolishSyncOptions extends SyncRunOptions, PolishSchedule {}

/** What local search found. */
export interface PolishResult {
  /** The best assignment seen, 0 or 1 each variable. */
  readonly assignment: Uint8Array;
  /** Its cost, as the objective counts. */
  readonly cost: number;
  /** Weight of its unsatisfied clauses, recounted from scratch. */
  readonly unsatisfiedWeight: number;
  /** Unsatisfied clauses. */
  readonly unsatisfied: number;
  /** Satisfied clauses. */
  readonly satisfied: number;
  /** Flips made. */
  readonly flips: number;
  /** Why it ended: nothing was left to do, all flips were made, or it was stopped. */
  readonly status: 'satisfied' | 'finished' | 'time-limit' | 'cancelled';
  /** Seconds it took. */
  readonly seconds: number;
}

type NativePolish = Omit<PolishResult, 'satisfied' | 'unsatisfied'> & { unsatisfiedClauses: number };

const problemSchema: Schema<MaxSat> = (value, argument) => {
  if (!(value instanceof MaxSat)) fail('ERR_INVALID_ARG_TYPE', argument, 'a problem made by maxSat()', value);
  return value;
};

const polishMembers = {
  maxFlips: optional(integer({ min: 0 })),
  choice: withDefault(oneOf(['annealed', 'constant']), 'annealed'),
};

interface CheckedPolish {
  backend: 'auto' | 'cpu' | 'cuda';
  seed: number;
  maxFlips: number | undefined;
  choice: 'annealed' | 'constant';
}

function startPolish(problem: MaxSat, start: Uint8Array, options: CheckedPolish): (run: NativeRun) => unknown {
  requireBackend(options.backend, 'local search runs on the CPU only');
  const handle = problem.nativeObjective;
  const maxFlips = options.maxFlips ?? 100 * problem.variables;
  const settings = { maxFlips, seed: options.seed, annealed: options.choice === 'annealed' };
  return (run) => nativeObjectives.polishMaxSat(handle, start, settings, run);
}

function polished(problem: MaxSat, { unsatisfiedClauses, ...found }: NativePolish): PolishResult {
  return { ...found, unsatisfied: unsatisfiedClauses, satisfied: problem.clauseCount - unsatisfiedClauses };
}

/**
 * Takes an assignment further by local search (probSAT, annealed): flips variables of unsatisfied clauses, those that
 * break little more often. The result is never worse than the start.
 *
 * The same seed gives the same flips; one thread. Progress reports carry the flips as `iterations` and the best cost.
 *
 * @param problem     made by {@link maxSat}
 * @param assignment  a point or truth values to start from, one per variable
 * @param options     see {@link PolishOptions}
 * @throws the signal's reason, or an exception of `onProgress`, after the run has stopped
 * Cost: a flip costs the clauses of one variable. Source: Balint and Schoening, SAT 2012.
 */
export async function polishMaxSat(
  problem: MaxSat,
  assignment: ArrayLike<number>,
  options: PolishOptions = {},
): Promise<PolishResult> {
  parse(problem, 'problem', problemSchema);
  const start = parse(assignment, 'assignment', assignmentSchema(problem.variables));
  const checked = parse(options, 'options', object({ ...runMembers, ...polishMembers }));
  return polished(problem, await runAsync<NativePolish>(checked, startPolish(problem, start, checked)));
}

/** The synchronous twin of {@link polishMaxSat}: blocks the calling thread. */
export function polishMaxSatSync(
  problem: MaxSat,
  assignment: ArrayLike<number>,
  options: PolishSyncOptions = {},
): PolishResult {
  parse(problem, 'problem', problemSchema);
  const start = parse(assignment, 'assignment', assignmentSchema(problem.variables));
  const checked = parse(options, 'options', object({ ...syncRunMembers, ...polishMembers }));
  return polished(problem, runSync<NativePolish>(checked, startPolish(problem, start, checked)));
}
