// The contract with native/addon/dmmv.cpp.
import { native, type NativeRun } from '../runtime/native';
import type { Matrix, SparseMatrix } from '../runtime/matrix';

declare const problemBrand: unique symbol;
/** An opaque handle. @internal */
export type NativeProblem = { [problemBrand]: never };

/** The three forms of levels at the edge. @internal */
export type NativeLevels =
  | { shared: Float64Array }
  | { values: Float64Array; starts: Float64Array }
  | { offset: number; step: number; count: number };

/** Search options at the edge; enumerations as their native numbers. @internal */
export interface NativeSearch {
  initial: Int32Array | undefined;
  continuous: Float64Array | undefined;
  engine: number;
  moves: number;
  eta: number;
  decay: number;
  tabu: number;
  seed: number;
  target: number;
  maxIterations: number;
  bound: number;
  l2Guard: number | undefined;
  memoryLimitBytes: number;
}

/** A FIR specification at the edge. @internal */
export interface NativeFir {
  taps: number;
  wordLength: number;
  gridDensity: number;
  bands: readonly { from: number; to: number; gain: number; weight: number; slope: number }[];
  gainRange: { min: number; max: number } | undefined;
  /** 1 to 4. */
  type: number;
  zeroTaps: Int32Array;
  /** 0: none, or positions are given. */
  zeroTapCount: number;
  /** 0: any integer. */
  maxSignedPowers: number;
}

/** A weight matrix to be rounded, at the edge. @internal */
export interface NativeRounding {
  weights: Float64Array | Float32Array;
  rows: number;
  columns: number;
  activations: Float64Array | Float32Array;
  tokens: number;
  activationsByColumn: boolean;
  levels: number;
  offsets: Float64Array | undefined;
  steps: Float64Array | undefined;
  fixed: Uint8Array | undefined;
  initial: Int32Array | undefined;
}

/** Options of weight rounding at the edge. @internal */
export interface NativeRoundingOptions {
  seed: number;
  sweeps: number;
  attempts: number;
  moves: 'auto' | 'unit' | 'lattice';
  l2Weight: number;
  l2Guard: number | undefined;
  reweighted: boolean;
  damping: number;
  memoryLimitBytes: number;
}

interface NativeDmmv {
  createProblem(options: {
    matrix: Matrix;
    lower: Float64Array;
    upper: Float64Array;
    weights: Float64Array | undefined;
    levels: NativeLevels;
    softRows: { matrix: Matrix; lower: Float64Array; upper: Float64Array; multipliers: Float64Array } | undefined;
  }): NativeProblem;
  disposeProblem(problem: NativeProblem): void;
  evaluate(
    problem: NativeProblem,
    indices: Int32Array,
  ): {
    objective: number;
    activities: Float64Array;
    violations: Float64Array;
    worstRow: number;
    softPenalty: number;
  };
  oneFlipTable(problem: NativeProblem, indices: Int32Array, threads: number): Float64Array;
  checkCertificate(problem: NativeProblem, multipliers: Float64Array): number;
  nearestLevels(problem: NativeProblem, point: Float64Array): Int32Array;
  levelValues(problem: NativeProblem, indices: Int32Array): Float64Array;
  lowerBound(
    problem: NativeProblem,
    options: { method: number; tolerance: number; maxIterations: number; memoryLimitBytes: number },
    run: NativeRun,
  ): unknown;
  solve(problem: NativeProblem, options: NativeSearch, run: NativeRun): unknown;
  designFir(specification: NativeFir, options: NativeSearch, run: NativeRun): unknown;
  roundWeights(layer: NativeRounding, options: NativeRoundingOptions, run: NativeRun): unknown;
  solveExact(
    problem: NativeProblem,
    options: {
      initial: Int32Array | undefined;
      searchIterations: number;
      gap: number;
      seed: number;
      memoryLimitBytes: number;
    },
    run: NativeRun,
  ): unknown;
  projector(
    size: number,
    detectors: number,
    angles: Float64Array,
    memoryLimitBytes: number,
  ): Omit<SparseMatrix, 'kind'>;
  sirt(
    matrix: SparseMatrix,
    sinogram: Float64Array,
    options: { iterations: number; lower: number; upper: number },
    run: NativeRun,
  ): unknown;
  dart(
    matrix: SparseMatrix,
    sinogram: Float64Array,
    options: {
      levels: Float64Array;
      size: number;
      sirtIterations: number;
      iterations: number;
      steps: number;
      freePart: number;
      smoothing: number;
      seed: number;
    },
    run: NativeRun,
  ): unknown;
  firResponse(half: Float64Array, type: number, wordLength: number, frequencies: Float64Array): Float64Array;
}

/** The native functions of this domain. @internal */
export const nativeDmmv = native.dmmv as NativeDmmv;
