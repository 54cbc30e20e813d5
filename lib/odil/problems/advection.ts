// Linear advection around a ring, forward or with the velocity unknown (odil.md, section 6.10).
import { integer, number, object, optional, parse, withDefault } from '../../runtime/validate';
import { type Expression, type Field, type Value, where } from '../expression';
import { grid } from '../grid';
import { problem, type Tools } from '../definition';
import { withReference, type WithReference } from './reference';

/** Options of `problems.advection`. */
export interface AdvectionOptions {
  /** Steps of time, at least 1; default 64. Values lie at the nodes between them. */
  timeCells?: number;
  /** Cells in space, at least 3; default 64. */
  cells?: number;
  /** Velocity; default 1: once around. */
  velocity?: number;
  /** Standard deviation of the Gaussian at the start; default 0.1. */
  width?: number;
  /** Infer the velocity from the last state; default: it is known. */
  inferVelocity?: {
    /** Where the velocity starts; default 0. */
    initial?: number;
    /** Weight of the last state; default 1. */
    dataWeight?: number;
  };
}

const schema = object({
  timeCells: withDefault(integer({ min: 1 }), 64),
  cells: withDefault(integer({ min: 3 }), 64),
  velocity: withDefault(number(), 1),
  width: withDefault(number({ above: 0 }), 0.1),
  inferVelocity: optional(
    object({ initial: withDefault(number(), 0), dataWeight: withDefault(number({ min: 0 }), 1) }),
  ),
});

/**
 * u_t + c u_x = 0 for t in [0, 1], x in [0, 1], periodic, Crank-Nicolson in time, central in space: field `u` at nodes
 * in time and cells in space, block `advection` (row 0: the initial values). With `inferVelocity` also the parameter
 * `velocity` and the block `data` (last row).
 */
export function advection(options: AdvectionOptions = {}): WithReference {
  const given = parse(options, 'options', schema);
  const { velocity, width, inferVelocity } = given;
  const of = grid({ t: { cells: given.timeCells }, x: { cells: given.cells, periodic: true } });
  const exact = (t: number, x: number): number => {
    const distance = x - 0.5 - velocity * t;
    const nearest = distance - Math.round(distance);
    const images = [-2, -1, 0, 1, 2].map((turn) => Math.exp(-0.5 * ((nearest - turn) / width) ** 2));
    return images.reduce((total, image) => total + image, 0);
  };
  type Known = Pick<Tools<'t' | 'x'>, 'at' | 'step' | 'constant'> & { u: Field };
  const equation = ({ u, at, step, constant }: Known, speed: Value): Expression => {
    const before = u.shift({ t: -1 });
    const mean = u.plus(before).over(2);
    const slope = mean
      .shift({ x: 1 })
      .minus(mean.shift({ x: -1 }))
      .over(2 * step.x);
    const start = constant(
      of.sample('.c', (x) => exact(0, x)),
      '.c',
    );
    return where(at.t.first, u.minus(start), u.minus(before).over(step.t).plus(slope.times(speed)));
  };
  const u = of.sample('nc', exact);
  if (inferVelocity === undefined) {
    const forward = problem({ grid: of, fields: { u: 'nc' } }, (symbols) => ({
      advection: equation(symbols, velocity),
    }));
    return withReference(forward, { u });
  }
  const unknowns = {
    grid: of,
    fields: { u: 'nc' },
    parameters: { velocity: { initial: [inferVelocity.initial] } },
  };
  const inverse = problem(unknowns, (symbols) => {
    const last = symbols.constant(
      of.sample('.c', (x) => exact(1, x)),
      '.c',
    );
    const misfit = symbols.u.minus(last).times(inferVelocity.dataWeight);
    return { advection: equation(symbols, symbols.velocity), data: where(symbols.at.t.last, misfit, 0) };
  });
  return withReference(inverse, { u, velocity: Float64Array.of(velocity) });
}
