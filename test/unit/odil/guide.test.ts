// The examples of docs/odil.md run as they stand, one after the other.
import fs from 'node:fs';
import path from 'node:path';
import vm from 'node:vm';
import { odil } from '../../../lib';
import { packageRoot } from '../../../lib/runtime/native';

test('docs/odil.md', async () => {
  const guide = fs.readFileSync(path.join(packageRoot, 'docs', 'odil.md'), 'utf8');
  const blocks = [...guide.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code as string);
  expect(blocks.length).toBeGreaterThan(5);
  const code = blocks.join('\n').replace("import { odil } from 'discrete-descent';", '');
  const results =
    'return { loss, plain, jacobian, problem, atSolution, wave, start, guess, patient, solution, assimilated, slow, quick, annealed, rest, polished, deviation };';
  const run = vm.runInThisContext(`async (odil, console) => { ${code} ${results} }`) as (
    of: typeof odil,
    console: { log: (...values: unknown[]) => void },
  ) => Promise<{
    loss: number;
    plain: number;
    jacobian: { rows: number; columns: number };
    problem: odil.Problem;
    atSolution: { loss: number };
    start: { loss: number };
    guess: odil.glioma.Guess;
    solution: odil.Solution;
    assimilated: odil.Solution;
    slow: odil.Solution;
    quick: odil.Solution;
    annealed: odil.Solution;
    rest: odil.Solution;
    polished: odil.Solution;
    deviation: number;
  }>;
  const printed: unknown[][] = [];
  const found = await run(odil, { log: (...values) => printed.push(values) });
  expect([found.jacobian.rows, found.jacobian.columns]).toEqual([2 * 2400, 2402]);
  expect(found.plain).toBeCloseTo(2400 * found.loss, 8);
  expect(found.atSolution.loss).toBeLessThan(10);
  expect(found.start.loss).toBeGreaterThan(0);
  expect(found.assimilated.method).toBe('control-space');
  expect(found.assimilated.loss).toBeLessThan(0.1 * found.loss);
  expect(found.guess.u).toHaveLength(16 * 12 ** 3);
  expect(found.solution).toMatchObject({ method: 'gauss-newton', linearSolver: 'multigrid' });
  expect(found.quick.loss).toBeLessThan(0.1 * found.slow.loss);
  expect(found.annealed.loss).toBeLessThan(found.plain);
  expect(found.rest.history.at(-1)).toMatchObject({ iteration: 200 });
  expect(found.polished.loss).toBeLessThan(found.rest.loss);
  expect(found.deviation).toBeGreaterThan(0);
  expect(printed.at(-1)?.[0]).toBe('ERR_OUT_OF_RANGE');
  expect(printed.at(-1)?.[1]).toContain('where(at.x.last, ...)');
});
