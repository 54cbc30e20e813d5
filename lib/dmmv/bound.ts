// Lower bounds and their certificates: numbers that anyone can check with one matrix-vector product.
import { callNative, homes } from '../runtime/errors';
import { availableMemory } from '../runtime/memory';
import type { NativeRun } from '../runtime/native';
import {
  type RunOptions,
  requireBackend,
  runAsync,
  runMembers,
  runSync,
  type SyncRunOptions,
  syncRunMembers,
} from '../runtime/run';
import { integer, number, object, oneOf, optional, parse, typedArray, withDefault } from '../runtime/validate';
import { nativeDmmv } from './native';
import { type Numbers, type Problem, problemSchema } from './problem';

/** A proven lower bound. */
export interface LowerBound {
  /** No assignment has a smaller objective; -Infinity when nothing could be proven. */
  readonly bound: number;
  /** False when the bound says no more than the widths of the row intervals do: then a gap is meaningless. */
  readonly useful: boolean;
  /**
   * What `bound` rests on: the widths of the row intervals (t >= 0 for equality rows), the multipliers of the linear
   * relaxation, or the smallest singular value of the matrix, which no multipliers show.
   */
  readonly source: 'widths' | 'relaxation' | 'spectrum';
  /** Whether the relaxation was solved: by exchange to rounding, by first-order steps to `tolerance`. */
  readonly converged: boolean;
  /** y, m numbers with sum |y_i| <= 1: the certificate, see {@link checkCertificate}. */
  readonly multipliers: Float64Array;
  /** The minimiser of the relaxation, n numbers inside the boxes of the levels. */
  readonly point: Float64Array;
  /** Exchanges or first-order steps made. */
  readonly iterations: number;
}

/** Options of {@link lowerBound}. */
export interface LowerBoundOptions extends RunOptions {
  /**
   * `'exchange'` solves to rounding with a dense copy of the matrix; `'first-order'` to `tolerance` with some vectors beside
   * the problem. Default: exchange where that takes seconds.
   */
  method?: 'exchange' | 'first-order';
  /** Relative duality gap at which first-order steps end, positive; default 1e-6. */
  tolerance?: number;
  /** Limit of exchanges (default 50 n + 2500) or first-order steps (default 50 000). */
  maxIterations?: number;
  /** Bytes that large allocations may take; default: what is free. */
  memoryLimitBytes?: number;
}

/** Options of {@link lowerBoundSync}. */
export interface LowerBoundSyncOptions
  extends SyncRunOptions, Pick<LowerBoundOptions, 'method' | 'tolerance' | 'maxIterations' | 'memoryLimitBytes'> {}

const methodNumbers = { exchange: 1, 'first-order': 2 } as const;

const boundMembers = {
  method: optional(oneOf(['exchange', 'first-order'])),
  tolerance: withDefault(number({ above: 0, max: 1 }), 1e-6),
  maxIterations: withDefault(integer({ min: 1 }), 0),
  memoryLimitBytes: optional(number({ min: 0 })),
};

const argumentsAt = homes({ options: ['memoryLimitBytes'] });

interface CheckedBound {
  backend: 'auto' | 'cpu' | 'cuda';
  method: keyof typeof methodNumbers | undefined;
  tolerance: number;
  maxIterations: number;
  memoryLimitBytes: number | undefined;
}

function start(problem: Problem, options: CheckedBound): (run: NativeRun) => unknown {
  const { backend, method, tolerance, maxIterations } = options;
  requireBackend(backend, 'the linear relaxation runs on the CPU only');
  const { handle } = problem;
  const memoryLimitBytes = options.memoryLimitBytes ?? availableMemory();
  const given = {
    method: method === undefined ? 0 : methodNumbers[method],
    tolerance,
    maxIterations,
    memoryLimitBytes,
  };
  return (run) => nativeDmmv.lowerBound(handle, given, run);
}

/**
 * A proven lower bound: the linear relaxation over the boxes of the levels, min t with v_i(x) <= t, and its dual certificate.
 * Where that proves nothing, what the smallest singular value proves: t >= sigma_min sqrt(n / m) for sums of signed columns.
 *
 * @param problem  m rows, n variables
 * @param options  see {@link LowerBoundOptions}; `seed` plays no part. Stopped by its time limit, a run returns what it can prove
 * @throws ERR_OUT_OF_MEMORY  `'exchange'` would need more than `memoryLimitBytes`, or 2^31 entries
 * Cost: about n exchanges of m n + n^2 operations, or two passes over the entries a first-order step. Source: arXiv
 * 2508.13437; weighted Remez exchange; restarted primal-dual hybrid gradient (PDLP, NeurIPS 2021); eigenvalue bound of
 * discrepancy (Lovasz, Spencer, Vesztergombi, European J. Combin. 7, 1986).
 */
export async function lowerBound(problem: Problem, options: LowerBoundOptions = {}): Promise<LowerBound> {
  parse(problem, 'problem', problemSchema);
  const checked = parse(options, 'options', object({ ...runMembers, ...boundMembers }));
  return runAsync(checked, start(problem, checked), argumentsAt);
}

/** The synchronous twin of {@link lowerBound}. */
export function lowerBoundSync(problem: Problem, options: LowerBoundSyncOptions = {}): LowerBound {
  parse(problem, 'problem', problemSchema);
  const checked = parse(options, 'options', object({ ...syncRunMembers, ...boundMembers }));
  return runSync(checked, start(problem, checked), argumentsAt);
}

/**
 * The bound D(y) that multipliers prove, less an allowance for rounding: t(x) >= D(y) for every assignment x when
 * sum |y_i| = 1, and max(t(x), 0) >= D(y) when it is less.
 *
 * @param problem      m rows, n variables
 * @param multipliers  y, m numbers, sum |y_i| <= 1; y_i > 0 pushes on the upper side of row i, y_i < 0 on the lower
 * @throws ERR_INVALID_ARG_VALUE  the sum is larger, or a multiplier leans on an infinite side
 * Cost: one pass over the matrix. Source: arXiv 2508.13437; linear programming duality.
 */
export function checkCertificate(problem: Problem, multipliers: Numbers): number {
  const { handle, rows } = parse(problem, 'problem', problemSchema);
  const checked = parse(multipliers, 'multipliers', typedArray(['Float64Array'], { length: rows, per: 'one per row' }));
  return callNative(() => nativeDmmv.checkCertificate(handle, checked));
}
