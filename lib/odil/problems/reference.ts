// Problems that know their solution.
import type { Problem } from '../problem';

/** A problem with its exact solution. */
export type WithReference = Problem & {
  /** Exact values of the unknowns, by name. */
  readonly reference: Readonly<Record<string, Float64Array>>;
};

/** @internal */
export function withReference(problem: Problem, reference: Readonly<Record<string, Float64Array>>): WithReference {
  return Object.assign(problem, { reference });
}
