// The examples of docs/odil.md run as they stand, one after the other.
import fs from 'node:fs';
import path from 'node:path';
import vm from 'node:vm';
import { odil, report } from '../../../lib';
import { packageRoot } from '../../../lib/runtime/native';

test('docs/odil.md', () => {
  const guide = fs.readFileSync(path.join(packageRoot, 'docs', 'odil.md'), 'utf8');
  const blocks = [...guide.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code as string);
  expect(blocks.length).toBeGreaterThan(5);
  const code = blocks.join('\n').replace("import { odil, report } from 'discrete-descent';", '');
  const results =
    'return { loss, plain, jacobian, problem, atSolution, wave, start, guess, patient, map, pixels, source };';
  const run = vm.runInThisContext(`(odil, report, console) => { ${code} ${results} }`) as (
    of: typeof odil,
    pictures: typeof report,
    console: { log: (...values: unknown[]) => void },
  ) => {
    loss: number;
    plain: number;
    jacobian: { rows: number; columns: number };
    problem: odil.Problem;
    atSolution: { loss: number };
    start: { loss: number };
    guess: odil.glioma.Guess;
    map: string;
    pixels: Uint8Array;
    source: string;
  };
  const printed: unknown[][] = [];
  const found = run(odil, report, { log: (...values) => printed.push(values) });
  expect([found.jacobian.rows, found.jacobian.columns]).toEqual([2 * 2400, 2402]);
  expect(found.plain).toBeCloseTo(2400 * found.loss, 8);
  expect(found.atSolution.loss).toBeLessThan(10);
  expect(found.start.loss).toBeGreaterThan(0);
  expect(found.guess.u).toHaveLength(16 * 12 ** 3);
  expect(found.map).toContain('every 0.5');
  expect(found.pixels.length).toBeGreaterThan(1000);
  expect(found.source).toContain('extern "C" __global__ void block0_poisson_region0');
  expect(printed.at(-1)?.[0]).toBe('ERR_OUT_OF_RANGE');
  expect(printed.at(-1)?.[1]).toContain('where(at.x.last, ...)');
});
