// The contract with native/addon/polystep_baselines.cpp. Enumerations are sent as their position in the lists here.
import { native, type NativeRun } from '../../runtime/native';
import type { Reals } from '../native';

/** How a baseline turns an estimated gradient into a step. */
export type OptimizerName = 'adam' | 'momentum' | 'sgd';

/** Names of the addon's methods, in their order. @internal */
export const nativeMethods = ['openAiEs', 'cmaEs', 'spsa', 'meZo', 'eggroll', 'randomSearch'] as const;
/** Names of native/polystep/baselines/descent.hpp's rules, in their order. @internal */
export const nativeOptimizers = ['adam', 'momentum', 'sgd'] as const satisfies readonly OptimizerName[];

/** What every method needs. @internal */
export interface NativeSearchOptions {
  method: number;
  single: boolean;
  dimension: number;
  lower: Float64Array;
  upper: Float64Array;
  seed: number;
  patience: number;
  minDelta: number;
  /** Of the state, for the garbage collector. */
  bytes: number;
}

/** What one of them needs besides. @internal */
export type NativeMethodOptions = Record<string, number | boolean | Float64Array>;

declare const searchBrand: unique symbol;
/** An opaque handle. @internal */
export type NativeSearch = { [searchBrand]: never };

/** @internal */
export interface NativeSearchInfo {
  candidates: number;
  step: number;
  evaluations: number;
  bestValue: number;
  stop: number;
}

/** @internal */
export interface NativeBaselines {
  create(
    options: NativeSearchOptions & NativeMethodOptions,
    initial: Reals,
    objective: object | undefined,
  ): NativeSearch;
  dispose(search: NativeSearch): void;
  info(search: NativeSearch): NativeSearchInfo;
  current(search: NativeSearch): Reals;
  best(search: NativeSearch): Reals;
  candidates(search: NativeSearch, first: number, count: number, view: Reals, threads: number): void;
  finish(search: NativeSearch, losses: Float64Array, threads: number): Float64Array;
  offer(search: NativeSearch, loss: number): void;
  run(search: NativeSearch, steps: number, maxEvaluations: number, run: NativeRun): unknown;
  score(search: NativeSearch, run: NativeRun): unknown;
}

/** The add-on's functions of these searches. @internal */
export const nativeBaselines = native.polystepBaselines as NativeBaselines;
