// Golden vectors of the odil domain: a state, residuals, loss, gradient and Jacobian of one official example.
import type { odil } from '../../lib';
import { vectors } from './vectors';

export interface Tensor {
  shape: number[];
  data: number[];
}

/** A sparse matrix as the vectors hold it. */
export interface Triplets {
  shape: [number, number];
  rows: number[];
  cols: number[];
  vals: number[];
}

export interface ExampleVector {
  options: Record<string, number | string>;
  inputs: { state: Record<string, Tensor[]>; data: Record<string, Tensor> };
  outputs: {
    residuals: (Tensor & { name: string })[];
    terms: number[];
    loss: number;
    gradient_of_loss: Tensor[];
    jacobian_linearize?: Triplets;
    jacobian_true?: Triplets;
    fine_field?: Record<string, Tensor>;
    newton_step?: { damp: number; delta: Tensor };
  };
}

export const example = (name: string): ExampleVector => vectors<ExampleVector>(`odil/${name}.json`);

export const numbers = (tensors: readonly Tensor[]): Float64Array =>
  Float64Array.from(tensors.flatMap((one) => one.data));

/** max |a - b| / max(1, |b|). */
export function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let worst = 0;
  for (let i = 0; i < a.length; i += 1) {
    const one = Math.abs((a[i] as number) - (b[i] as number)) / Math.max(1, Math.abs(b[i] as number));
    if (!(one <= worst)) worst = one;
  }
  return worst;
}

/** ||a - b|| / ||b||. */
export function relative(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let error = 0;
  let norm = 0;
  for (let i = 0; i < a.length; i += 1) {
    error += ((a[i] as number) - (b[i] as number)) ** 2;
    norm += (b[i] as number) ** 2;
  }
  return Math.sqrt(error / Math.max(norm, 1e-300));
}

/** Columns of our Jacobian in the order of the vector's state: [name, first column, count]. */
export type Column = readonly [first: number, count: number];

/** Holds a problem against a vector: residuals block by block, loss, gradient, Jacobian. */
export function expectExample(
  problem: odil.Problem,
  state: odil.State<Float64Array>,
  vector: ExampleVector,
  { columns, blocks }: { columns?: readonly Column[]; blocks?: readonly string[] } = {},
): void {
  const { outputs } = vector;
  const found = problem.evaluate(state);
  const names = blocks ?? problem.blockNames;
  expect(names).toHaveLength(outputs.residuals.length);
  outputs.residuals.forEach((block, k) => {
    expect(difference(found.residuals[names[k] as string] as Float64Array, block.data)).toBeLessThan(1e-11);
    expect(Math.abs((found.blocks[names[k] as string]?.loss as number) - (outputs.terms[k] as number))).toBeLessThan(
      1e-10 * Math.max(1, outputs.loss),
    );
  });
  expect(found.loss / outputs.loss).toBeCloseTo(1, 10);

  const parts = columns ?? [[0, problem.unknowns]];
  const reorder = (packed: Float64Array): Float64Array =>
    Float64Array.from(parts.flatMap(([first, count]) => [...packed.subarray(first, first + count)]));
  const { loss, gradient } = problem.gradient(state);
  expect(loss).toBe(found.loss);
  expect(relative(reorder(problem.pack(gradient) as Float64Array), numbers(outputs.gradient_of_loss))).toBeLessThan(
    1e-9,
  );

  const given = outputs.jacobian_true ?? outputs.jacobian_linearize;
  if (given !== undefined) expectJacobian(problem, state, given, parts);
}

/** Holds the Jacobian against triplets, with our columns in the vector's order. */
export function expectJacobian(
  problem: odil.Problem,
  state: odil.State<Float64Array>,
  given: Triplets,
  parts: readonly Column[] = [[0, problem.unknowns]],
): void {
  const matrix = problem.jacobian(state);
  expect([matrix.rows, matrix.columns]).toEqual(given.shape);
  const place = new Map<number, number>();
  let next = 0;
  for (const [first, count] of parts) for (let i = 0; i < count; i += 1) place.set(first + i, (next += 1) - 1);
  const dense = new Float64Array(matrix.rows * matrix.columns);
  for (let column = 0; column < matrix.columns; column += 1) {
    const end = matrix.columnPointers[column + 1] as number;
    for (let k = matrix.columnPointers[column] as number; k < end; k += 1) {
      dense[(matrix.rowIndices[k] as number) * matrix.columns + (place.get(column) as number)] = matrix.values[
        k
      ] as number;
    }
  }
  const expected = new Float64Array(dense.length);
  given.vals.forEach((value, k) => {
    expected[(given.rows[k] as number) * matrix.columns + (given.cols[k] as number)] = value;
  });
  expect(relative(dense, expected)).toBeLessThan(1e-10);
}
