// The contract with native/addon/polystep_objectives.cpp.
import { native, type NativeRun } from '../../runtime/native';

declare const objectiveBrand: unique symbol;
/** An opaque handle. @internal */
export type NativeObjectiveHandle = { [objectiveBrand]: never };

/** Numbers that objectives are scored with: float32 or float64, the same for all arrays of a call. @internal */
export type Scalars = Float64Array | Float32Array;

/** What a score depends on beside the points. @internal */
export interface NativeScoring {
  seed: number;
  step: number;
  threads: number;
}

interface NativeObjectives {
  dispose(objective: NativeObjectiveHandle): void;
  evaluate(objective: NativeObjectiveHandle, points: Scalars, options: NativeScoring): Float64Array;
  evaluateReplacements(
    objective: NativeObjectiveHandle,
    base: Scalars,
    first: number,
    width: number,
    replacements: Scalars,
    options: NativeScoring,
  ): Float64Array;
  createFunction(options: { kind: number; dimension: number; noise: number; negate: boolean }): NativeObjectiveHandle;
  createMaxSat(options: {
    variables: number;
    literals: Int32Array;
    starts: Int32Array;
    weights: Float64Array | undefined;
    cost: 'ratio' | 'count';
  }): NativeObjectiveHandle;
  randomClauses(variables: number, literalsPerClause: number, clauses: number, seed: number): Int32Array;
  polishMaxSat(
    objective: NativeObjectiveHandle,
    assignment: Uint8Array,
    options: { maxFlips: number; seed: number },
    run: NativeRun,
  ): unknown;
}

/** The native functions of the objectives. @internal */
export const nativeObjectives = native.polystepObjectives as NativeObjectives;
