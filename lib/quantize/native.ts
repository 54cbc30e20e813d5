// The contract with native/addon/quantize*.cpp: one interface per part.
import { native, type NativeRun } from '../runtime/native';

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

/** native/addon/quantize_assignment.cpp. @internal */
export interface NativeAssignment {
  solveKnapsack(problem: NativeKnapsack, run: NativeRun): unknown;
  allocateBits(
    sensitivities: Float64Array,
    averageBits: number,
    maxBits: number,
    mode: string,
  ): { bits: Float64Array; levels: Int32Array; achievedBits: number; objective: number; gap: number };
}

type NativeQuantize = NativeAssignment;

/** The native functions of this domain. @internal */
export const nativeQuantize = native.quantize as NativeQuantize;
