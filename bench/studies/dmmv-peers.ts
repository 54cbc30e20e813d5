// The published code for discrete min-max violation, ours in a tenth of its seconds and HiGHS in all of them, in turn, each on
// one thread: filters of the benchmark family, its own four filters, and rows of weights.
//   DISCRETE_DESCENT_AMVM_PYTHON=<python with torch> DISCRETE_DESCENT_AMVM_CHECKOUT=<cheikh025/AMVM> \
//   DISCRETE_DESCENT_ALNS_CHECKOUT=<N-Wouda/ALNS 7.0.0> \
//     node build-bench/bench/studies/dmmv-peers.js [name ...]
import path from 'node:path';
import { denseMatrix, dmmv } from '../../lib';
import { firInstance } from '../../lib/report/fir-family';
import { packageRoot } from '../../lib/runtime/native';
import { weightRow } from '../../test/support/weight-rows';
import { type FilterRows, filterRows, highsFir } from '../peers/highs';
import { type JsonProcess, startJsonProcess } from '../peers/json-process';
import { short, study, Table } from './study';

const family = [
  ...['A35/8', 'B35/9', 'C35/8', 'D35/9', 'E35/8', 'A45/8', 'B45/9', 'C45/8', 'D45/9', 'E45/8'],
  ...['A125/21', 'B125/22', 'C125/21', 'D125/22'],
];

/** Filters of the published script: edges in units of Nyquist, gains, order, bits. */
const official: Record<string, { edges: readonly number[]; gains: readonly number[]; order: number; bits: number }> = {
  'lowpass 12/4': { edges: [0, 0.4, 4 / 7, 1], gains: [1, 0], order: 12, bits: 4 },
  'highpass 16/6': { edges: [0, 0.4, 0.55, 1], gains: [0, 1], order: 16, bits: 6 },
  'bandpass 20/6': { edges: [0, 0.2, 0.32, 0.6, 0.74, 1], gains: [0, 1, 0], order: 20, bits: 6 },
  'notch 20/6': { edges: [0, 0.3, 0.45, 0.55, 0.7, 1], gains: [1, 0, 1], order: 20, bits: 6 },
};

/** Tokens, columns, bits, seed. */
const rows: Record<string, readonly [number, number, number, number]> = {
  '48 x 16': [48, 16, 3, 41],
  '64 x 16': [64, 16, 2, 42],
  '256 x 64': [256, 64, 3, 43],
  '1024 x 256': [1024, 256, 3, 44],
};

/** On the published grid: 16 points a unit of order, in proportion to widths, the last band takes the rest. */
function officialRows(name: string): FilterRows {
  const { edges, gains, order, bits } = official[name] as (typeof official)[string];
  const columns = order / 2 + 1;
  const width = (k: number): number => (edges[2 * k + 1] as number) - (edges[2 * k] as number);
  const total = gains.reduce((sum, _, k) => sum + width(k), 0);
  let left = 16 * order;
  const points = gains.flatMap((gain, k) => {
    const count = k + 1 === gains.length ? left : Math.trunc((16 * order * width(k)) / total);
    left -= count;
    return Array.from({ length: count }, (_, i) => ({
      frequency: (edges[2 * k] as number) + (width(k) * i) / (count - 1),
      gain,
    }));
  });
  return {
    matrix: Float64Array.from(
      points.flatMap(({ frequency }) =>
        Array.from({ length: columns }, (_, k) => (k === 0 ? 1 : 2) * Math.cos(k * Math.PI * frequency)),
      ),
    ),
    columns,
    target: Float64Array.from(points, ({ gain }) => gain),
    bits,
  };
}

interface Job {
  matrix: number[];
  columns: number;
  target: number[];
  point: number[];
  bits: number;
  iterations?: number;
  seconds?: number;
}
interface Answer {
  objective: number;
  seconds: number;
}

async function ask(peer: JsonProcess<Job>, job: Job): Promise<Answer> {
  const { objective, seconds } = await peer.ask(job);
  return { objective: Number(objective), seconds: Number(seconds) };
}

const verdict = (ours: number, theirs: number): string =>
  Math.abs(ours - theirs) <= 1e-9 * theirs ? 'equal' : `${(100 * (1 - ours / theirs)).toFixed(1)} %`;

async function filter(name: string, peer: JsonProcess<Job>, table: Table): Promise<void> {
  const given = name in official ? officialRows(name) : filterRows(firInstance(name));
  const { matrix, columns, target, bits } = given;
  const problem = dmmv.createProblem({
    matrix: denseMatrix(target.length, columns, matrix),
    lower: target,
    upper: target,
    levels: { offset: -1, step: 2 ** (1 - bits), count: 2 ** bits },
  });
  const { point } = await dmmv.lowerBound(problem);
  const theirs = await ask(peer, {
    matrix: [...matrix],
    columns,
    target: [...target],
    point: [...point],
    bits,
    iterations: 20,
    seconds: 100,
  });
  const begin = process.hrtime.bigint();
  const ours = await dmmv.solve(problem, { threads: 1, seed: 1, timeLimitMs: 100 * theirs.seconds });
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  const highs = await highsFir(given, theirs.seconds);
  problem.dispose();
  table.add(
    name,
    theirs.objective.toPrecision(6),
    short(theirs.seconds),
    ours.objective.toPrecision(6),
    short(seconds),
    verdict(ours.objective, theirs.objective),
    highs === undefined ? '-' : Number.isFinite(highs.ripple) ? highs.ripple.toPrecision(6) : 'none',
    highs === undefined ? '-' : short(highs.seconds),
  );
}

async function row(name: string, peer: JsonProcess<Job>, table: Table): Promise<void> {
  const [tokens, columns, bits, seed] = rows[name] as (typeof rows)[string];
  const { weights, activations } = weightRow(tokens, columns, seed);
  const target = Array.from({ length: tokens }, (_, k) =>
    weights.reduce((sum, weight, j) => sum + weight * (activations[k * columns + j] as number), 0),
  );
  const theirs = await ask(peer, {
    matrix: [...activations],
    columns,
    target,
    point: [...weights],
    bits,
    seconds: 10,
  });
  const begin = process.hrtime.bigint();
  const ours = await dmmv.roundWeights(
    { weights, rows: 1, columns, activations, bits },
    { threads: 1, seed: 1, timeLimitMs: 100 * theirs.seconds },
  );
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  const found = ours.errors[0] as number;
  table.add(
    `${name}, ${bits} bits, seed ${seed}`,
    theirs.objective.toPrecision(6),
    short(theirs.seconds),
    found.toPrecision(6),
    short(seconds),
    verdict(found, theirs.objective),
  );
}

study(async () => {
  const {
    DISCRETE_DESCENT_AMVM_PYTHON: python,
    DISCRETE_DESCENT_AMVM_CHECKOUT: checkout,
    DISCRETE_DESCENT_ALNS_CHECKOUT: alns,
  } = process.env;
  if (python === undefined || checkout === undefined || alns === undefined)
    throw new Error('name the peer: see the first lines of this study');
  const peer = await startJsonProcess<Job>(python, [path.join(packageRoot, 'bench', 'peers', 'dmmv_official.py')], {
    PYTHONPATH: [path.join(checkout, 'src', 'GPU'), alns].join(path.delimiter),
  });
  const asked = new Set(process.argv.slice(2));
  const chosen = (names: readonly string[]): string[] => names.filter((name) => asked.size === 0 || asked.has(name));
  const heads = ['official', 's', 'ours', 's', 'below it'];
  const filters = new Table(`Filters; official code with torch ${String(peer.ready['torch'])}, 20 iterations`, [
    'filter',
    ...heads,
    'HiGHS',
    's',
  ]);
  for (const name of chosen([...Object.keys(official), ...family])) await filter(name, peer, filters);
  const weights = new Table('Rows of weights; official code for 10 s', ['tokens x columns', ...heads]);
  for (const name of chosen(Object.keys(rows))) await row(name, peer, weights);
  peer.close();
});
