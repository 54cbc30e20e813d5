// The Poisson equation on the unit cube with zero walls (odil.md, section 6.1).
import { integer, object, oneOf, parse, withDefault } from '../../runtime/validate';
import { type Expression, sum } from '../expression';
import { grid } from '../grid';
import { type Problem, problem } from '../problem';
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
}

const schema = object({
  cells: withDefault(integer({ min: 2, max: 2 ** 20 }), 32),
  dimensions: withDefault(integer({ min: 1, max: 5 }), 2),
  reference: withDefault(oneOf(['hat', 'osc']), 'hat'),
  rightHandSide: withDefault(oneOf(['discrete', 'exact']), 'discrete'),
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

/** Laplacian u = f on the unit cube, u = 0 on its walls; field `u` at cells, block `poisson`. */
export function poisson(options: PoissonOptions = {}): WithReference {
  const given = parse(options, 'options', schema);
  const { cells, reference } = given;
  if (reference === 'osc') {
    parse(given.dimensions, "options.dimensions (with reference: 'osc')", integer({ min: 2, max: 2 }));
  } else {
    parse(given.rightHandSide, "options.rightHandSide (with reference: 'hat')", oneOf(['discrete']));
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
      return { poisson: sum(...second).minus(constant(known)) };
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
