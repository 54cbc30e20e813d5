// Residuals that read all points at once.
import { denseMatrix, odil } from '../../../lib';
import { errorWith } from '../../support/errors';

const cells = 6;
const grid = odil.grid({ x: { cells }, y: { cells: 5 } });
const points = cells * 5;
const values = Float64Array.from({ length: points }, (_, i) => 0.3 + Math.sin(1 + 3 * i) / 4);

const problem = odil.problem(
  { grid, fields: { u: 'cc' }, parameters: { k: { initial: [0.7] } } },
  ({ u, k, at, where }) => {
    const slope = where(at.x.last, 0, u.shift({ x: 1 }).minus(u));
    return {
      equation: u.square().minus(k),
      whole: [
        odil.total(u.times(k)).minus(4),
        odil.sqrt(odil.mean(slope.square())).plus(odil.total(u)).times(k),
        k.minus(1),
      ],
    };
  },
);
const state = { fields: { u: values }, parameters: { k: Float64Array.of(0.7) } };

test('totals and means are sums over all points', () => {
  const { residuals } = problem.evaluate(state);
  const sum = values.reduce((a, b) => a + b, 0);
  let squares = 0;
  for (let i = 0; i + 5 < points; ++i) squares += ((values[i + 5] as number) - (values[i] as number)) ** 2;
  const whole = residuals['whole'] as Float64Array;
  expect(whole[0]).toBeCloseTo(0.7 * sum - 4, 12);
  expect(whole[1]).toBeCloseTo((Math.sqrt(squares / points) + sum) * 0.7, 12);
  expect(whole[2]).toBeCloseTo(-0.3, 12);
});

test('the Jacobian, its transpose and the gradient agree with differences', () => {
  const jacobian = problem.jacobian(state);
  const dense = new Float64Array(problem.residuals * problem.unknowns);
  for (let column = 0; column < problem.unknowns; ++column) {
    for (let k = jacobian.columnPointers[column] as number; k < (jacobian.columnPointers[column + 1] as number); ++k) {
      dense[(jacobian.rowIndices[k] as number) * problem.unknowns + column] = jacobian.values[k] as number;
    }
  }
  expect(denseMatrix(problem.residuals, problem.unknowns, dense).rows).toBe(points + 3);
  const flat = (at: typeof state): number[] =>
    Object.values(problem.evaluate(at).residuals).flatMap((block) => [...block]);
  const moved = (column: number, by: number): typeof state => {
    const u = values.slice();
    const k = Float64Array.of(0.7);
    if (column < points) u[column] = (u[column] as number) + by;
    else k[0] = (k[0] as number) + by;
    return { fields: { u }, parameters: { k } };
  };
  const { gradient } = problem.gradient(state, { normalization: 'sum' });
  const residuals = flat(state);
  for (let column = 0; column < problem.unknowns; ++column) {
    const [ahead, behind] = [flat(moved(column, 1e-5)), flat(moved(column, -1e-5))];
    let slope = 0;
    for (let row = 0; row < problem.residuals; ++row) {
      const entry = dense[row * problem.unknowns + column] as number;
      expect(entry).toBeCloseTo(((ahead[row] as number) - (behind[row] as number)) / 2e-5, 7);
      slope += 2 * entry * (residuals[row] as number);
    }
    const given = column < points ? gradient.fields['u']?.[column] : gradient.parameters?.['k']?.[0];
    expect(given).toBeCloseTo(slope, 9);
  }
});

test('a total can be imposed, by the method that auto takes and by Gauss-Newton', () => {
  using mass = odil.problem({ grid, fields: { u: 'cc' } }, ({ u, at, where }) => ({
    smooth: where(at.x.last, 0, u.shift({ x: 1 }).minus(u)),
    level: where(at.y.last, 0, u.shift({ y: 1 }).minus(u)),
    mass: [odil.mean(u).minus(2)],
  }));
  const found = mass.solveSync();
  expect(found.method).toBe('lbfgs');
  expect(found.reason).toMatch(/total/);
  const exact = mass.solveSync({ method: 'gauss-newton' });
  for (const u of [found.fields['u'], exact.fields['u']]) {
    for (const value of u as Float64Array) expect(value).toBeCloseTo(2, 4);
  }
});

test('float32 and any number of threads', () => {
  const single = problem.evaluate({
    fields: { u: Float32Array.from(values) },
    parameters: { k: Float32Array.of(0.7) },
  });
  const double = problem.evaluate(state);
  expect(single.residuals['whole']?.[0]).toBeCloseTo(double.residuals['whole']?.[0] as number, 4);
  const one = problem.gradient(state, { threads: 1 });
  const seven = problem.gradient(state, { threads: 7 });
  expect(seven.gradient.fields['u']).toEqual(one.gradient.fields['u']);
});

test('bad use is an error that names the block', () => {
  const make = (build: (u: odil.Field) => odil.Residuals) => () =>
    odil.problem({ grid, fields: { u: 'cc' } }, ({ u }) => build(u));
  const invalid = (argument: string): Error => errorWith('ERR_INVALID_ARG_VALUE', argument);
  expect(make((u) => ({ even: u.minus(odil.mean(u)) }))).toThrow(invalid('even'));
  expect(make((u) => ({ nested: [odil.total(u.times(odil.total(u)))] }))).toThrow(invalid('nested'));
  expect(make(() => ({ none: [odil.total(odil.sum(1, 2), { location: 'cc' })] }))).toThrow(invalid('none'));
  expect(() => odil.total(3 as never)).toThrow(errorWith('ERR_INVALID_ARG_TYPE', 'of'));
  expect(() => odil.total(odil.sum(1), { location: 'x' })).toThrow(invalid('options.location'));
});
