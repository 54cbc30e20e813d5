// A velocity that carries a tracer from its first state to its last (odil.md, section 6.6).
import { integer, number, object, oneOf, optional, parse, withDefault } from '../../runtime/validate';
import { type Expression, sum, where } from '../expression';
import { grid } from '../grid';
import { problem } from '../definition';
import type { Problem } from '../problem';

/** Options of `problems.velocityFromTracer`. */
export interface VelocityFromTracerOptions {
  /** Cells in time; default 64. Values lie at the nodes between them. */
  timeCells?: number;
  /** Cells along x and y; default 64 each. */
  cells?: {
    /** Default 64. */
    x?: number;
    /** Default 64. */
    y?: number;
  };
  /** Weight of the last state; default 10. */
  finalWeight?: number;
  /** Weights of the velocity's Laplacian and of its change in time; default 0.01 and 1. */
  smoothness?: {
    /** Of the Laplacians. */
    space?: number;
    /** Of the changes in time. */
    time?: number;
  };
  /**
   * `'official'`: the last state is imposed one row too early, as the published code does. Default: on the last row.
   */
  compat?: 'official';
}

const cells = withDefault(integer({ min: 2 }), 64);
const schema = object({
  timeCells: withDefault(integer({ min: 1 }), 64),
  cells: withDefault(object({ x: cells, y: cells }), { x: 64, y: 64 }),
  finalWeight: withDefault(number({ min: 0 }), 10),
  smoothness: withDefault(
    object({ space: withDefault(number({ min: 0 }), 0.01), time: withDefault(number({ min: 0 }), 1) }),
    { space: 0.01, time: 1 },
  ),
  compat: optional(oneOf(['official'])),
});

/** A blob that is at (0.3, 0.3) and round at t = 0, at (0.5, 0.5) and stretched at t = 1. */
function blob(t: number, x: number, y: number): number {
  const dx = (x - 0.2 * t - 0.3) * (1 + t);
  const dy = (y - 0.2 * t - 0.3) / (1 + t);
  return Math.max(0, 1 - (dx * dx + dy * dy) / 0.04) ** 0.2;
}

/**
 * u_t + vx u_x + vy u_y = 0 on the unit cube, periodic in space, first-order upwind: fields `u`, `vx`, `vy` at nodes in
 * time and cells in space, blocks `advection` (row 0: the first state), `final`, `smoothX`, `smoothY` (Laplacians of the
 * velocity), `steadyX`, `steadyY` (its change in time). The side of the upwind difference carries no derivative.
 */
export function velocityFromTracer(options: VelocityFromTracerOptions = {}): Problem {
  const given = parse(options, 'options', schema);
  const of = grid({
    t: { cells: given.timeCells },
    x: { cells: given.cells.x, periodic: true },
    y: { cells: given.cells.y, periodic: true },
  });
  const location = 'ncc';
  return problem(
    { grid: of, fields: { u: location, vx: location, vy: location } },
    ({ u, vx, vy, at, step, constant }) => {
      const state = (t: number) =>
        constant(
          of.sample('.cc', (x, y) => blob(t, x, y)),
          '.cc',
        );
      const first = state(0);
      const before = u.shift({ t: -1 });
      const along = (axis: 'x' | 'y', velocity: Expression): Expression => {
        const [minus, plus] = [before.shift({ [axis]: -1 }), before.shift({ [axis]: 1 })];
        const still = where(velocity.lessThan(0), plus.minus(before), plus.minus(minus).over(2));
        const upwind = where(velocity.greaterThan(0), before.minus(minus), still);
        return velocity.times(upwind).over(step[axis]);
      };
      const known = where(at.t.is(1), first, before);
      const advection = sum(u.minus(known).over(step.t), along('x', vx), along('y', vy));
      const finalRow = at.t.is(given.compat === 'official' ? given.timeCells - 1 : given.timeCells);
      const smooth = (v: Expression): Expression => {
        const second = (axis: 'x' | 'y') =>
          sum(v.shift({ [axis]: -1 }), v.times(-2), v.shift({ [axis]: 1 })).over(step[axis] ** 2);
        return second('x').plus(second('y')).times(given.smoothness.space);
      };
      const steady = (v: Expression): Expression =>
        where(at.t.first, 0, v.minus(v.shift({ t: -1 })).times(given.smoothness.time / step.t));
      return {
        advection: where(at.t.first, u.minus(first).over(step.x), advection),
        final: where(finalRow, u.minus(state(1)).times(given.finalWeight / step.x), 0),
        smoothX: smooth(vx),
        smoothY: smooth(vy),
        steadyX: steady(vx),
        steadyY: steady(vy),
      };
    },
  );
}
