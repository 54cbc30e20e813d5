// Three constants of an advection-diffusion equation from its first and last state (odil.md, section 6.4).
import { integer, object, parse, typedArray, withDefault } from '../../runtime/validate';
import { sum, where } from '../expression';
import { grid } from '../grid';
import { problem } from '../definition';
import { withReference, type WithReference } from './reference';

/** Options of `problems.inferConstant`. */
export interface InferConstantOptions {
  /** Cells in time; default 64. Values lie at the nodes between them. */
  timeCells?: number;
  /** Cells in space; default 64. */
  cells?: number;
  /** True diffusivity, source and velocity; default [0.01, 0.1, 0.2]. */
  constants?: Float64Array | readonly number[];
}

const schema = object({
  timeCells: withDefault(integer({ min: 1 }), 64),
  cells: withDefault(integer({ min: 2 }), 64),
  constants: withDefault(typedArray(['Float64Array'], { length: 3 }), Float64Array.of(0.01, 0.1, 0.2)),
});

/**
 * u_t + c2 u_x = c0 u_xx + c1 for t in [0, 1], x in [-1, 1], periodic: field `u` at nodes in time and cells in space,
 * parameters `constants` = [c0, c1, c2] from [0, 0, 0.001], block `equation` at cells (the row between two nodes). The
 * first and the last row are data: their unknowns have no influence. The constants of the least squares differ from
 * the true ones by the error of the discretisation.
 */
export function inferConstant(options: InferConstantOptions = {}): WithReference {
  const given = parse(options, 'options', schema);
  const [diffusivity, source, velocity] = given.constants as unknown as [number, number, number];
  const of = grid({
    t: { cells: given.timeCells },
    x: { cells: given.cells, lower: -1, upper: 1, periodic: true },
  });
  const exact = (t: number, x: number): number => {
    const terms = [1, 2, 3].map((i) => {
      const k = 2 * i * Math.PI;
      return Math.cos(k * (x - velocity * t)) * Math.exp(-diffusivity * k * k * t);
    });
    return terms.reduce((total, term) => total + term, 0) / 6 + source * t;
  };
  const unknowns = {
    grid: of,
    fields: { u: 'nc' },
    parameters: { constants: { initial: [0, 0, 0.001] } },
  };
  const made = problem(unknowns, ({ u, constants, at, step, constant }) => {
    const known = (t: number) =>
      constant(
        of.sample('.c', (x) => exact(t, x)),
        '.c',
      );
    // A residual's row lies between node `index` (before) and node `index + 1` (after).
    const before = where(at.t.first, known(0), u);
    const after = where(at.t.last, known(1), u.shift({ t: 1 }));
    const mean = before.plus(after).over(2);
    const slope = mean.minus(mean.shift({ x: -1 })).over(step.x);
    const curvature = sum(mean.shift({ x: -1 }), mean.times(-2), mean.shift({ x: 1 })).over(step.x ** 2);
    const equation = sum(
      after.minus(before).over(step.t),
      curvature.times(constants.element(0)).negative(),
      constants.element(1).negative(),
      slope.times(constants.element(2)),
    );
    return { equation: { value: equation, location: 'cc' } };
  });
  return withReference(made, { u: of.sample('nc', exact), constants: given.constants.slice() });
}
