// A second opinion where it is installed: HiGHS solves the linear relaxation and the integer program of the same problems.
import { type HighsModule, loadHighs } from '../../../bench/peers/highs';
import { denseMatrix, dmmv } from '../../../lib';
import { uniforms } from '../../support/philox-random';

const rows = 14;
const columns = 5;
const levels = 4;

/** Interval, one-sided and equality rows with weights; levels 0 to 3. */
function randomParts(seed: number): {
  matrix: Float64Array;
  lower: Float64Array;
  upper: Float64Array;
  weights: Float64Array;
} {
  const next = uniforms(seed);
  const matrix = Float64Array.from({ length: rows * columns }, () => 2 * next() - 1);
  const middle = Float64Array.from({ length: rows }, () => 8 * next() - 4);
  const width = Float64Array.from({ length: rows }, (_, i) => (i % 4 === 0 ? 0 : next()));
  return {
    matrix,
    lower: middle.map((value, i) => (i % 4 === 1 ? -Infinity : value - (width[i] as number))),
    upper: middle.map((value, i) => (i % 4 === 2 ? Infinity : value + (width[i] as number))),
    weights: Float64Array.from({ length: rows }, () => 0.25 + next()),
  };
}

/** The smallest t by HiGHS. */
function optimum(highs: HighsModule, parts: ReturnType<typeof randomParts>, integer: boolean): number {
  const names = Array.from({ length: columns }, (_, j) => `x${j}`);
  const lines = ['Minimize', ' obj: t', 'Subject To'];
  for (let i = 0; i < rows; i += 1) {
    const weight = parts.weights[i] as number;
    const sum = names
      .map((name, j) => {
        const value = weight * (parts.matrix[i * columns + j] as number);
        return `${value < 0 ? '-' : '+'} ${Math.abs(value)} ${name}`;
      })
      .join(' ');
    const [low, high] = [parts.lower[i] as number, parts.upper[i] as number];
    if (Number.isFinite(high)) lines.push(` u${i}: ${sum} - t <= ${weight * high}`);
    if (Number.isFinite(low)) lines.push(` l${i}: ${sum} + t >= ${weight * low}`);
  }
  lines.push('Bounds', ' t free', ...names.map((name) => ` 0 <= ${name} <= ${levels - 1}`));
  if (integer) lines.push('General', ` ${names.join(' ')}`);
  const { Status: status, Columns: found } = highs.solve([...lines, 'End'].join('\n'), { mip_rel_gap: 0 });
  expect(status).toBe('Optimal');
  return found['t']?.Primal ?? NaN;
}

test('relaxations and proven optima are those of HiGHS', async () => {
  const highs = await loadHighs();
  if (highs === undefined) {
    console.warn('skipped: the package highs is not installed');
    return;
  }
  for (let seed = 1; seed <= 12; seed += 1) {
    const parts = randomParts(seed);
    using problem = dmmv.createProblem({
      ...parts,
      matrix: denseMatrix(rows, columns, parts.matrix),
      levels: { offset: 0, step: 1, count: levels },
    });
    const relaxed = optimum(highs, parts, false);
    const exchange = await dmmv.lowerBound(problem, { method: 'exchange' });
    const steps = await dmmv.lowerBound(problem, { method: 'first-order', tolerance: 1e-7 });
    expect(exchange.bound).toBeCloseTo(relaxed, 6);
    expect(steps.bound).toBeCloseTo(relaxed, 5);
    const exact = await dmmv.solveExact(problem, { searchIterations: 1 });
    expect(exact.proven).toBe(true);
    expect(exact.objective).toBeCloseTo(optimum(highs, parts, true), 6);
  }
});
