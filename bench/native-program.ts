// Families whose competitors are native: a program runs them call by call in one process and prints one JSON object per
// case, which becomes a row here.
import { spawn } from 'node:child_process';
import path from 'node:path';
import readline from 'node:readline';
import type { PeerResult, Row } from './harness';

interface NativeRow {
  family: string;
  routine: string;
  dtype: string;
  sizes: { m: number; n: number; k: number };
  isa: string;
  threads: number;
  ours: { p10Seconds: number; medianSeconds: number; gflops?: number; gigabytes?: number };
  peers: Record<string, { medianSeconds: number }>;
  peakPercent: number;
  samples: number;
}

/** Where `npm run bench` builds the native programs; it runs this in the root of the checkout. */
const folder = path.resolve('build-cmake', `bench-${process.platform}-${process.arch}`);

function toRow({ family, routine, sizes, ours, peers, peakPercent, ...rest }: NativeRow): Row {
  const results: Record<string, PeerResult> = {};
  for (const [name, { medianSeconds }] of Object.entries(peers)) {
    results[name] = { medianSeconds, speedRatio: medianSeconds / ours.medianSeconds };
  }
  return {
    family,
    name: routine,
    size: [sizes.m, sizes.n, sizes.k].filter((extent) => extent > 0).join(' x '),
    dtype: rest.dtype,
    threads: rest.threads,
    isa: rest.isa,
    medianSeconds: ours.medianSeconds,
    p10Seconds: ours.p10Seconds,
    samples: rest.samples,
    rate:
      ours.gigabytes === undefined
        ? { value: ours.gflops ?? NaN, unit: 'GFLOP/s' }
        : { value: ours.gigabytes, unit: 'GB/s' },
    limitPercent: peakPercent,
    peers: results,
  };
}

/** Runs a program and hands over its rows as they come. */
export async function runProgram(name: string, args: readonly string[], onRow: (row: Row) => void): Promise<void> {
  // A preset core type makes OpenBLAS run kernels that are not this machine's best, which would flatter us.
  const { OPENBLAS_CORETYPE: _, OPENBLAS_L2_SIZE: __, ...env } = process.env;
  const child = spawn(path.join(folder, name), args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => {
      if (status === 0) resolve();
      else reject(new Error(`${name} ${args.join(' ')} ended with status ${status}`));
    });
  });
  for await (const line of readline.createInterface({ input: child.stdout })) {
    if (line.startsWith('{')) onRow(toRow(JSON.parse(line) as NativeRow));
  }
  await ended;
}
