// What the images of a tumour say about it: loss, and error of the reconstruction beside it, with and without PET, with and
// without a prior, on tumours and brains drawn by the generator. The weight of the prior is tuned on two of them and judged on others.
//   node build-bench/bench/studies/odil-glioma.js [none|published|ideal] [rows,cells]
import { odil } from '../../lib';
import { uniforms } from '../../lib/runtime/random';
import { arrayOf, controlSpaceOf, mean, rootMeanSquare, short, study, Table } from './study';

const { glioma } = odil;
const size = 64;
/** How far the front moves in the days that a tumour is given: in the drawn 100 days most would fill a head of 64 mm. */
const reach = 10.6;
const tuning = [1, 2];
const judged = [3, 4, 5, 6, 7];
const priors = [3e-5, 1e-4, 3e-4, 1e-3];
/** A run whose diffusion has run away needs many sweeps per row; its best state by then is what is judged. */
const timeLimitMs = 60_000;

interface Case {
  seed: number;
  patient: odil.glioma.Patient;
  guess: odil.glioma.Guess;
  truth: Float64Array;
  /** In units of 100 days, as the model has them. */
  diffusion: number;
  growth: number;
}

/** Truth / 0.8 and 2 % of noise where the tumour is seen and not yet dead: the signal that the model believes in. */
function idealPet(
  { concentration, parameters, labels }: odil.glioma.SyntheticTumour,
  seed: number,
): odil.glioma.Volume {
  const uniform = uniforms(seed);
  const values = concentration.values.map((u, i) => {
    const noise = 0.02 * (2 * uniform() - 1);
    return (labels.values[i] as number) > 0 && u < parameters.thresholds.necrotic ? Math.max(0, u / 0.8 + noise) : 0;
  });
  return { shape: concentration.shape, values };
}

type Kind = 'none' | 'published' | 'ideal';

function draw(seed: number, rows: number, cells: number, kind: Kind): Case {
  const brain = glioma.syntheticBrain(size, { seed });
  const parameters = glioma.drawTumour(seed, [size, size, size]);
  const days = reach / (2 * Math.sqrt(parameters.diffusion * parameters.growth));
  const tumour = glioma.growTumour(brain, parameters, { days });
  const images = {
    labels: tumour.labels,
    ...brain,
    ...(kind === 'none'
      ? {}
      : { pet: kind === 'ideal' ? idealPet(tumour, seed) : glioma.petImage(tumour, brain, seed) }),
  };
  const patient = glioma.preparePatient(images, { cells: [cells, cells, cells] });
  return {
    seed,
    patient,
    guess: glioma.initialGuess(patient, { timeCells: rows }),
    truth: glioma.resample(glioma.crop(tumour.concentration, patient.box), [cells, cells, cells], 'linear').values,
    diffusion: (parameters.diffusion * days) / 100,
    growth: (parameters.growth * days) / 100,
  };
}

interface Result {
  /** Without the prior. */
  loss: number;
  error: number;
  dice: number;
  diffusion: number;
  growth: number;
  iterations: number;
  marches: number;
  seconds: number;
  status: odil.SolveStatus | '-';
}

function judge({ truth, diffusion, growth }: Case, state: odil.State, loss: number): Result {
  const last = arrayOf(state.fields as Record<string, Float64Array>, 'u').subarray(-truth.length);
  const visible = (values: Float64Array): Float64Array => values.map((value) => Number(value >= 0.1));
  const found = glioma.parametersOf(state);
  return {
    loss,
    error: rootMeanSquare(last, truth),
    dice: glioma.dice(visible(last), visible(truth), 1),
    diffusion: found.diffusion / diffusion,
    growth: found.growth / growth,
    iterations: 0,
    marches: 0,
    seconds: 0,
    status: '-',
  };
}

/** The initial guess itself, and what is found from it. */
function reconstruct(of: Case, prior: number | undefined): Result {
  using problem = odil.problems.glioma({ scan: of.patient.scan, guess: of.guess, prior: prior ?? 0 });
  if (prior === undefined) {
    // With the state that marches from the guess, the loss is comparable: the equation holds.
    const start = problem.solveSync({ method: 'control-space', maxIterations: 0 });
    return judge(of, start, start.loss);
  }
  const solution = controlSpaceOf(problem.solveSync({ method: 'control-space', timeLimitMs, threads: 1 }));
  const own = solution.blocks['prior']?.loss ?? 0;
  const { iterations, marches, seconds, status } = solution;
  return { ...judge(of, solution, solution.loss - own), iterations, marches, seconds, status };
}

const columns = ['loss', 'error', 'dice', 'diffusion', 'growth', 'iterations', 'marches', 'seconds'] as const;
const heads = [
  'loss without prior',
  'RMSE',
  'Dice at 10 %',
  'D / true D',
  'rho / true rho',
  'steps',
  'marches',
  'seconds',
];
const average = (results: readonly Result[], column: (typeof columns)[number]): number =>
  mean(results.map((result) => result[column]));
function spread(results: readonly Result[], column: (typeof columns)[number]): number {
  const centre = average(results, column);
  return Math.sqrt(results.reduce((sum, result) => sum + (result[column] - centre) ** 2, 0) / (results.length - 1));
}

/** Correlation of the signal with the truth where the model reads it, which expects 1. */
function correlation({ patient, truth }: Case): { cells: number; correlation: number } {
  const signal = patient.scan.pet ?? new Float64Array();
  const cells = [...signal.keys()].filter((i) => (signal[i] as number) > 0.1);
  const centred = (values: Float64Array): number[] => {
    const chosen = cells.map((i) => values[i] as number);
    const centre = mean(chosen);
    return chosen.map((value) => value - centre);
  };
  const [a, b] = [centred(signal), centred(truth)];
  const product = (x: number[], y: number[]): number => x.reduce((sum, value, i) => sum + value * (y[i] as number), 0);
  return { cells: cells.length, correlation: product(a, b) / Math.sqrt(product(a, a) * product(b, b)) };
}

study(() => {
  const kinds: readonly Kind[] = ['none', 'published', 'ideal'];
  const kind = kinds.find((one) => one === process.argv[2]);
  if (kind === undefined) throw new Error('usage: odil-glioma.js none|published|ideal [rows,cells]');
  const [rows = 32, cells = 24] = (process.argv[3] ?? '32,24').split(',').map(Number);
  const title = `${rows} x ${cells}^3, PET: ${kind}`;
  const scaled = (prior: number): number => (prior * 32) / rows;
  const draws = (seeds: readonly number[]): Case[] => seeds.map((seed) => draw(seed, rows, cells, kind));

  const known = draws(tuning);
  const unknown = draws(judged);
  if (kind !== 'none') {
    const signals = new Table(`What the signal says, ${title}`, [
      'tumour',
      'cells with a signal',
      'correlation with the truth',
    ]);
    for (const one of [...known, ...unknown]) {
      const { cells: count, correlation: found } = correlation(one);
      signals.add(one.seed, count, short(found));
    }
  }
  const tune = new Table(`Tuning, ${title}: means over tumours ${tuning.join(' and ')}`, ['prior', ...heads]);
  let best = { prior: NaN, error: Infinity };
  for (const prior of priors) {
    const results = known.map((one) => reconstruct(one, scaled(prior)));
    tune.add(prior, ...columns.map((column) => short(average(results, column))));
    const error = average(results, 'error');
    if (error < best.error) best = { prior, error };
  }

  const ways: [string, number | undefined][] = [
    ['the guess', undefined],
    ['none', 0],
    ['3e-4, the default', 3e-4],
  ];
  if (best.prior !== 3e-4) ways.push([`${best.prior}, tuned`, best.prior]);
  const whole = new Table(`Each tumour, ${title}`, ['tumour', 'prior', ...heads, 'status']);
  const summaries = ways.map(([name, prior]): [string, Result[]] => {
    const results = unknown.map((one) => reconstruct(one, prior === undefined ? undefined : scaled(prior)));
    results.forEach((result, k) => {
      whole.add(judged[k] as number, name, ...columns.map((column) => short(result[column])), result.status);
    });
    return [name, results];
  });
  const summary = new Table(`Mean and standard deviation over tumours ${judged.join(', ')}, ${title}`, [
    'prior',
    ...heads,
  ]);
  for (const [name, results] of summaries) {
    summary.add(
      name,
      ...columns.map((column) => `${short(average(results, column))} ± ${short(spread(results, column))}`),
    );
  }
});
