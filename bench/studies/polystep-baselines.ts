// MAX-SAT and spiking digits: polystep's searchOptions beside every baseline, at equal evaluations and at equal seconds.
// Each baseline has the best of eight settings, chosen on a seed it is not judged by at a tenth of the evaluations.
//   npx tsc -p tsconfig.bench.json && node build-bench/bench/studies/polystep-baselines.js [maxsat | digits [name of a search]]
import path from 'node:path';
import { formats, polystep } from '../../lib';
import { packageRoot } from '../../lib/runtime/native';
import {
  affordable,
  contenders,
  polystepSetting,
  type Setting,
  type Task,
  tuned,
  tunedPolystep,
} from './polystep-contenders';
import { mean, short, study, Table } from './study';

const tuningSeed = 100;

/** A task for every seed, and what its score is. */
interface Case {
  name: string;
  score: string;
  evaluations: number;
  seeds: readonly number[];
  restoreBest: boolean;
  task(seed: number): Task;
}

const variables = 1000;

const maxSat: Case = {
  name: `MAX-SAT, ${variables} variables, ${Math.trunc(4.27 * variables)} clauses`,
  score: 'satisfied, %',
  evaluations: 668000,
  seeds: [1, 2, 3, 4, 5],
  restoreBest: true,
  task: (seed) => {
    const { clauses } = polystep.models.randomKSat({ variables, seed });
    const objective = polystep.models.maxSat({ variables, clauses, cost: 'count' });
    return {
      name: 'maxsat',
      objective,
      initial: { normal: 0.1 },
      length: 1,
      loss: 0.125 * objective.clauseCount,
      population: 100,
      decays: [1, 0.1],
      dtype: 'float32',
      searchOptions: (evaluations) => {
        const sweeps = Math.max(1, Math.floor(evaluations / (2 * variables + 1)));
        return { ...objective.searchOptions({ sweeps }), maxSteps: sweeps };
      },
      cost: ({ value }) => value,
      score: ({ value }) => 100 * (1 - value / objective.clauseCount),
    };
  },
};

interface Digits {
  inputs: Float32Array;
  labels: Int32Array;
}

function digits(): { train: Digits; test: Digits } {
  const { data } = formats.readNpy(path.join(packageRoot, 'examples', 'data', 'digits.npy'));
  const part = (from: number, to: number): Digits => ({
    inputs: Float32Array.from(
      { length: 64 * (to - from) },
      (_, i) => Number(data[65 * (from + Math.floor(i / 64)) + (i % 64)]) / 16,
    ),
    labels: Int32Array.from({ length: to - from }, (_, i) => Number(data[65 * (from + i) + 64])),
  });
  return { train: part(0, 1437), test: part(1437, 1797) };
}

function spiking(): Case {
  const { train, test } = digits();
  const network = polystep.models.lifNetwork({ data: train, layers: [64, 32, 10], batchSize: 128 });
  const candidates = 9 * Math.ceil(network.dimension / 8); // simplices of eight
  return {
    name: 'spiking 64-32-10 on digits, 2410 weights',
    score: 'test accuracy, %',
    evaluations: 724800,
    seeds: [1, 2, 3],
    restoreBest: false,
    task: () => ({
      name: 'digits',
      objective: network,
      initial: (seed) => network.initialParameters({ seed }),
      length: 0.5,
      loss: Math.log(10),
      population: 100,
      decays: [1, 0.1],
      dtype: 'float32',
      searchOptions: (evaluations) => {
        const steps = Math.max(1, Math.floor(evaluations / candidates));
        return { ...network.searchOptions({ steps }), maxSteps: steps };
      },
      cost: ({ x }) => 1 - network.accuracy(x),
      score: ({ x }) => 100 * network.accuracy(x, test),
    }),
  };
}

interface Judged {
  scores: number[];
  seconds: number[];
  evaluations: number[];
}

async function judge(one: Case, setting: Setting, evaluations: number): Promise<Judged> {
  const judged: Judged = { scores: [], seconds: [], evaluations: [] };
  for (const seed of one.seeds) {
    const task = one.task(seed);
    const found = await setting.run(task, { seed, evaluations, restoreBest: one.restoreBest });
    judged.scores.push(task.score(found));
    judged.seconds.push(found.seconds);
    judged.evaluations.push(found.evaluations);
  }
  return judged;
}

async function compare(one: Case, only: string | undefined): Promise<void> {
  const { evaluations, restoreBest } = one;
  const count = (value: number): string => Math.round(value).toLocaleString('en').replaceAll(',', ' ');
  const table = new Table(`${one.name}: ${one.seeds.length} seeds, one thread; worst in brackets`, [
    'search',
    `${one.score} at ${count(evaluations)} evaluations`,
    's',
    `${one.score} in polystep's time`,
    'evaluations',
  ]);
  const cell = ({ scores }: Judged): string => `${mean(scores).toFixed(2)} (${Math.min(...scores).toFixed(2)})`;
  const own = await judge(one, polystepSetting, evaluations);
  table.add('polystep', cell(own), short(mean(own.seconds)), cell(own), count(mean(own.evaluations)));
  for (const contender of [tunedPolystep, ...contenders]) {
    if (only !== undefined && contender.name !== only) continue;
    const task = one.task(tuningSeed);
    if (!contender.suits(task)) continue;
    const setting = await tuned(contender, task, { seed: tuningSeed, evaluations: evaluations / 10, restoreBest });
    console.error(`${contender.name}: ${setting.label}`);
    const equal = await judge(one, setting, evaluations);
    const timed = await judge(one, setting, await affordable(setting, task, evaluations, 0.02));
    table.add(contender.name, cell(equal), short(mean(equal.seconds)), cell(timed), count(mean(timed.evaluations)));
  }
}

study(async () => {
  const [, , chosen, only] = process.argv;
  if (chosen === undefined || chosen === 'maxsat') await compare(maxSat, only);
  if (chosen === undefined || chosen === 'digits') await compare(spiking(), only);
});
