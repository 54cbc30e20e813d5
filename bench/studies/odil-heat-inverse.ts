// The conductivity of the heat equation as a network, from 200 temperatures in the middle third of time, beside what the
// authors of odil logged: after 100 of their Newton steps (810 s) the error of u is 0.0024852, that of k 0.0095581.
//   node build-bench/bench/studies/odil-heat-inverse.js [seeds]
import { odil } from '../../lib';
import { uniforms } from '../../lib/runtime/random';
import { arrayOf, mean, rootMeanSquare, short, study, Table } from './study';

const cells = 64;
const layers = [1, 5, 5, 1];
const largest = 0.1;

/** The solution on four times as many cells per axis, at the centres of the coarse ones: cubic, exact to fourth order. */
function reference(): Float64Array {
  const fine = 4 * cells;
  using problem = odil.problems.heat({ timeCells: fine, cells: fine });
  const solution = problem.solveSync();
  if (solution.status !== 'solved') throw new Error(`the reference run ended with ${solution.status}`);
  const u = arrayOf(solution.fields, 'u');
  const weights = [-1, 9, 9, -1].map((weight) => weight / 16);
  return Float64Array.from({ length: cells * cells }, (_, flat) => {
    const [t, x] = [4 * Math.floor(flat / cells), 4 * (flat % cells)];
    return weights.reduce(
      (sum, rowWeight, i) =>
        weights.reduce((inner, weight, j) => inner + rowWeight * weight * (u[(t + i) * fine + x + j] as number), sum),
      0,
    );
  });
}

/** 200 cells with |t - 1/2| < 1/6, each at most once. */
function stripe(uniform: () => number): Float64Array {
  const candidates = Array.from({ length: cells * cells }, (_, flat) => flat).filter(
    (flat) => Math.abs((Math.floor(flat / cells) + 0.5) / cells - 0.5) < 1 / 6,
  );
  const mask = new Float64Array(cells * cells);
  for (let k = 0; k < 200; k += 1) {
    const other = k + Math.floor(uniform() * (candidates.length - k));
    [candidates[k], candidates[other]] = [candidates[other] as number, candidates[k] as number];
    mask[candidates[k] as number] = 1;
  }
  return mask;
}

function conductivity(network: Float64Array, u: number): number {
  let values = [u];
  let weight = 0;
  let bias = network.length - layers.slice(1).reduce((sum, to) => sum + to, 0);
  layers.slice(1).forEach((to, k) => {
    const before = Array.from({ length: to }, (_, row) =>
      values.reduce(
        (sum, value, column) => sum + value * (network[weight + row * values.length + column] as number),
        network[bias + row] as number,
      ),
    );
    weight += to * values.length;
    bias += to;
    values = k + 2 < layers.length ? before.map(Math.tanh) : before;
  });
  return largest / (1 + Math.exp(-(values[0] as number)));
}

/** At 200 temperatures from 0 to 1, relative to the greatest conductivity, as the published code measures it. */
function conductivityError(network: Float64Array): number {
  const temperatures = Array.from({ length: 200 }, (_, i) => i / 199);
  const exact = temperatures.map((u) => 0.02 * Math.exp(-20 * (u - 0.5) ** 2));
  const squares = temperatures.reduce((sum, u, i) => sum + (conductivity(network, u) - (exact[i] as number)) ** 2, 0);
  return Math.sqrt(squares / 200) / Math.max(...exact);
}

interface Way {
  name: string;
  frozen?: boolean;
  /** Weight of the term that holds the network where it is, without which the published step is singular. */
  proximal?: number;
  options: odil.SolveSyncOptions;
}

const ways: readonly Way[] = [
  {
    name: 'as published: frozen, undamped, proximal 1',
    frozen: true,
    proximal: 1,
    options: { method: 'gauss-newton', compat: 'official' },
  },
  {
    name: 'exact, Levenberg-Marquardt, proximal 1',
    proximal: 1,
    options: { method: 'gauss-newton', normalization: 'sum' },
  },
  {
    name: 'exact, Levenberg-Marquardt, proximal 1 halved every 20 steps',
    proximal: 1,
    options: {
      method: 'gauss-newton',
      normalization: 'sum',
      maxIterations: 200,
      weights: { proximal: { initial: 1, halfLife: 20 } },
    },
  },
  { name: 'exact, Levenberg-Marquardt alone', options: { method: 'gauss-newton', normalization: 'sum' } },
  { name: 'control-space, as it comes', options: { method: 'control-space' } },
  { name: 'control-space, proximal 1', proximal: 1, options: { method: 'control-space' } },
  {
    name: 'control-space, sum, 200 steps',
    options: { method: 'control-space', normalization: 'sum', lossTolerance: 1e-7, maxIterations: 200 },
  },
];

study(() => {
  const seeds = Number(process.argv[2] ?? 5);
  const exact = reference();
  const quantities = ['steps', 'seconds', 'norm of heat', 'norm of data', 'error of u', 'error of k'];
  const table = new Table('Heat, inverse: means over the seeds, and the largest', ['way', ...quantities]);
  for (const { name, frozen = false, proximal = 0, options } of ways) {
    const runs = Array.from({ length: seeds }, (_, k): number[] => {
      const uniform = uniforms(1000 + k);
      using problem = odil.problems.heat({
        timeCells: cells,
        cells,
        frozen,
        inferConductivity: { seed: k + 1, largest, proximal },
        data: { mask: stripe(uniform), values: exact },
      });
      const solution = problem.solveSync(options);
      return [
        solution.iterations,
        solution.seconds,
        solution.blocks['heat']?.norm ?? NaN,
        solution.blocks['data']?.norm ?? NaN,
        rootMeanSquare(arrayOf(solution.fields, 'u'), exact),
        conductivityError(arrayOf(solution.networks, 'conductivity')),
      ];
    });
    const columns = quantities.map((_, k) => runs.map((run) => run[k] as number));
    table.add(name, ...columns.map((values) => `${short(mean(values))} (${short(Math.max(...values))})`));
  }
});
