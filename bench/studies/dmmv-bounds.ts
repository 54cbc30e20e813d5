// What the two ways to a lower bound prove of random problems in a given time: matrices and targets of normal numbers, levels -1
// and 1, targets as far out as sums of all columns are, so that no continuous point meets them.
//   node build-bench/bench/studies/dmmv-bounds.js [rows x columns ...]
import { denseMatrix, dmmv } from '../../lib';
import { normals, uniforms } from '../../lib/runtime/random';
import { short, study, Table } from './study';

/** Seconds for each way; the largest basis is too large for the exchange. */
const sizes: Record<string, { exchange?: number; firstOrder: number }> = {
  '500 x 100': { exchange: 60, firstOrder: 30 },
  '4096 x 768': { exchange: 60, firstOrder: 30 },
  '8192 x 2048': { firstOrder: 30 },
};
const tolerance = 1e-4;
const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(sizes);

function randomProblem(rows: number, columns: number): dmmv.Problem {
  const normal = normals(uniforms(1));
  const matrix = Float64Array.from({ length: rows * columns }, normal);
  const target = Float64Array.from({ length: rows }, () => Math.sqrt(columns) * normal());
  return dmmv.createProblem({
    matrix: denseMatrix(rows, columns, matrix, { order: 'column' }),
    lower: target,
    upper: target,
    levels: [-1, 1],
  });
}

study(async () => {
  const table = new Table(`Bounds, first-order steps to a gap of ${tolerance}`, [
    'rows x columns',
    'method',
    'proven',
    'seconds',
    'allowed',
    'iterations',
    'solved',
  ]);
  for (const name of names) {
    const limits = sizes[name];
    if (limits === undefined) throw new Error(`no size is called ${name}; there are ${Object.keys(sizes).join(', ')}`);
    const [rows, columns] = name.split(' x ').map(Number) as [number, number];
    using problem = randomProblem(rows, columns);
    for (const method of ['exchange', 'first-order'] as const) {
      const seconds = method === 'exchange' ? limits.exchange : limits.firstOrder;
      if (seconds === undefined) continue;
      const begin = process.hrtime.bigint();
      const options = { method, tolerance, maxIterations: 1_000_000, timeLimitMs: 1000 * seconds };
      const { bound, multipliers, iterations, converged } = await dmmv.lowerBound(problem, options);
      const took = Number(process.hrtime.bigint() - begin) / 1e9;
      const checked = dmmv.checkCertificate(problem, multipliers);
      if (checked < bound - 1e-12 * Math.abs(bound)) throw new Error(`the certificate proves ${checked}, not ${bound}`);
      table.add(name, method, bound.toPrecision(6), short(took), seconds, iterations, converged ? 'yes' : 'no');
    }
  }
});
