// What crossing from JavaScript to native code costs: a call, an array in, a job, a progress report, an abort.
import { native } from '../lib/runtime/native';
import { runAsync, runMembers, type RunOptions } from '../lib/runtime/run';
import { object, parse } from '../lib/runtime/validate';
import { type BenchOptions, type Family, type Row, seconds, summary } from './harness';

const spin = (duration: number, options: RunOptions): Promise<unknown> =>
  runAsync(parse(options, 'options', object(runMembers)), (run) => native.spin({ seconds: duration }, run));

function row(name: string, size: string, isa: string, samples: readonly number[], extra: Partial<Row> = {}): Row {
  return { family: 'edge', name, size, dtype: '-', threads: 1, isa, peers: {}, ...summary(samples), ...extra };
}

async function repeat(count: number, sample: () => Promise<number>): Promise<number[]> {
  const samples: number[] = [];
  for (let i = 0; i < count; i += 1) samples.push(await sample());
  return samples;
}

async function abortLatency(): Promise<number> {
  const controller = new AbortController();
  const running = spin(60, { signal: controller.signal });
  await new Promise((resolve) => setTimeout(resolve, 15));
  const begin = process.hrtime.bigint();
  controller.abort();
  await running.catch(() => undefined);
  return Number(process.hrtime.bigint() - begin) / 1e9;
}

async function run({ quick, isa }: BenchOptions, onRow: (row: Row) => void): Promise<void> {
  const count = quick ? 15 : 60;
  const calls = 200_000;
  const perCall = Array.from(
    { length: count },
    () =>
      seconds(() => {
        for (let i = 0; i < calls; i += 1) native.noOperation();
      }) / calls,
  );
  onRow(
    row('call that does nothing', '-', isa, perCall, {
      rate: { value: 1e-6 / Math.min(...perCall), unit: 'million calls/s' },
    }),
  );

  const megabyte = new Float64Array(131_072).fill(1);
  const scans = Array.from(
    { length: count },
    () =>
      seconds(() => {
        for (let i = 0; i < 50; i += 1) native.firstNonFinite(megabyte);
      }) / 50,
  );
  onRow(
    row('1 MB array in, scanned for NaN', '131072 float64', isa, scans, {
      rate: { value: (megabyte.byteLength / Math.min(...scans)) * 1e-9, unit: 'GB/s' },
    }),
  );

  const jobs = await repeat(count * 5, async () => {
    const begin = process.hrtime.bigint();
    await spin(0, {});
    return Number(process.hrtime.bigint() - begin) / 1e9;
  });
  onRow(row('job from call to settled promise', 'empty job', isa, jobs));

  const gaps = await repeat(quick ? 2 : 6, async () => {
    let reports = 0;
    await spin(0.6, { onProgress: () => (reports += 1) });
    return 0.6 / reports;
  });
  onRow(row('time between progress reports', 'throttled to 50 ms', isa, gaps));

  onRow(row('abort to rejection', 'polled every 20 us of work', isa, await repeat(count, abortLatency)));
}

/** The family. */
export const edge: Family = {
  name: 'edge',
  description: 'The N-API layer, wall time.',
  run,
};
