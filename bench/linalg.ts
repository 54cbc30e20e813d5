// Dense linear algebra against OpenBLAS and Eigen: a native program runs all competitors call by call in one process.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import type { BenchOptions, Family, PeerResult, Row } from './harness';

interface NativeRow {
  routine: string;
  dtype: string;
  sizes: { m: number; n: number; k: number };
  isa: string;
  threads: number;
  ours: { p10Seconds: number; medianSeconds: number; gflops: number };
  peers: Record<string, { medianSeconds: number; p10Seconds: number; ratio: number }>;
  peakPercent: number;
  samples: number;
}

/** The folder that `npm run bench` builds the native programs in. */
export const nativeFolder = path.resolve(__dirname, '..', 'build-cmake', `bench-${process.platform}-${process.arch}`);

function toRow(native: NativeRow): Row {
  const { m, n, k } = native.sizes;
  const peers: Record<string, PeerResult> = {};
  for (const [name, peer] of Object.entries(native.peers)) {
    peers[name] = { medianSeconds: peer.medianSeconds, speedRatio: peer.medianSeconds / native.ours.medianSeconds };
  }
  return {
    family: 'linalg',
    name: native.routine,
    size: [m, n, k].join(' x '),
    dtype: native.dtype,
    threads: native.threads,
    isa: native.isa,
    medianSeconds: native.ours.medianSeconds,
    p10Seconds: native.ours.p10Seconds,
    samples: native.samples,
    rate: { value: native.ours.gflops, unit: 'GFLOP/s' },
    limitPercent: native.peakPercent,
    peers,
  };
}

async function run({ quick, threads, isa }: BenchOptions, onRow: (row: Row) => void): Promise<void> {
  const args = [`--threads=${threads}`, `--isa=${isa}`, ...(quick ? ['--sizes=64,256', '--samples=7'] : [])];
  // A preset core type makes OpenBLAS run kernels that are not this machine's best, which would flatter us.
  const { OPENBLAS_CORETYPE: _, OPENBLAS_L2_SIZE: __, ...env } = process.env;
  const result = spawnSync(path.join(nativeFolder, 'dd_bench_linalg'), args, {
    encoding: 'utf8',
    env,
    maxBuffer: 1 << 26,
  });
  if (result.error) throw result.error;
  if (result.status !== 0) throw new Error(`dd_bench_linalg ended with status ${result.status}: ${result.stderr}`);
  for (const line of result.stdout.split('\n')) {
    if (!line.startsWith('{')) continue;
    const parsed = JSON.parse(line) as Partial<NativeRow>;
    if (parsed.ours !== undefined) onRow(toRow(parsed as NativeRow));
  }
  return Promise.resolve();
}

/** The family. */
export const linalg: Family = {
  name: 'linalg',
  description:
    'Dense kernels, thread CPU time for one thread and wall time for more, competitors in turn. Percent of the multiply-add limit measured around each case.',
  run,
};
