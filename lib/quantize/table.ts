// Tables of numbers (groups x options) as users hand them over: rows of an array, or a dense matrix.
import { makeError } from '../runtime/errors';
import type { DenseMatrix } from '../runtime/matrix';
import { fail, type Schema, typedArray } from '../runtime/validate';

/** Numbers as a typed or a plain array. */
export type Numbers = Float64Array | readonly number[];

/** One row per group: an array of rows of equal length, or a dense matrix. */
export type NumberTable = DenseMatrix | readonly Numbers[];

/** A table as float64, row after row. @internal */
export interface FlatTable {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

const rowSchema = typedArray(['Float64Array']);
const dataSchema = typedArray(['Float64Array', 'Float32Array']);
const expected = 'an array of rows of numbers, or a dense matrix';

function fromMatrix(matrix: DenseMatrix, argument: string): FlatTable {
  const { rows, columns, order } = matrix;
  const given = dataSchema(matrix.data, `${argument}.data`);
  if (!Number.isSafeInteger(rows) || !Number.isSafeInteger(columns) || given.length !== rows * columns) {
    fail('ERR_SHAPE_MISMATCH', `${argument}.data`, `${rows} x ${columns} numbers`, given);
  }
  if (order === 'row') {
    return { rows, columns, data: given.BYTES_PER_ELEMENT === 8 ? (given as Float64Array) : new Float64Array(given) };
  }
  const data = new Float64Array(given.length);
  for (let i = 0; i < rows; i += 1) {
    for (let k = 0; k < columns; k += 1) data[i * columns + k] = given[k * rows + i] as number;
  }
  return { rows, columns, data };
}

function fromRows(given: readonly unknown[], argument: string): FlatTable {
  const rows = given.map((row, i) => rowSchema(row, `${argument}[${i}]`));
  const columns = rows[0]?.length ?? 0;
  const data = new Float64Array(rows.length * columns);
  for (const [i, row] of rows.entries()) {
    if (row.length !== columns) {
      fail('ERR_SHAPE_MISMATCH', `${argument}[${i}]`, `${columns} numbers like the rows before it`, row);
    }
    data.set(row, i * columns);
  }
  return { rows: rows.length, columns, data };
}

/** A table, not copied where it need not be, with at least one row and one column of finite numbers. @internal */
export const tableSchema: Schema<FlatTable> = (value, argument) => {
  const isMatrix = typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'dense';
  if (!isMatrix && !Array.isArray(value)) fail('ERR_INVALID_ARG_TYPE', argument, expected, value);
  const table = isMatrix ? fromMatrix(value as DenseMatrix, argument) : fromRows(value as unknown[], argument);
  if (table.data.length === 0) {
    throw makeError('ERR_SHAPE_MISMATCH', argument, `\`${argument}\` must have at least one row and one column`);
  }
  return table;
};
