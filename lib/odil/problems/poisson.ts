// The Poisson equation on the unit cube with zero walls (odil.md, section 6.1).
import { fail, integer, object, oneOf, parse, withDefault } from '../../runtime/validate';
import { type AxisPosition, type Expression, sum, where } from '../expression';
import { type Grid, grid } from '../grid';
import { problem } from '../definition';
import type { Problem } from '../problem';
import { neighbours, quadraticWall } from './halo';
import { withReference, type WithReference } from './reference';

/** Options of `problems.poisson`. */
export interface PoissonOptions {
  /** Cells along each axis, at least 2; default 32. */
  cells?: number;
  /** Axes, 1 to 5; default 2. */
  dimensions?: number;
  /** Exact solution: `'hat'` (default), flat in the middle, or `'osc'` (two axes), oscillating. */
  reference?: 'hat' | 'osc';
  /**
   * `'discrete'` (default): the operator applied to the exact solution, which is then the solution of the discrete
   * problem to rounding; `'exact'` (`'osc'` only): the Laplacian by formula, so that the error is the method's own.
   */
  rightHandSide?: 'discrete' | 'exact';
  /**
   * Adds so many blocks with the residuals averaged over 2, 4, ... cells along each axis, which tell gradient methods what
   * is wrong on a large scale; cells must halve as often. Default 0. Their norms are those of the averages.
   */
  multigridLoss?: number;
}

const schema = object({
  cells: withDefault(integer({ min: 2, max: 2 ** 20 }), 32),
  dimensions: withDefault(integer({ min: 1, max: 5 }), 2),
  reference: withDefault(oneOf(['hat', 'osc']), 'hat'),
  rightHandSide: withDefault(oneOf(['discrete', 'exact']), 'discrete'),
  multigridLoss: withDefault(integer({ min: 0, max: 5 }), 0),
});

const axisNames = ['x', 'y', 'z', 'v', 'w'];
const waves = 2; // k of the oscillating solution

function exactValue(reference: 'hat' | 'osc'): (...at: number[]) => number {
  if (reference === 'osc') {
    return (x, y) => Math.sin(Math.PI * (waves * x) ** 2) * Math.sin(Math.PI * y);
  }
  return (...at) => {
    const fifth = at.reduce((product, x) => product * 5 * x * (1 - x), 1) ** 5;
    return (fifth / (1 + fifth)) ** 0.2;
  };
}

function exactLaplacian(x: number, y: number): number {
  const phase = Math.PI * (waves * x) ** 2;
  const curvature = (-4 * waves ** 4 * Math.PI ** 2 * x ** 2 - Math.PI ** 2) * Math.sin(phase);
  return (curvature + 2 * waves ** 2 * Math.PI * Math.cos(phase)) * Math.sin(Math.PI * y);
}

/**
 * Means of `fine` over 2, 4, ... cells along each axis. The mean of a coarse cell is taken at its first fine cell; `chosen`
 * is zero at the others, and large enough at these that the mean of squares is that over coarse cells.
 */
function averages(
  fine: Expression,
  levels: number,
  { of, at, cells }: { of: Grid; at: Readonly<Record<string, AxisPosition>>; cells: number },
): { mean: Expression; chosen: Float64Array }[] {
  const result: { mean: Expression; chosen: Float64Array }[] = [];
  let mean = fine;
  for (let width = 2; width <= 2 ** levels; width *= 2) {
    for (const [name, position] of Object.entries(at)) {
      const step = width / 2;
      mean = mean.plus(where(position.below(cells - step), mean.shift({ [name]: step }), 0)).over(2);
    }
    const weight = width ** (of.names.length / 2);
    const chosen = of.sample('c'.repeat(of.names.length), (...point) =>
      point.every((x) => Math.floor(x * cells) % width === 0) ? weight : 0,
    );
    result.push({ mean, chosen });
  }
  return result;
}

/** Laplacian u = f on the unit cube, u = 0 on its walls; field `u` at cells, block `poisson`, and `coarse1`, ... where `multigridLoss` asks for them. */
export function poisson(options: PoissonOptions = {}): WithReference {
  const given = parse(options, 'options', schema);
  const { cells, reference } = given;
  if (reference === 'osc') {
    parse(given.dimensions, "options.dimensions (with reference: 'osc')", integer({ min: 2, max: 2 }));
  } else {
    parse(given.rightHandSide, "options.rightHandSide (with reference: 'hat')", oneOf(['discrete']));
  }
  if (cells % 2 ** given.multigridLoss !== 0) {
    fail('ERR_OUT_OF_RANGE', 'options.multigridLoss', `how often ${cells} cells halve, or less`, given.multigridLoss);
  }
  const names = axisNames.slice(0, given.dimensions);
  const of = grid(Object.fromEntries(names.map((name) => [name, { cells }])));
  const location = 'c'.repeat(names.length);
  const u = of.sample(location, exactValue(reference));
  const make = (known: Float64Array): Problem =>
    problem({ grid: of, fields: { u: location } }, ({ u: field, at, step, constant }) => {
      const second = names.map((name): Expression => {
        const position = at[name] as (typeof at)[string];
        const wall = (inner: Expression, edge: Expression): Expression => quadraticWall(inner, edge, 0);
        const { minus, plus } = neighbours(field, name, position, { low: wall, high: wall });
        return minus
          .minus(field.times(2))
          .plus(plus)
          .over((step[name] as number) ** 2);
      });
      const residual = sum(...second).minus(constant(known));
      const coarse = averages(residual, given.multigridLoss, { of, at, cells });
      return {
        poisson: residual,
        ...Object.fromEntries(
          coarse.map(({ mean, chosen }, level) => [`coarse${level + 1}`, mean.times(constant(chosen))]),
        ),
      };
    });
  let rightHandSide: Float64Array;
  if (given.rightHandSide === 'exact') {
    rightHandSide = of.sample(location, (x, y) => exactLaplacian(x, y));
  } else {
    using homogeneous = make(new Float64Array(u.length));
    rightHandSide = homogeneous.evaluate({ fields: { u } }).residuals['poisson'] as Float64Array;
  }
  return withReference(make(rightHandSide), { u });
}
