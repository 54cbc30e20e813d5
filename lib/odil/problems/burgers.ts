// Burgers' equation, forward or with the viscosity unknown (odil.md, section 6.10).
import { integer, number, object, optional, parse, typedArray, withDefault } from '../../runtime/validate';
import { type Expression, type Field, max, min, sum, type Value, where } from '../expression';
import { grid } from '../grid';
import { problem, type Tools } from '../definition';
import type { Problem } from '../problem';
import { neighbours, quadraticWall } from './halo';
import { measuredPoints, perPoint } from './measurements';

/** Options of `problems.burgers`. */
export interface BurgersOptions {
  /** Steps of time, at least 1; default 64. Values lie at the nodes between them. */
  timeCells?: number;
  /** Cells in space, at least 2; default 128. */
  cells?: number;
  /** Viscosity; default 0.01 / pi. */
  viscosity?: number;
  /** Initial values, one per cell; default -sin(pi x). */
  initial?: Float64Array | readonly number[];
  /** Infer the viscosity from measurements; default: it is known. */
  inferViscosity?: {
    /** Where the viscosity starts; default 0.1. */
    initial?: number;
    /** 1 where there is a measurement, else 0; one per node in time and cell in space. */
    mask: Float64Array | readonly number[];
    /** Measured values, as many. */
    values: Float64Array | readonly number[];
    /** Weight; default 1. */
    dataWeight?: number;
  };
}

const schema = object({
  timeCells: withDefault(integer({ min: 1 }), 64),
  cells: withDefault(integer({ min: 2 }), 128),
  viscosity: withDefault(number({ min: 0 }), 0.01 / Math.PI),
  initial: optional(typedArray(['Float64Array'])),
  inferViscosity: optional(
    object({
      initial: withDefault(number({ min: 0 }), 0.1),
      mask: typedArray(['Float64Array']),
      values: typedArray(['Float64Array']),
      dataWeight: withDefault(number({ min: 0 }), 1),
    }),
  ),
});

type Known = Pick<Tools<'t' | 'x'>, 'at' | 'step' | 'constant'> & { u: Field };

function equation({ u, at, step, constant }: Known, initial: Float64Array, viscosity: Value): Expression {
  // Engquist and Osher's flux: conservative, against the wind, with a continuous derivative.
  const flux = (left: Expression, right: Expression): Expression =>
    max(left, 0).square().plus(min(right, 0).square()).over(2);
  const lower = where(at.x.first, 0, flux(u.shift({ x: -1 }), u));
  const upper = where(at.x.last, 0, flux(u, u.shift({ x: 1 })));
  const wall = (inner: Expression, edge: Expression): Expression => quadraticWall(inner, edge, 0);
  const { minus, plus } = neighbours(u, 'x', at.x, { low: wall, high: wall });
  const curvature = sum(minus, u.times(-2), plus).over(step.x ** 2);
  const rate = u.minus(u.shift({ t: -1 })).over(step.t);
  const change = rate.plus(upper.minus(lower).over(step.x)).minus(curvature.times(viscosity));
  return where(at.t.first, u.minus(constant(initial, '.c')), change);
}

/**
 * u_t + (u^2 / 2)_x = nu u_xx for t in [0, 1], x in [-1, 1], zero walls, implicit Euler, first-order upwind: field `u`
 * at nodes in time and cells in space, block `burgers` (row 0: the initial values). With `inferViscosity` also the
 * parameter `viscosity` and the block `data`, whose mean square is that over the measurements.
 */
export function burgers(options: BurgersOptions = {}): Problem {
  const given = parse(options, 'options', schema);
  const { inferViscosity } = given;
  const of = grid({ t: { cells: given.timeCells }, x: { cells: given.cells, lower: -1, upper: 1 } });
  const known = given.initial && perPoint(given.initial, given.cells, 'options.initial');
  const initial = known ?? of.sample('.c', (x) => -Math.sin(Math.PI * x));
  if (inferViscosity === undefined) {
    return problem({ grid: of, fields: { u: 'nc' } }, (symbols) => ({
      burgers: equation(symbols, initial, given.viscosity),
    }));
  }
  const { mask, values, dataWeight } = inferViscosity;
  const nodes = (given.timeCells + 1) * given.cells;
  const points = measuredPoints(mask, nodes, 'options.inferViscosity.mask');
  perPoint(values, nodes, 'options.inferViscosity.values');
  const unknowns = {
    grid: of,
    fields: { u: 'nc' },
    parameters: { viscosity: { initial: [inferViscosity.initial] } },
  };
  return problem(unknowns, (symbols) => {
    const scale = symbols.constant(mask, 'nc').times(dataWeight * Math.sqrt(nodes / points));
    const misfit = symbols.u.minus(symbols.constant(values, 'nc'));
    return { burgers: equation(symbols, initial, symbols.viscosity), data: scale.times(misfit) };
  });
}
