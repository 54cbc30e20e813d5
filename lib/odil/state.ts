// The values of all unknowns, and what is found by evaluating a problem there.
import { fail, object, optional, type Schema } from '../runtime/validate';
import type { Reals } from './native';

/** Values of all unknowns; all of one type. */
export interface State<Array_ extends Reals = Reals> {
  /** By name, row-major. */
  fields: Record<string, Array_>;
  /** By name. */
  parameters?: Record<string, Array_>;
  /** Weights by name. */
  networks?: Record<string, Array_>;
}

/** How blocks of different sizes are weighed: sum of the means of squares, or of all squares. */
export type Normalization = 'mean' | 'sum';

/** One block at one state. */
export interface BlockSummary {
  /** Number of residuals. */
  count: number;
  /** Root of their mean square. */
  norm: number;
  /** Contribution to the loss. */
  loss: number;
}

/** What `evaluate` finds. */
export interface ProblemEvaluation<Array_ extends Reals = Reals> {
  /** Residuals by block, row-major. */
  residuals: Record<string, Array_>;
  /** Per block: number of residuals, root of their mean square, contribution to the loss. */
  blocks: Record<string, BlockSummary>;
  /** Sum of the contributions. */
  loss: number;
}

/** @internal */
export const recordSchema: Schema<Record<string, unknown>> = (value, argument) => {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) {
    fail('ERR_INVALID_ARG_TYPE', argument, 'an object of arrays by name', value);
  }
  return value as Record<string, unknown>;
};

const stateMembers = object({
  fields: recordSchema,
  parameters: optional(recordSchema),
  networks: optional(recordSchema),
});

/** A state, or anything that is one beside other things: a solution. @internal */
export const stateSchema: typeof stateMembers = (value, argument) => {
  if (typeof value !== 'object' || value === null) fail('ERR_INVALID_ARG_TYPE', argument, 'an object', value);
  const { fields, parameters, networks } = value as Record<string, unknown>;
  return stateMembers({ fields, parameters, networks }, argument);
};
