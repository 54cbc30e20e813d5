// Steady flow in a box whose lid moves (odil.md, section 6.8): collocated cells, Rhie-Chow fluxes, second-order upwind
// by deferred correction with a frozen velocity.
import { integer, number, object, optional, parse, typedArray, withDefault } from '../../runtime/validate';
import { abs, type Expression, sum, type Value } from '../expression';
import { grid } from '../grid';
import { problem } from '../definition';
import type { Problem } from '../problem';
import { convection, curvature, divergence, faceFlux, type Line, slope } from './flow';
import { linear, neighbours, quadraticWall } from './halo';
import { measuredPoints, perPoint } from './measurements';

/** Options of `problems.cavity`. */
export interface CavityOptions {
  /** Cells along each axis, at least 3; default 64. */
  cells?: number;
  /** Reynolds number; default 100. */
  reynolds?: number;
  /** Measured velocities; what the walls do is then unknown: velocities go straight on beyond them. */
  data?: {
    /** 1 in cells with a measurement, else 0. */
    mask: Float64Array | readonly number[];
    /** Measured velocity along x, one per cell. */
    u: Float64Array | readonly number[];
    /** Measured velocity along y, one per cell. */
    v: Float64Array | readonly number[];
    /** Weight; default 1. */
    weight?: number;
  };
  /** Weight of the second derivatives of the velocity as regularisers; default 0: no blocks. */
  smoothness?: number;
}

const schema = object({
  cells: withDefault(integer({ min: 3 }), 64),
  reynolds: withDefault(number({ above: 0 }), 100),
  data: optional(
    object({
      mask: typedArray(['Float64Array']),
      u: typedArray(['Float64Array']),
      v: typedArray(['Float64Array']),
      weight: withDefault(number({ min: 0 }), 1),
    }),
  ),
  smoothness: withDefault(number({ min: 0 }), 0),
});

/**
 * Navier-Stokes on the unit square, lid at y = 1 moving with velocity 1 along x: fields `u`, `v`, `p` at cells, blocks
 * `momentumX`, `momentumY`, `continuity` and, where asked for, `dataU`, `dataV`, `smoothUxx`, `smoothUyy`, `smoothVxx`,
 * `smoothVyy`. The level of the pressure is free: solvers need damping. The convecting velocity is frozen, so that
 * Gauss-Newton converges linearly (Picard).
 */
export function cavity(options: CavityOptions = {}): Problem {
  const given = parse(options, 'options', schema);
  const { cells, data, smoothness } = given;
  const of = grid({ x: { cells }, y: { cells } });
  const viscosity = 1 / given.reynolds;
  return problem({ grid: of, fields: { u: 'cc', v: 'cc', p: 'cc' } }, ({ u, v, p, at, step, constant }) => {
    const line = (value: Expression, axis: 'x' | 'y', low: Value | undefined, high: Value | undefined): Line => {
      const wall = (velocity: Value | undefined) => (inner: Expression, edge: Expression) =>
        velocity === undefined ? linear(inner, edge) : quadraticWall(inner, edge, velocity);
      const sides = neighbours(value, axis, at[axis], { low: wall(low), high: wall(high) });
      return { axis, at: at[axis], step: step[axis], centre: value, ...sides };
    };
    const still = data === undefined ? 0 : undefined;
    const lid = data === undefined ? 1 : undefined;
    const lines = {
      u: { x: line(u, 'x', still, still), y: line(u, 'y', still, lid) },
      v: { x: line(v, 'x', still, still), y: line(v, 'y', still, still) },
      p: { x: line(p, 'x', undefined, undefined), y: line(p, 'y', undefined, undefined) },
    };
    const wind = { x: u.frozen(), y: v.frozen() };
    const momentum = (of: { x: Line; y: Line }, pressure: Line): Expression =>
      sum(
        convection(of.x, wind.x),
        convection(of.y, wind.y),
        curvature(of.x).plus(curvature(of.y)).times(-viscosity),
        slope(pressure),
      );
    const rate = sum(abs(wind.x).over(step.x), abs(wind.y).over(step.y), 2 * viscosity * (step.x ** -2 + step.y ** -2));
    const leaving = (velocity: Expression, pressure: Line): Expression => {
      const { mean, damping } = faceFlux(velocity, pressure, rate.power(-1));
      return divergence(pressure, mean.plus(damping), { low: 0, high: 0 });
    };
    const blocks: Record<string, Expression> = {
      momentumX: momentum(lines.u, lines.p.x),
      momentumY: momentum(lines.v, lines.p.y),
      continuity: leaving(u, lines.p.x).plus(leaving(v, lines.p.y)),
    };
    if (data !== undefined) {
      const count = cells * cells;
      const points = measuredPoints(data.mask, count, 'options.data.mask');
      const scale = constant(data.mask).times((data.weight * count) / points);
      blocks['dataU'] = scale.times(u.minus(constant(perPoint(data.u, count, 'options.data.u'))));
      blocks['dataV'] = scale.times(v.minus(constant(perPoint(data.v, count, 'options.data.v'))));
    }
    if (smoothness > 0) {
      blocks['smoothUxx'] = curvature(lines.u.x).times(smoothness);
      blocks['smoothUyy'] = curvature(lines.u.y).times(smoothness);
      blocks['smoothVxx'] = curvature(lines.v.x).times(smoothness);
      blocks['smoothVyy'] = curvature(lines.v.y).times(smoothness);
    }
    return blocks;
  });
}
