// Matrices as users hand them over: a view of their own memory with a shape. Nothing is copied here.
import { fail, integer, object, oneOf, parse, type Schema, typedArray, withDefault } from './validate';

/** A dense matrix: rows x columns numbers, row after row (`'row'`) or column after column (`'column'`). */
export interface DenseMatrix {
  /** Tells it from a sparse one. */
  readonly kind: 'dense';
  /** Number of rows. */
  readonly rows: number;
  /** Number of columns. */
  readonly columns: number;
  /** What lies together in `data`. */
  readonly order: 'row' | 'column';
  /** rows * columns numbers, the caller's own memory. */
  readonly data: Float64Array | Float32Array;
}

/** A sparse matrix in compressed columns: column j holds entries columnPointers[j] to columnPointers[j + 1] - 1. */
export interface SparseMatrix {
  /** Tells it from a dense one. */
  readonly kind: 'sparse';
  /** Number of rows. */
  readonly rows: number;
  /** Number of columns. */
  readonly columns: number;
  /** columns + 1 positions. */
  readonly columnPointers: Int32Array;
  /** Row of each entry. */
  readonly rowIndices: Int32Array;
  /** Value of each entry. */
  readonly values: Float64Array;
}

/** Any matrix a problem can be made from. */
export type Matrix = DenseMatrix | SparseMatrix;

const largestExtent = 2 ** 31 - 1;
const extent = integer({ min: 0, max: largestExtent });

/**
 * A rows x columns view of `data`, which is not copied: later changes of `data` are seen by later calls.
 *
 * @param rows     number of rows
 * @param columns  number of columns
 * @param data     rows * columns finite numbers; a plain array of numbers is converted to a Float64Array (a copy)
 * @param options  `order`: `'row'` (default) when rows lie one after the other, `'column'` when columns do
 * @throws ERR_SHAPE_MISMATCH  `data` does not have rows * columns elements
 * @throws ERR_NOT_FINITE      `data` holds NaN or an infinity
 */
export function denseMatrix(
  rows: number,
  columns: number,
  data: Float64Array | Float32Array | readonly number[],
  options: { order?: 'row' | 'column' } = {},
): DenseMatrix {
  parse(rows, 'rows', extent);
  parse(columns, 'columns', extent);
  const { order } = parse(options, 'options', object({ order: withDefault(oneOf(['row', 'column']), 'row') }));
  const checked = parse(
    data,
    'data',
    typedArray(['Float64Array', 'Float32Array'], { length: rows * columns, per: `${rows} x ${columns}` }),
  );
  return Object.freeze({ kind: 'dense', rows, columns, order, data: checked });
}

/**
 * A sparse matrix in compressed columns; the arrays are not copied.
 *
 * @param parts.rows                  number of rows
 * @param parts.columns               number of columns
 * @param parts.columnPointers        columns + 1 non-decreasing positions, from 0 to the number of entries
 * @param parts.rowIndices            row of each entry, strictly increasing inside a column
 * @param parts.values                value of each entry, finite
 * @throws ERR_SHAPE_MISMATCH  an array does not fit the shape
 * @throws ERR_OUT_OF_RANGE    a pointer or row index is outside its range or out of order
 */
export function sparseMatrix(parts: {
  rows: number;
  columns: number;
  columnPointers: Int32Array | readonly number[];
  rowIndices: Int32Array | readonly number[];
  values: Float64Array | readonly number[];
}): SparseMatrix {
  const any: Schema<unknown> = (value) => value;
  const given = parse(
    parts,
    'matrix',
    object({
      rows: extent,
      columns: extent,
      columnPointers: any,
      rowIndices: any,
      values: any,
    }),
  );
  const { rows, columns } = given;
  const columnPointers = parse(
    given.columnPointers,
    'matrix.columnPointers',
    typedArray(['Int32Array'], { length: columns + 1, per: 'columns + 1' }),
  );
  const values = parse(given.values, 'matrix.values', typedArray(['Float64Array']));
  const rowIndices = parse(
    given.rowIndices,
    'matrix.rowIndices',
    typedArray(['Int32Array'], { length: values.length, per: 'one per value' }),
  );
  if (columnPointers[0] !== 0) fail('ERR_OUT_OF_RANGE', 'matrix.columnPointers[0]', '0', columnPointers[0]);
  if (columnPointers[columns] !== values.length) {
    fail(
      'ERR_OUT_OF_RANGE',
      `matrix.columnPointers[${columns}]`,
      `${values.length} (the number of values)`,
      columnPointers[columns],
    );
  }
  for (let column = 0; column < columns; column += 1) {
    const begin = columnPointers[column] as number;
    const end = columnPointers[column + 1] as number;
    if (end < begin || end > values.length) {
      fail('ERR_OUT_OF_RANGE', `matrix.columnPointers[${column + 1}]`, `in [${begin}, ${values.length}]`, end);
    }
    let previous = -1;
    for (let entry = begin; entry < end; entry += 1) {
      const row = rowIndices[entry] as number;
      if (row <= previous || row >= rows) {
        fail('ERR_OUT_OF_RANGE', `matrix.rowIndices[${entry}]`, `greater than ${previous} and less than ${rows}`, row);
      }
      previous = row;
    }
  }
  return Object.freeze({ kind: 'sparse', rows, columns, columnPointers, rowIndices, values });
}

/** A matrix made by `denseMatrix` or `sparseMatrix`. @internal */
export const matrix: Schema<Matrix> = (value, argument) => {
  const kind = typeof value === 'object' && value !== null ? (value as Matrix).kind : undefined;
  if (kind !== 'dense' && kind !== 'sparse') {
    fail('ERR_INVALID_ARG_TYPE', argument, 'a matrix made by denseMatrix() or sparseMatrix()', value);
  }
  return value as Matrix;
};
