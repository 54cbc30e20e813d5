// Proofs of optimality: filters whose optima are known, and what is refused.
import { denseMatrix, dmmv } from '../../../lib';
import { errorWith } from '../../support/errors';
import { vectors } from '../../support/vectors';

interface FirCase {
  name: string;
  M: number;
  bits: number;
  bands: [number, number][];
  desired: number[];
  weights: number[];
  grid_density: number;
  best_objective: number;
  status: string;
}

const { cases } = vectors<{ cases: FirCase[] }>('dmmv/fir.json');

/** Type I response on the grid of the specification, in units of the weighted error. */
function filterProblem({ M, bits, bands, desired, weights, grid_density: density }: FirCase): dmmv.Problem {
  const rows: number[][] = [];
  const wanted: number[] = [];
  bands.forEach(([from, to], k) => {
    const points = Math.ceil((to - from) * density * (M + 1)) + 1;
    for (let i = 0; i < points; i += 1) {
      const frequency = Math.PI * (from + ((to - from) * i) / (points - 1));
      const weight = weights[k] as number;
      rows.push(Array.from({ length: M + 1 }, (_, j) => weight * (j === 0 ? 1 : 2 * Math.cos(j * frequency))));
      wanted.push(weight * (desired[k] as number));
    }
  });
  const step = 2 ** (1 - bits);
  return dmmv.createProblem({
    matrix: denseMatrix(rows.length, M + 1, rows.flat()),
    lower: wanted,
    upper: wanted,
    levels: { offset: -1, step, count: 2 ** bits },
  });
}

const proven = cases.filter(({ M, bits }) => M <= 22 && bits <= 9);

test.each(proven.map((given) => [given.name, given] as const))('%s is proven', async (_, given) => {
  const problem = filterProblem(given);
  const result = await dmmv.solveExact(problem, { searchIterations: 20_000 });
  expect(result.proven).toBe(true);
  expect(result.status).toBe('optimal');
  expect(result.objective).toBeLessThanOrEqual(given.best_objective + 1e-9);
  expect(result.objective).toBe(dmmv.evaluate(problem, result.indices).objective);
  expect(result.lowerBound).toBeLessThanOrEqual(result.objective);
  expect(result.lowerBound).toBeGreaterThan(result.objective * (1 - 1e-8));
  if (/optimal/.test(given.status)) expect(result.objective).toBeCloseTo(given.best_objective, 9);
});

const matrix = denseMatrix(3, 4, [1, 2, 3, 4, 4, 3, 2, 1, 1, -1, 1, -1]);
const small = dmmv.createProblem({ matrix, lower: [0.5, 0.5, 0.5], upper: [0.5, 0.5, 0.5], levels: [-1, 0, 2, 3] });

test('levels of any distance are enumerated, and a certificate comes with the relaxation', async () => {
  const result = await dmmv.solveExact(small, { initial: [0, 0, 0, 0] });
  let best = Infinity;
  for (let word = 0; word < 256; word += 1) {
    const indices = [0, 1, 2, 3].map((j) => (word >> (2 * j)) & 3);
    best = Math.min(best, dmmv.evaluate(small, indices).objective);
  }
  expect(result.objective).toBe(best);
  expect([...result.values]).toEqual([...result.indices].map((q) => [-1, 0, 2, 3][q]));
  if (result.multipliers !== null) {
    expect(dmmv.checkCertificate(small, result.multipliers)).toBeLessThanOrEqual(best);
  }
});

test('an abort returns the best so far', async () => {
  const stop = new AbortController();
  const given = cases.find(({ M }) => M > 40) as FirCase;
  const result = await dmmv.solveExact(filterProblem(given), {
    searchIterations: 100,
    signal: stop.signal,
    onAbort: 'return',
    onProgress: ({ phase }) => {
      if (phase === 'proof') stop.abort();
    },
  });
  expect(result.status).toBe('cancelled');
  expect(result.proven).toBe(false);
  expect(result.lowerBound).toBeLessThan(result.objective);
});

test.each<[string, object, string, string]>([
  ['a level that is none', { initial: [0, 0, 0, 9] }, 'ERR_OUT_OF_RANGE', 'options.initial[3]'],
  ['too few indices', { initial: [0] }, 'ERR_SHAPE_MISMATCH', 'options.initial'],
  ['a negative gap', { gap: -1 }, 'ERR_OUT_OF_RANGE', 'options.gap'],
  ['a misspelt option', { steps: 1 }, 'ERR_INVALID_ARG_VALUE', 'options.steps'],
])('%s: refused', async (_, options, code, argument) => {
  await expect(dmmv.solveExact(small, options)).rejects.toThrow(errorWith(code, argument));
});
