// How long a proof takes that no filter is better by a share of 1e-4 than the best one known: ours and HiGHS with the same
// cut-off, in turn, one thread each.
//   node build-bench/bench/studies/dmmv-proofs.js [seconds for HiGHS] [name ...]
import { denseMatrix, dmmv } from '../../lib';
import { firInstance } from '../../lib/report/fir-family';
import { filterRows, highsFir } from '../peers/highs';
import { short, study, Table } from './study';

const gap = 1e-4;
const [limit = '60', ...names] = process.argv.slice(2);
const filters = names.length > 0 ? names : ['A35/8', 'B35/9', 'C35/8', 'D35/9', 'E35/8', 'E45/8'];

study(async () => {
  const table = new Table(`Proofs, HiGHS for ${limit} s at most`, [
    'filter',
    'best known',
    'ours, s',
    'status',
    'HiGHS, s',
    'status',
  ]);
  for (const name of filters) {
    const rows = filterRows(firInstance(name));
    const { matrix, columns, target, bits } = rows;
    using problem = dmmv.createProblem({
      matrix: denseMatrix(target.length, columns, matrix),
      lower: target,
      upper: target,
      levels: { offset: -1, step: 2 ** (1 - bits), count: 2 ** bits },
    });
    const known = await dmmv.solve(problem, { threads: 1, seed: 1, timeLimitMs: 1000 });
    const begin = process.hrtime.bigint();
    const proved = await dmmv.solveExact(problem, {
      initial: known.indices,
      searchIterations: 1,
      gap,
      threads: 1,
    });
    const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
    const highs = await highsFir(rows, Number(limit), known.objective * (1 - gap));
    table.add(
      name,
      known.objective.toPrecision(7),
      short(seconds),
      proved.status,
      highs === undefined ? '-' : short(highs.seconds),
      highs === undefined ? '-' : highs.status,
    );
  }
});
