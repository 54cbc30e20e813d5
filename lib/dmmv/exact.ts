// Optima with proof.
import { homes } from '../runtime/errors';
import { availableMemory } from '../runtime/memory';
import type { NativeRun } from '../runtime/native';
import { type RunOptions, requireBackend, runAsync, runMembers } from '../runtime/run';
import { integer, number, object, optional, parse, withDefault } from '../runtime/validate';
import { nativeDmmv } from './native';
import { indicesSchema, type Problem, problemSchema } from './problem';

/** Options of {@link solveExact}. */
export interface ExactOptions extends RunOptions<Int32Array> {
  /** Level indices to beat, n integers; default: found by the search. */
  initial?: Int32Array | readonly number[];
  /** Steps of the search that comes first; default: until it stagnates, or for a tenth of `timeLimitMs`. */
  searchIterations?: number;
  /** Relative gap that is left: nothing is better than (1 - gap) times the result; default 1e-9. */
  gap?: number;
  /** Bytes that large allocations may take; default: what is free. */
  memoryLimitBytes?: number;
}

/** Where the time of an exact run went, in seconds. */
export interface ExactSeconds {
  /** The search that came first. */
  readonly search: number;
  /** Reduction of bases. */
  readonly reduction: number;
  /** The proof, reduction included. */
  readonly proof: number;
}

/** Result of {@link solveExact}. */
export interface ExactResult {
  /** Level of each variable, n integers. */
  readonly indices: Int32Array;
  /** Value of each variable, n numbers. */
  readonly values: Float64Array;
  /** max_i v_i(x), recomputed from scratch. */
  readonly objective: number;
  /** objective (1 - gap) when `proven`, else the bound of the linear relaxation. */
  readonly lowerBound: number;
  /** Whether every assignment was excluded that would be better by more than the gap. */
  readonly proven: boolean;
  /** The certificate of the relaxation's bound (see `checkCertificate`), or null where it has none. */
  readonly multipliers: Float64Array | null;
  /** How the run ended; `'time'` also where the problem is too badly conditioned for a proof, or has
   * millions of values of one coordinate to try. */
  readonly status: 'optimal' | 'time' | 'cancelled';
  /** Partial assignments looked at. */
  readonly nodes: number;
  /** Those of them that needed a linear relaxation. */
  readonly relaxations: number;
  /** Multipliers that excluded partial assignments. */
  readonly cuts: number;
  /** Seconds per phase. */
  readonly seconds: ExactSeconds;
}

/**
 * Finds the optimum and proves it, by enumeration in a reduced basis that linear relaxations prune.
 *
 * Practical for some 25 variables whose rows are tight, for example filters of 45 taps; the time grows exponentially, so
 * give a time limit. Levels should be equally spaced: with others the variables themselves are enumerated.
 *
 * @param problem  m rows, n variables; soft rows play no part
 * @param options  see {@link ExactOptions}
 * @throws ERR_OUT_OF_RANGE   `initial` holds something that is not a level
 * @throws ERR_OUT_OF_MEMORY  (m + n) n is above 2^26, or the proof would need more than `memoryLimitBytes`; before any work
 * Source: this package's own; enumeration after Kannan, STOC 1983, and Schnorr and Euchner, Math. Programming 66, 1994.
 */
export async function solveExact(problem: Problem, options: ExactOptions = {}): Promise<ExactResult> {
  const { handle } = parse(problem, 'problem', problemSchema);
  const given = parse(
    options,
    'options',
    object({
      ...runMembers,
      initial: optional(indicesSchema(problem)),
      searchIterations: withDefault(integer({ min: 1 }), 0),
      gap: withDefault(number({ min: 0, max: 0.99 }), 1e-9),
      memoryLimitBytes: optional(number({ min: 0 })),
    }),
  );
  requireBackend(given.backend, 'the exact solver runs on the CPU only');
  const { initial, searchIterations, gap, seed } = given;
  const memoryLimitBytes = given.memoryLimitBytes ?? availableMemory();
  const start = (run: NativeRun): unknown =>
    nativeDmmv.solveExact(handle, { initial, searchIterations, gap, seed, memoryLimitBytes }, run);
  return runAsync(given, start, homes({ options: ['initial', 'gap', 'memoryLimitBytes'] }));
}
