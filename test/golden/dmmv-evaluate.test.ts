// evaluate.json: objective, activities, violations, one-flip tables and swaps, at every instruction-set level.
import { denseMatrix, dmmv } from '../../lib';
import { native } from '../../lib/runtime/native';
import { vectors } from '../support/vectors';

interface Case {
  name: string;
  m: number;
  n: number;
  A_rowmajor: number[];
  lower: (number | null)[];
  upper: (number | null)[];
  weight: number[];
  levels: number[][];
  index: number[];
  activity: number[];
  violation: number[];
  objective: number;
  argmax_row: number;
  one_flip_table: number[];
  best_one_flip: { var: number; level: number; value: number } | null;
  swap_moves: [number, number, number, number, number][];
}

const { cases, tolerance } = vectors<{ cases: Case[]; tolerance: { abs: number; rel: number } }>('dmmv/evaluate.json');
const { isa, isaLevels } = native.buildInfo();

function expectClose(actual: number, expected: number): void {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(tolerance.abs + tolerance.rel * Math.abs(expected));
}

function problemOf(given: Case): dmmv.Problem {
  return dmmv.createProblem({
    matrix: denseMatrix(given.m, given.n, given.A_rowmajor),
    lower: given.lower.map((value) => value ?? -Infinity),
    upper: given.upper.map((value) => value ?? Infinity),
    weights: given.weight,
    levels: given.levels,
  });
}

afterAll(() => native.setIsa(isa));

test('there are cases', () => expect(cases.length).toBeGreaterThanOrEqual(8));

describe.each(isaLevels)('at level %s', (level) => {
  beforeAll(() => native.setIsa(level));

  test.each(cases.map((given) => [given.name, given] as const))('%s: evaluation', (_, given) => {
    const evaluation = dmmv.evaluate(problemOf(given), given.index);
    expectClose(evaluation.objective, given.objective);
    expect(evaluation.worstRow).toBe(given.argmax_row);
    given.activity.forEach((value, i) => expectClose(evaluation.activities[i] as number, value));
    given.violation.forEach((value, i) => expectClose(evaluation.violations[i] as number, value));
  });

  test.each(cases.map((given) => [given.name, given] as const))('%s: one-flip table', (_, given) => {
    const table = dmmv.oneFlipTable(problemOf(given), given.index);
    expect(table.map((row) => row.length)).toEqual(given.levels.map((levels) => levels.length));
    const flat = table.flatMap((row) => [...row]);
    given.one_flip_table.forEach((value, k) => expectClose(flat[k] as number, value));
  });

  test.each(cases.map((given) => [given.name, given] as const))('%s: swaps evaluate to their values', (_, given) => {
    const problem = problemOf(given);
    for (const [i, di, j, dj, value] of given.swap_moves) {
      const moved = given.index.map((level, k) => level + (k === i ? di : k === j ? dj : 0));
      expectClose(dmmv.evaluate(problem, moved).objective, value);
    }
  });
});
