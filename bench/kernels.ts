// Every registered kernel at its benchmark sizes, beside the machine's own limits: the same as `discrete-descent bench`.
import { native } from '../lib/runtime/native';
import type { BenchOptions, Family, Row } from './harness';

async function run({ quick, threads, isa }: BenchOptions, onRow: (row: Row) => void): Promise<void> {
  const limits = native.kernels.machineLimits();
  for (const kernel of native.kernels.list()) {
    if (kernel.name.startsWith('linalg.')) continue; // measured against peers in linalg.ts
    const dtype = kernel.name.split('.').at(-1) ?? '';
    kernel.benchmarkSizes.forEach((size, position) => {
      const measured = native.kernels.benchmark(kernel.name, position, { isa, threads, seconds: quick ? 0.1 : 0.5 });
      const peak = dtype === 'float32' ? limits.gflopsFloat32 : limits.gflopsFloat64;
      onRow({
        family: 'kernels',
        name: kernel.name,
        size,
        dtype,
        threads,
        isa,
        medianSeconds: measured.medianSeconds,
        p10Seconds: measured.p10Seconds,
        p90Seconds: measured.p90Seconds,
        samples: measured.samples,
        rate:
          measured.gflops > measured.gigabytes
            ? { value: measured.gflops, unit: 'GFLOP/s' }
            : { value: measured.gigabytes, unit: 'GB/s' },
        limitPercent: (100 * measured.gflops) / (peak * threads),
        peers: {},
      });
    });
  }
  return Promise.resolve();
}

/** The family. */
export const kernels: Family = {
  name: 'kernels',
  description:
    'Registered kernels at their benchmark sizes. Percent of the multiply-add limit; many are bound by memory, so the GB/s count.',
  run,
};
