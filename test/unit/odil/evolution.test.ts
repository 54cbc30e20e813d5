// Marching and Gauss-Newton in control space as users call them.
import { odil } from '../../../lib';
import { errorWith } from '../../support/errors';
import { exampleTumour } from '../../support/glioma';
import { difference } from '../../support/odil';
import { uniforms } from '../../support/philox-random';

const { problems } = odil;

/** A twin experiment: measurements of a conductivity 1.5 times the model's, in the middle third of time. */
function heatTwin(cells: number, points: number): odil.Problem {
  const truth = problems.heat({ timeCells: cells, cells, conductivityScale: 1.5 }).solveSync({ method: 'marching' });
  const random = uniforms(7);
  const mask = new Float64Array(cells * cells);
  for (let left = points; left > 0;) {
    const [row, column] = [Math.floor(random() * cells), Math.floor(random() * cells)];
    if (Math.abs((row + 0.5) / cells - 0.5) >= 1 / 6 || mask[row * cells + column] === 1) continue;
    mask[row * cells + column] = 1;
    left -= 1;
  }
  return problems.heat({ timeCells: cells, cells, data: { mask, values: truth.fields['u'] as Float64Array } });
}

describe('marching', () => {
  const forward: Record<string, () => odil.Problem> = {
    heat: () => problems.heat({ timeCells: 16, cells: 20 }),
    wave: () => problems.wave({ timeCells: 16, cells: 12 }),
    advection: () => problems.advection({ timeCells: 12, cells: 16 }),
    burgers: () => problems.burgers({ timeCells: 16, cells: 24 }),
    'a plane of our own': () => {
      const grid = odil.grid({ t: { cells: 5 }, x: { cells: 7 }, y: { cells: 6, periodic: true } });
      return odil.problem({ grid, fields: { u: 'ccc' } }, ({ u, at, where, step }) => {
        const before = u.shift({ t: -1 });
        const low = where(at.x.first, u, u.shift({ x: -1 }));
        const high = where(at.x.last, u, u.shift({ x: 1 }));
        const across = u.shift({ y: -1 }).plus(u.shift({ y: 1 }));
        const spread = low.plus(high).plus(across).minus(u.times(4));
        const cooling = u.minus(before).over(step.t).minus(spread.times(0.3)).plus(u.times(u).times(u));
        return { cooling: where(at.t.first, u.minus(at.x.coordinate.plus(at.y.coordinate)), cooling) };
      });
    },
  };
  test.each(Object.keys(forward))('%s: the answer of Gauss-Newton', (name) => {
    const problem = (forward[name] as () => odil.Problem)();
    const marched = problem.solveSync();
    expect(marched).toMatchObject({ method: 'marching', status: 'solved', history: [] });
    expect(marched.reason).toMatch(/determines every row/);
    const other = problem.solveSync({ method: 'gauss-newton', lossTolerance: 0 });
    expect(difference(marched.fields['u'] as Float64Array, other.fields['u'] as Float64Array)).toBeLessThan(2e-6);
    expect(marched.loss).toBeLessThan(1e-18);
    for (const threads of [2, 7]) expect(problem.solveSync({ threads }).fields).toEqual(marched.fields);
    const single = problem.solveSync({ initial: problem.initialState('float32') });
    expect(single.fields['u']?.BYTES_PER_ELEMENT).toBe(4);
    expect(single.fields['u']?.every((u, i) => Math.abs(u - (marched.fields['u']?.[i] as number)) < 1e-4)).toBe(true);
  });

  test('what does not march says why, and is solved otherwise', () => {
    const steady = problems.poisson({ cells: 6, dimensions: 2, reference: 'hat' });
    expect(() => steady.solveSync({ method: 'marching' })).toThrow(
      errorWith('ERR_INVALID_ARG_VALUE', 'options.method'),
    );
    expect(steady.solveSync()).toMatchObject({ method: 'gauss-newton' });
    expect(steady.solveSync().reason).toMatch(/does not march/);
    const inverse = heatTwin(8, 10);
    expect(() => inverse.solveSync({ method: 'marching' })).toThrow(
      errorWith('ERR_INVALID_ARG_VALUE', 'options.method'),
    );
  });
});

describe('control space', () => {
  test.each([64, 128])('heat assimilation at %i^2: iterations do not grow', (cells) => {
    const problem = heatTwin(cells, 200);
    const found = problem.solveSync({ method: 'control-space', linearTolerance: 1e-10, maxIterations: 4 });
    if (found.method !== 'control-space') throw new Error('wrong method');
    for (const step of found.history) {
      expect(step.linearIterations).toBeLessThanOrEqual(20);
      expect(step.linearResidual).toBeLessThanOrEqual(1e-10);
    }
    expect(found.loss).toBeLessThan(0.0042);
    expect(found.initialLoss).toBeGreaterThan(0.0075);
  });

  test('is chosen for data in time, and finds the minimum of Gauss-Newton', () => {
    const problem = heatTwin(16, 40);
    const found = problem.solveSync({ lossTolerance: 1e-12 });
    expect(found.method).toBe('control-space');
    const other = problem.solveSync({ method: 'gauss-newton' });
    expect(found.loss / other.loss).toBeCloseTo(1, 8);
    expect(problem.solveSync({ damping: 'none', maxIterations: 1 }).method).toBe('gauss-newton');
  });

  test('parameters: the constants of an equation whose last row is known', () => {
    const problem = problems.inferConstant({ timeCells: 16, cells: 16 });
    const found = problem.solveSync({ method: 'control-space', lossTolerance: 1e-12 });
    const other = problem.solveSync({ method: 'gauss-newton' });
    expect(found.loss / other.loss).toBeCloseTo(1, 6);
    expect(
      difference(found.parameters?.['constants'] as Float64Array, other.parameters?.['constants'] as Float64Array),
    ).toBeLessThan(1e-4);
  });

  const decay = (options: odil.ParameterOptions, cells = 8, coarser?: () => odil.Problem): odil.Problem => {
    const grid = odil.grid({ t: { cells }, x: { cells: 4 } });
    const made = { grid, fields: { u: 'cc' }, parameters: { rate: options }, ...(coarser && { coarser }) };
    return odil.problem(made, ({ u, rate, at, where, step }) => {
      const fall = u
        .minus(u.shift({ t: -1 }))
        .over(step.t)
        .plus(u.times(rate));
      return {
        decay: where(at.t.first, u.plus(u.times(rate).times(step.t / 2)).minus(1), fall),
        data: where(at.t.last, u.minus(0.2), 0),
      };
    });
  };

  test('bounds, logarithms and strong constraints', () => {
    const free = decay({ initial: [1], transform: 'log' }).solveSync({ constraint: 'strong', lossTolerance: 1e-12 });
    expect(free.loss).toBeLessThan(1e-12);
    const rate = free.parameters?.['rate']?.[0] as number;
    expect(rate).toBeGreaterThan(1.3);
    const bounded = decay({ initial: [1], upper: 1.25 }).solveSync();
    if (bounded.method !== 'control-space') throw new Error('wrong method');
    expect(bounded.parameters?.['rate']?.[0]).toBe(1.25);
    expect(bounded.history.at(-1)?.activeBounds).toEqual(['rate']);
  });

  test('sequences of grids carry parameters only', () => {
    const coarse = (cells: number): odil.Problem =>
      decay({ initial: [1] }, cells, cells > 8 ? () => coarse(cells / 2) : undefined);
    const found = coarse(32).solveSync({ gridSequence: true });
    if (found.method !== 'control-space') throw new Error('wrong method');
    expect(found.grids.map(({ cells }) => cells)).toEqual([
      [8, 4],
      [16, 4],
    ]);
    expect(found.loss).toBeLessThan(1e-6);
    expect(() => coarse(8).solveSync({ gridSequence: true })).toThrow(
      errorWith('ERR_INVALID_ARG_VALUE', 'options.gridSequence'),
    );
  });

  test('jobs: the same result, stopped with the best state, resumed from it', async () => {
    const problem = decay({ initial: [1] });
    const options = { method: 'control-space' } as const;
    const whole = await problem.solve(options);
    expect(whole.fields).toEqual(problem.solveSync(options).fields);
    const first = await problem.solve({ ...options, maxIterations: 1 });
    expect(first.status).toBe('max-iterations');
    const rest = await problem.solve({ resume: first.checkpoint, maxIterations: 50 });
    expect(rest.loss / (whole.loss + 1e-12)).toBeLessThan(1.1);
    const aborted = await problem
      .solve({ ...options, signal: AbortSignal.abort(), onAbort: 'return' })
      .catch(() => null);
    expect(aborted === null || aborted.status === 'cancelled').toBe(true);
  });

  test.each<[() => unknown, string, string]>([
    [() => decay({ initial: [1], lower: 2 }), 'ERR_OUT_OF_RANGE', 'parameters.rate.initial[0]'],
    [() => decay({ initial: [1], lower: 3, upper: 2 }), 'ERR_OUT_OF_RANGE', 'parameters.rate.lower'],
    [() => decay({ initial: [0], transform: 'log' }), 'ERR_INVALID_ARG_VALUE', 'parameters.rate.initial[0]'],
    [() => decay({ initial: [1], scale: [1, 2] }), 'ERR_SHAPE_MISMATCH', 'parameters.rate.scale'],
    [() => decay({ initial: [1], scale: 0 }), 'ERR_OUT_OF_RANGE', 'parameters.rate.scale'],
    [
      () => decay({ initial: [1] }).solveSync({ evolution: { block: 'nothing' }, method: 'control-space' }),
      'ERR_INVALID_ARG_VALUE',
      'options.evolution.block',
    ],
    [
      () => decay({ initial: [1] }).solveSync({ evolution: { axis: 'x' }, method: 'control-space' }),
      'ERR_INVALID_ARG_VALUE',
      'options.evolution.axis',
    ],
    [
      () => decay({ initial: [1] }).solveSync({ method: 'control-space', stepTolerance: 1e-3 }),
      'ERR_INVALID_ARG_VALUE',
      'options.stepTolerance',
    ],
    [
      () => decay({ initial: [1] }).solveSync({ method: 'control-space', weights: { data: { halfLife: 2 } } }),
      'ERR_INVALID_ARG_VALUE',
      'options.weights',
    ],
    [
      () => decay({ initial: [1] }).solveSync({ method: 'gauss-newton', constraint: 'weak' } as never),
      'ERR_INVALID_ARG_VALUE',
      'options.constraint',
    ],
    [
      () => {
        const problem = decay({ initial: [1], upper: 2 });
        const initial = problem.initialState();
        (initial.parameters?.['rate'] as Float64Array)[0] = 3;
        return problem.solveSync({ initial, method: 'control-space' });
      },
      'ERR_OUT_OF_RANGE',
      'options.initial.parameters.rate[0]',
    ],
  ])('bad input %#', (call, code, argument) => {
    expect(call).toThrow(errorWith(code, argument));
  });

  test('data on other points than the field have an answer all the same', () => {
    const grid = odil.grid({ t: { cells: 5 }, x: { cells: 6 } });
    using problem = odil.problem({ grid, fields: { u: 'cc' } }, ({ u, at, where }) => {
      const face = where(at.x.first, u, where(at.x.last, u.shift({ x: -1 }), u.plus(u.shift({ x: -1 })).over(2)));
      return {
        decay: where(at.t.first, u.minus(1), u.times(1.1).minus(u.shift({ t: -1 }))),
        faces: { value: face.minus(0.5), location: 'cn' },
      };
    });
    const found = problem.solveSync();
    expect(found.method).toBe('gauss-newton');
    expect(found.reason).toMatch(/faces has other points/);
    expect(() => problem.solveSync({ method: 'control-space' })).toThrow(errorWith('ERR_INVALID_ARG_VALUE', 'faces'));
  });

  test('a residual that is not finite is named', () => {
    const grid = odil.grid({ t: { cells: 6 }, x: { cells: 4 } });
    const problem = odil.problem({ grid, fields: { u: 'cc' } }, ({ u, at, where }) => {
      const before = u.shift({ t: -1 });
      return { growth: where(at.t.first, u.minus(1e30), u.minus(before.square().times(1e60))) };
    });
    expect(() => problem.solveSync()).toThrow(errorWith('ERR_NOT_FINITE', 'growth[3][0]'));
  });
});

describe('glioma', () => {
  const { glioma } = odil;
  const { patient, judge } = exampleTumour(16);
  const guess = glioma.initialGuess(patient, { timeCells: 32 });
  test.each([
    [1e-4, 1.45e-3],
    [3e-4, 1.9e-3],
  ])('prior %f: a lower loss and a better reconstruction', (prior, most) => {
    const problem = odil.problems.glioma({ scan: patient.scan, guess, prior });
    const found = problem.solveSync();
    expect(found.method).toBe('control-space');
    expect(found.loss).toBeLessThan(most);
    expect(judge(guess.u).error).toBeGreaterThan(0.08);
    expect(judge(found.fields['u'] as Float64Array).error).toBeLessThan(0.0665);
    expect(judge(found.fields['u'] as Float64Array).dice).toBeGreaterThan(0.82);
  });

  test('in single precision the same loss; strongly constrained, from parameters alone', () => {
    const problem = odil.problems.glioma({
      scan: patient.scan,
      guess: { parameters: guess.parameters },
      timeCells: 32,
    });
    const double = problem.solveSync();
    const single = problem.solveSync({ initial: problem.initialState('float32'), threads: 3 });
    expect(single.loss / double.loss).toBeCloseTo(1, 3);
    const strong = problem.solveSync({ method: 'control-space', constraint: 'strong' });
    expect(strong.blocks['equation']?.loss).toBeLessThan(1e-3 * strong.loss);
    expect(strong.loss).toBeLessThan(2.5e-3);
  });
});
