// odil.laplace against dense inverses, and its samples against their own covariance.
import { odil } from '../../../lib';
import { errorWith } from '../../support/errors';

const { grid, laplace, laplaceSync, problem, where } = odil;

/** Two fields that touch, and two parameters. */
function small(): odil.Problem {
  const of = grid({ x: { cells: 5 } });
  const seen = of.sample('c', (x) => Math.sin(2 * x));
  return problem(
    { grid: of, fields: { u: 'c', v: 'n' }, parameters: { k: { initial: [0.3, 0.1] } } },
    ({ u, v, k, at, constant }) => ({
      data: u.minus(constant(seen)),
      flux: {
        value: v
          .shift({ x: 1 })
          .minus(v)
          .minus(u.times(k.element(0)))
          .minus(k.element(1)),
        location: 'c',
      },
      level: {
        value: where(at.x.first, v.times(2), v.minus(v.shift({ x: -1 })).times(0.5)),
        location: 'n',
      },
      prior: [k.element(0).minus(0.3).times(5), k.element(1)],
    }),
  );
}

/** The inverse of sum J_b^T J_b / noise_b^2, by Gauss and Jordan. */
function denseInverse(of: odil.Problem, state: odil.State<Float64Array>, noise: number[]): number[][] {
  const j = of.jacobian(state);
  const counts = Object.values(of.evaluate(state).blocks).map(({ count }) => count);
  const sigma = counts.flatMap((count, b) => Array.from({ length: count }, () => noise[b] as number));
  const n = of.unknowns;
  const rows = Array.from({ length: j.rows }, () => new Array<number>(n).fill(0));
  for (let c = 0; c < n; c += 1) {
    for (let k = j.columnPointers[c] as number; k < (j.columnPointers[c + 1] as number); k += 1) {
      const r = j.rowIndices[k] as number;
      (rows[r] as number[])[c] = (j.values[k] as number) / (sigma[r] as number);
    }
  }
  const a = Array.from({ length: n }, (_, p) =>
    Array.from({ length: 2 * n }, (__, q) =>
      q < n ? rows.reduce((sum, row) => sum + (row[p] as number) * (row[q] as number), 0) : Number(q - n === p),
    ),
  );
  for (let p = 0; p < n; p += 1) {
    const pivot = a[p] as number[];
    const scale = pivot[p] as number;
    for (let q = 0; q < 2 * n; q += 1) pivot[q] = (pivot[q] as number) / scale;
    for (let r = 0; r < n; r += 1) {
      const row = a[r] as number[];
      const factor = row[p] as number;
      if (r === p || factor === 0) continue;
      for (let q = 0; q < 2 * n; q += 1) row[q] = (row[q] as number) - factor * (pivot[q] as number);
    }
  }
  return a.map((row) => row.slice(n));
}

const noise = { data: 0.1, flux: 0.02, level: 2 };
const sigmas = [0.1, 0.02, 2, 1];

test('variances and covariances are those of the dense inverse', async () => {
  using of = small();
  const solution = await of.solve({ weights: { data: 10, flux: 50, level: 0.5 }, normalization: 'sum' });
  const inverse = denseInverse(of, { fields: solution.fields, parameters: solution.parameters ?? {} }, sigmas);
  const found = await laplace(of, solution, { noise, covarianceOf: { k: [1, 0], u: [3], v: [5] } });
  const { variances, covariance } = found;
  const near = (a: number, b: number): void => expect(Math.abs(a / b - 1)).toBeLessThan(1e-9);
  const packed = of.pack(variances as odil.State<Float64Array>);
  expect(packed).toHaveLength(13);
  packed.forEach((variance, i) => near(variance, inverse[i]?.[i] as number));
  expect(covariance.entries).toEqual([
    ['k', 1],
    ['k', 0],
    ['u', 3],
    ['v', 5],
  ]);
  const unknowns = [12, 11, 3, 10];
  unknowns.forEach((p, a) => {
    unknowns.forEach((q, b) => near(covariance.values[4 * a + b] as number, inverse[p]?.[q] as number));
  });
  const { covariance: parameters, variances: none } = await laplace(of, solution, { noise, variances: false });
  expect(none).toBeUndefined();
  expect(parameters.entries).toEqual([
    ['k', 0],
    ['k', 1],
  ]);
  near(parameters.values[0] as number, inverse[11]?.[11] as number);
  expect(parameters.values[1]).toBe(parameters.values[2]);
});

test('one noise for all blocks scales the covariance by its square', () => {
  using of = small();
  const at = of.initialState();
  const [one, three] = [laplaceSync(of, at), laplaceSync(of, at, { noise: 3 })];
  one.covariance.values.forEach((value, k) => expect(three.covariance.values[k]).toBeCloseTo(9 * value, 12));
  expect(three.logDeterminant).toBeCloseTo(one.logDeterminant - 13 * Math.log(9), 10);
});

test('samples have the mean and the covariance, and the same bytes for any number of threads', () => {
  using of = small();
  const at = of.initialState();
  const count = 20000;
  const { samples, covariance } = laplaceSync(of, at, {
    noise,
    samples: count,
    seed: 5,
    covarianceOf: { u: [2], k: [0] },
  });
  const [a, b] = [
    samples.map(({ fields }) => fields['u']?.[2] as number),
    samples.map((s) => s.parameters?.['k']?.[0] as number),
  ];
  const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / count;
  const product = (p: number[], q: number[]): number => {
    const [meanP, meanQ] = [mean(p), mean(q)];
    return mean(p.map((value, i) => (value - meanP) * ((q[i] as number) - meanQ)));
  };
  const [paa, pab, , pbb] = covariance.values as unknown as [number, number, number, number];
  // Five standard errors of 20000 samples.
  expect(Math.abs(mean(a) - 0)).toBeLessThan(5 * Math.sqrt(paa / count));
  expect(Math.abs(mean(b) - 0.3)).toBeLessThan(5 * Math.sqrt(pbb / count));
  expect(Math.abs(product(a, a) / paa - 1)).toBeLessThan(5 * Math.sqrt(2 / count));
  expect(Math.abs(product(b, b) / pbb - 1)).toBeLessThan(5 * Math.sqrt(2 / count));
  expect(Math.abs(product(a, b) - pab)).toBeLessThan(5 * Math.sqrt((paa * pbb + pab * pab) / count));

  using large = odil.problems.poisson({ cells: 24 });
  const draw = (threads: number, seed = 1): odil.LaplaceResult =>
    laplaceSync(large, large.initialState(), { threads, samples: 5, seed, covarianceOf: { u: [0, 100, 575] } });
  const { seconds: _, ...first } = draw(1);
  for (const threads of [2, 7]) {
    const { seconds: __, ...other } = draw(threads);
    expect(other).toEqual(first);
  }
  expect(draw(1, 2).samples[0]).not.toEqual(first.samples[0]);
});

test('an unknown that nothing reads has an infinite variance and keeps its value in samples', () => {
  using of = odil.problems.heatTmax({ timeCells: 6, cells: 8 });
  const at = of.initialState();
  const { variances, samples } = laplaceSync(of, at, { samples: 3 });
  const u = variances?.fields['u'] as Float64Array;
  expect([...u.subarray(0, 8)]).toEqual(new Array(8).fill(Infinity));
  expect([...u.subarray(8)].every((value) => value > 0 && value < Infinity)).toBe(true);
  for (const { fields } of samples) expect(fields['u']?.subarray(0, 8)).toEqual(at.fields['u']?.subarray(0, 8));
});

test('what is refused', async () => {
  using of = small();
  const at = of.initialState();
  const refused = (options: object, code: string, argument: string): void => {
    expect(() => laplaceSync(of, at, options)).toThrow(errorWith(code, argument));
  };
  refused({ noise: 0 }, 'ERR_OUT_OF_RANGE', 'options.noise');
  refused({ noise: { data: -1 } }, 'ERR_OUT_OF_RANGE', 'options.noise.data');
  refused({ noise: { date: 1 } }, 'ERR_INVALID_ARG_VALUE', 'options.noise.date');
  refused({ samples: -1 }, 'ERR_OUT_OF_RANGE', 'options.samples');
  refused({ covarianceOf: { w: [0] } }, 'ERR_INVALID_ARG_VALUE', 'options.covarianceOf.w');
  refused({ covarianceOf: { u: [5] } }, 'ERR_OUT_OF_RANGE', 'options.covarianceOf.u[0]');
  refused({ memoryLimitBytes: 100 }, 'ERR_OUT_OF_MEMORY', 'options.memoryLimitBytes');
  expect(() => laplaceSync({} as never, at)).toThrow(errorWith('ERR_INVALID_ARG_TYPE', 'problem'));
  expect(() => laplaceSync(of, { fields: {} })).toThrow(errorWith('ERR_INVALID_ARG_TYPE', 'solution.fields.u'));
  const reason = new Error('enough');
  await expect(laplace(of, at, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);

  const line = grid({ x: { cells: 4 } });
  using raw = problem({ grid: line, fields: { u: 'c' } }, ({ u }) => ({ well: { value: u.times(u), raw: true } }));
  expect(() => laplaceSync(raw, raw.initialState())).toThrow(errorWith('ERR_INVALID_ARG_VALUE', 'well'));
  // Only differences are known: the level is free.
  using loose = problem({ grid: line, fields: { u: 'c' } }, ({ u, at: where_ }) => ({
    slope: where(where_.x.first, 0, u.minus(u.shift({ x: -1 }))),
  }));
  expect(() => laplaceSync(loose, loose.initialState())).toThrow(
    expect.objectContaining({ code: 'ERR_SINGULAR', argument: expect.stringMatching(/^u\[\d\]$/) as string }) as Error,
  );
});
