// A replacement's loss is that of the whole point, for random problems, with shrinking.
import fc from 'fast-check';
import { formats, polystep } from '../../lib';

const coordinate = fc.double({ min: -1, max: 1, noNaN: true });

/** Puts `row` into `base` at `first`. */
const replaced = (base: readonly number[], first: number, row: readonly number[]): number[] =>
  base.map((x, i) => (i >= first && i < first + row.length ? (row[i - first] as number) : x));

test('MAX-SAT: changes equal recounts exactly, whatever the weights, lengths and widths', () => {
  const problems = fc.integer({ min: 1, max: 24 }).chain((variables) =>
    fc.record({
      variables: fc.constant(variables),
      clauses: fc.array(
        fc.array(
          fc.tuple(fc.integer({ min: 1, max: variables }), fc.boolean()).map(([v, plain]) => (plain ? v : -v)),
          { maxLength: 5 },
        ),
        { maxLength: 40 },
      ),
      weight: fc.oneof(fc.constant(undefined), fc.double({ min: 0.01, max: 100, noNaN: true })),
      base: fc.array(coordinate, { minLength: variables, maxLength: variables }),
      first: fc.nat({ max: variables - 1 }),
      rows: fc
        .integer({ min: 1, max: 20 })
        .chain((width) =>
          fc.array(fc.array(coordinate, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 6 }),
        ),
      cost: fc.constantFrom('ratio' as const, 'count' as const),
    }),
  );
  fc.assert(
    fc.property(problems, ({ variables, clauses, weight, base, first, rows, cost }) => {
      const starts = [0];
      for (const clause of clauses) starts.push((starts.at(-1) as number) + clause.length);
      const cnf: formats.Cnf = {
        variables,
        literals: Int32Array.from(clauses.flat()),
        clauseStarts: Int32Array.from(starts),
        ...(weight !== undefined && { weights: Float64Array.from(clauses, (_, c) => weight * (1 + (c % 3))) }),
      };
      using problem = polystep.models.maxSat({ cnf, cost });
      const width = (rows[0] as number[]).length;
      const changed = problem.evaluateReplacements(base, first, width, rows.flat());
      const whole = problem.evaluate(rows.flatMap((row) => replaced(base, first, row)));
      expect(changed).toEqual(whole);
      if (weight === undefined && cost === 'count') {
        rows.forEach((row, i) => expect(problem.count(replaced(base, first, row)).unsatisfied).toBe(whole[i]));
      }
      expect(formats.parseDimacs(formats.serializeDimacs(cnf))).toEqual(cnf);
    }),
    { numRuns: 500 },
  );
});

test('networks: a replacement is the whole point, exactly where arithmetic is exact, on any number of threads', () => {
  const { models } = polystep;
  const eighths = fc.integer({ min: -16, max: 16 }).map((n) => n / 8);
  const cases = fc.record({
    kind: fc.constantFrom('sign' as const, 'relu' as const, 'step' as const, 'tree' as const, 'spikes' as const),
    weights: fc.constantFrom('real' as const, 'ternary' as const, 'binary' as const),
    samples: fc.array(fc.tuple(fc.array(eighths, { minLength: 3, maxLength: 3 }), fc.integer({ min: 0, max: 1 })), {
      minLength: 1,
      maxLength: 40,
    }),
    values: fc.array(eighths, { minLength: 64, maxLength: 64 }),
    first: fc.nat({ max: 1000 }),
    row: fc.array(eighths, { minLength: 1, maxLength: 12 }),
    threads: fc.integer({ min: 1, max: 3 }),
  });
  fc.assert(
    fc.property(cases, ({ kind, weights, samples, values, first: place, row, threads }) => {
      const data = { inputs: samples.flatMap(([x]) => x), labels: samples.map(([, label]) => label) };
      const layers = [3, 4, 2];
      using network =
        kind === 'tree'
          ? models.obliqueTree({ inputs: 3, depth: 2, data })
          : kind === 'spikes'
            ? models.lifNetwork({ layers, ticks: 3, beta: 0.5, data })
            : models.mlp({ layers, activation: kind, weights, data });
      const base = Array.from({ length: network.dimension }, (_, i) => values[i % 64] as number);
      const first = place % network.dimension;
      const expected = network.evaluate(replaced(base, first, row));
      expect(network.evaluateReplacements(base, first, row.length, row, { threads })).toEqual(expected);
      const single = network.evaluateReplacements(Float32Array.from(base), first, row.length, Float32Array.from(row));
      expect(single).toEqual(network.evaluate(Float32Array.from(replaced(base, first, row))));
    }),
    { numRuns: 300 },
  );
});
