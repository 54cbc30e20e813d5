// The contract with native/addon/odil*.cpp.
import { native, type NativeRun } from '../runtime/native';

declare const problemBrand: unique symbol;
/** An opaque handle. @internal */
export type NativeProblem = { [problemBrand]: never };

/** Numbers of the operations in native/odil/expression.hpp, in their order. @internal */
export const operations = [
  'constant',
  'parameter',
  'access',
  'index',
  'pick',
  'add',
  'multiply',
  'divide',
  'minimum',
  'maximum',
  'absolute',
  'sign',
  'selectLess',
  'whereIndex',
  'exp',
  'log',
  'sin',
  'cos',
  'tanh',
  'sigmoid',
  'sqrt',
  'power',
  'freeze',
] as const;
/** @internal */
export type Operation = (typeof operations)[number];

/** The axes that native code has room for. @internal */
export const maxAxes = 5;

/** Nodes as parallel arrays: four children and five shifts each. @internal */
export interface NativeGraph {
  ops: Uint8Array;
  ids: Int32Array;
  values: Float64Array;
  children: Int32Array;
  shifts: Int32Array;
}

/** @internal */
export interface NativeProblemDescription {
  axes: { name: string; periodic: boolean }[];
  fields: { name: string; counts: Int32Array }[];
  arrays: { name: string; counts: Int32Array; repeated: number; values: Float64Array }[];
  parameters: number;
  blocks: { name: string; scalar: boolean; raw: boolean; counts: Int32Array; roots: Int32Array }[];
  graph: NativeGraph;
}

/** Compressed columns. @internal */
export interface NativeColumns {
  rows: number;
  columns: number;
  columnPointers: Int32Array;
  rowIndices: Int32Array;
  values: Float64Array;
}

/** Arrays in double or single precision. */
export type Reals = Float64Array | Float32Array;

/** Options of Gauss-Newton at the edge. @internal */
export interface NativeGaussNewton {
  normalization: string;
  levenbergMarquardt: boolean;
  maxIterations: number;
  initialLambda: number;
  damp: number;
  dampDiagonal: number;
  gradientTolerance: number;
  stepTolerance: number;
  lossTolerance: number;
}

/** native/addon/odil_problem.cpp and odil_solve.cpp. @internal */
export interface NativeOdil {
  createProblem(description: NativeProblemDescription): NativeProblem;
  disposeProblem(problem: NativeProblem): void;
  evaluate(problem: NativeProblem, unknowns: Reals, residuals: Reals, normalization: string, threads: number): number;
  gradient(problem: NativeProblem, unknowns: Reals, gradient: Reals, normalization: string, threads: number): number;
  jacobian(problem: NativeProblem, unknowns: Float64Array, threads: number): NativeColumns;
  listing(problem: NativeProblem, block: number): string;
  source(problem: NativeProblem, precision: 'float32' | 'float64'): string;
  residualName(problem: NativeProblem, residual: number): string;
  gaussNewton(problem: NativeProblem, unknowns: Float64Array, options: NativeGaussNewton, run: NativeRun): unknown;
}

/** @internal */
export const nativeOdil = native.odil as NativeOdil;
