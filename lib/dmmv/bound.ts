// Lower bounds and their certificates: numbers that anyone can check with one matrix-vector product.
import { callNative } from '../runtime/errors';
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
import { object, parse, typedArray } from '../runtime/validate';
import { nativeDmmv } from './native';
import { type Numbers, type Problem, problemSchema } from './problem';

/** A proven lower bound. */
export interface LowerBound {
  /** No assignment has a smaller objective; -Infinity when nothing could be proven. */
  readonly bound: number;
  /** False when the bound says no more than the widths of the row intervals do: then a gap is meaningless. */
  readonly useful: boolean;
  /** Whether the relaxation was solved to rounding. */
  readonly converged: boolean;
  /** y, m numbers with sum |y_i| <= 1: the certificate, see {@link checkCertificate}. */
  readonly multipliers: Float64Array;
  /** The minimiser of the relaxation, n numbers inside the boxes of the levels. */
  readonly point: Float64Array;
  /** Exchanges made. */
  readonly iterations: number;
}

function start(problem: Problem, backend: 'auto' | 'cpu' | 'cuda'): (run: NativeRun) => unknown {
  requireBackend(backend, 'the linear relaxation runs on the CPU only');
  const { handle } = problem;
  return (run) => nativeDmmv.lowerBound(handle, run);
}

/**
 * The linear relaxation over the boxes of the levels, min t with v_i(x) <= t, and its dual certificate.
 *
 * @param problem  m rows, n variables
 * @param options  see {@link RunOptions}; `seed` plays no part
 * Cost: about n exchanges of m n + n^2 operations. Source: arXiv 2508.13437; weighted Remez exchange.
 */
export async function lowerBound(problem: Problem, options: RunOptions = {}): Promise<LowerBound> {
  parse(problem, 'problem', problemSchema);
  const checked = parse(options, 'options', object(runMembers));
  return runAsync(checked, start(problem, checked.backend));
}

/** The synchronous twin of {@link lowerBound}. */
export function lowerBoundSync(problem: Problem, options: SyncRunOptions = {}): LowerBound {
  parse(problem, 'problem', problemSchema);
  const checked = parse(options, 'options', object(syncRunMembers));
  return runSync(checked, start(problem, checked.backend));
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
