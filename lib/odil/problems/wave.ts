// The wave equation with exact walls and initial values (odil.md, section 6.2).
import { integer, number, object, parse, withDefault } from '../../runtime/validate';
import { sum, where } from '../expression';
import { grid } from '../grid';
import { problem } from '../definition';
import { neighbours, quadraticWall } from './halo';
import { withReference, type WithReference } from './reference';

/** Options of `problems.wave`. */
export interface WaveOptions {
  /** Cells in time, at least 2; default 64. */
  timeCells?: number;
  /** Cells in space, at least 2; default 64. */
  cells?: number;
  /** Weight of the initial condition; default 1 (100 in the published runs with L-BFGS). */
  initialWeight?: number;
}

const schema = object({
  timeCells: withDefault(integer({ min: 2 }), 64),
  cells: withDefault(integer({ min: 2 }), 64),
  initialWeight: withDefault(number({ min: 0 }), 1),
});

const modes = [1, 2, 3, 4, 5];

function exactValue(t: number, x: number): number {
  const terms = modes.map((i) => Math.cos((x - t + 0.5) * i * Math.PI) + Math.cos((x + t - 0.5) * i * Math.PI));
  return terms.reduce((total, term) => total + term, 0) / (2 * modes.length);
}

function exactRate(t: number, x: number): number {
  const terms = modes.map(
    (i) => i * Math.PI * (Math.sin((x - t + 0.5) * i * Math.PI) - Math.sin((x + t - 0.5) * i * Math.PI)),
  );
  return terms.reduce((total, term) => total + term, 0) / (2 * modes.length);
}

/** u_tt = u_xx for t in [0, 1], x in [-1, 1], leapfrog in time: field `u` at cells, block `wave`. */
export function wave(options: WaveOptions = {}): WithReference {
  const given = parse(options, 'options', schema);
  const of = grid({ t: { cells: given.timeCells }, x: { cells: given.cells, lower: -1, upper: 1 } });
  const made = problem({ grid: of, fields: { u: 'cc' } }, ({ u, at, step, constant }) => {
    const onWall = (x: number) =>
      constant(
        of.sample('c.', (t) => exactValue(t, x)),
        'c.',
      ).shift({ t: -1 });
    const start = constant(
      of.sample('.c', (x) => exactValue(0, x)),
      '.c',
    );
    const rate = constant(
      of.sample('.c', (x) => exactRate(0, x)),
      '.c',
    );
    const [one, two] = [u.shift({ t: -1 }), u.shift({ t: -2 })];
    const { minus, plus } = neighbours(one, 'x', at.x, {
      low: (inner, edge) => quadraticWall(inner, edge, onWall(-1)),
      high: (inner, edge) => quadraticWall(inner, edge, onWall(1)),
    });
    const rateBefore = where(at.t.is(1), rate, one.minus(two).over(step.t));
    const acceleration = u.minus(one).over(step.t).minus(rateBefore).over(step.t);
    const curvature = sum(minus, one.times(-2), plus).over(step.x ** 2);
    const initial = u.minus(start.plus(rate.times(step.t / 2))).times(given.initialWeight);
    return { wave: where(at.t.first, initial, acceleration.minus(curvature)) };
  });
  return withReference(made, { u: of.sample('cc', exactValue) });
}
