// What a candidate costs that is a step from a base, beside one that is a whole point: subspaces (the low-rank kind is
// scored as whole points) and EGGROLL (beside OpenAI-ES), 784-128-10, one fifth of the inputs lit, one thread, float32.
//   node build-bench/bench/studies/polystep-steps.js [--batch 128]
import { parseArgs } from 'node:util';
import { polystep } from '../../lib';
import { uniforms } from '../../lib/runtime/random';
import { short, study, Table } from './study';

const features = 784;
const population = 128;

study(async () => {
  const { values } = parseArgs({ options: { batch: { type: 'string', default: '128' } } });
  const rows = Number(values.batch);
  const uniform = uniforms(1);
  const inputs = Float32Array.from({ length: rows * features }, () => (uniform() < 0.2 ? uniform() : 0));
  const labels = Int32Array.from({ length: rows }, (_, i) => i % 10);
  const layers = [features, 128, 10];
  const data = { inputs, labels };
  const table = new Table(`Microseconds per candidate, batch ${rows}`, [
    'network',
    'subspace, whole points',
    'hybrid (sparse)',
    'factored',
    'OpenAI-ES',
    'EGGROLL',
  ]);
  const networks: [string, polystep.models.Network][] = [
    ['relu', polystep.models.mlp({ layers, activation: 'relu', data })],
    ['spiking, 15 ticks', polystep.models.lifNetwork({ layers, data })],
  ];
  for (const [name, network] of networks) {
    const per = ({ seconds, evaluations }: polystep.Minimum): string => short((1e6 * seconds) / evaluations);
    const common = { threads: 1, seed: 1, scoreFinal: false } as const;
    const within = (kind: polystep.SubspaceKind): Promise<polystep.Minimum> =>
      polystep.minimize(network, { ...common, subspace: { kind, rank: kind === 'factored' ? 4 : 1 }, maxSteps: 1 });
    const search = { ...common, population, sigma: 0.02, learningRate: 0.01, maxSteps: 4 };
    table.add(
      name,
      per(await within('lowRank')),
      per(await within('hybrid')),
      per(await within('factored')),
      per(await polystep.baselines.openAiEs(network, search)),
      per(await polystep.baselines.eggroll(network, search)),
    );
    network.dispose();
  }
});
