/// <reference lib="esnext.disposable" preserve="true" />
// A discrete min-max violation problem: created once, checked once, used by every other function of dmmv.
import { callNative, homes, makeError } from '../runtime/errors';
import { matrix, type Matrix } from '../runtime/matrix';
import { arrayOf, fail, integer, number, object, optional, parse, type Schema, typedArray } from '../runtime/validate';
import { type NativeLevels, type NativeProblem, nativeDmmv } from './native';

/** Numbers as a typed array (taken as they are) or a plain array (converted, a copy). */
export type Numbers = Float64Array | readonly number[];

/** Equally spaced levels offset + step * q, q = 0 ... count - 1, the same for all variables. */
export interface UniformLevels {
  /** Value of level 0. */
  offset: number;
  /** Distance of neighbours, positive. */
  step: number;
  /** Number of levels, 1 to 2^31 - 1. */
  count: number;
}

/**
 * The values variables may take: one ascending table for all, one table per variable, or equally spaced values
 * offset + step * q, q = 0 ... count - 1, for all.
 */
export type Levels = Numbers | readonly Numbers[] | UniformLevels;

/** Rows that never count in the objective: row k adds multipliers[k] * max(0, s_k - upper_k, lower_k - s_k) to the search penalty. */
export interface SoftRows {
  /** k x n. */
  matrix: Matrix;
  /** k lower sides, -Infinity where there is none. */
  lower: Numbers;
  /** k upper sides, Infinity where there is none. */
  upper: Numbers;
  /** k positive multipliers. */
  multipliers: Numbers;
}

/** What a problem is made of. */
export interface ProblemOptions {
  /** A, m x n, made by `denseMatrix` or `sparseMatrix`; copied. */
  matrix: Matrix;
  /** m lower sides, -Infinity where there is none. */
  lower: Numbers;
  /** m upper sides, Infinity where there is none; lower = upper makes an equality. */
  upper: Numbers;
  /** m positive row weights; default 1. */
  weights?: Numbers;
  /** Levels of the n variables. */
  levels: Levels;
  /** Rows that steer the search without counting in the objective. */
  softRows?: SoftRows;
}

/**
 * A problem held by native code: minimise max_i w_i max((A x)_i - u_i, l_i - (A x)_i) over x_j in the levels of
 * variable j (arXiv 2508.13437). Made by {@link createProblem}.
 */
export class Problem {
  /** Number of rows m. */
  readonly rows: number;
  /** Number of variables n. */
  readonly variables: number;
  readonly #handle: NativeProblem;
  readonly #counts: Int32Array | number;
  #disposed = false;

  /** @internal */
  constructor(handle: NativeProblem, rows: number, variables: number, counts: Int32Array | number) {
    this.#handle = handle;
    this.rows = rows;
    this.variables = variables;
    this.#counts = counts;
  }

  /** Number of levels of variable `variable`. */
  levelCount(variable: number): number {
    parse(variable, 'variable', integer({ min: 0, max: this.variables - 1 }));
    return typeof this.#counts === 'number' ? this.#counts : (this.#counts[variable] as number);
  }

  /** Whether `dispose` has been called. */
  get disposed(): boolean {
    return this.#disposed;
  }

  /** Frees the native memory now; running solvers keep their own share. Calling it again does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    nativeDmmv.disposeProblem(this.#handle);
  }

  /** For `using`: the same as `dispose`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @internal */
  get handle(): NativeProblem {
    if (this.#disposed) throw makeError('ERR_DISPOSED', 'problem', '`problem` has been disposed');
    return this.#handle;
  }
}

/** A problem made by `createProblem`. @internal */
export const problemSchema: Schema<Problem> = (value, argument) => {
  if (!(value instanceof Problem)) fail('ERR_INVALID_ARG_TYPE', argument, 'a problem made by createProblem()', value);
  return value;
};

/** n level indices. @internal */
export function indicesSchema(problem: Problem): Schema<Int32Array> {
  return typedArray(['Int32Array'], { length: problem.variables, per: 'one per variable' });
}

const uniform = object({
  offset: number(),
  step: number({ above: 0 }),
  count: integer({ min: 1, max: 2 ** 31 - 1 }),
});

function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || ArrayBuffer.isView(value);
}

interface CheckedLevels {
  native: NativeLevels;
  counts: Int32Array | number;
}

const table = typedArray(['Float64Array']);

function levelsSchema(variables: number): Schema<CheckedLevels> {
  return (value, argument) => {
    if (Array.isArray(value) && value.some(isList)) {
      if (value.length !== variables) {
        fail('ERR_SHAPE_MISMATCH', argument, `an array of length ${variables} (one table per variable)`, value);
      }
      const tables = arrayOf(table)(value, argument);
      const starts = new Float64Array(variables + 1);
      for (let j = 0; j < variables; j += 1) starts[j + 1] = (starts[j] as number) + (tables[j] as Float64Array).length;
      const values = new Float64Array(starts[variables] as number);
      tables.forEach((levels, j) => values.set(levels, starts[j]));
      return { native: { values, starts }, counts: Int32Array.from(tables, (levels) => levels.length) };
    }
    if (isList(value)) {
      const shared = table(value, argument);
      return { native: { shared }, counts: shared.length };
    }
    if (typeof value !== 'object' || value === null) {
      fail(
        'ERR_INVALID_ARG_TYPE',
        argument,
        'a table of numbers, one table per variable, or { offset, step, count }',
        value,
      );
    }
    const spaced = uniform(value, argument);
    return { native: spaced, counts: spaced.count };
  };
}

const anything: Schema<unknown> = (value) => value;

function perRow(rows: number, infinite: boolean): Schema<Float64Array> {
  return typedArray(['Float64Array'], { length: rows, per: 'one entry per row of `matrix`', infinite });
}

function softRowsSchema(
  variables: number,
): Schema<{ matrix: Matrix; lower: Float64Array; upper: Float64Array; multipliers: Float64Array }> {
  return (value, argument) => {
    const given = object({ matrix, lower: anything, upper: anything, multipliers: anything })(value, argument);
    if (given.matrix.columns !== variables) {
      throw makeError(
        'ERR_SHAPE_MISMATCH',
        `${argument}.matrix`,
        `\`${argument}.matrix\` must have ${variables} columns (one per variable), got ${given.matrix.columns}`,
      );
    }
    const { rows } = given.matrix;
    return {
      matrix: given.matrix,
      lower: perRow(rows, true)(given.lower, `${argument}.lower`),
      upper: perRow(rows, true)(given.upper, `${argument}.upper`),
      multipliers: perRow(rows, false)(given.multipliers, `${argument}.multipliers`),
    };
  };
}

const argumentsAt = homes({ options: ['matrix', 'lower', 'upper', 'weights', 'levels', 'softRows'] });

/**
 * Creates a problem; everything is checked here and copied, so the caller's arrays may change afterwards.
 *
 * @param options.matrix    A, m x n, m >= 1
 * @param options.lower     m lower sides, -Infinity where there is none
 * @param options.upper     m upper sides, Infinity where there is none
 * @param options.weights   m positive weights, default 1
 * @param options.levels    see {@link Levels}; each table strictly ascending, at least one level
 * @param options.softRows  see {@link SoftRows}
 * @throws ERR_SHAPE_MISMATCH     an array does not fit the matrix
 * @throws ERR_NOT_FINITE         NaN anywhere, or an infinity where none is allowed
 * @throws ERR_INVALID_ARG_VALUE  lower above upper, two infinite sides, weight not positive, levels not ascending
 * Cost: one pass over the matrix. Source: arXiv 2508.13437.
 */
export function createProblem(options: ProblemOptions): Problem {
  const given = parse(
    options,
    'options',
    object({ matrix, lower: anything, upper: anything, weights: anything, levels: anything, softRows: anything }),
  );
  const { rows, columns } = given.matrix;
  const lower = perRow(rows, true)(given.lower, 'options.lower');
  const upper = perRow(rows, true)(given.upper, 'options.upper');
  const weights = optional(perRow(rows, false))(given.weights, 'options.weights');
  const levels = levelsSchema(columns)(given.levels, 'options.levels');
  const softRows = optional(softRowsSchema(columns))(given.softRows, 'options.softRows');
  const handle = callNative(
    () => nativeDmmv.createProblem({ matrix: given.matrix, lower, upper, weights, levels: levels.native, softRows }),
    argumentsAt,
  );
  return new Problem(handle, rows, columns, levels.counts);
}

/**
 * The level nearest to each entry of a continuous point (of two equally near levels the lower one): the one place where
 * rounding happens.
 *
 * @param problem  n variables
 * @param point    n numbers
 * @returns        n level indices
 */
export function nearestLevels(problem: Problem, point: Numbers): Int32Array {
  const { handle, variables } = parse(problem, 'problem', problemSchema);
  const checked = parse(point, 'point', typedArray(['Float64Array'], { length: variables, per: 'one per variable' }));
  return callNative(() => nativeDmmv.nearestLevels(handle, checked));
}

/**
 * The values that level indices stand for.
 *
 * @param problem  n variables
 * @param indices  n level indices
 * @returns        n numbers
 * @throws ERR_OUT_OF_RANGE  an index is not a level of its variable
 */
export function levelValues(problem: Problem, indices: Int32Array | readonly number[]): Float64Array {
  const { handle } = parse(problem, 'problem', problemSchema);
  const checked = parse(indices, 'indices', indicesSchema(problem));
  return callNative(() => nativeDmmv.levelValues(handle, checked));
}
