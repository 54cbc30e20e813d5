// Everything section 11 of the dmmv specification calls bad input, and what must work at the edges.
import { denseMatrix, dmmv, sparseMatrix } from '../../../lib';
import { errorWith } from '../../support/errors';

const matrix = denseMatrix(2, 3, [1, 2, 3, 4, 5, 6]);
const valid = { matrix, lower: [0, 0], upper: [1, Infinity], levels: [-1, 0, 1] };

test.each<[string, object, string, string]>([
  ['no matrix', { matrix: undefined }, 'ERR_INVALID_ARG_TYPE', 'options.matrix'],
  ['a nested array as matrix', { matrix: [[1]] }, 'ERR_INVALID_ARG_TYPE', 'options.matrix'],
  ['too few lower sides', { lower: [0] }, 'ERR_SHAPE_MISMATCH', 'options.lower'],
  ['lower sides of the wrong type', { lower: new Float32Array(2) }, 'ERR_INVALID_ARG_TYPE', 'options.lower'],
  ['NaN in upper', { upper: [1, NaN] }, 'ERR_NOT_FINITE', 'options.upper[1]'],
  ['too many weights', { weights: [1, 1, 1] }, 'ERR_SHAPE_MISMATCH', 'options.weights'],
  ['an infinite weight', { weights: [1, Infinity] }, 'ERR_NOT_FINITE', 'options.weights[1]'],
  ['no levels', { levels: undefined }, 'ERR_INVALID_ARG_TYPE', 'options.levels'],
  ['tables for some variables only', { levels: [[0], [1]] }, 'ERR_SHAPE_MISMATCH', 'options.levels'],
  ['NaN among the levels', { levels: [[0], [NaN], [1]] }, 'ERR_NOT_FINITE', 'options.levels[1][0]'],
  ['a step of 0', { levels: { offset: 0, step: 0, count: 2 } }, 'ERR_OUT_OF_RANGE', 'options.levels.step'],
  ['a count of 0', { levels: { offset: 0, step: 1, count: 0 } }, 'ERR_OUT_OF_RANGE', 'options.levels.count'],
  ['a misspelt option', { weight: [1, 1] }, 'ERR_INVALID_ARG_VALUE', 'options.weight'],
  [
    'soft rows of another width',
    { softRows: { matrix: denseMatrix(1, 2, [1, 1]), lower: [0], upper: [0], multipliers: [1] } },
    'ERR_SHAPE_MISMATCH',
    'options.softRows.matrix',
  ],
])('%s is refused before anything is made', (_, change, code, argument) => {
  expect(() => dmmv.createProblem({ ...valid, ...change })).toThrow(errorWith(code, argument));
});

test.each<[string, object, string, RegExp]>([
  ['lower above upper', { lower: [2, 0] }, 'ERR_INVALID_ARG_VALUE', /`options\.lower/],
  ['two infinite sides', { lower: [0, -Infinity] }, 'ERR_INVALID_ARG_VALUE', /infinite/],
  ['a weight of 0', { weights: [1, 0] }, 'ERR_INVALID_ARG_VALUE', /`options\.weights\[1\]/],
  ['an empty table', { levels: [[0], [], [1]] }, 'ERR_INVALID_ARG_VALUE', /`options\.levels/],
  ['levels out of order', { levels: [1, 0] }, 'ERR_INVALID_ARG_VALUE', /`options\.levels/],
  ['equal levels', { levels: [0, 0] }, 'ERR_INVALID_ARG_VALUE', /`options\.levels/],
  ['no rows', { matrix: denseMatrix(0, 3, []), lower: [], upper: [] }, 'ERR_INVALID_ARG_VALUE', /row/],
])('%s is refused by its value', (_, change, code, message) => {
  expect(() => dmmv.createProblem({ ...valid, ...change })).toThrow(expect.objectContaining({ code }) as Error);
  expect(() => dmmv.createProblem({ ...valid, ...change })).toThrow(message);
});

test('the three forms of levels, both orders and a sparse matrix say the same', () => {
  const columnMajor = denseMatrix(2, 3, [1, 4, 2, 5, 3, 6], { order: 'column' });
  const single = denseMatrix(2, 3, Float32Array.of(1, 2, 3, 4, 5, 6));
  const sparse = sparseMatrix({
    rows: 2,
    columns: 3,
    columnPointers: [0, 2, 4, 6],
    rowIndices: [0, 1, 0, 1, 0, 1],
    values: [1, 4, 2, 5, 3, 6],
  });
  const table = Float64Array.of(-1, 0, 1);
  const problems = [
    dmmv.createProblem(valid),
    dmmv.createProblem({ ...valid, matrix: columnMajor, levels: [table, table, table] }),
    dmmv.createProblem({ ...valid, matrix: single, levels: { offset: -1, step: 1, count: 3 } }),
    dmmv.createProblem({ ...valid, matrix: sparse }),
  ];
  for (const problem of problems) {
    expect([problem.rows, problem.variables, problem.levelCount(2)]).toEqual([2, 3, 3]);
    expect(dmmv.evaluate(problem, [0, 1, 2])).toEqual({
      objective: 1,
      activities: Float64Array.of(2, 2),
      violations: Float64Array.of(1, -2),
      worstRow: 0,
      softPenalty: 0,
    });
  }
});

test('no variables: the objective is that of the zero activity', () => {
  const problem = dmmv.createProblem({ matrix: denseMatrix(2, 0, []), lower: [1, -1], upper: [2, 5], levels: [] });
  expect(dmmv.evaluate(problem, []).objective).toBe(1);
});

test('all variables fixed: solved at once, with proof', async () => {
  const problem = dmmv.createProblem({ ...valid, levels: [[1], [0], [-1]] });
  const result = await dmmv.solve(problem);
  expect(result).toMatchObject({ status: 'optimal', objective: 2, gap: 0 });
});

test('rounding takes the nearest level, the lower one of two', () => {
  const problem = dmmv.createProblem(valid);
  expect([...dmmv.nearestLevels(problem, [-7, 0.5, 0.500001])]).toEqual([0, 1, 2]);
  expect([...dmmv.levelValues(problem, [0, 1, 2])]).toEqual([-1, 0, 1]);
  expect(() => dmmv.nearestLevels(problem, [0, NaN, 0])).toThrow(errorWith('ERR_NOT_FINITE', 'point[1]'));
});

test.each<[string, () => unknown, string]>([
  ['an index above the last level', () => dmmv.evaluate(dmmv.createProblem(valid), [0, 3, 0]), 'ERR_OUT_OF_RANGE'],
  ['a negative index', () => dmmv.oneFlipTable(dmmv.createProblem(valid), [0, -1, 0]), 'ERR_OUT_OF_RANGE'],
  ['too few indices', () => dmmv.evaluate(dmmv.createProblem(valid), [0, 0]), 'ERR_SHAPE_MISMATCH'],
  ['fractional indices', () => dmmv.evaluate(dmmv.createProblem(valid), [0, 0.5, 0]), 'ERR_OUT_OF_RANGE'],
  [
    'a start outside the levels',
    () => dmmv.solveSync(dmmv.createProblem(valid), { initial: [0, 0, 9] }),
    'ERR_OUT_OF_RANGE',
  ],
  ['something that is no problem', () => dmmv.evaluate({} as never, [0]), 'ERR_INVALID_ARG_TYPE'],
  ['too few multipliers', () => dmmv.checkCertificate(dmmv.createProblem(valid), [1]), 'ERR_SHAPE_MISMATCH'],
  ['multipliers of norm 2', () => dmmv.checkCertificate(dmmv.createProblem(valid), [1, -1]), 'ERR_INVALID_ARG_VALUE'],
  [
    'a multiplier on an infinite side',
    () => dmmv.checkCertificate(dmmv.createProblem(valid), [0, 1]),
    'ERR_INVALID_ARG_VALUE',
  ],
  [
    'an unknown engine',
    () => dmmv.solveSync(dmmv.createProblem(valid), { engines: ['magic' as never] }),
    'ERR_INVALID_ARG_VALUE',
  ],
  ['a decay of 0', () => dmmv.solveSync(dmmv.createProblem(valid), { decay: 0 }), 'ERR_OUT_OF_RANGE'],
])('%s is refused', (_, call, code) => {
  expect(call).toThrow(expect.objectContaining({ code }) as Error);
});

test('level counts that would fill any memory', async () => {
  const problem = dmmv.createProblem({
    matrix: denseMatrix(2, 2, Float64Array.of(1, 2, 3, 4)),
    lower: [0.3, 0.4],
    upper: [0.3, 0.4],
    levels: { offset: 0, step: 1e-9, count: 2 ** 31 - 1 },
  });
  // Terabytes, whatever machine this is.
  const wide = dmmv.createProblem({
    matrix: denseMatrix(1, 512, new Float64Array(512).fill(1)),
    lower: [0.3],
    upper: [0.3],
    levels: { offset: 0, step: 1e-9, count: 2 ** 31 - 1 },
  });
  expect(() => dmmv.oneFlipTable(wide, new Int32Array(512))).toThrow(errorWith('ERR_OUT_OF_MEMORY', 'problem'));
  const found = await dmmv.solveExact(problem, { searchIterations: 1000 });
  expect(found.proven).toBe(false);
  expect(found.status).toBe('time');
  expect(found.objective).toBeLessThan(0.4);
});

test('memory is asked for before it is taken: moves, the dense relaxation, a proof', async () => {
  const size = 3000;
  const problem = dmmv.createProblem({
    matrix: sparseMatrix({
      rows: size,
      columns: size,
      columnPointers: Int32Array.from({ length: size + 1 }, (_, j) => j),
      rowIndices: Int32Array.from({ length: size }, (_, j) => j),
      values: new Float64Array(size).fill(1),
    }),
    lower: new Float64Array(size).fill(0.3),
    upper: new Float64Array(size).fill(0.3),
    levels: [0, 1],
  });
  const refused = { code: 'ERR_OUT_OF_MEMORY', argument: 'options.memoryLimitBytes' };
  const memoryLimitBytes = 5e7;
  await expect(dmmv.solve(problem, { moves: ['unit', 'pair'], memoryLimitBytes })).rejects.toMatchObject(refused);
  await expect(dmmv.solve(problem, { moves: ['lattice'], memoryLimitBytes })).rejects.toMatchObject(refused);
  await expect(dmmv.solve(problem, { l2Guard: 0, memoryLimitBytes })).rejects.toMatchObject(refused);
  await expect(dmmv.lowerBound(problem, { method: 'exchange', memoryLimitBytes })).rejects.toMatchObject(refused);
  await expect(dmmv.solveExact(problem, { searchIterations: 10, memoryLimitBytes })).rejects.toMatchObject(refused);
  // By its entries and by first-order steps it is small; a time limit's part of the run inherits the memory limit.
  const found = await dmmv.solve(problem, {
    maxIterations: 20_000,
    bound: true,
    timeLimitMs: 60_000,
    memoryLimitBytes,
  });
  expect(found.objective).toBe(0.3);
  // Petabytes, whatever machine this is.
  const wide = 1 << 20;
  const enormous = dmmv.createProblem({
    matrix: sparseMatrix({
      rows: wide,
      columns: wide,
      columnPointers: Int32Array.from({ length: wide + 1 }, (_, j) => j),
      rowIndices: Int32Array.from({ length: wide }, (_, j) => j),
      values: new Float64Array(wide).fill(1),
    }),
    lower: new Float64Array(wide),
    upper: new Float64Array(wide),
    levels: [0, 1],
  });
  await expect(dmmv.solve(enormous, { moves: ['pair'] })).rejects.toMatchObject(refused);
});

test('what native code refuses is named as the caller named it', async () => {
  const problem = dmmv.createProblem({ ...valid, levels: [-1, 0, 2] });
  await expect(dmmv.solve(problem, { initial: [0, 0, 9] })).rejects.toMatchObject({ argument: 'options.initial[2]' });
  await expect(dmmv.solve(problem, { moves: ['lattice'] })).rejects.toMatchObject({ argument: 'options.moves' });
  await expect(dmmv.solve(problem, { engines: ['norm-annealing'] })).rejects.toMatchObject({
    argument: 'options.engines',
    message: expect.stringContaining('`options.engines`') as string,
  });
  const softRows = { matrix: denseMatrix(1, 3, [1, 1, 1]), lower: [0], upper: [0], multipliers: [1] };
  expect(() => dmmv.solveSync(dmmv.createProblem({ ...valid, softRows }))).toThrow(
    errorWith('ERR_INVALID_ARG_VALUE', 'options.target'),
  );
});

test("backend 'cuda' is refused where the search has no device code", async () => {
  await expect(dmmv.solve(dmmv.createProblem(valid), { backend: 'cuda' })).rejects.toMatchObject({
    code: 'ERR_BACKEND_UNAVAILABLE',
  });
});

test('a disposed problem is refused; disposing twice is fine; a running solver keeps its share', async () => {
  const problem = dmmv.createProblem({ ...valid, levels: { offset: -50, step: 0.37, count: 301 } });
  const running = dmmv.solve(problem, { timeLimitMs: 50 });
  problem.dispose();
  problem.dispose();
  problem[Symbol.dispose]();
  expect(problem.disposed).toBe(true);
  expect(() => dmmv.evaluate(problem, [0, 0, 0])).toThrow(errorWith('ERR_DISPOSED', 'problem'));
  expect((await running).indices).toHaveLength(3);
});
