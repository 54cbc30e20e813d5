// Memory stays bounded: problems that are disposed or collected, arrays that come out, jobs that end in every way.
import { spawnSync } from 'node:child_process';
import path from 'node:path';

const root = path.join(__dirname, '..', '..');

/** Growth of the resident set in MiB between two halves of a loop, in a process of its own. */
function growth(body: string, turns: number): number {
  const script = `
    const { dmmv, denseMatrix } = require('./dist');
    const data = Float64Array.from({ length: 64 * 1024 }, (_, k) => Math.sin(k));
    const make = () => dmmv.createProblem({ matrix: denseMatrix(1024, 64, data), lower: new Float64Array(1024), upper: new Float64Array(1024), levels: { offset: -1, step: 0.5, count: 5 } });
    const settle = async () => { for (let i = 0; i < 4; i += 1) { await new Promise(setImmediate); gc(); } return process.memoryUsage().rss / 2 ** 20; };
    (async () => {
      const half = async () => { for (let turn = 0; turn < ${turns}; turn += 1) { ${body}; if (turn % 50 === 0) await new Promise(setImmediate); } return settle(); };
      await half();
      const before = await half();
      const after = await half();
      console.log(after - before);
    })();`;
  const result = spawnSync(process.execPath, ['--expose-gc', '-e', script], { cwd: root, encoding: 'utf8' });
  expect(result.stderr).toBe('');
  return Number(result.stdout);
}

test.each([
  ['problems that are disposed', 'make().dispose()', 300],
  ['problems left to the garbage collector', 'make()', 300],
  ['one-flip tables', 'globalThis.p ??= make(); dmmv.oneFlipTable(globalThis.p, new Int32Array(64))', 400],
  ['errors', 'try { dmmv.evaluate(globalThis.p ??= make(), [1]) } catch {}', 3000],
  [
    'jobs',
    'globalThis.p ??= make(); await dmmv.solve(globalThis.p, { maxIterations: 1, bound: false, moves: ["unit"], initial: new Int32Array(64), continuous: new Float64Array(64) })',
    150,
  ],
  [
    'jobs that are aborted',
    'globalThis.p ??= make(); const c = new AbortController(); const r = dmmv.solve(globalThis.p, { signal: c.signal, onProgress: () => {} }); c.abort(); await r.catch(() => {})',
    60,
  ],
])('%s do not pile up', (_, body, turns) => {
  // 300 problems of 1024 x 64 numbers would be 150 MiB.
  expect(growth(body, turns)).toBeLessThan(24);
});
