// The van der Pol oscillator, all steps of implicit Euler at once (odil.md, section 6.7): what least squares finds is
// what solving step by step finds.
import { integer, number, object, parse, withDefault } from '../../runtime/validate';
import { type Expression, where } from '../expression';
import { grid } from '../grid';
import { problem } from '../definition';
import type { Problem } from '../problem';

/** Options of `problems.compare`. */
export interface CompareOptions {
  /** Steps of time, at least 1; default 25. */
  steps?: number;
  /** Length of a step; default 0.1. */
  timeStep?: number;
  /** Strength of the damping; default 2. */
  damping?: number;
  /** Position and velocity at the start; default 2 and 0. */
  start?: {
    /** Position; default 2. */
    x?: number;
    /** Velocity; default 0. */
    y?: number;
  };
}

const schema = object({
  steps: withDefault(integer({ min: 1 }), 25),
  timeStep: withDefault(number({ above: 0 }), 0.1),
  damping: withDefault(number(), 2),
  start: withDefault(object({ x: withDefault(number(), 2), y: withDefault(number(), 0) }), { x: 2, y: 0 }),
});

/** x' = y, y' = m (1 - x^2) y - x: fields `x`, `y`, one value per step (the start left out), blocks of those names. */
export function compare(options: CompareOptions = {}): Problem {
  const { steps, timeStep, damping, start } = parse(options, 'options', schema);
  const of = grid({ t: { cells: steps, upper: steps * timeStep } });
  const constantly = (value: number) => ({ location: 'c', initial: new Float64Array(steps).fill(value) });
  return problem({ grid: of, fields: { x: constantly(start.x), y: constantly(start.y) } }, ({ x, y, at }) => {
    const rate = (value: Expression, from: number): Expression =>
      value.minus(where(at.t.first, from, value.shift({ t: -1 }))).over(timeStep);
    const force = y.times(x.square().negative().plus(1)).times(damping).minus(x);
    return { x: rate(x, start.x).minus(y), y: rate(y, start.y).minus(force) };
  });
}
