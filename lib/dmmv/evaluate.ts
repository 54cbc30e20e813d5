// What an assignment is worth, and what every single change of it would be worth.
import { callNative, makeError } from '../runtime/errors';
import { availableMemory } from '../runtime/memory';
import { integer, object, parse, withDefault } from '../runtime/validate';
import { nativeDmmv } from './native';
import { indicesSchema, type Problem, problemSchema } from './problem';

/** An assignment evaluated from scratch. */
export interface Evaluation {
  /** max_i v_i(x), signed: negative when every row is strictly slack. */
  readonly objective: number;
  /** A x, m numbers. */
  readonly activities: Float64Array;
  /** v_i(x), m numbers. */
  readonly violations: Float64Array;
  /** The lowest row that attains the objective. */
  readonly worstRow: number;
  /** Penalty of the soft rows, 0 without them; not part of the objective. */
  readonly softPenalty: number;
}

/**
 * Activities, violations and objective of an assignment, recomputed from scratch in float64.
 *
 * @param problem  m rows, n variables
 * @param indices  level of each variable, n integers
 * @throws ERR_OUT_OF_RANGE  `indices[j]` is not a level of variable j
 * Cost: one pass over the matrix. Source: arXiv 2508.13437.
 */
export function evaluate(problem: Problem, indices: Int32Array | readonly number[]): Evaluation {
  const { handle } = parse(problem, 'problem', problemSchema);
  const checked = parse(indices, 'indices', indicesSchema(problem));
  return callNative(() => nativeDmmv.evaluate(handle, checked));
}

/**
 * Violation after every single change: entry [j][q] is max_i v_i(x) with variable j moved to level q and all others
 * kept; the current level holds the current objective.
 *
 * @param problem  m rows, n variables
 * @param indices  current level of each variable, n integers
 * @param options  `threads` (default: all); the bits do not depend on it
 * @returns        one Float64Array per variable, length = its number of levels, all on one buffer
 * @throws ERR_OUT_OF_RANGE   `indices[j]` is not a level of variable j
 * @throws ERR_OUT_OF_MEMORY  the table would take more than there is, before it is allocated
 * Cost: one pass over the matrix for every two levels. Source: arXiv 2508.13437.
 */
export function oneFlipTable(
  problem: Problem,
  indices: Int32Array | readonly number[],
  options: { threads?: number } = {},
): Float64Array[] {
  const { handle, variables } = parse(problem, 'problem', problemSchema);
  const checked = parse(indices, 'indices', indicesSchema(problem));
  const { threads } = parse(options, 'options', object({ threads: withDefault(integer({ min: 0, max: 256 }), 0) }));
  let levels = 0;
  for (let j = 0; j < variables; j += 1) levels += problem.levelCount(j);
  const bytes = 8 * levels;
  if (bytes > availableMemory()) {
    throw makeError(
      'ERR_OUT_OF_MEMORY',
      'problem',
      `a table of all ${levels} levels of \`problem\` takes ${Math.ceil(bytes / 2 ** 20)} MiB, more than is free`,
    );
  }
  const flat = callNative(() => nativeDmmv.oneFlipTable(handle, checked, threads));
  const table: Float64Array[] = [];
  for (let j = 0, start = 0; j < variables; j += 1) {
    const end = start + problem.levelCount(j);
    table.push(flat.subarray(start, end));
    start = end;
  }
  return table;
}
