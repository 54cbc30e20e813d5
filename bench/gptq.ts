// The GPTQ loop beside the multiply-add limit of the machine, and on two threads beside itself on one.
import type { BenchOptions, Family, Row } from './harness';
import { runProgram } from './native-program';

async function run({ quick, isa }: BenchOptions, onRow: (row: Row) => void): Promise<void> {
  const args = [`--isa=${isa}`, ...(quick ? ['--sizes=1024', '--samples=5'] : ['--samples=9'])];
  await runProgram('dd_bench_gptq', args, onRow);
  if (quick) return;
  await runProgram('dd_bench_gptq', [...args, '--outputs=all'], onRow);
  await runProgram('dd_bench_gptq', [...args, '--threads=2'], onRow);
  if (isa === 'avx512') await runProgram('dd_bench_gptq', ['--isa=avx2', '--samples=5'], onRow);
}

/** The family. */
export const gptq: Family = {
  name: 'gptq',
  description:
    'The loop over a square layer, 16 levels, the whole call: checks, transposing, packing and loop. `gptq` writes codes, `gptq, all outputs` also the quantised weights, errors and losses.',
  run,
};
