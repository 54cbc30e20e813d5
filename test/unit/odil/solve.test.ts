// problem.solve by every method: what is picked, what is refused, and that nothing is lost when a run is stopped,
// resumed, or goes wrong.
import { odil } from '../../../lib';
import { errorWith } from '../../support/errors';

const { grid, problem, where } = odil;

/** A nonlinear equation on a line with three blocks, one of them a regularisation that pulls away from the solution. */
function line(): odil.Problem {
  const of = grid({ x: { cells: 16 } });
  const target = of.sample('c', (x) => Math.sin(3 * x) + 0.5);
  return problem(
    { grid: of, fields: { u: 'c' }, parameters: { k: { initial: [0.5] } } },
    ({ u, k, at, step, constant }) => ({
      data: u.minus(constant(target)),
      slope: where(at.x.first, 0, u.minus(u.shift({ x: -1 })).over(step.x)).times(0.1),
      growth: u.times(u).minus(k),
    }),
  );
}

/** But for the order in which sums are taken. */
const near = (a: number, b: number): void => expect(Math.abs(a - b)).toBeLessThanOrEqual(1e-13 * Math.abs(b));

const methods = ['gauss-newton', 'lbfgs', 'adam', 'gradient-descent'] as const;
/** Learning rates that suit the line below, where a method has one. */
const rates: Readonly<Record<string, number | undefined>> = { adam: 2e-3, 'gradient-descent': 0.1 };
const gradientMethods = ['lbfgs', 'adam', 'gradient-descent'] as const;

describe('the choice of a method', () => {
  test('squares go to Gauss-Newton, anything else to L-BFGS, and the report says why', () => {
    using squares = line();
    expect(squares.solveSync()).toMatchObject({
      method: 'gauss-newton',
      reason: expect.stringContaining('the loss is a sum of squares') as string,
    });
    expect(squares.solveSync({ multigrid: { levels: 2 } })).toMatchObject({ method: 'lbfgs' });
    const single = { fields: { u: new Float32Array(16) }, parameters: { k: new Float32Array(1) } };
    const found = squares.solveSync({ initial: single });
    expect(found).toMatchObject({ method: 'lbfgs', reason: 'the initial state is in single precision' });
    expect(Object.prototype.toString.call(found.fields['u'])).toBe('[object Float32Array]');
    expect(squares.solveSync({ method: 'adam' })).toMatchObject({ method: 'adam', reason: 'asked for' });
  });

  test('a raw block: the least value of a function that is no sum of squares', () => {
    using raw = problem({ grid: grid({ x: { cells: 8 } }), fields: { u: 'c' } }, ({ u, at }) => ({
      well: { value: odil.exp(u).minus(u.times(at.x.coordinate.plus(1))), raw: true },
    }));
    const solution = raw.solveSync();
    expect(solution.method).toBe('lbfgs');
    expect(solution.reason).toContain('well');
    raw.grid
      .sample('c', (x) => Math.log(1 + x))
      .forEach((exact, i) => {
        expect((solution.fields['u'] as Float64Array)[i]).toBeCloseTo(exact, 6);
      });
    expect(() => raw.solveSync({ method: 'gauss-newton' })).toThrow(errorWith('ERR_INVALID_ARG_VALUE', 'well'));
  });

  test.each([
    [{ method: 'newton' }, 'ERR_INVALID_ARG_VALUE', 'options.method', "'lbfgs'"],
    [{ learningRate: 1 }, 'ERR_INVALID_ARG_VALUE', 'options.learningRate', "'adam', 'gradient-descent', not"],
    [{ method: 'lbfgs', learningRate: 1 }, 'ERR_INVALID_ARG_VALUE', 'options.learningRate', "not of 'lbfgs'"],
    [{ method: 'adam', damping: 'none' }, 'ERR_INVALID_ARG_VALUE', 'options.damping', "'gauss-newton'"],
    [{ method: 'gauss-newton', multigrid: true }, 'ERR_INVALID_ARG_VALUE', 'options.multigrid', 'singular'],
    [{ method: 'adam', learningRate: 0 }, 'ERR_OUT_OF_RANGE', 'options.learningRate', '0'],
    [{ method: 'adam', beta1: 1 }, 'ERR_OUT_OF_RANGE', 'options.beta1', '1'],
    [{ method: 'lbfgs', memory: 0 }, 'ERR_OUT_OF_RANGE', 'options.memory', '0'],
    [{ method: 'lbfgs', lineSearch: { decrease: 2 } }, 'ERR_OUT_OF_RANGE', 'options.lineSearch.decrease', '2'],
    [
      { method: 'lbfgs', lineSearch: { decrease: 0.9, curvature: 0.5 } },
      'ERR_OUT_OF_RANGE',
      'options.lineSearch',
      'curvature',
    ],
    [{ multigrid: { levels: 6 } }, 'ERR_OUT_OF_RANGE', 'options.multigrid.levels', 'halve'],
    [{ multigrid: { levels: 2, factors: [1] } }, 'ERR_SHAPE_MISMATCH', 'options.multigrid.factors', '2 levels'],
    [{ multigrid: { factors: [1, -1] } }, 'ERR_OUT_OF_RANGE', 'options.multigrid.factors[1]', '-1'],
    [{ weights: { slope: -1 } }, 'ERR_OUT_OF_RANGE', 'options.weights.slope', '-1'],
    [{ weights: { slop: 1 } }, 'ERR_INVALID_ARG_VALUE', 'options.weights.slop', 'data, slope, growth'],
    [{ weights: { slope: { halfLife: 0 } } }, 'ERR_OUT_OF_RANGE', 'options.weights.slope.halfLife', '0'],
    [{ weights: { slope: {} } }, 'ERR_INVALID_ARG_TYPE', 'options.weights.slope.halfLife', 'undefined'],
    [{ historyEvery: 0, method: 'adam' }, 'ERR_OUT_OF_RANGE', 'options.historyEvery', '0'],
    [{ resume: {} }, 'ERR_INVALID_ARG_TYPE', 'options.resume.method', 'undefined'],
    [{ initial: { fields: { u: [1] } } }, 'ERR_SHAPE_MISMATCH', 'options.initial.fields.u', '16'],
    [{ backend: 'cuda' }, 'ERR_BACKEND_UNAVAILABLE', 'options.backend', 'CPU'],
    [{ maxIteration: 3 }, 'ERR_INVALID_ARG_VALUE', 'options.maxIteration', 'maxIterations'],
  ])('refused: %j', async (options, code, argument, words) => {
    using of = line();
    expect(() => of.solveSync(options as never)).toThrow(errorWith(code, argument));
    await expect(of.solve(options as never)).rejects.toThrow(words);
  });
});

test.each(methods)('%s ends at the same minimum', (method) => {
  using of = line();
  const solution = of.solveSync({
    method,
    maxIterations: 20000,
    gradientTolerance: 1e-9,
    ...(rates[method] === undefined ? {} : { learningRate: rates[method] }),
  });
  const exact = of.solveSync({ method: 'gauss-newton' });
  expect(solution.loss / exact.loss).toBeCloseTo(1, 6);
  const { loss, blocks } = of.evaluate({ fields: solution.fields, parameters: solution.parameters ?? {} });
  near(solution.loss, loss);
  for (const [name, block] of Object.entries(blocks)) near(solution.blocks[name]?.loss as number, block.loss);
  expect(solution.history.at(-1)?.loss).toBeGreaterThanOrEqual(solution.loss * (1 - 1e-12));
});

test("compat: 'official' takes the official normalization and damping of each method", () => {
  using of = line();
  const newton = of.solveSync({ compat: 'official', maxIterations: 4 });
  const same = of.solveSync({ normalization: 'sum', damping: 'none', maxIterations: 4 });
  expect(newton.loss).toBe(same.loss);
  expect(newton.loss).toBeCloseTo(of.evaluate(newton, { normalization: 'sum' }).loss, 12);
  const adam = of.solveSync({ method: 'adam', compat: 'official', maxIterations: 4 });
  expect(adam.loss).toBe(of.solveSync({ method: 'adam', maxIterations: 4 }).loss);
});

describe('weights of blocks', () => {
  test.each(methods)('%s minimises the weighted loss', (method) => {
    using of = line();
    const weights = { slope: 3, growth: 0.5 };
    const rate = rates[method];
    const solution = of.solveSync({
      method,
      weights,
      maxIterations: 20000,
      ...(rate === undefined ? {} : { learningRate: rate }),
    });
    const { loss, gradient } = of.gradient(solutionState(solution), { weights });
    near(solution.loss, loss);
    const size = Math.max(...[...(gradient.fields['u'] as Float64Array)].map(Math.abs));
    expect(size).toBeLessThan(1e-6);
    const plain = of.evaluate(solutionState(solution));
    expect(solution.blocks['slope']?.loss).toBeCloseTo(9 * (plain.blocks['slope']?.loss as number), 12);
    near(solution.blocks['growth']?.norm as number, plain.blocks['growth']?.norm as number);
  });

  test.each(methods)('%s: a weight that decays leaves the minimum without its block', (method) => {
    using of = line();
    const rate = rates[method];
    const own = { method, ...(rate === undefined ? {} : { learningRate: rate / 10 }) };
    const options = { ...own, lossTolerance: 0, stepTolerance: 0, gradientTolerance: 0 };
    const run = (weights: odil.BlockWeights, maxIterations: number): odil.Solution =>
      of.solveSync({ ...options, weights, maxIterations });
    const long = method === 'gauss-newton' || method === 'lbfgs' ? 60 : 20000;
    const faded = run({ slope: { initial: 2, halfLife: long / 60 } }, long);
    const without = of.solveSync({ method: 'gauss-newton', weights: { slope: 0 } });
    expect(Math.abs(faded.loss - without.loss)).toBeLessThan(1e-6 * without.loss);
    // The weight is the one of the iteration: 8 * 0.5^(n / halfLife).
    const two = run({ slope: { initial: 8, halfLife: 1 } }, 2);
    near(two.loss, of.evaluate(solutionState(two), { weights: { slope: 2 } }).loss);
  });
});

/** Only the state of a solution. */
function solutionState({ fields, parameters }: odil.Solution): odil.State<Float64Array> {
  return { fields, parameters: parameters ?? {} };
}

describe('checkpoints', () => {
  const runs: [string, object][] = [
    ['gauss-newton', { method: 'gauss-newton', initialLambda: 10 }],
    ['lbfgs', { method: 'lbfgs', memory: 4 }],
    ['adam', { method: 'adam', learningRate: 0.05 }],
    ['gradient-descent', { method: 'gradient-descent', learningRate: 0.05 }],
    ['lbfgs on levels', { method: 'lbfgs', multigrid: { levels: 3, factors: [1, 2, 0.5] } }],
    ['adam with weights that decay', { method: 'adam', weights: { slope: { initial: 4, halfLife: 3 } } }],
    ['lbfgs with weights that decay', { method: 'lbfgs', weights: { slope: { initial: 4, halfLife: 3 } } }],
    ['gauss-newton with weights that decay', { initialLambda: 1, weights: { slope: { initial: 4, halfLife: 3 } } }],
  ];
  const single = { fields: { u: new Float32Array(16).fill(1) }, parameters: { k: new Float32Array(1) } };
  test.each([...runs, ['adam in single precision', { method: 'adam', initial: single }] as const])(
    '%s goes on as if it had never stopped',
    (_, options) => {
      using of = line();
      const run = (more: object): odil.Solution => of.solveSync({ gradientTolerance: 1e-13, ...options, ...more });
      const whole = run({ maxIterations: 11 });
      const part = of.solveSync({ ...options, gradientTolerance: 1e-13, maxIterations: 5 });
      const stored = structuredClone(part.checkpoint);
      const rest = of.solveSync({ resume: stored, maxIterations: 6 });
      expect(rest.method).toBe(whole.method);
      expect(solutionState(rest)).toEqual(solutionState(whole));
      expect(rest.loss).toBe(whole.loss);
      expect(rest.checkpoint.values).toEqual(whole.checkpoint.values);
      expect(rest.checkpoint.options).toEqual(whole.checkpoint.options);
    },
  );

  test('new options change a resumed run; its method, levels and problem cannot be others', () => {
    using of = line();
    const { checkpoint } = of.solveSync({ method: 'adam', maxIterations: 3, multigrid: true });
    const slow = of.solveSync({ resume: checkpoint, maxIterations: 3, learningRate: 1e-9 });
    expect(slow.loss).not.toBe(of.solveSync({ resume: checkpoint, maxIterations: 3 }).loss);
    expect(slow.checkpoint.options).toMatchObject({ learningRate: 1e-9, multigrid: true });
    const refused = (options: object, code: string, argument: string): void => {
      expect(() => of.solveSync({ resume: checkpoint, ...options })).toThrow(errorWith(code, argument));
    };
    refused({ method: 'lbfgs' }, 'ERR_INVALID_ARG_VALUE', 'options.method');
    refused({ multigrid: false }, 'ERR_INVALID_ARG_VALUE', 'options.multigrid');
    refused({ initial: of.initialState() }, 'ERR_INVALID_ARG_VALUE', 'options.initial');
    refused({ resume: { ...checkpoint, unknowns: 3 } }, 'ERR_SHAPE_MISMATCH', 'options.resume.unknowns');
    const cut = { ...checkpoint, values: checkpoint.values.slice(1) };
    refused({ resume: cut }, 'ERR_SHAPE_MISMATCH', 'options.resume');
    const other = { ...checkpoint, options: {} };
    refused({ resume: other }, 'ERR_SHAPE_MISMATCH', 'options.resume');
  });
});

test.each(methods)('%s: the same bytes for 1, 2 and 7 threads', (method) => {
  using of = odil.problems.heat({ timeCells: 48, cells: 48 });
  const run = (threads: number): Float64Array =>
    of.solveSync({ method, threads, maxIterations: 5 }).fields['u'] as Float64Array;
  const one = run(1);
  for (const threads of [2, 7]) expect(run(threads)).toEqual(one);
});

test.each(gradientMethods)('%s in single precision stays near double precision', (method) => {
  using of = odil.problems.poisson({ cells: 16 });
  const rate = { adam: 0.01, 'gradient-descent': 2e-6, lbfgs: undefined }[method];
  const options = { method, maxIterations: 60, ...(rate === undefined ? {} : { learningRate: rate }) };
  const double = of.solveSync({ ...options, multigrid: true });
  const initial = { fields: { u: new Float32Array(256) } };
  const single = of.solveSync({ ...options, multigrid: true, initial });
  expect(single.checkpoint.precision).toBe('float32');
  const first = (double.history as odil.FirstOrderRecord[])[0]?.loss as number;
  expect(double.loss).toBeLessThan(0.9 * first);
  expect(Math.abs(single.loss - double.loss)).toBeLessThan(1e-3 * first);
});

describe('runs that end early', () => {
  const slow = { method: 'adam', learningRate: 1e-4, maxIterations: 10 ** 9, gradientTolerance: 0 } as const;

  test('progress brings the best state so far; an exception in it comes back', async () => {
    using of = line();
    const reason = new Error('enough');
    let last: odil.State | undefined;
    let objective = Infinity;
    const run = of.solve({
      ...slow,
      multigrid: true,
      onProgress: (progress) => {
        expect(progress.objective).toBeLessThanOrEqual(objective);
        ({ objective, best: last } = progress as { objective: number; best: odil.State });
        if (progress.iterations > 100) throw reason;
      },
    });
    await expect(run).rejects.toBe(reason);
    expect(of.evaluate(last as odil.State<Float64Array>).loss).toBe(objective);
  });

  test('abort, time limit and flag leave the best state', async () => {
    using of = line();
    const controller = new AbortController();
    const aborted = await of.solve({
      ...slow,
      signal: controller.signal,
      onAbort: 'return',
      onProgress: () => controller.abort(),
    });
    const late = await of.solve({ ...slow, timeLimitMs: 30 });
    const flag = new Int32Array(new SharedArrayBuffer(4)).fill(1);
    const flagged = of.solveSync({ ...slow, cancelFlag: flag });
    expect([aborted.status, late.status, flagged.status]).toEqual(['cancelled', 'time', 'cancelled']);
    const start = of.evaluate(of.initialState()).loss;
    for (const { loss } of [aborted, late]) expect(loss).toBeLessThan(start);
    near(flagged.loss, start);
    const controlled = of.solve({ ...slow, signal: controller.signal });
    await expect(controlled).rejects.toBe(controller.signal.reason);
  });

  test.each([
    ['gradient-descent', { learningRate: 0.9 }],
    ['adam', { learningRate: 0.4 }],
  ])('%s: NaN on the way names block and index and keeps the last state', (method, options) => {
    // Downhill leads over the end of the root.
    using cliff = problem({ grid: grid({ x: { cells: 3 } }), fields: { u: 'c' } }, ({ u, at }) => ({
      root: { value: where(at.x.is(1), odil.sqrt(u.negative().plus(1)), u.times(u)), raw: true },
    }));
    const solution = cliff.solveSync({ method, ...options, maxIterations: 100 } as odil.SolveSyncOptions);
    expect(solution.status).toBe('not-finite');
    expect(solution.detail).toBe('the residual root[1] is not finite');
    expect(solution.loss).toBeLessThan(cliff.evaluate(cliff.initialState()).loss);
    expect(Number.isFinite(solution.loss)).toBe(true);
    expect((solution.fields['u'] as Float64Array)[1]).toBeLessThan(1);
  });

  test.each(['qr', 'cholesky'] as const)('Gauss-Newton, %s: a derivative that is not finite', (linearSolver) => {
    // sqrt(u^2) has none at 0, where the first step goes.
    using kink = problem({ grid: grid({ x: { cells: 3 } }), fields: { u: 'c' } }, ({ u, at }) => ({
      kink: where(at.x.is(1), odil.sqrt(u.square()), u.times(2).minus(1)),
    }));
    const initial = { fields: { u: Float64Array.of(2, 2, 2) } };
    const solution = kink.solveSync({ initial, damping: 'none', linearSolver });
    expect(solution.status).toBe('not-finite');
    expect(solution.detail).toBe('a derivative of the residual kink[1] is not finite');
    expect([...(solution.fields['u'] as Float64Array)]).toEqual([0.5, 0, 0.5]);
    expect(solution.loss).toBe(0);
  });

  test('a factor that does not fit is refused before it is allocated', () => {
    using of = odil.problems.heat({ timeCells: 32, cells: 32 });
    expect(() => of.solveSync({ linearSolver: 'cholesky', memoryLimitBytes: 1e5 })).toThrow(
      errorWith('ERR_OUT_OF_MEMORY', 'options.memoryLimitBytes'),
    );
    expect(() => of.solveSync({ linearSolver: 'cholesky', memoryLimitBytes: 1e5 })).toThrow(/needs about .* GB/);
    expect(of.solveSync({ linearSolver: 'cholesky', memoryLimitBytes: 1e9, maxIterations: 1 }).iterations).toBe(1);
  });

  test.each(['lu', 'conjugate-gradient'] as const)('%s: factors that do not fit are refused', (linearSolver) => {
    using of = odil.problems.poisson({ cells: 32 });
    expect(() => of.solveSync({ method: 'gauss-newton', linearSolver, memoryLimitBytes: 1e5 })).toThrow(
      errorWith('ERR_OUT_OF_MEMORY', 'options.memoryLimitBytes'),
    );
    const enough = { method: 'gauss-newton', linearSolver, memoryLimitBytes: 1e9, maxIterations: 1 } as const;
    expect(of.solveSync(enough).iterations).toBe(1);
  });

  test.each(['block-tridiagonal', 'qr'] as const)('%s: dense matrices that do not fit are refused', (linearSolver) => {
    using of = odil.problems.heat({ timeCells: 8, cells: 8 });
    expect(() => of.solveSync({ linearSolver, memoryLimitBytes: 1e3 })).toThrow(
      errorWith('ERR_OUT_OF_MEMORY', 'options.memoryLimitBytes'),
    );
    expect(of.solveSync({ linearSolver, memoryLimitBytes: 1e9, maxIterations: 1 }).iterations).toBe(1);
  });

  test.each(methods)('%s: a start that is not finite is an error', (method) => {
    using cliff = problem({ grid: grid({ x: { cells: 3 } }), fields: { u: 'c' } }, ({ u }) => ({ root: odil.log(u) }));
    const initial = { fields: { u: Float64Array.of(1, 2, -1) } };
    expect(() => cliff.solveSync({ method, initial })).toThrow(errorWith('ERR_NOT_FINITE', 'root[2]'));
  });
});

test('the history of a long run stays short, and every so many is every so many', () => {
  using of = line();
  const records = (more: object): odil.FirstOrderRecord[] =>
    of.solveSync({ method: 'adam', learningRate: 1e-7, gradientTolerance: 0, ...more })
      .history as odil.FirstOrderRecord[];
  const long = records({ maxIterations: 10001 });
  expect(long.length).toBeGreaterThan(1024);
  expect(long.length).toBeLessThanOrEqual(2049);
  expect(long[1]?.iteration).toBe(8);
  expect(long.at(-1)?.iteration).toBe(10001);
  const every = records({ maxIterations: 55, historyEvery: 10 }).map(({ iteration }) => iteration);
  expect(every).toEqual([0, 10, 20, 30, 40, 50, 55]);
});
