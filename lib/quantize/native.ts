// The contract with native/addon/quantize*.cpp: one interface per part.
import { native, type NativeRun } from '../runtime/native';
import type { CodedWeights, QuantizationGrid } from './coded-weights';

declare const hessianBrand: unique symbol;
/** An opaque handle. @internal */
export type NativeHessian = { [hessianBrand]: never };

/** A layer at the edge: `hessian`, `activations` or neither. @internal */
export interface NativeLayer {
  weights: Float32Array;
  rows: number;
  columns: number;
  hessian: NativeHessian | undefined;
  activations: Float32Array | undefined;
  sequences: number;
}

/** Options at the edge; enumerations as their native numbers. @internal */
export interface NativeLayerOptions {
  method: number;
  mode: number;
  symmetry: number;
  search: number;
  averageBits: number;
  budget: number;
  damping: number;
  ternary: boolean;
  perTensor: boolean;
  staticGroups: boolean;
  exactGroups: boolean;
  allowTail: boolean;
  actOrder: boolean;
  refitScales: boolean;
  measureEnergy: boolean;
  groupSize: number;
  blockSize: number;
  rounds: number;
  rangeFits: number;
  sweeps: number;
  maxBits: number;
  levels: Int32Array | undefined;
}

/** What comes back. @internal */
export interface NativeQuantizedLayer {
  codes: Uint8Array | Uint16Array;
  levels: Uint32Array;
  grid: QuantizationGrid;
  loss: number;
  energy: number;
  columnLosses: Float64Array;
  sensitivities: Float64Array | null;
  gain: number;
  damping: number;
  deadColumns: Uint32Array;
  status: 'complete' | 'time' | 'cancelled';
  seconds: { hessian: number; factor: number; grid: number; quantize: number; allocate: number; refine: number };
}

/** native/addon/quantize_layer.cpp. @internal */
export interface NativeLayers {
  createHessian(columns: number): NativeHessian;
  disposeHessian(hessian: NativeHessian): void;
  addActivations(hessian: NativeHessian, activations: Float32Array, sequences: number, threads: number): void;
  addActivationsJob(hessian: NativeHessian, activations: Float32Array, sequences: number, run: NativeRun): unknown;
  hessianMatrix(hessian: NativeHessian): Float64Array;
  quantizeLayer(layer: NativeLayer, options: NativeLayerOptions, run: NativeRun): unknown;
}

/** A knapsack at the edge; enumerations as their native numbers, costs as whole numbers. @internal */
export interface NativeKnapsack {
  groups: number;
  options: number;
  values: Float64Array;
  costs: Float64Array;
  budget: number;
  constraint: number;
  method: number;
}

declare const searchBrand: unique symbol;
/** An opaque handle. @internal */
export type NativeRcoSearch = { [searchBrand]: never };

/** A problem of RCO at the edge. @internal */
export interface NativeRcoProblem {
  weights: Float64Array;
  costs: Float64Array;
  budgets: Float64Array;
  blocks: Int32Array | undefined;
  resolution: number;
  constraint: number;
  proxy: Float64Array | undefined;
}

/** Options of RCO at the edge. @internal */
export interface NativeRcoOptions {
  steps: number;
  samples: number;
  antithetic: boolean;
  learningRate: number;
  firstDecay: number;
  secondDecay: number;
  epsilon: number;
  tauFirst: number;
  tauLast: number;
  start: number;
  logits: Float64Array | undefined;
  uniforms: Float64Array | undefined;
  seed: number;
  gradients: boolean;
  swapEvaluations: number;
}

/** What RCO gives back. @internal */
export interface NativeRcoResult {
  choices: Int32Array;
  loss: number;
  cost: number;
  logits: Float64Array;
  history: { tau: Float64Array; loss: Float64Array; best: Float64Array };
  proxyLoss: number;
  finalLoss: number;
  evaluations: number;
  steps: number;
  stopped: '' | 'cancelled' | 'time-limit';
}

/** native/addon/quantize_assignment.cpp. @internal */
export interface NativeAssignment {
  solveKnapsack(problem: NativeKnapsack, run: NativeRun): unknown;
  allocateBits(
    sensitivities: Float64Array,
    averageBits: number,
    maxBits: number,
    mode: string,
  ): { bits: Float64Array; levels: Int32Array; achievedBits: number; objective: number; gap: number };
  solveRco(
    problem: NativeRcoProblem,
    options: NativeRcoOptions,
    objective: { table: Float64Array; interactions: Float64Array | undefined },
    run: NativeRun,
  ): unknown;
  createRco(problem: NativeRcoProblem, options: NativeRcoOptions, timeLimitSeconds: number): NativeRcoSearch;
  askRco(search: NativeRcoSearch): { choices: Int32Array; phase: string; wantsGradient: boolean } | null;
  tellRco(search: NativeRcoSearch, loss: number, gradient: Float64Array | undefined): void;
  cancelRco(search: NativeRcoSearch): void;
  rcoResult(search: NativeRcoSearch): NativeRcoResult;
  disposeRco(search: NativeRcoSearch): void;
}

declare const packedBrand: unique symbol;
/** An opaque handle. @internal */
export type NativePacked = { [packedBrand]: never };

/** native/addon/quantize_packing.cpp. @internal */
export interface NativePacking {
  packBits(codes: Uint8Array | Uint16Array, rows: number, columns: number, bits: number): Uint8Array;
  unpackBits(bytes: Uint8Array, rows: number, columns: number, bits: number): Uint8Array | Uint16Array;
  packWords(
    codes: Uint8Array | Uint16Array,
    rows: number,
    columns: number,
    bits: number,
    transposed: boolean,
  ): Uint32Array;
  unpackWords(
    words: Uint32Array,
    rows: number,
    columns: number,
    bits: number,
    transposed: boolean,
  ): Uint8Array | Uint16Array;
  packRadix(codes: Uint8Array | Uint16Array, rows: number, columns: number, levels: number): BigUint64Array;
  unpackRadix(words: BigUint64Array, rows: number, columns: number, levels: number): Uint8Array | Uint16Array;
  radixCodesPerWord(levels: number): number;
  createPacked(weights: CodedWeights, threads: number): NativePacked;
  disposePacked(packed: NativePacked): void;
  packedBytes(packed: NativePacked): number;
  multiplyPacked(packed: NativePacked, x: Float32Array, tokens: number, threads: number): Float32Array;
  dequantizePacked(packed: NativePacked, threads: number): Float32Array;
}

interface NativeQuantize extends NativeLayers, NativeAssignment, NativePacking {}

/** The native functions of this domain. @internal */
export const nativeQuantize = native.quantize as NativeQuantize;
