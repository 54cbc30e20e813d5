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

/** A node of a network at the edge; enumerations as their native numbers. @internal */
export interface NativeNode {
  kind: number;
  units: number;
  source?: number;
  scores?: number;
  experts?: Int32Array;
  weights?: number;
  bias?: number | undefined;
  weightKind?: number;
  activation?: number;
}

/** A network's shape at the edge. @internal */
export interface NativeGraph {
  nodes: readonly NativeNode[];
  parameters: number;
  ticks: number;
  beta: number;
  threshold: number;
  levels: number;
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
  createNetwork(options: {
    graph: NativeGraph;
    inputs: Scalars;
    labels: Int32Array | undefined;
    targets: Float64Array | undefined;
    loss: number;
    batchSize: number;
  }): NativeObjectiveHandle;
  networkValues(
    network: NativeObjectiveHandle,
    parameters: Scalars,
    inputs: Scalars,
    node: number,
    threads: number,
  ): Float64Array;
  createControl(options: {
    environment: number;
    graph: NativeGraph;
    episodes: number;
    horizon: number;
  }): NativeObjectiveHandle;
  controlStep(environment: number, state: Float64Array, action: number): { state: Float64Array; done: boolean };
  randomClauses(variables: number, literalsPerClause: number, clauses: number, seed: number): Int32Array;
  polishMaxSat(
    objective: NativeObjectiveHandle,
    assignment: Uint8Array,
    options: { maxFlips: number; seed: number; annealed: boolean },
    run: NativeRun,
  ): unknown;
}

/** The native functions of the objectives. @internal */
export const nativeObjectives = native.polystepObjectives as NativeObjectives;
