// The contract with native/addon/quantize.cpp: one interface per part.
import { native, type NativeRun } from '../runtime/native';
import type { QuantizationGrid } from './coded-weights';

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
  damping: number;
  ternary: boolean;
  perTensor: boolean;
  staticGroups: boolean;
  exactGroups: boolean;
  allowTail: boolean;
  actOrder: boolean;
  refitScales: boolean;
  groupSize: number;
  blockSize: number;
  rounds: number;
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
  hessianMatrix(hessian: NativeHessian): Float64Array;
  quantizeLayer(layer: NativeLayer, options: NativeLayerOptions, run: NativeRun): unknown;
}

type NativeQuantize = NativeLayers;

/** The native functions of this domain. @internal */
export const nativeQuantize = native.quantize as NativeQuantize;
