// How losses are supplied, and everything a loss may do wrong.
import { polystep } from '../../../lib';
import { errorWith } from '../../support/errors';

const sphere: polystep.BatchedLoss = (view, count, out) => {
  const d = view.length / count;
  for (let i = 0; i < count; i += 1) {
    let sum = 0;
    for (let j = 0; j < d; j += 1) sum += (view[i * d + j] as number) ** 2;
    out[i] = sum;
  }
};
const common = { dimension: 6, initial: 2, dtype: 'float64', maxSteps: 12 } as const;

test('a callback may fill, return or promise its losses: the same run', async () => {
  const filled = await polystep.minimize(sphere, common);
  const returned = await polystep.minimize((view, count) => {
    const out = new Float64Array(count);
    sphere(view, count, out);
    return out;
  }, common);
  const listed = await polystep.minimize((view, count) => {
    const out = new Float64Array(count);
    sphere(view, count, out);
    return [...out];
  }, common);
  const promised = await polystep.minimize(async (view, count, out) => {
    await Promise.resolve();
    sphere(view, count, out);
  }, common);
  for (const other of [returned, listed, promised]) {
    expect(other.x).toEqual(filled.x);
    expect(other.iterate).toEqual(filled.iterate);
    expect(other.evaluations).toBe(filled.evaluations);
  }
  expect(filled.value).toBeLessThan(24);
});

test('neither chunks, nor threads, nor the order of answers change a run', async () => {
  const options = { ...common, mode: 'block', dimension: 21, particleDimension: 4, probes: 2 } as const;
  const whole = await polystep.minimize(sphere, options);
  for (const bufferBytes of [1, 21 * 8, 5000]) {
    for (const threads of [1, 3]) {
      const cut = await polystep.minimize(sphere, { ...options, bufferBytes, threads });
      expect(cut.iterate).toEqual(whole.iterate);
    }
  }
  let calls = 0;
  const late = await polystep.minimize(
    async (view, count, out) => {
      calls += 1;
      for (let turns = calls % 4; turns > 0; turns -= 1) await new Promise((done) => setImmediate(done));
      sphere(view, count, out);
    },
    { ...options, bufferBytes: 21 * 8 * 7, concurrency: 3 },
  );
  expect(late.iterate).toEqual(whole.iterate);
  expect(calls).toBeGreaterThan(options.maxSteps);
});

test('replacements give the run that whole candidates give', async () => {
  for (const extra of [{}, { newtonRefinement: true }, { trustRegion: true, adaptiveRadius: false }] as const) {
    const options = { ...common, ...extra, mode: 'block', dimension: 7, particleDimension: 3 } as const;
    const whole = await polystep.minimize(sphere, options);
    let base: polystep.Reals = new Float64Array(0);
    const steps: number[] = [];
    const delta = await polystep.minimize(
      {
        start: (point, step) => {
          base = point;
          steps.push(step);
        },
        replacements: (values, count, out, { first, columns }) => {
          const row = Float64Array.from(base);
          for (let i = 0; i < count; i += 1) {
            row.set(base);
            for (let j = 0; j < columns && first + j < row.length; j += 1) {
              row[first + j] = values[i * columns + j] as number;
            }
            out[i] = row.reduce((sum, x) => sum + x * x, 0);
          }
        },
      },
      options,
    );
    delta.iterate.forEach((x, i) => expect(x).toBeCloseTo(whole.iterate[i] as number, 12));
    expect(delta.evaluations).toBe(whole.evaluations);
    expect(steps[0]).toBe(0);
  }
});

const wrong: [string, string, polystep.Objective][] = [
  ['one number for all', 'ERR_INVALID_ARG_TYPE', () => 1],
  ['too few', 'ERR_SHAPE_MISMATCH', () => [1, 2]],
  ['too many', 'ERR_SHAPE_MISMATCH', (_v, count) => new Float64Array(count + 1)],
  ['a string', 'ERR_INVALID_ARG_TYPE', () => 'low'],
  [
    'an array of strings',
    'ERR_INVALID_ARG_TYPE',
    (_v: unknown, count: number) => Array.from({ length: count }, () => '1'),
  ],
  ['nothing filled', 'ERR_SHAPE_MISMATCH', () => undefined],
  ['not all filled', 'ERR_SHAPE_MISMATCH', (_v, count, out) => void out.fill(1, 0, count - 1)],
  [
    'a view written',
    'ERR_INVALID_ARG_VALUE',
    (view, _count, out) => {
      out.fill(1);
      view[3] = 7;
    },
  ],
  [
    'a view detached',
    'ERR_INVALID_ARG_VALUE',
    (view, _count, out) => {
      out.fill(1);
      structuredClone(view.buffer, { transfer: [view.buffer as ArrayBuffer] });
    },
  ],
];
test.each(wrong)('a callback that gives %s', async (_, code, objective) => {
  for (const dtype of ['float32', 'float64'] as const) {
    await expect(polystep.minimize(objective, { ...common, dtype })).rejects.toThrow(errorWith(code, 'objective'));
  }
});

test('a callback that throws or rejects: the optimizer stands where it stood', async () => {
  const thrown = new Error('mine');
  let calls = 0;
  const optimizer = polystep.createOptimizer({
    dimension: 3,
    initial: 1,
    objective: (view, count, out) => {
      calls += 1;
      if (calls === 3) throw thrown;
      if (calls === 4) return Promise.reject(thrown);
      return sphere(view, count, out);
    },
  });
  await optimizer.step();
  await optimizer.step();
  const before = optimizer.checkpoint();
  await expect(optimizer.step()).rejects.toBe(thrown);
  await expect(optimizer.step()).rejects.toBe(thrown);
  expect(optimizer.checkpoint()).toEqual(before);
  await optimizer.step();
  expect(optimizer.steps).toBe(3);
  optimizer.dispose();
});

test('a view that is kept is empty after the run', async () => {
  const kept: polystep.Reals[] = [];
  await polystep.minimize((view, count, out) => {
    kept.push(view);
    return sphere(view, count, out);
  }, common);
  expect(kept.length).toBeGreaterThan(0);
  for (const view of kept) expect(view).toHaveLength(0);
});

test('NaN and infinities are infeasible candidates; where nothing is finite, nothing moves', async () => {
  const wall = await polystep.minimize((view, count, out) => {
    void sphere(view, count, out);
    for (let i = 0; i < count; i += 1) {
      if ((view[i * 6] as number) < 1) out[i] = i % 2 === 0 ? NaN : -Infinity;
    }
  }, common);
  expect(wall.x[0]).toBeGreaterThanOrEqual(1);
  expect(wall.value).toBeGreaterThanOrEqual(1);
  expect(wall.value).toBeLessThan(24);

  const nothing = await polystep.minimize((_view, _count, out) => void out.fill(NaN), common);
  expect(nothing.value).toBe(Infinity);
  expect([...nothing.iterate]).toEqual(Array(6).fill(2));
  expect(nothing.evaluations).toBe(12 * 12 + 1);
  expect(nothing.warnings.join()).toContain('finite');
});

test('ask and tell: order, lengths, repair, budget', () => {
  const optimizer = polystep.createOptimizer({
    dimension: 2,
    particles: 3,
    initial: { uniform: [-1, 1] },
    maxEvaluations: 24,
  });
  expect(() => optimizer.tell([1])).toThrow(errorWith('ERR_INVALID_ARG_VALUE', 'optimizer'));
  const view = optimizer.ask() as Float32Array;
  expect(view).toHaveLength(3 * 4 * 2);
  expect(() => optimizer.ask()).toThrow(errorWith('ERR_INVALID_ARG_VALUE', 'optimizer'));
  expect(() => optimizer.checkpoint()).toThrow(errorWith('ERR_INVALID_ARG_VALUE', 'optimizer'));
  expect(() => optimizer.tell([1, 2])).toThrow(errorWith('ERR_SHAPE_MISMATCH', 'costs'));
  expect(optimizer.tell(Array(12).fill(0)).frozenRows).toBe(1);
  optimizer.ask();
  optimizer.tell(Float32Array.from({ length: 12 }, (_, i) => i));
  expect(optimizer.value).toBe(0);
  expect(optimizer.ask()).toBeUndefined();
  optimizer.dispose();

  const rounded = polystep.createOptimizer({
    dimension: 2,
    initial: [3, -2],
    lower: [-5, -5],
    upper: [3, 5],
    stepRadius: 1.5,
    dtype: 'float64',
    rule: 'greedy',
    repair: (candidates) => {
      for (let i = 0; i < candidates.length; i += 1) candidates[i] = Math.round(candidates[i] as number);
    },
  });
  for (let round = 0; round < 20; round += 1) {
    const points = rounded.ask() as Float64Array;
    expect(points.every((x) => Number.isInteger(x) && x <= 5 && x >= -5)).toBe(true);
    rounded.tell([0, 1, 2, 3].map((i) => (points[2 * i] as number) ** 2 + (points[2 * i + 1] as number) ** 2));
    expect(rounded.iterate.every(Number.isInteger)).toBe(true);
  }
  expect(rounded.value).toBeLessThanOrEqual(1);
  rounded.dispose();
});
