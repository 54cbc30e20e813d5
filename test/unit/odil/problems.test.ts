// The built-in problems that have no golden vector, against independent statements of what they are.
import { odil } from '../../../lib';
import { errorWith } from '../../support/errors';
import { difference } from '../../support/odil';

const largest = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
const residual = (problem: odil.Problem, state: odil.State<Float64Array>, block: string): Float64Array =>
  problem.evaluate(state).residuals[block] as Float64Array;

test('fields: zero at the plane, whatever the locations', () => {
  using problem = odil.problems.fields();
  expect(problem.unknowns).toBe(8 * 4 + 9 * 5 + 9 * 4 + 8 * 5);
  expect(problem.evaluate({ fields: { ...problem.reference } }).loss).toBeLessThan(1e-30);
  const nodes = residual(problem, problem.initialState(), 'nn');
  expect(nodes[1]).toBeCloseTo(-0.125, 14); // x = 0, y = 1/4
});

test('compare: least squares over all steps is implicit Euler step by step', () => {
  using problem = odil.problems.compare();
  const [x, y] = [new Float64Array(25), new Float64Array(25)];
  let [a, b] = [2, 0];
  for (let step = 0; step < 25; step += 1) {
    const [a0, b0] = [a, b];
    for (let newton = 0; newton < 20; newton += 1) {
      const [f, g] = [(a - a0) / 0.1 - b, (b - b0) / 0.1 - (2 * (1 - a * a) * b - a)];
      const [fa, fb, ga, gb] = [10, -1, 4 * a * b + 1, 10 - 2 * (1 - a * a)];
      const determinant = fa * gb - fb * ga;
      [a, b] = [a - (f * gb - g * fb) / determinant, b - (fa * g - ga * f) / determinant];
    }
    [x[step], y[step]] = [a, b];
  }
  expect(problem.evaluate({ fields: { x, y } }).loss).toBeLessThan(1e-24);
  expect(problem.initialState().fields['x']?.[0]).toBe(2);
});

describe('advection', () => {
  test('the exact solution leaves an error of second order', () => {
    const error = (cells: number): number => {
      using problem = odil.problems.advection({ cells, timeCells: cells, width: 0.15 });
      return largest(residual(problem, { fields: { u: problem.reference['u'] as Float64Array } }, 'advection'));
    };
    expect(error(64) / error(128)).toBeGreaterThan(3.8);
    expect(error(128) / error(256)).toBeGreaterThan(3.9);
    expect(error(256)).toBeLessThan(0.02);
  });

  test('a wave that the scheme carries exactly', () => {
    using problem = odil.problems.advection({ cells: 16, timeCells: 8, velocity: 0.7 });
    // cos(k x - w t) with tan(w dt / 2) = c dt sin(k dx) / (2 dx): the dispersion of Crank-Nicolson.
    const w = 2 * 8 * Math.atan((0.7 * 16 * Math.sin((2 * Math.PI) / 16)) / (2 * 8));
    const u = problem.grid.sample('nc', (t, x) => Math.cos(2 * Math.PI * x - w * t));
    expect(largest(residual(problem, { fields: { u } }, 'advection').subarray(16))).toBeLessThan(1e-13);
  });

  test('inverse: the last row is data and the velocity has a column', () => {
    using problem = odil.problems.advection({ cells: 16, timeCells: 4, inferVelocity: { dataWeight: 3 } });
    const { u, velocity } = problem.reference as { u: Float64Array; velocity: Float64Array };
    const state = { fields: { u: u.map((value) => value + 1) }, parameters: { velocity } };
    const data = residual(problem, state, 'data');
    expect(largest(data.subarray(0, -16))).toBe(0);
    expect(difference(data.subarray(-16), new Float64Array(16).fill(3))).toBeLessThan(1e-14);
    const { columnPointers, values } = problem.jacobian(state);
    const slopes = values.subarray(columnPointers.at(-2), columnPointers.at(-1));
    expect(slopes.filter((slope) => slope !== 0)).toHaveLength(16 * 4);
  });
});

/** One step of implicit Euler by Newton's method with a dense matrix: slow, and written from the formula. */
function burgersStep(before: Float64Array, dt: number, dx: number, viscosity: number): Float64Array {
  const n = before.length;
  const u = Array.from(before);
  const f = (state: number[]): number[] =>
    state.map((value, i) => {
      const [left, right] = [state[i - 1], state[i + 1]];
      const flux = (a: number, b: number): number => (Math.max(a, 0) ** 2 + Math.min(b, 0) ** 2) / 2;
      const low = left ?? ((right as number) - 6 * value) / 3;
      const high = right ?? ((left as number) - 6 * value) / 3;
      const inFlux = left === undefined ? 0 : flux(left, value);
      const outFlux = right === undefined ? 0 : flux(value, right);
      const spread = (viscosity * (low - 2 * value + high)) / dx ** 2;
      return (value - (before[i] as number)) / dt + (outFlux - inFlux) / dx - spread;
    });
  for (let newton = 0; newton < 12; newton += 1) {
    const r = f(u);
    // Columns by differences suffice: Newton's method corrects them.
    const rows = r.map((value) => [...new Array<number>(n).fill(0), -value]);
    for (let j = 0; j < n; j += 1) {
      const moved = [...u];
      moved[j] = (moved[j] as number) + 1e-7;
      f(moved).forEach((value, i) => ((rows[i] as number[])[j] = (value - (r[i] as number)) / 1e-7));
    }
    for (let k = 0; k < n; k += 1) {
      for (let i = k + 1; i < Math.min(n, k + 2); i += 1) {
        const factor = ((rows[i] as number[])[k] as number) / ((rows[k] as number[])[k] as number);
        for (let j = k; j <= n; j += 1) {
          (rows[i] as number[])[j] =
            ((rows[i] as number[])[j] as number) - factor * ((rows[k] as number[])[j] as number);
        }
      }
    }
    for (let k = n - 1; k >= 0; k -= 1) {
      const row = rows[k] as number[];
      let value = row[n] as number;
      for (let j = k + 1; j < n; j += 1) value -= (row[j] as number) * ((rows[j] as number[])[n] as number);
      row[n] = value / (row[k] as number);
    }
    rows.forEach((row, i) => (u[i] = (u[i] as number) + (row[n] as number)));
  }
  return Float64Array.from(u);
}

describe('burgers', () => {
  const march = (viscosity: number): Float64Array => {
    const rows: Float64Array[] = [
      odil
        .grid({ x: { cells: 24, lower: -1 } })
        .coordinates('x')
        .map((x) => -Math.sin(Math.PI * x)),
    ];
    for (let step = 0; step < 6; step += 1)
      rows.push(burgersStep(rows[step] as Float64Array, 1 / 6, 2 / 24, viscosity));
    return Float64Array.from(rows.flatMap((row) => [...row]));
  };

  test('forward: zero at the marched solution', () => {
    using problem = odil.problems.burgers({ cells: 24, timeCells: 6, viscosity: 0.02 });
    const u = march(0.02);
    expect(largest(residual(problem, { fields: { u } }, 'burgers'))).toBeLessThan(1e-10);
    expect(largest(u.subarray(-24))).toBeLessThan(largest(u.subarray(0, 24)));
  });

  test('inverse: zero at the true viscosity only, the data weighed by their number', () => {
    const u = march(0.02);
    const mask = u.map((_, i) => (i % 7 === 0 ? 1 : 0));
    using problem = odil.problems.burgers({
      cells: 24,
      timeCells: 6,
      inferViscosity: { mask, values: u.map((value) => value + 0.5), dataWeight: 2 },
    });
    const at = (viscosity: number) =>
      problem.evaluate({ fields: { u }, parameters: { viscosity: Float64Array.of(viscosity) } });
    expect(largest(at(0.02).residuals['burgers'] as Float64Array)).toBeLessThan(1e-10);
    expect(largest(at(0.03).residuals['burgers'] as Float64Array)).toBeGreaterThan(0.01);
    expect(at(0.02).blocks['data']?.norm).toBeCloseTo(1, 12);
  });
});

describe('bodyFlow', () => {
  test.each([2, 3] as const)('%i dimensions: uniform flow is a solution where there is no body', (dimensions) => {
    using problem = odil.problems.bodyFlow({ dimensions, cells: 5 });
    const state = problem.initialState();
    (state.fields['shape'] as Float64Array).fill(-1e3);
    expect(problem.evaluate(state).loss).toBeLessThan(1e-28);
    expect(problem.blockNames).toEqual([...['momentumX', 'momentumY', 'momentumZ'].slice(0, dimensions), 'continuity']);
    expect(problem.grid.axes.map((axis) => axis.cells)).toEqual([9, 5, 5].slice(0, dimensions));
  });

  test('inside the body the velocity itself is the residual', () => {
    using problem = odil.problems.bodyFlow({ cells: 5 });
    const state = problem.initialState();
    (state.fields['shape'] as Float64Array).fill(1e3);
    const { vx, vy } = state.fields as { vx: Float64Array; vy: Float64Array };
    vx.forEach((_, i) => ([vx[i], vy[i]] = [Math.sin(i), Math.cos(i)]));
    expect(difference(residual(problem, state, 'momentumX'), vx)).toBe(0);
    expect(difference(residual(problem, state, 'momentumY'), vy)).toBe(0);
  });

  test('a linear pressure pushes by its slope; its outlet column is fixed; no damping on straight lines', () => {
    using problem = odil.problems.bodyFlow({ cells: 6 });
    const state = problem.initialState();
    (state.fields['shape'] as Float64Array).fill(-1e3);
    state.fields['p'] = problem.grid.sample('cc', (x, y) => 3 * x - 2 * y);
    const count = 11 * 6;
    expect(difference(residual(problem, state, 'momentumX'), new Float64Array(count).fill(3))).toBeLessThan(1e-12);
    expect(difference(residual(problem, state, 'momentumY'), new Float64Array(count).fill(-2))).toBeLessThan(1e-12);
    const continuity = residual(problem, state, 'continuity');
    expect(largest(continuity.subarray(0, count - 6))).toBeLessThan(1e-12);
    expect(difference(continuity.subarray(-6), state.fields['p'].subarray(-6))).toBe(0);
  });

  test('official: upper faces are damped twice as much as lower ones', () => {
    using corrected = odil.problems.bodyFlow({ cells: 5, body: 'circle' });
    using official = odil.problems.bodyFlow({ cells: 5, body: 'circle', compat: 'official' });
    const state = corrected.initialState();
    state.fields['p'] = corrected.grid.sample('cc', (x, y) => x ** 4 + y ** 3 * x);
    const [a, b] = [residual(corrected, state, 'continuity'), residual(official, state, 'continuity')];
    expect(difference(residual(corrected, state, 'momentumX'), residual(official, state, 'momentumX'))).toBe(0);
    expect(difference(a, b)).toBeGreaterThan(1e-6);
    // Damping sums to zero over inner faces when both sides agree: the corrected scheme conserves mass.
    using inner = odil.problems.bodyFlow({ cells: 5, body: 'circle' });
    const row = (values: Float64Array): number => values.subarray(5, 40).reduce((total, value) => total + value, 0);
    expect(Math.abs(row(residual(inner, corrected.initialState(), 'continuity')))).toBeLessThan(1e-12);
  });

  test('bodies: filled inside, empty outside, half in between', () => {
    const of = odil.grid({ x: { cells: 129, upper: 2 }, y: { cells: 65 } });
    const area = (shape: 'circle' | 'ellipse' | 'half'): number =>
      odil.problems.bodyFraction(of, shape).reduce((total, part) => total + part, 0) * (2 / 129 / 65);
    expect(area('circle')).toBeCloseTo(Math.PI * 0.04, 3);
    expect(area('half')).toBeCloseTo((Math.PI * 0.04) / 2, 3);
    expect(area('ellipse')).toBeCloseTo((Math.PI * 0.25 ** 2) / 3, 3);
  });

  test('data: one block per component, weighed by how many there are', () => {
    const mask = new Float64Array(9 * 5);
    mask[7] = 1;
    const velocities = [new Float64Array(45), new Float64Array(45).fill(1)];
    using problem = odil.problems.bodyFlow({ cells: 5, data: { mask, velocities, weight: 2 } });
    const { residuals } = problem.evaluate(problem.initialState());
    expect(residuals['dataX']?.[7]).toBe(90);
    expect(residuals['dataY']?.[7]).toBe(-90);
    expect(largest(residuals['dataX'] as Float64Array)).toBe(90);
  });
});

test('cavity: data and smoothness are blocks of their own, walls are then unknown', () => {
  const count = 16;
  const mask = new Float64Array(count);
  mask[3] = 1;
  using problem = odil.problems.cavity({
    cells: 4,
    smoothness: 0.5,
    data: { mask, u: new Float64Array(count).fill(2), v: new Float64Array(count) },
  });
  const state = problem.initialState();
  state.fields['u'] = problem.grid.sample('cc', (x, y) => x + 2 * y);
  const { residuals } = problem.evaluate(state);
  for (const name of ['smoothUxx', 'smoothUyy', 'smoothVxx', 'smoothVyy']) {
    expect(largest(residuals[name] as Float64Array)).toBeLessThan(1e-12); // straight on beyond the walls
  }
  expect(residuals['dataU']?.[3]).toBeCloseTo(16 * (0.125 + 1.75 - 2), 12);
  expect(largest(residuals['dataV'] as Float64Array)).toBe(0);
});

test('heat: networks start as published, the same for the same seed; the proximal term comes with frozen steps', () => {
  const weights = (options: odil.problems.HeatOptions): Float64Array => {
    using problem = odil.problems.heat({ cells: 4, timeCells: 4, ...options });
    return problem.initialState().networks?.['conductivity'] as Float64Array;
  };
  const drawn = weights({ inferConductivity: {} });
  expect(weights({ inferConductivity: { seed: 0 } })).toEqual(drawn);
  expect(weights({ inferConductivity: { seed: 1 } })).not.toEqual(drawn);
  expect(largest(drawn.subarray(0, 5))).toBeLessThan(Math.sqrt(3));
  expect(largest(drawn.subarray(0, 5))).toBeGreaterThan(0.1);
  expect(largest(drawn.subarray(5, 35))).toBeLessThan(Math.sqrt(3 / 5));
  expect([...drawn.subarray(35)]).toEqual(new Array(11).fill(0));
  const blocks = (frozen: boolean): string[] => {
    using problem = odil.problems.heat({ cells: 4, timeCells: 4, frozen, inferConductivity: {} });
    return problem.blockNames;
  };
  expect(blocks(true)).toEqual(['heat', 'proximal']);
  expect(blocks(false)).toEqual(['heat']);
});

test('velocityFromTracer: uniform motion of a smooth tracer needs no regularisation', () => {
  using problem = odil.problems.velocityFromTracer({ timeCells: 4, cells: { x: 8, y: 8 } });
  const { blocks } = problem.evaluate({
    fields: {
      u: new Float64Array(5 * 64),
      vx: new Float64Array(5 * 64).fill(0.2),
      vy: new Float64Array(5 * 64).fill(-0.1),
    },
  });
  for (const name of ['smoothX', 'smoothY', 'steadyX', 'steadyY']) expect(blocks[name]?.loss).toBeLessThan(1e-28);
});

test.each([
  [
    'poisson',
    () => odil.problems.poisson({ cells: 12, multigridLoss: 3 }),
    'ERR_OUT_OF_RANGE',
    'options.multigridLoss',
  ],
  ['wave', () => odil.problems.wave({ cells: 1 }), 'ERR_OUT_OF_RANGE', 'options.cells'],
  [
    'inferConstant',
    () => odil.problems.inferConstant({ constants: [1, 2] }),
    'ERR_SHAPE_MISMATCH',
    'options.constants',
  ],
  ['heatTmax', () => odil.problems.heatTmax({ endTime: 0 }), 'ERR_OUT_OF_RANGE', 'options.endTime'],
  ['cavity', () => odil.problems.cavity({ reynolds: -1 }), 'ERR_OUT_OF_RANGE', 'options.reynolds'],
  [
    'cavity with a mask of the wrong length',
    () => odil.problems.cavity({ cells: 3, data: { mask: [1], u: [1], v: [1] } }),
    'ERR_SHAPE_MISMATCH',
    'options.data.mask',
  ],
  [
    'heat without a single measurement',
    () => odil.problems.heat({ timeCells: 2, cells: 2, data: { mask: [0, 0, 0, 0], values: [1, 1, 1, 1] } }),
    'ERR_INVALID_ARG_VALUE',
    'options.data.mask',
  ],
  ['heat', () => odil.problems.heat({ cells: 3, initial: [1] }), 'ERR_SHAPE_MISMATCH', 'options.initial'],
  [
    'burgers',
    () => odil.problems.burgers({ cells: 2, timeCells: 1, inferViscosity: { mask: [1, 0, 0, 0], values: [1] } }),
    'ERR_SHAPE_MISMATCH',
    'options.inferViscosity.values',
  ],
  [
    'bodyFlow with one velocity too few',
    () =>
      odil.problems.bodyFlow({
        dimensions: 3,
        cells: 3,
        data: { mask: new Float64Array(45).fill(1), velocities: [new Float64Array(45), new Float64Array(45)] },
      }),
    'ERR_SHAPE_MISMATCH',
    'options.data.velocities',
  ],
  ['bodyFlow', () => odil.problems.bodyFlow({ dimensions: 4 as 3 }), 'ERR_OUT_OF_RANGE', 'options.dimensions'],
  ['burgers', () => odil.problems.burgers({ viscosity: NaN }), 'ERR_NOT_FINITE', 'options.viscosity'],
  [
    'velocityFromTracer',
    () => odil.problems.velocityFromTracer({ compat: 'none' as 'official' }),
    'ERR_INVALID_ARG_VALUE',
    'options.compat',
  ],
])('%s names the option that is wrong', (_, make, code, argument) => {
  expect(make).toThrow(errorWith(code, argument));
});
