// Filters of the benchmark family: ripple reached in fixed seconds, one thread, beside HiGHS with the same seconds.
import { dmmv } from '../lib';
import { firInstance } from '../lib/report/fir-family';
import type { BenchOptions, Family, Row } from './harness';
import { filterRows, highsFir } from './peers/highs';

const all = [
  'A35/8',
  'B35/9',
  'C35/8',
  'D35/9',
  'E35/8',
  'A45/8',
  'B45/9',
  'C45/8',
  'D45/9',
  'E45/8',
  'A125/21',
  'B125/22',
  'C125/21',
  'D125/22',
];

async function run({ quick, isa }: BenchOptions, onRow: (row: Row) => void): Promise<void> {
  const names = quick ? all.slice(0, 2) : all;
  for (const name of names) {
    const { name: _, provenOptimum, ...specification } = firInstance(name);
    const limit = quick ? 2 : name.includes('125') ? 30 : 10;
    const begin = process.hrtime.bigint();
    const ours = await dmmv.designFir(specification, { threads: 1, timeLimitMs: limit * 1000, seed: 1 });
    const elapsed = Number(process.hrtime.bigint() - begin) / 1e9;
    const row: Row = {
      family: 'fir',
      name,
      size: `${specification.taps} taps, ${specification.wordLength} bits`,
      dtype: 'float64',
      threads: 1,
      isa,
      medianSeconds: elapsed,
      samples: 1,
      measures: { ripple: ours.ripple },
      peers: { rounding: { qualityRatio: ours.roundedRipple / ours.ripple } },
    };
    if (provenOptimum !== undefined) row.peers['proven optimum'] = { qualityRatio: provenOptimum / ours.ripple };
    const highs = await highsFir(filterRows(specification), limit);
    if (highs !== undefined) {
      row.peers.HiGHS = { medianSeconds: highs.seconds, qualityRatio: highs.ripple / ours.ripple, note: highs.status };
    }
    onRow(row);
  }
}

/** The family. */
export const fir: Family = {
  name: 'fir',
  description:
    'Weighted ripple after a fixed time (10 s, 125 taps: 30 s), one thread, one seed. HiGHS is the WebAssembly build of npm with the same time limit; a ratio above 1 means that our ripple is smaller.',
  run,
};
