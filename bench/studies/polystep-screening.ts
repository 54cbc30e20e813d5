// What screening of directions saves: relu 64-32-10 on the 8 x 8 digits, all 1437 training samples in every step, one
// thread, three seeds, last iterate.
//   node build-bench/bench/studies/polystep-screening.js [--steps 60]
import path from 'node:path';
import { parseArgs } from 'node:util';
import { formats, polystep } from '../../lib';
import { packageRoot } from '../../lib/runtime/native';
import { mean, short, study, Table } from './study';

const training = 1437;
const seeds = [1, 2, 3];

study(async () => {
  const { values } = parseArgs({ options: { steps: { type: 'string', default: '60' } } });
  const { data } = formats.readNpy(path.join(packageRoot, 'examples', 'data', 'digits.npy'));
  const part = (from: number, to: number): polystep.models.LabelledData => ({
    inputs: Float32Array.from(
      { length: 64 * (to - from) },
      (_, i) => Number(data[65 * (from + Math.floor(i / 64)) + (i % 64)]) / 16,
    ),
    labels: Int32Array.from({ length: to - from }, (_, i) => Number(data[65 * (from + i) + 64])),
  });
  const network = polystep.models.mlp({ layers: [64, 32, 10], activation: 'relu', data: part(0, training) });
  const unseen = part(training, data.length / 65);
  const table = new Table('Screening', ['fidelity', 'keep', 'steps', 'test, %', 's', 'evaluations']);
  const take = async (steps: number, screening?: { fidelity: number; keep: number }): Promise<void> => {
    const runs: polystep.Minimum[] = [];
    for (const seed of seeds) {
      const limits = { maxSteps: steps, seed, threads: 1, scoreFinal: false };
      const options = { ...network.searchOptions({ steps }), polytope: 'orthoplex', ...limits } as const;
      runs.push(await polystep.minimize(network, { ...options, ...(screening && { screening }) }));
    }
    const right = mean(runs.map(({ iterate }) => 100 * network.accuracy(iterate, unseen)));
    const seconds = mean(runs.map((run) => run.seconds));
    const { evaluations } = runs[0] as polystep.Minimum;
    table.add(screening?.fidelity ?? '-', screening?.keep ?? '-', steps, right.toFixed(1), short(seconds), evaluations);
  };
  const steps = Number(values.steps);
  await take(steps);
  await take(steps, { fidelity: 0.25, keep: 0.5 });
  await take(steps, { fidelity: 0.1, keep: 0.5 });
  await take(steps, { fidelity: 0.1, keep: 0.25 });
  await take(Math.round(0.6 * steps));
});
