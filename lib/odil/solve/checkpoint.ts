// Where a run stands, as an object that can be stored and cloned.
import { fail, integer, object, oneOf, type Schema, typedArray } from '../../runtime/validate';
import type { MethodName } from './method-name';

/** Everything a run needs to go on. Its numbers may be stored in any way that keeps float64 exactly. */
export interface Checkpoint {
  /** Of the run. */
  readonly method: MethodName;
  /** Of its arithmetic. */
  readonly precision: 'float64' | 'float32';
  /** Of the problem. */
  readonly unknowns: number;
  /** Those the run was given, its limits apart; they hold when it is resumed unless new ones are given. */
  readonly options: Readonly<Record<string, unknown>>;
  /** State, best state, and what the method remembers. */
  readonly values: Float64Array;
  /** Iterations, evaluations, lengths. */
  readonly counters: Float64Array;
}

/** @internal */
export function checkpointSchema(methods: readonly MethodName[], unknowns: number): Schema<Checkpoint> {
  const members = object({
    method: oneOf(methods),
    precision: oneOf(['float64', 'float32']),
    unknowns: integer({ min: 1 }),
    options: (value: unknown, argument: string) => {
      if (typeof value !== 'object' || value === null) fail('ERR_INVALID_ARG_TYPE', argument, 'an object', value);
      return value as Record<string, unknown>;
    },
    values: typedArray(['Float64Array']),
    counters: typedArray(['Float64Array']),
  });
  return (value, argument) => {
    const checkpoint = members(value, argument);
    if (checkpoint.unknowns !== unknowns) {
      fail('ERR_SHAPE_MISMATCH', `${argument}.unknowns`, `${unknowns}, as of this problem`, checkpoint.unknowns);
    }
    return checkpoint;
  };
}
