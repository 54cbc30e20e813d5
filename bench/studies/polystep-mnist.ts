// Networks without a gradient on MNIST: test accuracy of the last iterate, evaluations, processor seconds.
//   node build-bench/bench/studies/polystep-mnist.js [--model lif] [--seeds 1,2,3,4,5] [--evaluations 30000000]
//     [--batch 2048] [--threads 2]
// Nothing is chosen on test images during a run. Attention and mixture of experts learn MNIST here, which stands in for
// the Fashion-MNIST and the 20 classes they are published with.
import { parseArgs } from 'node:util';
import { polystep } from '../../lib';
import { type Images, mnist } from './mnist';
import { mean, short, study, Table } from './study';

const { models } = polystep;

type Make = (data: Images, batchSize: number) => polystep.models.Network;

const hidden = 128;
const sizes = { inputs: 784, hidden, outputs: 10 };
const makers: Record<string, Make> = {
  lif: (data, batchSize) => models.lifNetwork({ layers: [784, hidden, 10], data, batchSize }),
  staircase: (data, batchSize) =>
    models.mlp({ layers: [784, hidden, hidden, 10], activation: 'staircase', data, batchSize }),
  int8: (data, batchSize) =>
    models.mlp({ layers: [784, hidden, hidden, 10], weights: ['real', 'int8', 'real'], data, batchSize }),
  argmax: (data, batchSize) => models.argmaxAttention({ ...sizes, data, batchSize }),
  experts: (data, batchSize) => models.mixtureOfExperts({ ...sizes, data, batchSize }),
};

/**
 * Half the radii that suit small networks; staircases are flat where the other activations are not, theirs must reach
 * four times as far.
 */
function settings(network: polystep.models.Network, evaluations: number, scale: number): polystep.MinimizeOptions {
  const width = 8;
  const steps = Math.floor(evaluations / (Math.ceil(network.dimension / width) * (width + 1)));
  if (steps < 1) throw new Error(`--evaluations: at least those of a step of ${network.dimension} parameters`);
  return { ...network.searchOptions({ steps, scale }), maxSteps: steps };
}

interface Run {
  accuracy: number;
  evaluations: number;
  seconds: number;
  processor: number;
}

const integers = (text: string): number[] => text.split(',').map(Number);

study(async () => {
  const { values } = parseArgs({
    options: {
      model: { type: 'string', default: 'lif' },
      seeds: { type: 'string', default: '1,2,3,4,5' },
      evaluations: { type: 'string', default: '30000000' },
      batch: { type: 'string', default: '2048' },
      threads: { type: 'string', default: '2' },
    },
  });
  const make = makers[values.model];
  if (make === undefined) throw new Error(`--model: one of ${Object.keys(makers).join(', ')}`);
  const { train, test } = mnist();
  const table = new Table(`${values.model}, batch ${values.batch}, ${values.threads} threads`, [
    'seed',
    'test, %',
    'evaluations',
    's',
    'processor s',
  ]);
  const runs: Run[] = [];
  for (const seed of integers(values.seeds)) {
    using network = make(train, Number(values.batch));
    const begun = process.cpuUsage();
    const found = await polystep.minimize(network, {
      ...settings(network, Number(values.evaluations), values.model === 'staircase' ? 2 : 0.5),
      threads: Number(values.threads),
      restoreBest: false,
      scoreFinal: false,
      seed,
    });
    const { user, system } = process.cpuUsage(begun);
    const run = {
      accuracy: 100 * network.accuracy(found.x, test),
      evaluations: found.evaluations,
      seconds: found.seconds,
      processor: (user + system) / 1e6,
    };
    runs.push(run);
    table.add(seed, run.accuracy.toFixed(2), run.evaluations, short(run.seconds), short(run.processor));
  }
  const accuracies = runs.map(({ accuracy }) => accuracy);
  const centre = mean(accuracies);
  const spread = Math.sqrt(mean(accuracies.map((accuracy) => (accuracy - centre) ** 2)));
  table.add('mean', `${centre.toFixed(2)} +- ${spread.toFixed(2)}`, mean(runs.map((run) => run.evaluations)), '', '');
});
