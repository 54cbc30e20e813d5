// Multigrid against sparse Cholesky of the normal equations, and the multigrid decomposition of odil's fields.
import type { BenchOptions, Family, Row } from './harness';
import { runProgram } from './native-program';

async function run({ quick, threads }: BenchOptions, onRow: (row: Row) => void): Promise<void> {
  const args = quick ? ['--sizes=64,256', '--samples=3'] : [];
  await runProgram('dd_bench_multigrid', [`--threads=${threads}`, ...args], onRow);
  if (quick || threads > 1) return;
  await runProgram('dd_bench_multigrid', ['--threads=2', '--sizes=1024,2048', '--direct=0'], onRow);
}

/** The family. */
export const multigrid: Family = {
  name: 'multigrid',
  description:
    'Poisson in two dimensions, from the operator to a residual of 1e-10 with nothing known before, beside sparse Cholesky of the normal equations; composition of a field of 192 x 48^3 cells from four levels, and its transpose. Wall time.',
  run,
};
