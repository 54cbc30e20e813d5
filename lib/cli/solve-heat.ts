// `discrete-descent solve heat --infer-conductivity`: the conductivity as a network of the temperature, from
// temperatures measured at a few places. Without measurements of one's own they are made by the true conductivity.
import { odil } from '..';
import { linePlot } from '../report/plot';
import { uniforms } from '../runtime/random';
import type { More, SolveTarget } from './solve-target';
import { UsageError } from './usage';

type Options = odil.problems.HeatOptions;

interface Measured {
  u: Float64Array;
  mask: Float64Array;
  points: { x: number[]; y: number[] };
}

/** The solution of the forward problem, measured at random points of the middle third of time. */
function measure(options: Options, count: number, seed: number): Measured {
  const { inferConductivity: _, ...forward } = options;
  using truth = odil.problems.heat(forward);
  const u = truth.solveSync({ method: 'gauss-newton', maxIterations: 50 }).fields['u'] as Float64Array;
  const [rows, columns] = truth.grid.axes.map(({ cells }) => cells) as [number, number];
  const [first, last] = [Math.floor(rows / 3), Math.ceil((2 * rows) / 3)];
  if (count > (last - first) * columns) {
    throw new UsageError(`--measurements: the middle third of time has only ${(last - first) * columns} points`);
  }
  const mask = new Float64Array(u.length);
  const [t, x] = [truth.grid.coordinates('t'), truth.grid.coordinates('x')];
  const points: Measured['points'] = { x: [], y: [] };
  const next = uniforms(seed);
  while (points.x.length < count) {
    const row = first + Math.floor(next() * (last - first));
    const column = Math.floor(next() * columns);
    if (mask[row * columns + column] === 1) continue;
    mask[row * columns + column] = 1;
    points.x.push(x[column] as number);
    points.y.push(t[row] as number);
  }
  return { u, mask, points };
}

const samples = 101;

/** Conductivities at temperatures between 0 and 1: of the network and of the reference. */
function conductivities(
  layers: number[],
  weights: Float64Array,
  largest: number,
): Record<'found' | 'true', Float64Array> {
  const grid = odil.grid({ u: { cells: samples - 1 } });
  using problem = odil.problem(
    { grid, fields: { zero: 'n' }, networks: { conductivity: { layers } } },
    ({ zero, conductivity, at }) => {
      const u = at.u.coordinate;
      const found = odil.sigmoid(conductivity.apply(u)[0] as odil.Expression).times(largest);
      // A block must hold an unknown.
      return {
        found: { value: found.plus(zero), location: 'n' },
        true: odil.problems.referenceConductivity(u).plus(zero),
      };
    },
  );
  const state = { fields: { zero: new Float64Array(samples) }, networks: { conductivity: weights } };
  const { residuals } = problem.evaluate(state);
  return { found: residuals['found'] as Float64Array, true: residuals['true'] as Float64Array };
}

function conductivityOf(layers: number[], weights: Float64Array, largest: number, known: boolean): More {
  const { found, true: reference } = conductivities(layers, weights, largest);
  const x = Float64Array.from({ length: samples }, (_, i) => i / (samples - 1));
  const curve = { label: 'network', x, y: found, color: '#1d4ed8' };
  const truth = { label: 'true', x, y: reference, color: '#94a3b8', width: 5 };
  const top = 1.15 * Math.max(...found, ...(known ? reference : []));
  const error = Math.sqrt(found.reduce((sum, k, i) => sum + (k - (reference[i] as number)) ** 2, 0) / samples);
  return {
    text: 'The conductivity is a small network of the temperature; it was found together with the temperatures.',
    rows: known
      ? [['conductivity: root mean square error over the largest', (error / Math.max(...reference)).toFixed(4)]]
      : [],
    pictures: [
      {
        name: 'conductivity.svg',
        contents: linePlot({
          width: 574,
          panelHeight: 420,
          description: 'Conductivity over temperature',
          panels: [
            {
              title: 'conductivity',
              xLabel: 'temperature u',
              yLabel: 'k(u)',
              xRange: [0, 1],
              yRange: [0, top],
              series: known ? [truth, curve] : [curve],
            },
          ],
        }),
      },
    ],
  };
}

/** The problem, and what is drawn of its solution. */
export function inverseHeat(
  given: Record<string, unknown>,
  { measurements, seed }: { measurements: number; seed: number },
): SolveTarget {
  const options = given as Options;
  const inferred = { hidden: [5, 5], largest: 0.1, proximal: 1, seed, ...options.inferConductivity };
  const layers = [1, ...inferred.hidden, 1];
  const made = options.data === undefined ? measure(options, measurements, seed) : undefined;
  const problem = odil.problems.heat({
    ...options,
    ...(made !== undefined && { data: { mask: made.mask, values: made.u } }),
    inferConductivity: inferred,
  });
  return {
    name: 'heat with unknown conductivity',
    problem,
    // As published: with the means of squares the proximal term on few weights outweighs the data on many points.
    solve: { normalization: 'sum' },
    ...(made !== undefined && { reference: { u: made.u }, measured: made.points }),
    more: ({ networks }) =>
      conductivityOf(layers, networks?.['conductivity'] as Float64Array, inferred.largest, made !== undefined),
  };
}
