// MAX-SAT against counts of the official implementation.
import { polystep } from '../../lib';
import { vectors } from '../support/vectors';

interface Instance {
  num_vars: number;
  num_clauses: number;
  clauses: number[][];
  check_assignments: string[];
  satisfied: number[];
}

test.each(['maxsat_instance_100_seed42.json', 'maxsat_instance_500_seed42.json'])('%s: assignments', (file) => {
  const instance = vectors<Instance>(`polystep/${file}`);
  const shape = { variables: instance.num_vars, clauses: instance.clauses.flat(), literalsPerClause: 3 };
  using count = polystep.models.maxSat({ ...shape, cost: 'count' });
  using ratio = polystep.models.maxSat(shape);
  instance.check_assignments.forEach((bits, i) => {
    const point = Array.from({ length: bits.length }, (_, at) => (bits[at] === '1' ? 0.3 : -0.2));
    const unsatisfied = instance.num_clauses - (instance.satisfied[i] as number);
    expect(count.evaluate(point)).toEqual(Float64Array.of(unsatisfied));
    expect(ratio.evaluate(Float32Array.from(point))).toEqual(Float64Array.of(unsatisfied / instance.num_clauses));
    expect(count.count(point)).toEqual({
      satisfied: instance.satisfied[i],
      unsatisfied,
      unsatisfiedWeight: unsatisfied,
    });
  });
});

test('models.json: x = 0 is false, rows of points are scored together', () => {
  const { models } = vectors<{
    models: {
      maxsat: {
        num_vars: number;
        clause_vars: number[][];
        clause_positive: number[][];
        x: number[][];
        satisfied: number[];
        unsat_ratio: number[];
      };
    };
  }>('polystep/models.json');
  const { num_vars: variables, clause_vars, clause_positive, x, satisfied, unsat_ratio } = models.maxsat;
  const clauses = clause_vars.flatMap((of, c) =>
    of.map((variable, i) => (clause_positive[c]?.[i] === 1 ? variable + 1 : -variable - 1)),
  );
  using problem = polystep.models.maxSat({ variables, clauses });
  const costs = problem.evaluate(x.flat());
  unsat_ratio.forEach((ratio, i) => expect(costs[i]).toBeCloseTo(ratio, 12));
  x.forEach((point, i) => expect(problem.count(point).satisfied).toBe(satisfied[i]));
});
