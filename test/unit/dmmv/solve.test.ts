// The solver as its user meets it: determinism, limits, abort, progress, targets and bounds.
import { denseMatrix, dmmv } from '../../../lib';
import { uniforms } from '../../support/philox-random';

function randomProblem(seed: number, rows: number, variables: number, levels: dmmv.Levels): dmmv.Problem {
  const next = uniforms(seed);
  const target = Float64Array.from({ length: rows }, () => 8 * next() - 4);
  return dmmv.createProblem({
    matrix: denseMatrix(
      rows,
      variables,
      Float64Array.from({ length: rows * variables }, () => 2 * next() - 1),
    ),
    lower: target,
    upper: target,
    levels,
  });
}

const wide = randomProblem(5, 60, 40, { offset: -2, step: 0.5, count: 9 });

test('the same seed gives the same bytes for any number of threads; another seed searches elsewhere', async () => {
  const solve = async (seed: number, threads: number): Promise<dmmv.SolveResult> =>
    dmmv.solve(wide, { seed, threads, maxIterations: 20_000 });
  const [one, two, three, other] = await Promise.all([solve(7, 1), solve(7, 2), solve(7, 3), solve(8, 1)]);
  expect(two.indices).toEqual(one.indices);
  expect(three.indices).toEqual(one.indices);
  expect(two.objective).toBe(one.objective);
  expect(three.trace.map(({ objective }) => objective)).toEqual(one.trace.map(({ objective }) => objective));
  expect(other.trace.map(({ iterations }) => iterations)).not.toEqual(one.trace.map(({ iterations }) => iterations));
});

test('the synchronous twin finds the same', async () => {
  const options = { seed: 3, maxIterations: 5000 };
  expect(dmmv.solveSync(wide, options).indices).toEqual((await dmmv.solve(wide, options)).indices);
});

test('the result is consistent with itself', async () => {
  const result = await dmmv.solve(wide, { maxIterations: 10_000 });
  expect(dmmv.evaluate(wide, result.indices).objective).toBe(result.objective);
  expect(dmmv.levelValues(wide, result.indices)).toEqual(result.values);
  expect(result.gap).toBe(result.objective - result.lowerBound);
  expect(result.objective).toBeGreaterThanOrEqual(result.lowerBound);
  if (result.multipliers !== null) {
    expect(dmmv.checkCertificate(wide, result.multipliers)).toBeLessThanOrEqual(result.objective);
  }
  const objectives = result.trace.map(({ objective }) => objective);
  expect(objectives).toEqual([...objectives].sort((a, b) => b - a));
  expect(objectives.at(-1)).toBeCloseTo(result.objective, 9);
});

test('a start is never made worse', async () => {
  const initial = Int32Array.from({ length: 40 }, (_, j) => j % 9);
  const result = await dmmv.solve(wide, { initial, maxIterations: 1 });
  expect(result.objective).toBeLessThanOrEqual(dmmv.evaluate(wide, initial).objective);
});

test('a time limit ends the run with what was best', async () => {
  const result = await dmmv.solve(wide, { timeLimitMs: 80 });
  expect(['time', 'optimal', 'stagnation']).toContain(result.status);
  expect(result.indices).toHaveLength(40);
});

test('a target ends the run', async () => {
  const first = await dmmv.solve(wide, { maxIterations: 2000 });
  const result = await dmmv.solve(wide, { target: first.objective * 2 });
  expect(result.status).toBe('target');
});

test("an abort rejects with its reason, or returns the best with onAbort: 'return'", async () => {
  const problem = randomProblem(9, 200, 100, { offset: -2, step: 0.25, count: 17 });
  const abortAfter = (ms: number): AbortSignal => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('enough')), ms);
    return controller.signal;
  };
  await expect(dmmv.solve(problem, { signal: abortAfter(40), timeLimitMs: 60_000 })).rejects.toThrow('enough');
  const result = await dmmv.solve(problem, { signal: abortAfter(40), timeLimitMs: 60_000, onAbort: 'return' });
  expect(result.status).toBe('cancelled');
  expect(dmmv.evaluate(problem, result.indices).objective).toBe(result.objective);
});

test('progress carries the best assignment, and its objective is that assignment s', async () => {
  const problem = randomProblem(11, 200, 100, { offset: -2, step: 0.25, count: 17 });
  const seen: { objective: number; best: Int32Array | undefined }[] = [];
  await dmmv.solve(problem, { timeLimitMs: 400, onProgress: ({ objective, best }) => seen.push({ objective, best }) });
  const withBest = seen.filter(({ best }) => best !== undefined);
  expect(withBest.length).toBeGreaterThan(0);
  for (const { objective, best } of withBest) {
    expect(dmmv.evaluate(problem, best as Int32Array).objective).toBeCloseTo(objective, 9);
  }
});

test('an exception in onProgress stops the search and nothing is lost of the problem', async () => {
  const problem = randomProblem(11, 200, 100, { offset: -2, step: 0.25, count: 17 });
  const failure = new Error('from the callback');
  await expect(
    dmmv.solve(problem, {
      timeLimitMs: 60_000,
      onProgress: () => {
        throw failure;
      },
    }),
  ).rejects.toBe(failure);
  expect((await dmmv.solve(problem, { maxIterations: 100 })).indices).toHaveLength(100);
});

test('bound: false leaves the bound out, bound: true proves one', async () => {
  const tight = randomProblem(2, 80, 24, { offset: -0.25, step: 0.125, count: 5 });
  const without = await dmmv.solve(tight, { bound: false, maxIterations: 500 });
  expect(without.lowerBound).toBe(-Infinity);
  expect(without.multipliers).toBeNull();
  const proven = await dmmv.solve(tight, { bound: true, maxIterations: 500 });
  expect(proven.lowerBound).toBeGreaterThan(0);
  expect(dmmv.checkCertificate(tight, proven.multipliers as Float64Array)).toBeCloseTo(proven.lowerBound, 12);
});

test('the guard on the Euclidean norm holds, and says where it cannot be had', async () => {
  const tight = randomProblem(2, 80, 24, { offset: -0.25, step: 0.125, count: 5 });
  const norm = (indices: Int32Array): number => Math.hypot(...dmmv.evaluate(tight, indices).violations);
  const initial = dmmv.nearestLevels(tight, new Float64Array(tight.variables));
  const { indices } = await dmmv.solve(tight, { initial, l2Guard: 0.05, maxIterations: 500 });
  expect(norm(indices)).toBeLessThanOrEqual(1.05 * norm(initial) * (1 + 1e-12));
  await expect(dmmv.solve(tight, { l2Guard: -1 })).rejects.toMatchObject({ argument: 'options.l2Guard' });
  await expect(dmmv.solve(tight, { l2Guard: 0, moves: ['swap'] })).rejects.toMatchObject({
    code: 'ERR_INVALID_ARG_VALUE',
  });
});
