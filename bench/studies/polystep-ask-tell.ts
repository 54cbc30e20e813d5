// What ask and tell cost a candidate beside the copy of its numbers: 1000 of them in float32, blocks of two, a loss that
// is not computed at all. The least of all rounds: on a shared machine the others say what else runs.
//   node build-bench/bench/studies/polystep-ask-tell.js [--dimension 1000] [--threads 1] [--rounds 200]
import { parseArgs } from 'node:util';
import { polystep } from '../../lib';
import { study, Table } from './study';

study(() => {
  const { values } = parseArgs({
    options: {
      dimension: { type: 'string', default: '1000' },
      threads: { type: 'string', default: '1,2' },
      rounds: { type: 'string', default: '200' },
    },
  });
  const dimension = Number(values.dimension);
  const table = new Table(`Nanoseconds per candidate of ${dimension} numbers`, [
    'threads',
    'ask',
    'tell',
    'one copy of all',
    'copies one by one',
    'above the smaller copy',
  ]);
  for (const threads of values.threads.split(',').map(Number)) {
    const optimizer = polystep.createOptimizer({ dimension, mode: 'block', initial: { normal: 1 }, threads });
    const candidates = optimizer.candidates;
    const costs = Float64Array.from({ length: candidates }, (_, i) => Math.sin(i));
    const point = new Float32Array(dimension).fill(1);
    const source = new Float32Array(dimension * candidates).fill(1);
    const target = new Float32Array(dimension * candidates);
    const times = { ask: [] as number[], tell: [] as number[], whole: [] as number[], single: [] as number[] };
    const timed = (into: number[], body: () => void): void => {
      const begun = performance.now();
      body();
      into.push((1e6 * (performance.now() - begun)) / candidates);
    };
    // In turns of ten rounds: three buffers of this size at once would drive each other out of the caches.
    for (let turn = 0; turn < Number(values.rounds) / 10; turn += 1) {
      for (let round = 0; round < 10; round += 1) {
        timed(times.ask, () => void optimizer.ask());
        timed(times.tell, () => void optimizer.tell(costs));
      }
      for (let round = 0; round < 10; round += 1) timed(times.whole, () => target.set(source));
      for (let round = 0; round < 10; round += 1) {
        timed(times.single, () => {
          for (let i = 0; i < candidates; i += 1) target.set(point, i * dimension);
        });
      }
    }
    const least = (of: readonly number[]): number => Math.min(...of);
    const [ask, tell, whole, single] = [times.ask, times.tell, times.whole, times.single].map(least) as [
      number,
      number,
      number,
      number,
    ];
    const above = ask + tell - Math.min(whole, single);
    table.add(threads, ...[ask, tell, whole, single, above].map((value) => value.toFixed(1)));
    optimizer.dispose();
  }
});
