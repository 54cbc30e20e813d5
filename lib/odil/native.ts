// The contract with native/addon/odil*.cpp.
import { native, type NativeRun } from '../runtime/native';
import type { ParameterRanges } from './parameter-range';

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
  fields: { name: string; location: string; counts: Int32Array }[];
  arrays: { name: string; counts: Int32Array; repeated: number; values: Float64Array }[];
  parameters: number;
  totals: { root: number; counts: Int32Array }[];
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
export interface NativeGaussNewton extends NativeWeights {
  normalization: string;
  linearSolver: string;
  levenbergMarquardt: boolean;
  maxIterations: number;
  initialLambda: number;
  damp: number;
  dampDiagonal: number;
  gradientTolerance: number;
  stepTolerance: number;
  lossTolerance: number;
  historyEvery: number;
  memoryLimitBytes: number;
  checkpoint: { values: Float64Array; counters: Float64Array } | undefined;
}

/** Weights of blocks and the iterations in which they halve; empty where all are 1. @internal */
export interface NativeWeights {
  weights: Float64Array;
  halfLives: Float64Array;
}

/** Options of gradient methods at the edge; those of other methods than `method` are not read. @internal */
export interface NativeFirstOrder extends NativeWeights {
  method: string;
  normalization: string;
  maxIterations: number;
  gradientTolerance: number;
  stepTolerance: number;
  lossTolerance: number;
  historyEvery: number;
  multigrid: boolean;
  levels: number;
  factors: Float64Array;
  learningRate?: number;
  beta1?: number;
  beta2?: number;
  epsilon?: number;
  memory?: number;
  decrease?: number;
  curvature?: number;
  searchEvaluations?: number;
  checkpoint: { values: Float64Array; counters: Float64Array } | undefined;
}

/** Options of laplace at the edge. @internal */
export interface NativeLaplace {
  sigmas: Float64Array;
  allVariances: boolean;
  entries: Float64Array;
  samples: number;
  seed: number;
  memoryLimitBytes: number;
}

/** Options of Gauss-Newton in control space at the edge; block -1: the one that is found. @internal */
export interface NativeControlSpace extends ParameterRanges {
  block: number;
  normalization: string;
  weights: Float64Array;
  weak: boolean;
  maxIterations: number;
  lossTolerance: number;
  linearTolerance: number;
  linearIterations: number;
  initialLambda: number;
  halvings: number;
}

/** The functions of native/addon/odil_*.cpp. @internal */
export interface NativeOdil {
  createProblem(description: NativeProblemDescription): NativeProblem;
  disposeProblem(problem: NativeProblem): void;
  evaluate(
    problem: NativeProblem,
    unknowns: Reals,
    residuals: Reals,
    normalization: string,
    threads: number,
    weights: Float64Array,
  ): number;
  gradient(
    problem: NativeProblem,
    unknowns: Reals,
    gradient: Reals,
    normalization: string,
    threads: number,
    weights: Float64Array,
  ): number;
  blockSums(problem: NativeProblem, unknowns: Reals, threads: number): Float64Array;
  jacobian(problem: NativeProblem, unknowns: Float64Array, threads: number): NativeColumns;
  listing(problem: NativeProblem, block: number): string;
  source(problem: NativeProblem, precision: 'float32' | 'float64'): string;
  residualName(problem: NativeProblem, residual: number): string;
  gaussNewton(problem: NativeProblem, unknowns: Float64Array, options: NativeGaussNewton, run: NativeRun): unknown;
  laplace(problem: NativeProblem, unknowns: Float64Array, options: NativeLaplace, run: NativeRun): unknown;
  evolution(
    problem: NativeProblem,
    block: number,
  ): { block: number; hasData: boolean; otherPoints: string; reason: string };
  march(
    problem: NativeProblem,
    unknowns: Reals,
    options: { block: number; newtonSteps: number },
    run: NativeRun,
  ): unknown;
  controlSpace(problem: NativeProblem, unknowns: Reals, options: NativeControlSpace, run: NativeRun): unknown;
  firstOrder(problem: NativeProblem, unknowns: Reals, options: NativeFirstOrder, run: NativeRun): unknown;
}

/** @internal */
export const nativeOdil = native.odil as NativeOdil;
