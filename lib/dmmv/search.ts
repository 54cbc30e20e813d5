// Options and results that `solve` and `designFir` share.
import { homes } from '../runtime/errors';
import { availableMemory } from '../runtime/memory';
import type { RunOptions } from '../runtime/run';
import { arrayOf, boolean, integer, number, oneOf, optional, withDefault } from '../runtime/validate';
import type { NativeSearch } from './native';

/** Ways to search: weighted target search steps along the best move, annealing accepts moves by chance. */
export type EngineName = 'target-search' | 'norm-annealing';

/**
 * Integer directions that the search may step along: single variables, pairs, rows of a reduced basis. `'swap'` is none of
 * them: from where a walk ends the objective is lowered by any level of one variable, and by one that rises while another
 * falls; never a default, since it hardly ever changed a measured result.
 */
export type MoveName = 'unit' | 'pair' | 'lattice' | 'swap';

/** How a run ended. */
export type SolveStatus = 'optimal' | 'target' | 'stagnation' | 'iterations' | 'time' | 'cancelled';

/** Options of the search itself. */
export interface SearchOptions extends RunOptions<Int32Array> {
  /**
   * Engines to use; default: target search, with annealing beside it where all variables have two levels. Small problems
   * are enumerated instead, unless engines are named.
   */
  engines?: readonly EngineName[];
  /** Moves to use; default: chosen by the shape of the problem. */
  moves?: readonly MoveName[];
  /** Stop as soon as the objective is at or below this; default: -Infinity. */
  target?: number;
  /** Also prove a lower bound; default: where that is cheap. */
  bound?: boolean;
  /** Limit on iterations; default: none. With neither this nor `timeLimitMs` the run ends when it stagnates. */
  maxIterations?: number;
  /** How far below the best value the search aims, relatively; default 1e-4, or 0.05 for wide problems. */
  eta?: number;
  /** Forgetting of the row weights, in (0, 1]; default 0.9. */
  decay?: number;
  /** Steps for which the reverse of a move is barred; default 2. */
  tabu?: number;
  /**
   * Returns nothing whose Euclidean norm of the weighted deviations from the middles of the rows is above (1 + l2Guard) times
   * that of the start (`initial`, or else the rounded continuous point); at least 0. Default: no guard. With target search only,
   * without swaps and soft rows.
   */
  l2Guard?: number;
  /** Bytes that large allocations may take; default: what is free. */
  memoryLimitBytes?: number;
}

/** A new best value and when it was found. */
export interface Improvement {
  /** The new best value. */
  readonly objective: number;
  /** Iterations made by then. */
  readonly iterations: number;
  /** Seconds since the start. */
  readonly seconds: number;
}

/** Where the time of a run went, in seconds. */
export interface PhaseSeconds {
  /** Linear relaxation and its certificate. */
  readonly relaxation: number;
  /** Lattice reduction and the making of moves. */
  readonly reduction: number;
  /** Starting points. */
  readonly starts: number;
  /** The search itself. */
  readonly search: number;
}

/** What every search returns. */
export interface SearchResult {
  /** Proven: no assignment has a smaller objective; -Infinity where nothing useful is known. */
  readonly lowerBound: number;
  /** objective - lowerBound. */
  readonly gap: number;
  /** The certificate of `lowerBound` (see `checkCertificate`), or null where it has none. */
  readonly multipliers: Float64Array | null;
  /** How the run ended; `'optimal'` only when proven. */
  readonly status: SolveStatus;
  /** Steps and proposals made. */
  readonly iterations: number;
  /** Moves looked at. */
  readonly evaluations: number;
  /** Seconds per phase. */
  readonly seconds: PhaseSeconds;
  /** Every new best value, in order. */
  readonly trace: readonly Improvement[];
}

const engineNumbers: Record<EngineName, number> = { 'target-search': 1, 'norm-annealing': 2 };
const moveBits: Record<MoveName, number> = { unit: 1, pair: 2, lattice: 4, swap: 8 };

/** Members of the options, for `object({ ...searchMembers })`. @internal */
export const searchMembers = {
  engines: optional(arrayOf(oneOf(['target-search', 'norm-annealing']), { min: 1 })),
  moves: optional(arrayOf(oneOf(['unit', 'pair', 'lattice', 'swap']), { min: 1 })),
  target: withDefault(number({ infinite: true }), -Infinity),
  bound: optional(boolean),
  maxIterations: withDefault(integer({ min: 1 }), 0),
  eta: withDefault(number({ above: 0, max: 1 }), 0),
  decay: withDefault(number({ above: 0, max: 1 }), 0.9),
  tabu: withDefault(integer({ min: 0, max: 1e6 }), 2),
  l2Guard: optional(number({ min: 0 })),
  memoryLimitBytes: optional(number({ min: 0 })),
};

/** Where the user gave what native code names by itself. @internal */
export const searchAt = {
  ...homes({
    options: ['initial', 'continuous', 'eta', 'decay', 'moves', 'target', 'l2Guard', 'memoryLimitBytes'],
  }),
  engine: 'options.engines',
};

interface CheckedSearch {
  engines: EngineName[] | undefined;
  moves: MoveName[] | undefined;
  target: number;
  bound: boolean | undefined;
  maxIterations: number;
  eta: number;
  decay: number;
  tabu: number;
  l2Guard: number | undefined;
  memoryLimitBytes: number | undefined;
  seed: number;
}

/** Checked options as native code reads them. @internal */
export function nativeSearch(
  options: CheckedSearch,
  starts: { initial?: Int32Array; continuous?: Float64Array } = {},
): NativeSearch {
  const engines = new Set(options.engines ?? []);
  return {
    initial: starts.initial,
    continuous: starts.continuous,
    engine: [...engines].reduce((bits, name) => bits | engineNumbers[name], 0),
    moves: (options.moves ?? []).reduce((bits, name) => bits | moveBits[name], 0),
    eta: options.eta,
    decay: options.decay,
    tabu: options.tabu,
    seed: options.seed,
    target: options.target,
    l2Guard: options.l2Guard,
    memoryLimitBytes: options.memoryLimitBytes ?? availableMemory(),
    maxIterations: options.maxIterations,
    bound: options.bound === undefined ? 0 : options.bound ? 1 : 2,
  };
}
