// Matrices: no copies, and every way to get the shape or the contents wrong.
import { denseMatrix, sparseMatrix } from '../../../lib/runtime/matrix';

const withCode = (code: string, argument: string): Error => expect.objectContaining({ code, argument }) as Error;

test('a dense matrix is a view of the caller s memory', () => {
  const data = Float64Array.of(1, 2, 3, 4, 5, 6);
  const matrix = denseMatrix(2, 3, data);
  expect(matrix.data).toBe(data);
  expect(matrix).toMatchObject({ kind: 'dense', rows: 2, columns: 3, order: 'row' });
  expect(denseMatrix(2, 3, new Float32Array(6), { order: 'column' }).order).toBe('column');
});

test('plain arrays are converted', () => {
  expect(denseMatrix(1, 2, [1, 2]).data).toEqual(Float64Array.of(1, 2));
});

test('memory shared between threads is accepted, also a subarray of it', () => {
  const shared = new Float64Array(new SharedArrayBuffer(64)).subarray(1, 5);
  expect(denseMatrix(2, 2, shared).data).toBe(shared);
});

test.each<[string, () => unknown, string, string]>([
  ['negative rows', () => denseMatrix(-1, 2, []), 'ERR_OUT_OF_RANGE', 'rows'],
  ['fractional columns', () => denseMatrix(1, 1.5, []), 'ERR_OUT_OF_RANGE', 'columns'],
  ['rows of the wrong type', () => denseMatrix('2' as never, 1, []), 'ERR_INVALID_ARG_TYPE', 'rows'],
  ['too few elements', () => denseMatrix(2, 3, new Float64Array(5)), 'ERR_SHAPE_MISMATCH', 'data'],
  ['integer data', () => denseMatrix(1, 1, new Int32Array(1) as never), 'ERR_INVALID_ARG_TYPE', 'data'],
  ['a string in a plain array', () => denseMatrix(1, 1, ['1' as never]), 'ERR_INVALID_ARG_TYPE', 'data[0]'],
  ['NaN', () => denseMatrix(1, 3, Float64Array.of(0, NaN, 0)), 'ERR_NOT_FINITE', 'data[1]'],
  ['infinity', () => denseMatrix(1, 3, Float32Array.of(0, 0, Infinity)), 'ERR_NOT_FINITE', 'data[2]'],
  [
    'an unknown order',
    () => denseMatrix(1, 1, [1], { order: 'diagonal' as never }),
    'ERR_INVALID_ARG_VALUE',
    'options.order',
  ],
  [
    'a misspelt option',
    () => denseMatrix(1, 1, [1], { ordr: 'row' } as never),
    'ERR_INVALID_ARG_VALUE',
    'options.ordr',
  ],
])('a dense matrix refuses %s', (_, make, code, argument) => {
  expect(make).toThrow(withCode(code, argument));
});

test('a detached array has length 0 and is refused as such', () => {
  const data = new Float64Array(4);
  structuredClone(data.buffer, { transfer: [data.buffer] });
  expect(() => denseMatrix(2, 2, data)).toThrow(/length 4 \(2 x 2\), got Float64Array of length 0/);
});

test('a resizable buffer is refused', () => {
  const Resizable = ArrayBuffer as unknown as new (bytes: number, options: { maxByteLength: number }) => ArrayBuffer;
  const data = new Float64Array(new Resizable(32, { maxByteLength: 64 }));
  expect(() => denseMatrix(2, 2, data)).toThrow(withCode('ERR_INVALID_ARG_VALUE', 'data'));
});

const valid = { rows: 3, columns: 2, columnPointers: [0, 2, 3], rowIndices: [0, 2, 1], values: [1, 2, 3] };

test('a sparse matrix keeps its three arrays', () => {
  expect(sparseMatrix(valid)).toMatchObject({ kind: 'sparse', rows: 3, columns: 2, values: Float64Array.of(1, 2, 3) });
});

test.each<[string, object, string, string]>([
  ['missing pointers', { columnPointers: [0, 2] }, 'ERR_SHAPE_MISMATCH', 'matrix.columnPointers'],
  ['pointers that do not start at 0', { columnPointers: [1, 2, 3] }, 'ERR_OUT_OF_RANGE', 'matrix.columnPointers[0]'],
  ['pointers that decrease', { columnPointers: [0, 4, 3] }, 'ERR_OUT_OF_RANGE', 'matrix.columnPointers[1]'],
  ['pointers that end elsewhere', { columnPointers: [0, 2, 2] }, 'ERR_OUT_OF_RANGE', 'matrix.columnPointers[2]'],
  ['a row index out of range', { rowIndices: [0, 3, 1] }, 'ERR_OUT_OF_RANGE', 'matrix.rowIndices[1]'],
  ['row indices out of order', { rowIndices: [2, 0, 1] }, 'ERR_OUT_OF_RANGE', 'matrix.rowIndices[1]'],
  ['fractional row indices', { rowIndices: [0.5, 2, 1] }, 'ERR_OUT_OF_RANGE', 'matrix.rowIndices[0]'],
  ['a row index for no value', { rowIndices: [0, 2] }, 'ERR_SHAPE_MISMATCH', 'matrix.rowIndices'],
  ['NaN', { values: [1, NaN, 3] }, 'ERR_NOT_FINITE', 'matrix.values[1]'],
])('a sparse matrix refuses %s', (_, change, code, argument) => {
  expect(() => sparseMatrix({ ...valid, ...change })).toThrow(withCode(code, argument));
});
