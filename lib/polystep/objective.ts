// The ways in which a loss is given.
import { fail, type Schema } from '../runtime/validate';
import type { Reals } from './native';

/**
 * Scores `count` candidates: row i of `view` is view[i D] ... view[(i + 1) D - 1], its loss goes to out[i], or into an
 * array of numbers that is returned. Losses may be NaN or infinite: such candidates are infeasible. `view` is the optimizer's own
 * memory: it must be neither written nor kept. It may return a promise of all that.
 */
export type BatchedLoss = (view: Reals, count: number, out: Reals) => unknown;

/** A loss of block mode that wants to know what changed instead of seeing whole candidates. */
export interface DeltaLoss {
  /** Called once per step: what the candidates of this step differ from. A copy, it may be kept. */
  start(base: Reals, step: number): unknown;
  /**
   * Scores `count` candidates that differ from the base in coordinates first ... first + columns - 1 (those past the
   * dimension are padding): row i of `values` (count x columns) replaces them.
   */
  replacements(
    values: Reals,
    count: number,
    out: Reals,
    block: { readonly first: number; readonly columns: number },
  ): unknown;
}

/** A loss that is evaluated natively, as `polystep.models` and `polystep.functions` make them. */
export interface NativeLoss {
  /** The native object. @internal */
  readonly nativeObjective: object;
  /** D. */
  readonly dimension: number;
  /** Parameter tensors in order, where it has any: what subspaces are laid out by. */
  readonly tensors?: readonly {
    /** Extents; the first one counts rows. */
    readonly shape: readonly number[];
  }[];
  /** Steps in which all of its data are looked at once, where it has any. */
  readonly stepsPerEpoch?: number;
  /** Whether blocks are best updated one after the other. */
  readonly sequential?: boolean;
  /** Whether its outputs are spikes: see the warning of `preset: 'paper'` with a scheduled step radius. */
  readonly spiking?: boolean;
  /** A start that suits it. */
  initialParameters?(options: { seed?: number }): Reals;
  /**
   * Options that suit a search of so many steps: the default preset takes them in block mode without a subspace, unless
   * one of those that only go `together` is given.
   */
  suitableOptions?(steps: number): {
    /** Options of an optimizer, taken where nothing else is given. */
    readonly options: object;
    /** Names of options: any of them given, and none of the others is taken. */
    readonly together: readonly string[];
  };
}

/** A loss to minimise. */
export type Objective = BatchedLoss | DeltaLoss | NativeLoss;

/** @internal */
export function isNative(objective: Objective | undefined): objective is NativeLoss {
  return typeof objective === 'object' && 'nativeObjective' in objective;
}

/** @internal */
export function isDelta(objective: Objective | undefined): objective is DeltaLoss {
  return typeof objective === 'object' && 'replacements' in objective;
}

/** @internal */
export const objectiveSchema: Schema<Objective> = (value, argument) => {
  const given = value as Partial<NativeLoss & DeltaLoss> | null | undefined;
  const known =
    typeof value === 'function' ||
    (typeof given === 'object' &&
      given !== null &&
      ((given.nativeObjective !== undefined && typeof given.dimension === 'number') ||
        (typeof given.replacements === 'function' && typeof given.start === 'function')));
  if (!known) {
    fail('ERR_INVALID_ARG_TYPE', argument, 'a function, { start, replacements } or a native objective', value);
  }
  return value as Objective;
};
