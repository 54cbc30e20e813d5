// Solving discrete losses in time: data assimilation for the heat equation and the glioma model, in control space.
import { odil } from '../lib';
import { uniforms } from '../lib/runtime/random';
import { exampleTumour } from '../test/support/glioma';
import type { BenchOptions, Family, Row } from './harness';
import { seconds, summary } from './harness';

type Reals = odil.Reals;

/** A twin experiment: measurements of a conductivity 1.5 times the model's, in the middle third of time. */
function heatTwin(cells: number, points: number): odil.Problem {
  const truth = odil.problems
    .heat({ timeCells: cells, cells, conductivityScale: 1.5 })
    .solveSync({ method: 'marching' });
  const random = uniforms(7);
  const mask = new Float64Array(cells * cells);
  for (let left = points; left > 0;) {
    const [row, column] = [Math.floor(random() * cells), Math.floor(random() * cells)];
    if (Math.abs((row + 0.5) / cells - 0.5) >= 1 / 6 || mask[row * cells + column] === 1) continue;
    mask[row * cells + column] = 1;
    left -= 1;
  }
  return odil.problems.heat({ timeCells: cells, cells, data: { mask, values: truth.fields['u'] as Float64Array } });
}

function heat({ quick, threads, isa }: BenchOptions, onRow: (row: Row) => void): void {
  for (const cells of quick ? [64, 256] : [64, 128, 256, 512]) {
    const problem = heatTwin(cells, 200);
    const solve = (): odil.Solution =>
      problem.solveSync({ method: 'control-space', linearTolerance: 1e-10, lossTolerance: 1e-6, threads });
    const found = solve();
    const samples: number[] = [];
    const others: number[] = [];
    let other = found;
    for (let sample = 0; sample < (quick ? 3 : 7); sample += 1) {
      samples.push(seconds(() => void solve()));
      if (cells > 128) continue;
      others.push(seconds(() => void (other = problem.solveSync({ method: 'gauss-newton', threads }))));
    }
    const ours = summary(samples);
    const peer = others.length === 0 ? undefined : summary(others);
    onRow({
      family: 'odil-solve',
      name: 'heat assimilation',
      size: `${cells}^2, 200 points`,
      dtype: 'float64',
      threads,
      isa,
      ...ours,
      measures: {
        loss: found.loss,
        iterations: found.iterations,
        'linear iterations a step': found.method === 'control-space' ? found.linearIterations / found.iterations : NaN,
      },
      peers:
        peer === undefined
          ? {}
          : {
              'Gauss-Newton on all unknowns': {
                medianSeconds: peer.medianSeconds,
                speedRatio: peer.medianSeconds / ours.medianSeconds,
                qualityRatio: other.loss / found.loss,
              },
            },
    });
    problem.dispose();
  }
}

interface GliomaCase {
  timeCells: number;
  cells: number;
  single: boolean;
  /** Weight of the prior. */
  prior: number;
}

/** From small to large, because the peak of memory is that of the process so far. */
const gliomaCases: readonly GliomaCase[] = [
  { timeCells: 32, cells: 16, single: false, prior: 3e-4 },
  { timeCells: 32, cells: 24, single: false, prior: 3e-4 },
  { timeCells: 64, cells: 32, single: false, prior: 1e-4 },
  { timeCells: 192, cells: 48, single: true, prior: 5e-5 },
  { timeCells: 192, cells: 48, single: false, prior: 5e-5 },
];

function glioma({ quick, threads, isa }: BenchOptions, onRow: (row: Row) => void): void {
  const tools = odil.glioma;
  for (const { timeCells, cells, single, prior } of quick ? gliomaCases.slice(0, 2) : gliomaCases) {
    const { patient, judge } = exampleTumour(cells);
    // Of the guess only the parameters are used, not its rows.
    const { parameters } = tools.initialGuess(patient, { timeCells: 2 });
    const problem = odil.problems.glioma({ scan: patient.scan, guess: { parameters }, timeCells, prior });
    const options = {
      method: 'control-space',
      gridSequence: problem.coarser !== undefined,
      lossTolerance: 1e-3,
      threads,
    } as const;
    const cpu = process.cpuUsage();
    let found: odil.Solution<Reals> | undefined;
    const spent = seconds(() => {
      found = single
        ? problem.solveSync({ ...options, initial: problem.initialState('float32') })
        : problem.solveSync(options);
    });
    const { user, system } = process.cpuUsage(cpu);
    const { error, dice } = judge(found?.fields['u'] as Reals);
    onRow({
      family: 'odil-solve',
      name: 'glioma',
      size: `${timeCells} x ${cells}^3`,
      dtype: single ? 'float32' : 'float64',
      threads,
      isa,
      ...summary([spent]),
      measures: {
        loss: found?.loss ?? NaN,
        'error of the last row': error,
        Dice: dice,
        marches: found?.method === 'control-space' ? found.marches : NaN,
        'CPU seconds': (user + system) / 1e6,
        'peak MB': process.resourceUsage().maxRSS / 1024,
      },
      peers: {},
    });
    problem.dispose();
  }
}

/** The family. */
export const odilSolve: Family = {
  name: 'odil-solve',
  description:
    'Gauss-Newton in control space. Heat: a twin experiment with a model whose conductivity is wrong, solved to a relative decrease of the loss below 1e-6, beside Gauss-Newton with sparse Cholesky on all unknowns. Glioma: a synthetic brain, prior on, coarse to fine where the grid allows; the loss means nothing without the error of the reconstruction beside it. Wall time; peak memory is that of the whole process so far.',
  run(options, onRow) {
    heat(options, onRow);
    glioma(options, onRow);
    return Promise.resolve();
  },
};
