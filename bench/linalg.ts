// Dense linear algebra against OpenBLAS and Eigen.
import type { BenchOptions, Family, Row } from './harness';
import { runProgram } from './native-program';

/** Levels below the active one are measured on fewer routines and sizes, against the peer's kernels for that level. */
const lowerLevels: Record<string, readonly string[]> = { avx512: ['avx2', 'baseline'], avx2: ['baseline'] };
const lowerLevelArgs = [
  '--routine=gemm,syrk,cholesky,inverse',
  '--sizes=64,256,1024',
  '--samples=9',
  '--peers=openblas',
];
const scalingArgs = ['--routine=gemm,syrk,cholesky,inverse', '--sizes=256,512,1024,2048', '--samples=9', '--peers='];

async function run({ quick, threads, isa }: BenchOptions, onRow: (row: Row) => void): Promise<void> {
  const quickArgs = quick ? ['--sizes=64,256', '--samples=7'] : [];
  await runProgram('dd_bench_linalg', [`--threads=${threads}`, `--isa=${isa}`, ...quickArgs], onRow);
  if (quick || threads > 1) return;
  await runProgram('dd_bench_linalg', ['--threads=2', `--isa=${isa}`, ...scalingArgs], onRow);
  for (const level of lowerLevels[isa] ?? []) {
    await runProgram('dd_bench_linalg', [`--isa=${level}`, ...lowerLevelArgs], onRow);
  }
}

/** The family. */
export const linalg: Family = {
  name: 'linalg',
  description:
    'Dense kernels, thread CPU time for one thread and wall time for more, competitors in turn. Percent of the multiply-add limit measured around each case. `one thread` is our own routine on one thread.',
  run,
};
