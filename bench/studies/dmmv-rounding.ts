// Rows of weights of the specification's generator, and a layer of them, rounded in a given time beside GPTQ.
//   node build-bench/bench/studies/dmmv-rounding.js [seconds a row]
import { dmmv } from '../../lib';
import { weightRow } from '../../test/support/weight-rows';
import { short, study, Table } from './study';

const seconds = Number(process.argv[2] ?? 10);

study(async () => {
  const table = new Table(`Rows of 3 bits, ${seconds} s each`, [
    'tokens x columns, seed',
    'nearest',
    'GPTQ',
    'found',
    'below GPTQ',
  ]);
  for (const [tokens, columns, seed] of [
    [256, 64, 43],
    [256, 64, 53],
    [1024, 256, 44],
    [1024, 256, 49],
    [4096, 768, 45],
    [4096, 768, 46],
  ] as const) {
    const { weights, activations } = weightRow(tokens, columns, seed);
    const found = await dmmv.roundWeights(
      { weights, rows: 1, columns, activations, bits: 3 },
      { timeLimitMs: 1000 * seconds },
    );
    const [error = NaN, gptq = NaN, nearest = NaN] = [found.errors[0], found.gptqErrors[0], found.nearestErrors[0]];
    const part = `${(100 * (1 - error / gptq)).toFixed(1)} %`;
    table.add(`${tokens} x ${columns}, ${seed}`, short(nearest), short(gptq), error.toPrecision(5), part);
  }
});
