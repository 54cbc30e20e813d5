// The small examples of the published package at its numbers of evaluations: a decision tree, a net of signs, F1 of a
// rare class, and policies that balance a pole or swing up. The best candidate of the run counts, as there.
//   node build-bench/bench/studies/polystep-small.js [--seeds 5] [--only boards|control]
// With the package itself, on boards that its own programs draw:
//   DISCRETE_DESCENT_POLYSTEP_PYTHON=<python with torch> DISCRETE_DESCENT_POLYSTEP_CHECKOUT=<anindex/polystep 0.7.0> \
//     node build-bench/bench/studies/polystep-small.js --seeds 20 --only boards
import path from 'node:path';
import { parseArgs } from 'node:util';
import { polystep } from '../../lib';
import { packageRoot } from '../../lib/runtime/native';
import { startJsonProcess } from '../peers/json-process';
import { type Board, checkerboard } from './checkerboard';
import { mean, short, study, Table } from './study';

const { models } = polystep;

interface Example {
  name: string;
  /** Of the package's own program. */
  kind: 'tree' | 'signs' | 'f1';
  board: (seed: number) => Board;
  make: (data: Board) => polystep.models.Network;
  /** Depth of the tree, units of the net. */
  hidden: number;
  evaluations: number;
  /** Deviation of first parameters. */
  spread: number;
  /** Temperature and radius of the published example. */
  published: { epsilon: number; stepRadius: number };
}

const examples: readonly Example[] = [
  {
    name: 'tree of depth 4, right, %',
    kind: 'tree',
    board: (seed) => checkerboard(600, seed),
    make: (data) => models.obliqueTree({ inputs: 2, depth: 4, data }),
    hidden: 4,
    evaluations: 40_000,
    spread: 0.3,
    published: { epsilon: 0.02, stepRadius: 1.5 },
  },
  {
    name: 'signs 2-32-1, right, %',
    kind: 'signs',
    board: (seed) => checkerboard(400, seed),
    make: (data) => models.mlp({ layers: [2, 32, 1], activation: 'sign', loss: 'zeroOne', data }),
    hidden: 32,
    evaluations: 51_600,
    spread: 0.5,
    published: { epsilon: 0.02, stepRadius: 2 },
  },
  {
    name: 'signs 2-8-1, F1, %',
    kind: 'f1',
    board: (seed) => checkerboard(600, seed, 0.25),
    make: (data) => models.mlp({ layers: [2, 8, 1], activation: 'sign', loss: 'f1', data }),
    hidden: 8,
    evaluations: 13_200,
    spread: 0.5,
    published: { epsilon: 0.05, stepRadius: 1.5 },
  },
];

const falling = (initial: number, target: number, steps: number) =>
  ({ kind: 'geometric', initial, target, steps }) as const;

/** All parameters in one polytope whose vertices are asked: `PolyStepES` of the published package. */
const published = ({ published: settings }: Example): polystep.MinimizeOptions => ({
  preset: 'paper',
  mode: 'population',
  probing: 'vertices',
  ...settings,
});

/** Blocks of six in a box one after the other, each drawn from its vertices; radii and temperature fall over the budget. */
function own({ evaluations }: Example, dimension: number): polystep.MinimizeOptions {
  const width = 6;
  const steps = Math.floor(evaluations / (Math.ceil(dimension / width) * (width + 1) + 1));
  return {
    update: 'sequential',
    rule: 'sample',
    scaleCost: 'none',
    adaptiveRadius: false,
    polytope: 'simplex',
    particleDimension: width,
    lower: -1,
    upper: 1,
    stepRadius: falling(0.5, 0.1, steps),
    probeRadius: falling(1, 0.2, steps),
    epsilon: falling(0.01, 0.0005, steps),
  };
}

const spreadOf = (values: readonly number[]): string => {
  const centre = mean(values);
  return `${centre.toFixed(1)} +- ${Math.sqrt(mean(values.map((value) => (value - centre) ** 2))).toFixed(1)}`;
};

/** Starts the package, where the environment says where it is. */
async function official() {
  const { DISCRETE_DESCENT_POLYSTEP_PYTHON: python, DISCRETE_DESCENT_POLYSTEP_CHECKOUT: checkout } = process.env;
  if (python === undefined || checkout === undefined) return undefined;
  const script = path.join(packageRoot, 'bench', 'peers', 'polystep_official.py');
  return startJsonProcess<object>(python, [script], { PYTHONPATH: path.join(checkout, 'src') });
}

async function boards(seeds: readonly number[]): Promise<void> {
  const peer = await official();
  const heads = ['example', 'evaluations', 'published rule', 'package', ...(peer === undefined ? [] : ['official'])];
  const table = new Table(`Checkerboards, best candidate, ${seeds.length} of them`, heads);
  for (const example of examples) {
    const { kind, hidden, spread, evaluations } = example;
    const found: number[][] = [[], [], []];
    for (const seed of seeds) {
      const drawn = peer === undefined ? example.board(seed) : await peer.ask({ job: 'draw', kind, seed });
      const data = drawn as unknown as Board;
      using network = example.make(data);
      const common = { initial: { normal: spread }, maxEvaluations: evaluations, seed };
      for (const [k, options] of [published(example), own(example, network.dimension)].entries()) {
        const { value } = await polystep.minimize(network, { ...options, ...common });
        found[k]?.push(100 * (1 - value));
      }
      if (peer === undefined) continue;
      const { best } = await peer.ask({
        job: 'board',
        kind,
        ...data,
        hidden,
        spread,
        evaluations,
        seed,
        ...example.published,
      });
      found[2]?.push(100 * (1 - Number(best)));
    }
    table.add(example.name, evaluations, ...found.filter((values) => values.length > 0).map(spreadOf));
  }
  peer?.close();
}

const policies: Record<string, polystep.models.ControlOptions> = {
  real: {},
  int8: { weights: ['int8', 'real'] },
  binary: { weights: ['binary', 'real'] },
};

async function control(seeds: readonly number[]): Promise<void> {
  const table = new Table('Mean return of 100 new episodes, last iterate', [
    'policy',
    'evaluations',
    'each seed',
    'mean',
    's each',
  ]);
  for (const [environment, steps] of [
    ['cartPole', 23],
    ['acrobot', 60],
  ] as const) {
    for (const [name, options] of Object.entries(policies)) {
      using policy = models[environment](options);
      using judge = models[environment]({ ...options, episodes: 100 });
      const returns: number[] = [];
      const seconds: number[] = [];
      let evaluations = 0;
      for (const seed of seeds) {
        const found = await polystep.minimize(policy, {
          particleDimension: 8,
          polytope: 'simplex',
          stepRadius: falling(0.5, 0.1, steps),
          probeRadius: falling(2, 0.4, steps),
          adaptiveRadius: false,
          maxSteps: steps,
          restoreBest: false,
          scoreFinal: false,
          seed,
        });
        ({ evaluations } = found);
        // Starts that no step of a search has seen.
        returns.push(judge.meanReturn(found.x, { seed: 1000 + seed }));
        seconds.push(found.seconds);
      }
      const each = returns.map((value) => value.toFixed(1)).join(', ');
      table.add(`${environment}, ${name}`, evaluations, each, mean(returns).toFixed(1), short(mean(seconds)));
    }
  }
}

study(async () => {
  const { values } = parseArgs({ options: { seeds: { type: 'string', default: '5' }, only: { type: 'string' } } });
  const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => i + 1);
  if (values.only !== 'control') await boards(seeds);
  if (values.only !== 'boards') await control(seeds);
});
