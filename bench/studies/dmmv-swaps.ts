// What the published local search, descent by levels and swaps, adds at the end of walks: equal steps with and without it.
//   node build-bench/bench/studies/dmmv-swaps.js [steps]
import { denseMatrix, dmmv } from '../../lib';
import { uniforms } from '../../lib/runtime/random';
import { short, study, Table } from './study';

const steps = Number(process.argv[2] ?? 200_000);
const seeds = [11, 12, 13, 14, 15, 16];

interface Outcome {
  objective: number;
  seconds: number;
}
type Run = (seed: number, moves: readonly dmmv.MoveName[]) => Promise<Outcome>;

function randomProblem(rows: number, columns: number, levels: readonly number[]): Run {
  return async (seed, moves) => {
    const next = uniforms(seed);
    const uniform = (): number => 2 * next() - 1;
    const matrix = Float64Array.from({ length: rows * columns }, uniform);
    const target = Float64Array.from({ length: rows }, () => Math.sqrt(columns) * uniform());
    using problem = dmmv.createProblem({
      matrix: denseMatrix(rows, columns, matrix),
      lower: target,
      upper: target,
      levels,
    });
    const { objective, seconds } = await dmmv.solve(problem, { ...shared, seed, moves });
    return { objective, seconds: seconds.search };
  };
}

function filter(taps: number, maxSignedPowers: number): Run {
  const bands = [
    { from: 0, to: 0.35, gain: 1 },
    { from: 0.48, to: 1, gain: 0, weight: 3 },
  ];
  return async (seed, moves) => {
    const design = { taps, wordLength: 10, maxSignedPowers, bands };
    const { ripple, seconds } = await dmmv.designFir(design, { ...shared, seed, moves });
    return { objective: ripple, seconds: seconds.search };
  };
}

// Walks of the target search are what swaps follow.
const shared = { threads: 1, bound: false, maxIterations: steps, engines: ['target-search'] as const };
const problems: Record<string, Run> = {
  'filter, 25 taps, 2 powers': filter(25, 2),
  'filter, 25 taps, 3 powers': filter(25, 3),
  'filter, 41 taps, 2 powers': filter(41, 2),
  'filter, 41 taps, 3 powers': filter(41, 3),
  'filter, 59 taps, 2 powers': filter(59, 2),
  'filter, 59 taps, 3 powers': filter(59, 3),
  '60 x 40, -1 and 1': randomProblem(60, 40, [-1, 1]),
  '200 x 64, -1 and 1': randomProblem(200, 64, [-1, 1]),
  '256 x 128, -1 and 1': randomProblem(256, 128, [-1, 1]),
  '400 x 200, three levels': randomProblem(400, 200, [-1, 0, 1]),
  '300 x 60, four unequal levels': randomProblem(300, 60, [-1, -0.3, 0.4, 1]),
};

study(async () => {
  const table = new Table(`${steps} steps, seeds ${seeds.join(', ')}`, [
    'problem',
    'mean without',
    'with swaps',
    'lower',
    'higher',
    'equal',
    's without',
    's with swaps',
  ]);
  for (const [name, run] of Object.entries(problems)) {
    const plain: Outcome[] = [];
    const swaps: Outcome[] = [];
    for (const seed of seeds) {
      plain.push(await run(seed, ['unit']));
      swaps.push(await run(seed, ['unit', 'swap']));
    }
    const mean = (of: readonly Outcome[], key: keyof Outcome): number =>
      of.reduce((sum, outcome) => sum + outcome[key], 0) / of.length;
    const count = (sign: number): number =>
      plain.filter(({ objective }, k) => Math.sign((swaps[k] as Outcome).objective - objective) === sign).length;
    table.add(
      name,
      mean(plain, 'objective').toPrecision(6),
      mean(swaps, 'objective').toPrecision(6),
      count(-1),
      count(1),
      count(0),
      short(mean(plain, 'seconds')),
      short(mean(swaps, 'seconds')),
    );
  }
});
