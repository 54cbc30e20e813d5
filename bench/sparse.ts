// Sparse direct solvers against CHOLMOD.
import type { BenchOptions, Family, Row } from './harness';
import { runProgram } from './native-program';

async function run({ quick, threads }: BenchOptions, onRow: (row: Row) => void): Promise<void> {
  const args = quick ? ['--sizes=64,128', '--samples=3'] : [];
  await runProgram('dd_bench_sparse', [`--threads=${threads}`, ...args], onRow);
  if (quick || threads > 1) return;
  await runProgram('dd_bench_sparse', ['--threads=2'], onRow);
}

/** The family. */
export const sparse: Family = {
  name: 'sparse',
  description:
    'From the Jacobian of the Poisson residual to the least-squares solution with nothing known before (form, analyse, factor, solve), and the wave residual by LU; wall time.',
  run,
};
