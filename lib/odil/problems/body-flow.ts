// Flow past a body, and the body's shape from velocities around it (odil.md, section 6.9).
import {
  arrayOf,
  fail,
  integer,
  number,
  object,
  oneOf,
  optional,
  parse,
  typedArray,
  withDefault,
} from '../../runtime/validate';
import { abs, type AxisPosition, type Expression, type Field, sigmoid, sum, type Value, where } from '../expression';
import { type Grid, grid } from '../grid';
import { problem, type Residuals, type Tools } from '../definition';
import type { Problem } from '../problem';
import { convection, curvature, divergence, faceFlux, type Line, slope } from './flow';
import { linear, neighbours, quadratic, quadraticWall } from './halo';
import { measuredPoints, perPoint } from './measurements';

const shapes = ['circle', 'ellipse', 'half'] as const;

/** Options of `problems.bodyFlow`. */
export interface BodyFlowOptions {
  /** 2 (default) or 3. */
  dimensions?: 2 | 3;
  /** Cells across the channel, at least 3; it is twice as long: 2 (cells - 1) + 1. Default 65. */
  cells?: number;
  /** Reynolds number of the body's diameter; default 60. */
  reynolds?: number;
  /** Radius of the body; default 0.2. */
  radius?: number;
  /** A known body; without it the body is unknown and `data` must say something. */
  body?: (typeof shapes)[number];
  /** Measured velocities. */
  data?: {
    /** 1 in cells with a measurement, else 0. */
    mask: Float64Array | readonly number[];
    /** Measured velocities along each axis, one array each. */
    velocities: readonly (Float64Array | readonly number[])[];
    /** Weight; default 1. */
    weight?: number;
  };
  /** `'official'`: the flux through upper faces is damped twice as much as through lower ones, as published. */
  compat?: 'official';
}

const schema = object({
  dimensions: withDefault(integer({ min: 2, max: 3 }), 2),
  cells: withDefault(integer({ min: 3 }), 65),
  reynolds: withDefault(number({ above: 0 }), 60),
  radius: withDefault(number({ above: 0, max: 0.5 }), 0.2),
  body: optional(oneOf(shapes)),
  data: optional(
    object({
      mask: typedArray(['Float64Array']),
      velocities: arrayOf(typedArray(['Float64Array']), { min: 2 }),
      weight: withDefault(number({ min: 0 }), 1),
    }),
  ),
  compat: optional(oneOf(['official'])),
});
type Given = ReturnType<typeof schema>;
type AxisName = 'x' | 'y' | 'z';

const allAxes: readonly AxisName[] = ['x', 'y', 'z'];
const rhieChowWeight = 0.1;
const obstacleWeight = 1;

/** How far inside the body a point is; the ellipse to first order near its rim. */
function depth(shape: (typeof shapes)[number], radius: number, [x, y, z]: readonly [number, number, number]): number {
  if (shape === 'circle') return radius - Math.hypot(x, y, z);
  if (shape === 'half') return Math.min(radius - Math.hypot(x, y, z), -y);
  const [long, short] = [1.25 * radius, (1.25 * radius) / 3];
  const [along, across] = [(x + y) * Math.SQRT1_2, (y - x) * Math.SQRT1_2];
  const size = Math.hypot(along / long, across / short, z / long);
  const rise = Math.hypot(along / long ** 2, across / short ** 2, z / long ** 2);
  return rise === 0 ? short : (size * (1 - size)) / rise;
}

/**
 * The part of each cell that a body around (0.5, 0.5) fills, on the grid of a flow problem: what the solution's
 * `fraction` is to be compared with.
 */
export function bodyFraction(of: Grid, shape: (typeof shapes)[number], radius = 0.2): Float64Array {
  const location = 'c'.repeat(of.axes.length);
  const width = (of.axes[0] as Grid['axes'][number]).step;
  return of.sample(location, (...at) => {
    const [x, y, z] = [0, 1, 2].map((k) => (at[k] ?? 0.5) - 0.5) as [number, number, number];
    return Math.min(1, Math.max(0, 0.5 + depth(shape, radius, [x, y, z]) / width));
  });
}

interface Flow {
  given: Given;
  axes: readonly AxisName[];
  velocities: readonly Expression[];
  pressure: Expression;
  fraction: Expression;
  cells: readonly number[];
  at: Tools['at'];
  step: Tools['step'];
  constant: Tools['constant'];
}

function residuals({ given, axes, velocities, pressure, fraction, cells, at, step, constant }: Flow): Residuals {
  const along = (axis: AxisName): { at: AxisPosition; step: number } => ({
    at: at[axis] as AxisPosition,
    step: step[axis] as number,
  });
  type Wall = (inner: Expression, edge: Expression) => Expression;
  const line = (value: Expression, axis: AxisName, low: Wall, high: Wall): Line => {
    const sides = neighbours(value, axis, along(axis).at, { low, high });
    return { axis, ...along(axis), centre: value, ...sides };
  };
  const held =
    (velocity: Value): Wall =>
    (inner, edge) =>
      quadraticWall(inner, edge, velocity);
  // Inflow on x, no flow through the sides, everything else goes straight on.
  const velocityLine = (component: AxisName, axis: AxisName): Line => {
    const value = velocities[axes.indexOf(component)] as Expression;
    if (axis === 'x') return line(value, axis, held(component === 'x' ? 1 : 0), linear);
    return component === axis ? line(value, axis, held(0), held(0)) : line(value, axis, linear, linear);
  };
  const viscosity = (2 * given.radius) / given.reynolds;
  const winds = velocities.map((velocity) => velocity.frozen());
  const pressures = axes.map((axis) => line(pressure, axis, linear, linear));
  const fluid = fraction.negative().plus(1);

  const blocks: Record<string, Expression> = {};
  axes.forEach((component, k) => {
    const forces = axes.map((axis, j) => {
      const own = velocityLine(component, axis);
      return convection(own, winds[j] as Expression, (inner, edge, halo) => quadratic(halo, edge, inner)).minus(
        curvature(own).times(viscosity),
      );
    });
    const momentum = sum(...forces, slope(pressures[k] as Line));
    const hold = fraction.times(velocities[k] as Expression).times(obstacleWeight);
    blocks[`momentum${component.toUpperCase()}`] = fluid.times(momentum).plus(hold);
  });

  const rate = sum(
    ...axes.map((axis, k) =>
      abs(winds[k] as Expression)
        .over(along(axis).step)
        .plus((2 * viscosity) / along(axis).step ** 2),
    ),
  );
  const leaving = axes.map((axis, k) => {
    const { mean, damping } = faceFlux(velocities[k] as Expression, pressures[k] as Line, fluid.over(rate));
    const low = mean.plus(damping.times(rhieChowWeight));
    const high = given.compat === 'official' ? mean.plus(damping.times(2 * rhieChowWeight)) : low;
    const outside = { low: axis === 'x' ? 1 : 0, high: 0 }; // the outlet is never asked for: its column fixes p
    return divergence(pressures[k] as Line, low, outside, high);
  });
  blocks['continuity'] = where(along('x').at.last, pressure, sum(...leaving));

  if (given.data !== undefined) {
    const { mask, velocities: known, weight } = given.data;
    const count = cells.reduce((product, one) => product * one, 1);
    const points = measuredPoints(mask, count, 'options.data.mask');
    const scale = constant(mask).times((weight * count) / points);
    if (known.length !== axes.length) {
      fail('ERR_SHAPE_MISMATCH', 'options.data.velocities', `${axes.length} arrays, one per axis`, known);
    }
    axes.forEach((axis, k) => {
      const measured = constant(perPoint(known[k] as Float64Array, count, `options.data.velocities[${k}]`));
      blocks[`data${axis.toUpperCase()}`] = scale.times((velocities[k] as Expression).minus(measured));
    });
  }
  return blocks;
}

/**
 * Steady Navier-Stokes in a channel 2 x 1 (x 1), inflow 1 at x = 0, with a body that holds the fluid where its fraction
 * is 1: fields `vx`, `vy` (`vz`), `p` at cells, blocks `momentumX`, ..., `continuity` (whose last column fixes the
 * pressure at the outlet) and, with data, `dataX`, .... Without `body` also the field `shape`, from which the fraction
 * is 1 / (1 + e^(5 - shape)). The convecting velocity is frozen, so that Gauss-Newton converges linearly.
 */
export function bodyFlow(options: BodyFlowOptions = {}): Problem {
  const given = parse(options, 'options', schema);
  const axes = allAxes.slice(0, given.dimensions);
  const cells = { x: 2 * (given.cells - 1) + 1, y: given.cells, z: given.cells };
  const of = grid(Object.fromEntries(axes.map((axis) => [axis, { cells: cells[axis], upper: axis === 'x' ? 2 : 1 }])));
  const location = 'c'.repeat(axes.length);
  const velocityNames = axes.map((axis) => `v${axis}`);
  const ones = of.sample(location, () => 1);
  const fields = Object.fromEntries(
    [...velocityNames, 'p', ...(given.body === undefined ? ['shape'] : [])].map((name) => [
      name,
      name === 'vx' ? { location, initial: ones } : location,
    ]),
  );
  return problem({ grid: of, fields }, (symbols) => {
    const named = symbols as Readonly<Record<string, Field>>;
    const { at, step, constant } = symbols as Tools;
    return residuals({
      given,
      axes,
      velocities: velocityNames.map((name) => named[name] as Field),
      pressure: named['p'] as Field,
      fraction:
        given.body === undefined
          ? sigmoid((named['shape'] as Field).minus(5))
          : constant(bodyFraction(of, given.body, given.radius)),
      cells: of.axes.map((axis) => axis.cells),
      at,
      step,
      constant,
    });
  });
}
