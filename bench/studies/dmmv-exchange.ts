// Whether members of a portfolio that take over the best of all with probability 1/2 after every round find more than members
// that each go on from their own best, at equal steps.
//   node build-bench/bench/studies/dmmv-exchange.js [rounds] [seeds]
import { denseMatrix, dmmv } from '../../lib';
import { uniforms } from '../../lib/runtime/random';
import { study, Table } from './study';

const [rounds = 8, seeds = 5] = process.argv.slice(2).map(Number);
const memberCount = 4;

/** What a member has, and how good it is: less is better. */
interface State {
  indices: Int32Array;
  value: number;
}
/** One round of a member: a search of its own from `initial`. */
type Advance = (seed: number, initial: Int32Array | undefined) => Promise<State>;
/** A random problem of a kind. */
type Make = (seed: number) => Advance;

const shared = { threads: 1, bound: false } as const;

function randomProblem(
  rows: number,
  columns: number,
  levels: readonly number[],
  steps: number,
  engines: readonly dmmv.EngineName[],
): Make {
  return (seed) => {
    const next = uniforms(seed);
    const uniform = (): number => 2 * next() - 1;
    const matrix = Float64Array.from({ length: rows * columns }, uniform);
    const target = Float64Array.from({ length: rows }, () => Math.sqrt(columns) * uniform());
    const problem = dmmv.createProblem({
      matrix: denseMatrix(rows, columns, matrix),
      lower: target,
      upper: target,
      levels,
    });
    return async (member, initial) => {
      const options = { ...shared, engines, seed: member, maxIterations: steps, ...(initial && { initial }) };
      const { indices, objective } = await dmmv.solve(problem, options);
      return { indices, value: objective };
    };
  };
}

function filter(taps: number, wordLength: number, steps: number): Make {
  return (seed) => {
    const next = uniforms(seed);
    const edge = 0.3 + 0.2 * next();
    const bands = [
      { from: 0, to: edge, gain: 1 },
      { from: edge + 0.09, to: 1, gain: 0, weight: 1 + 9 * next() },
    ];
    return async (member, initial) => {
      const options = { ...shared, seed: member, maxIterations: steps, ...(initial && { initial }) };
      const { coefficients, ripple } = await dmmv.designFir({ taps, wordLength, bands }, options);
      return { indices: coefficients.slice(0, (taps + 1) / 2).reverse(), value: ripple };
    };
  };
}

/** Discs of one grey level; smoothness decides among images within the noise. */
function image(size: number, angles: number, noise: number, steps: number): Make {
  return (seed) => {
    const next = uniforms(seed);
    const detectors = Math.ceil(1.42 * size);
    const discs = Array.from({ length: 6 }, () => [next(), next(), 0.05 + 0.15 * next()] as const);
    const truth = Float64Array.from({ length: size * size }, (_, k) => {
      const [x, y] = [(k % size) / size, Math.floor(k / size) / size];
      return discs.some(([a, b, radius]) => Math.hypot(x - a, y - b) < radius) ? 1 : 0;
    });
    const matrix = dmmv.projector({ size, angles, detectors });
    const measured = Float64Array.from({ length: angles * detectors }, () => noise * (2 * next() - 1));
    truth.forEach((value, j) => {
      for (let k = matrix.columnPointers[j] as number; k < (matrix.columnPointers[j + 1] as number); k += 1) {
        const row = matrix.rowIndices[k] as number;
        measured[row] = (measured[row] as number) + value * (matrix.values[k] as number);
      }
    });
    const problem = dmmv.createProblem({ matrix, lower: measured, upper: measured, levels: [0, 1] });
    const grey = dmmv.sirt(matrix, measured, { threads: 1 });
    return async (member, initial) => {
      const start = initial ?? dmmv.nearestLevels(problem, await grey);
      const options = { ...shared, seed: member, maxIterations: steps, initial: start };
      const { indices, objective } = await dmmv.solve(problem, options);
      return { indices, value: objective };
    };
  };
}

/** The best after all rounds. */
async function portfolio(advance: Advance, seed: number, exchanges: boolean): Promise<number> {
  const coin = uniforms(1000 + seed);
  let states: (State | undefined)[] = new Array<undefined>(memberCount).fill(undefined);
  const best = (): State | undefined =>
    states.reduce((least, state) => (state && (!least || state.value < least.value) ? state : least), undefined);
  for (let round = 0; round < rounds; round += 1) {
    const elite = best();
    const starts = states.map((state) => (exchanges && coin() < 0.5 ? elite : state));
    states = await Promise.all(
      starts.map((start, member) => advance(seed + 100 * (member + memberCount * round), start?.indices)),
    );
  }
  return best()?.value ?? NaN;
}

const target = ['target-search'] as const;
const anneal = ['norm-annealing'] as const;
const kinds: Record<string, Make> = {
  '200 x 64, -1 and 1, target search': randomProblem(200, 64, [-1, 1], 4000, target),
  '256 x 128, -1 and 1, target search': randomProblem(256, 128, [-1, 1], 4000, target),
  '256 x 128, -1 and 1, annealing': randomProblem(256, 128, [-1, 1], 1000, anneal),
  '300 x 150, three levels, target search': randomProblem(300, 150, [-1, 0, 1], 2000, target),
  '120 x 60, four unequal levels': randomProblem(120, 60, [-1, -0.3, 0.4, 1], 2000, target),
  'filter, 61 taps of 12 bits': filter(61, 12, 1000),
  'image 48 x 48, 12 angles': image(48, 12, 1, 30_000),
};

study(async () => {
  const table = new Table(
    `${memberCount} members, ${rounds} rounds, ${seeds} problems of each kind: mean of the best`,
    ['problem', 'each from its own', 'with exchange', 'better', 'worse', 'equal'],
  );
  for (const [name, make] of Object.entries(kinds)) {
    const pairs: [number, number][] = [];
    for (let seed = 1; seed <= seeds; seed += 1) {
      const advance = make(seed);
      pairs.push([await portfolio(advance, seed, false), await portfolio(advance, seed, true)]);
    }
    const mean = (of: 0 | 1): string => (pairs.reduce((sum, pair) => sum + pair[of], 0) / seeds).toPrecision(6);
    const count = (sign: number): number => pairs.filter(([own, taken]) => Math.sign(taken - own) === sign).length;
    table.add(name, mean(0), mean(1), count(-1), count(1), count(0));
  }
});
