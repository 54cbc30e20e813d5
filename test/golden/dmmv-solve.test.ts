// exact_small.json, hadamard.json, fir.json and official_fir.json: optima found, bounds and certificates agreed with.
import { denseMatrix, dmmv } from '../../lib';
import { vectors } from '../support/vectors';

interface SmallCase {
  name: string;
  m: number;
  n: number;
  A_rowmajor: number[];
  b: number[];
  levels: number[][];
  optimum: number;
  lp_bound: number;
  dual_y: number[];
  dual_value: number;
}

const small = vectors<{ cases: SmallCase[] }>('dmmv/exact_small.json').cases;

const smallProblem = (given: SmallCase): dmmv.Problem =>
  dmmv.createProblem({
    matrix: denseMatrix(given.m, given.n, given.A_rowmajor),
    lower: given.b,
    upper: given.b,
    levels: given.levels,
  });

describe.each(small.map((given) => [given.name, given] as const))('%s', (_, given) => {
  test.each([0, 1, 2])('the optimum is found within 200 ms, seed %i', async (seed) => {
    const problem = smallProblem(given);
    const result = await dmmv.solve(problem, { seed, timeLimitMs: 200, target: given.optimum + 1e-9 });
    expect(result.objective).toBeCloseTo(given.optimum, 9);
    expect(dmmv.evaluate(problem, result.indices).objective).toBe(result.objective);
    expect([...result.values]).toEqual([...result.indices].map((q, j) => given.levels[j]?.[q]));
  });

  test('the relaxation agrees and its certificate verifies', async () => {
    const problem = smallProblem(given);
    const { bound, source, multipliers } = await dmmv.lowerBound(problem);
    expect(bound).toBeLessThanOrEqual(given.optimum);
    // Where the relaxation proves nothing, the spectrum may.
    if (source !== 'spectrum') expect(bound).toBeCloseTo(given.lp_bound, 9);
    else expect(bound).toBeGreaterThan(given.lp_bound);
    expect(dmmv.checkCertificate(problem, multipliers)).toBeLessThanOrEqual(given.optimum);
    expect(dmmv.checkCertificate(problem, given.dual_y)).toBeCloseTo(given.dual_value, 9);
  });
});

interface HadamardCase {
  m: number;
  n: number;
  optimum_or_best: number;
}

const bits = (value: number): number => (value === 0 ? 0 : (value & 1) + bits(value >>> 1));
const hadamard = vectors<{ cases: HadamardCase[] }>('dmmv/hadamard.json').cases.filter(({ m }) => m <= 6);

test.each(hadamard.map((given) => [given.n, given] as const))(
  'Hadamard order %i reaches its optimum',
  async (n, given) => {
    const entries = Float64Array.from({ length: n * n }, (_, k) =>
      bits(Math.floor(k / n) & (k % n)) % 2 === 0 ? 1 : -1,
    );
    const problem = dmmv.createProblem({
      matrix: denseMatrix(n, n, entries),
      lower: new Float64Array(n),
      upper: new Float64Array(n),
      levels: [-1, 1],
    });
    const result = await dmmv.solve(problem, { target: given.optimum_or_best, timeLimitMs: 1000 });
    expect(result.objective).toBe(given.optimum_or_best);
    // 2^(m / 2), rounded up
    expect(result.lowerBound).toBeGreaterThanOrEqual(Math.sqrt(n));
  },
);

interface FirCase {
  name: string;
  M: number;
  taps: number;
  bits: number;
  bands: [number, number][];
  desired: number[];
  weights: number[];
  grid_density: number;
  lp_bound: number;
  rounding_of_lp: number;
  best_objective: number;
  lower_bound: number;
  status: string;
  coefficients: number[];
  continuous_ripple: number;
}

const { cases: fir, tolerance } = vectors<{ cases: FirCase[]; tolerance: { abs: number; rel: number } }>(
  'dmmv/fir.json',
);

const specificationOf = (given: FirCase): dmmv.FirSpecification => ({
  taps: given.taps,
  wordLength: given.bits,
  gridDensity: given.grid_density,
  bands: given.bands.map(([from, to], k) => ({
    from,
    to,
    gain: given.desired[k] as number,
    weight: given.weights[k] as number,
  })),
});

test.each(fir.map((given) => [given.name, given] as const))(
  '%s: the published coefficients have the published ripples',
  async (_, given) => {
    const design = await dmmv.designFir(specificationOf(given), { initial: given.coefficients, maxIterations: 1 });
    expect(design.ripple).toBeLessThanOrEqual(given.best_objective * (1 + 1e-7));
    expect(Math.abs(design.unquantisedRipple - given.lp_bound)).toBeLessThanOrEqual(
      tolerance.abs + tolerance.rel * given.lp_bound,
    );
    expect(design.lowerBound).toBeLessThanOrEqual(given.best_objective);
    if (design.ripple > given.best_objective * (1 - 1e-9)) {
      expect([...design.coefficients.subarray(given.M)]).toEqual(given.coefficients);
      expect(design.continuousRipple).toBeCloseTo(given.continuous_ripple, 9);
    }
  },
);

const quick = fir.filter(({ taps, status }) => taps === 35 && status.startsWith('optimal'));

test.each(quick.map((given) => [given.name, given] as const))(
  '%s: the proven optimum is found within 5 s',
  async (_, given) => {
    const design = await dmmv.designFir(specificationOf(given), {
      target: given.best_objective * (1 + 1e-9),
      timeLimitMs: 5000,
      threads: 1,
    });
    expect(design.ripple).toBeLessThanOrEqual(given.best_objective * (1 + 1e-7));
  },
);
