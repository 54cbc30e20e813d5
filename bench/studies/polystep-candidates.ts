// What a candidate costs beside the published polystep package on one thread, whole steps in turn.
//   DISCRETE_DESCENT_POLYSTEP_PYTHON=<python with torch> DISCRETE_DESCENT_POLYSTEP_CHECKOUT=<anindex/polystep 0.7.0> \
//     node build-bench/bench/studies/polystep-candidates.js
import path from 'node:path';
import { formats, polystep } from '../../lib';
import { packageRoot } from '../../lib/runtime/native';
import { startJsonProcess } from '../peers/json-process';
import { short, study, Table } from './study';

const samples = 5;

interface Case {
  name: string;
  objective: polystep.NativeLoss;
  options: polystep.MinimizeOptions;
  job: object;
}

function maxSat(variables: number): Case {
  const { clauses } = polystep.models.randomKSat({ variables, seed: 1 });
  return {
    name: `MAX-SAT, ${variables} variables`,
    objective: polystep.models.maxSat({ variables, clauses }),
    options: { particleDimension: 2, update: 'jacobi', stepRadius: 0.5, probeRadius: 1, initial: { normal: 0.1 } },
    job: { job: 'maxsat', variables, clauses: [...clauses] },
  };
}

function spiking(): Case {
  const rows = 128;
  const layers = [64, 32, 10];
  const { data } = formats.readNpy(path.join(packageRoot, 'examples', 'data', 'digits.npy'));
  const inputs = Float32Array.from(
    { length: 64 * rows },
    (_, i) => Number(data[65 * Math.floor(i / 64) + (i % 64)]) / 16,
  );
  const labels = Int32Array.from({ length: rows }, (_, row) => Number(data[65 * row + 64]));
  return {
    name: `spiking ${layers.join('-')}, ${rows} digits`,
    objective: polystep.models.lifNetwork({ data: { inputs, labels }, layers }),
    options: { particleDimension: 8, stepRadius: 0.05, probeRadius: 0.6 },
    job: { job: 'lif', inputs: [...inputs], labels: [...labels], layers, ticks: 15, rows },
  };
}

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
};

study(async () => {
  const { DISCRETE_DESCENT_POLYSTEP_PYTHON: python, DISCRETE_DESCENT_POLYSTEP_CHECKOUT: checkout } = process.env;
  if (python === undefined || checkout === undefined)
    throw new Error('name the peer: see the first lines of this study');
  const script = path.join(packageRoot, 'bench', 'peers', 'polystep_official.py');
  const peer = await startJsonProcess<object>(python, [script], { PYTHONPATH: path.join(checkout, 'src') });
  const table = new Table('Microseconds per candidate, whole steps, float32, one thread', [
    'objective',
    'ours',
    'official',
    'ratio',
  ]);
  for (const { name, objective, options, job } of [maxSat(1000), spiking()]) {
    const ours: number[] = [];
    const theirs: number[] = [];
    const take = async (): Promise<number> => {
      const settings = { ...options, adaptiveRadius: false, threads: 1, scoreFinal: false, seed: 1 } as const;
      const { seconds, evaluations } = await polystep.minimize(objective, { ...settings, maxSteps: 50 });
      return seconds / evaluations;
    };
    await take();
    for (let sample = 0; sample < samples; sample += 1) {
      ours.push(await take());
      const { seconds, candidates } = await peer.ask(job);
      theirs.push(Number(seconds) / Number(candidates));
    }
    const [a, b] = [median(ours), median(theirs)];
    table.add(name, short(1e6 * a), short(1e6 * b), short(b / a));
  }
  peer.close();
});
