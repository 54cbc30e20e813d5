// The solver of dmmv.
import type { NativeRun } from '../runtime/native';
import { requireBackend, runAsync, runMembers, runSync, type SyncRunOptions, syncRunMembers } from '../runtime/run';
import { object, optional, parse, type Schema, typedArray } from '../runtime/validate';
import { nativeDmmv } from './native';
import { indicesSchema, type Numbers, type Problem, problemSchema } from './problem';
import { nativeSearch, searchAt, searchMembers, type SearchOptions, type SearchResult } from './search';

interface Starts {
  /** Level indices to start from, n integers; default: made by the solver. */
  initial?: Int32Array | readonly number[];
  /** A continuous point to round and to aim at, n numbers; default: the relaxation's minimiser. */
  continuous?: Numbers;
}

/** Options of {@link solve}. */
export interface SolveOptions extends SearchOptions, Starts {}

/** Options of {@link solveSync}. */
export interface SolveSyncOptions
  extends Omit<SearchOptions, 'signal' | 'onAbort'>, SyncRunOptions<Int32Array>, Starts {}

/** Result of {@link solve}. */
export interface SolveResult extends SearchResult {
  /** Level of each variable, n integers. */
  readonly indices: Int32Array;
  /** Value of each variable, n numbers. */
  readonly values: Float64Array;
  /** max_i v_i(x), recomputed from scratch. */
  readonly objective: number;
  /** Penalty of the soft rows, 0 without them. */
  readonly softPenalty: number;
  /** Minimiser of the linear relaxation, or null when it was not solved. */
  readonly continuous: Float64Array | null;
}

function startMembers(problem: Problem): {
  initial: Schema<Int32Array | undefined>;
  continuous: Schema<Float64Array | undefined>;
} {
  return {
    initial: optional(indicesSchema(problem)),
    continuous: optional(typedArray(['Float64Array'], { length: problem.variables, per: 'one per variable' })),
  };
}

type CheckedSolve = Parameters<typeof nativeSearch>[0] & {
  backend: 'auto' | 'cpu' | 'cuda';
  initial: Int32Array | undefined;
  continuous: Float64Array | undefined;
};

function start(problem: Problem, options: CheckedSolve): (run: NativeRun) => unknown {
  requireBackend(options.backend, 'the search runs on the CPU only');
  const { handle } = problem;
  const search = nativeSearch(options, {
    ...(options.initial && { initial: options.initial }),
    ...(options.continuous && { continuous: options.continuous }),
  });
  return (run) => nativeDmmv.solve(handle, search, run);
}

/**
 * Looks for the assignment with the smallest objective.
 *
 * The same seed and options give the same bytes for any number of threads unless a time limit or an abort cuts the run.
 *
 * @param problem  m rows, n variables
 * @param options  see {@link SolveOptions}
 * @throws ERR_OUT_OF_RANGE   `initial` holds something that is not a level
 * @throws ERR_OUT_OF_MEMORY  the moves asked for would need more than `memoryLimitBytes`, before they are made
 * @throws the signal's reason, or an exception of `onProgress`, after the run has stopped
 * Source: arXiv 2508.13437 for the problem; weighted target search over lattice moves is this package's own.
 */
export async function solve(problem: Problem, options: SolveOptions = {}): Promise<SolveResult> {
  parse(problem, 'problem', problemSchema);
  const checked = parse(options, 'options', object({ ...runMembers, ...searchMembers, ...startMembers(problem) }));
  return runAsync(checked, start(problem, checked), searchAt);
}

/** The synchronous twin of {@link solve}: blocks the calling thread. */
export function solveSync(problem: Problem, options: SolveSyncOptions = {}): SolveResult {
  parse(problem, 'problem', problemSchema);
  const checked = parse(options, 'options', object({ ...syncRunMembers, ...searchMembers, ...startMembers(problem) }));
  return runSync(checked, start(problem, checked), searchAt);
}
