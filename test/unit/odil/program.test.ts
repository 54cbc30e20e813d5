// The CUDA source of problems as a user gets it: every built-in problem compiles behind a shim, and what heat computes
// is what `evaluate` finds.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { odil } from '../../../lib';
import { errorWith } from '../../support/errors';

const shim = `#include <math.h>
#include <stdio.h>
#define __global__
#define __device__
static struct { unsigned x; } blockIdx, threadIdx, blockDim = {1};
`;
let folder: string;
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'discrete-descent-source-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

function compile(...args: string[]): void {
  const { status, stderr } = spawnSync('c++', ['-std=c++17', '-ffp-contract=off', ...args], {
    cwd: folder,
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  expect(status).toBe(0);
}

test('every built-in problem gives source that compiles, in both precisions', () => {
  const small = { cells: 4 };
  const problems: Record<string, odil.Problem> = {
    poisson: odil.problems.poisson({ cells: 4, dimensions: 3 }),
    wave: odil.problems.wave({ ...small, timeCells: 4 }),
    heat: odil.problems.heat({ ...small, timeCells: 4, inferConductivity: {} }),
    inferConstant: odil.problems.inferConstant({ ...small, timeCells: 4 }),
    heatTmax: odil.problems.heatTmax({ ...small, timeCells: 4 }),
    tracer: odil.problems.velocityFromTracer({ timeCells: 3, cells: { x: 4, y: 4 } }),
    cavity: odil.problems.cavity({ cells: 6 }),
    bodyFlow: odil.problems.bodyFlow({ cells: 5, body: 'circle' }),
    burgers: odil.problems.burgers({ ...small, timeCells: 4 }),
  };
  const files = Object.entries(problems).flatMap(([name, problem]) =>
    (['float64', 'float32'] as const).map((precision) => {
      const source = problem.program({ format: 'cuda', precision });
      expect(source).toContain(`const ${precision === 'float64' ? 'double' : 'float'}* __restrict__ operand0_`);
      fs.writeFileSync(path.join(folder, `${name}-${precision}.cpp`), shim + source);
      return `${name}-${precision}.cpp`;
    }),
  );
  compile('-fsyntax-only', ...files);
});

test('what the source computes is what evaluate finds', () => {
  const grid = odil.grid({ t: { cells: 5 }, x: { cells: 7, periodic: true } });
  const known = grid.sample('.c', (x) => 1 + x);
  using problem = odil.problem(
    { grid, fields: { u: 'cc', v: 'nc' }, parameters: { rate: { initial: [0.3, 2] } } },
    ({ u, v, rate, at, where, step, constant }) => {
      const before = where(at.t.first, constant(known, '.c'), u.shift({ t: -1 }));
      const spread = u
        .shift({ x: 1 })
        .minus(u.shift({ x: -1 }))
        .times(rate.element(1))
        .over(step.x);
      const growth = odil
        .exp(u.times(rate.element(0)))
        .times(odil.sigmoid(v))
        .plus(at.x.coordinate);
      return {
        first: { value: u.minus(before).over(step.t).minus(spread).minus(growth), location: 'cc' },
        second: [odil.log(rate.element(1)).minus(u.pick({ t: 2, x: 3 }))],
      };
    },
  );
  const state = problem.initialState();
  for (const [f, values] of Object.values(state.fields).entries())
    values.forEach((_, i) => (values[i] = Math.cos(3 * i + f)));
  const source = problem.program({ format: 'cuda' });
  const head = [...source.matchAll(/^\/\/ {3}operand(\d+): (.*), (\d+) values/gm)].map((match) => match.slice(1));
  expect(head).toEqual([
    ['0', 'u', '35'],
    ['1', 'v', '42'],
    ['2', 'array 0', '7'],
  ]);
  const kernels = [...source.matchAll(/void (block(\d)_\w+)\(/g)].map(([, name, block]) => ({ name, block }));
  expect(kernels.length).toBeGreaterThan(2);
  const numbers = (array: ArrayLike<number> = []): string => Array.from(array, (value) => value.toString()).join(',');
  const { u, v } = state.fields;
  const calls = kernels.map(({ name, block }) => `${name as string}(u, v, a, p, r${block as string});`).join(' ');
  fs.writeFileSync(
    path.join(folder, 'main.cpp'),
    `${shim}${source}
const double u[] = {${numbers(u)}}, v[] = {${numbers(v)}}, a[] = {${numbers(known)}};
const double p[] = {${numbers(state.parameters?.['rate'])}};
double r0[35], r1[1];
int main() {
  for (unsigned point = 0; point < 35; ++point) { blockIdx.x = point; ${calls} }
  for (double value : r0) printf("%.17g ", value);
  printf("%.17g", r1[0]);
}
`,
  );
  compile('main.cpp', '-o', 'main');
  const found = spawnSync(path.join(folder, 'main'), { encoding: 'utf8' }).stdout.split(' ').map(Number);
  const { first, second } = problem.evaluate(state).residuals as Record<'first' | 'second', Float64Array>;
  expect(found).toHaveLength(36);
  [...first, ...second].forEach((value, i) => expect(found[i]).toBeCloseTo(value, 12));
});

test('options of program are checked', () => {
  using problem = odil.problems.poisson({ cells: 4 });
  expect(problem.program()).toContain('block poisson: 16 points');
  expect(() => problem.program({ format: 'ptx' as 'cuda' })).toThrow(
    errorWith('ERR_INVALID_ARG_VALUE', 'options.format'),
  );
});
