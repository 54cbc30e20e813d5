// Invariants of discrete min-max violation on random problems, with shrinking.
import fc from 'fast-check';
import { denseMatrix, dmmv } from '../../lib';

const entry = fc.double({ min: -10, max: 10, noNaN: true });
const gap = fc.double({ min: 1e-3, max: 5, noNaN: true });

interface Drawn {
  rows: number;
  columns: number;
  data: number[];
  lower: number[];
  upper: number[];
  weights: number[];
  levels: number[][];
  indices: number[];
}

const ascending = fc
  .tuple(entry, fc.array(gap, { maxLength: 4 }))
  .map(([first, gaps]) => gaps.reduce((list, step) => [...list, (list.at(-1) as number) + step], [first]));

const problems: fc.Arbitrary<Drawn> = fc
  .tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 6 }))
  .chain(([rows, columns]) =>
    fc
      .record({
        rows: fc.constant(rows),
        columns: fc.constant(columns),
        data: fc.array(entry, { minLength: rows * columns, maxLength: rows * columns }),
        centre: fc.array(entry, { minLength: rows, maxLength: rows }),
        width: fc.array(fc.oneof(fc.constant(0), gap), { minLength: rows, maxLength: rows }),
        weights: fc.array(fc.double({ min: 0.1, max: 10, noNaN: true }), { minLength: rows, maxLength: rows }),
        levels: fc.array(ascending, { minLength: columns, maxLength: columns }),
        picks: fc.array(fc.nat(), { minLength: columns, maxLength: columns }),
      })
      .map(({ centre, width, picks, ...rest }) => ({
        ...rest,
        lower: centre.map((value, i) => value - (width[i] as number)),
        upper: centre.map((value, i) => value + (width[i] as number)),
        indices: picks.map((pick, j) => pick % (rest.levels[j] as number[]).length),
      })),
  );

const make = ({ rows, columns, data, lower, upper, weights, levels }: Drawn): dmmv.Problem =>
  dmmv.createProblem({ matrix: denseMatrix(rows, columns, data), lower, upper, weights, levels });

const close = (actual: number, expected: number, scale = 1): void => {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(expected), scale));
};

/** Every assignment. */
function assignments(levels: readonly number[][]): number[][] {
  return levels.reduce<number[][]>((list, table) => list.flatMap((head) => table.map((_, q) => [...head, q])), [[]]);
}

/** The definition, spelt out. */
function objectiveOf(
  { rows, columns, data, lower, upper, weights, levels }: Drawn,
  indices: readonly number[],
): number {
  let worst = -Infinity;
  for (let i = 0; i < rows; i += 1) {
    let activity = 0;
    for (let j = 0; j < columns; j += 1)
      activity += (data[i * columns + j] as number) * (levels[j]?.[indices[j] as number] as number);
    worst = Math.max(
      worst,
      (weights[i] as number) * Math.max(activity - (upper[i] as number), (lower[i] as number) - activity),
    );
  }
  return worst;
}

test('evaluate is the definition', () => {
  fc.assert(
    fc.property(problems, (drawn) =>
      close(dmmv.evaluate(make(drawn), drawn.indices).objective, objectiveOf(drawn, drawn.indices)),
    ),
  );
});

test('each entry of the one-flip table is the objective after that flip', () => {
  fc.assert(
    fc.property(problems, (drawn) => {
      const table = dmmv.oneFlipTable(make(drawn), drawn.indices);
      table.forEach((row, j) =>
        row.forEach((value, q) =>
          close(
            value,
            objectiveOf(
              drawn,
              drawn.indices.map((level, k) => (k === j ? q : level)),
            ),
            1e3,
          ),
        ),
      );
    }),
  );
});

test('scaling a row with its weight, or a column with its levels, changes nothing', () => {
  fc.assert(
    fc.property(problems, fc.double({ min: 0.25, max: 4, noNaN: true }), (drawn, factor) => {
      const { columns, data, lower, upper, weights, levels } = drawn;
      const rowScaled = {
        ...drawn,
        data: data.map((value, k) => (k < columns ? value * factor : value)),
        lower: lower.map((value, i) => (i === 0 ? value * factor : value)),
        upper: upper.map((value, i) => (i === 0 ? value * factor : value)),
        weights: weights.map((value, i) => (i === 0 ? value / factor : value)),
      };
      const columnScaled = {
        ...drawn,
        data: data.map((value, k) => (k % columns === 0 ? value / factor : value)),
        levels: levels.map((table, j) => (j === 0 ? table.map((value) => value * factor) : table)),
      };
      const expected = dmmv.evaluate(make(drawn), drawn.indices).objective;
      close(dmmv.evaluate(make(rowScaled), drawn.indices).objective, expected, 1e3);
      close(dmmv.evaluate(make(columnScaled), drawn.indices).objective, expected, 1e3);
    }),
  );
});

test('a bound is below every assignment, and its certificate verifies', () => {
  fc.assert(
    fc.property(problems, (drawn) => {
      const problem = make(drawn);
      const { bound, multipliers } = dmmv.lowerBoundSync(problem);
      expect(bound).toBeLessThanOrEqual(objectiveOf(drawn, drawn.indices) + 1e-9);
      const norm = multipliers.reduce((sum, value) => sum + Math.abs(value), 0);
      expect(norm).toBeLessThanOrEqual(1 + 1e-9);
      // Multipliers of a smaller norm bound max(t, 0), not t.
      const bounded = Math.max(objectiveOf(drawn, drawn.indices), norm < 1 - 1e-9 ? 0 : -Infinity);
      expect(dmmv.checkCertificate(problem, multipliers)).toBeLessThanOrEqual(bounded + 1e-9);
    }),
  );
});

test('any multipliers of norm 1 prove a bound that holds', () => {
  fc.assert(
    fc.property(
      problems,
      fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 8, maxLength: 8 }),
      (drawn, raw) => {
        const cut = raw.slice(0, drawn.rows);
        const norm = cut.reduce((sum, value) => sum + Math.abs(value), 0);
        fc.pre(norm > 1e-3);
        const bound = dmmv.checkCertificate(
          make(drawn),
          cut.map((value) => value / norm),
        );
        expect(bound).toBeLessThanOrEqual(objectiveOf(drawn, drawn.indices) + 1e-9);
      },
    ),
  );
});

test('the solver returns levels, never loses to its start, and on tiny problems proves the optimum', () => {
  fc.assert(
    fc.property(problems, fc.integer({ min: 0, max: 1000 }), (drawn, seed) => {
      const result = dmmv.solveSync(make(drawn), { initial: drawn.indices, seed, maxIterations: 3000, threads: 1 });
      expect(result.objective).toBeLessThanOrEqual(objectiveOf(drawn, drawn.indices) + 1e-9);
      close(result.objective, objectiveOf(drawn, [...result.indices]));
      expect(result.status).toBe('optimal');
      expect(result.lowerBound).toBeLessThanOrEqual(result.objective + 1e-12);
      fc.pre(drawn.levels.reduce((product, table) => product * table.length, 1) <= 400);
      const [best] = assignments(drawn.levels)
        .map((indices) => objectiveOf(drawn, indices))
        .sort((a, b) => a - b);
      close(result.objective, best as number);
    }),
    { numRuns: 40 },
  );
});
