// The examples of docs/polystep.md run as they stand, one after the other.
import fs from 'node:fs';
import path from 'node:path';
import vm from 'node:vm';
import { polystep } from '../../../lib';
import { packageRoot } from '../../../lib/runtime/native';

test('docs/polystep.md', async () => {
  const guide = fs.readFileSync(path.join(packageRoot, 'docs', 'polystep.md'), 'utf8');
  const blocks = [...guide.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code as string);
  expect(blocks).toHaveLength(7);
  const code = blocks.join('\n').replace("import { polystep } from 'discrete-descent';", '');
  const results = 'return { plain, same, plan, shaped, problem, search, polished, accuracy, cma, es };';
  const run = vm.runInThisContext(`async (polystep) => { ${code} ${results} }`) as (of: typeof polystep) => Promise<{
    plain: polystep.Minimum;
    same: boolean;
    plan: Float64Array;
    shaped: polystep.Minimum;
    problem: polystep.models.MaxSat;
    search: polystep.Minimum;
    polished: polystep.models.PolishResult;
    accuracy: number;
    cma: polystep.Minimum;
    es: polystep.Minimum;
  }>;
  const found = await run(polystep);
  expect(found.plain.value).toBeLessThan(0.01);
  expect(found.plain.evaluations).toBeLessThanOrEqual(8000);
  expect(found.same).toBe(true);
  expect([...found.plan].map((weight) => weight.toFixed(4))).toEqual(['0.7049', '0.2593', '0.0351', '0.0006']);
  expect(found.shaped.value).toBeLessThan(1e-6);
  expect(found.search.value).toBeLessThan(0.005 * 4270);
  expect(found.polished.unsatisfied).toBeLessThanOrEqual(found.search.value);
  expect(found.accuracy).toBeGreaterThan(0.9);
  expect(found.cma.value).toBeLessThan(1e-8);
  expect(found.es.value).toBeLessThan(0.01);
});
