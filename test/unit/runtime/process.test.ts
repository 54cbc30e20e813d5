// What depends on the process: environment variables, processors it may use, child processes.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { native } from '../../../lib/runtime/native';

const root = path.join(__dirname, '..', '..', '..');
const inspect = "process.stdout.write(JSON.stringify(require('./dist/runtime/native').native.buildInfo()))";

interface Info {
  isa: string;
  isaProblem: string;
  threads: number;
}

function buildInfo(env: Record<string, string>, command = process.execPath, args: string[] = []): Info {
  const clean = { ...process.env };
  delete clean.DISCRETE_DESCENT_THREADS;
  const result = spawnSync(command, [...args, '-e', inspect], {
    cwd: root,
    encoding: 'utf8',
    env: { ...clean, ...env },
  });
  expect(result.stderr).toBe('');
  return JSON.parse(result.stdout) as Info;
}

test('DISCRETE_DESCENT_ISA lowers the level; a level that is not there is said, not obeyed', () => {
  for (const level of native.buildInfo().isaLevels) {
    expect(buildInfo({ DISCRETE_DESCENT_ISA: level })).toMatchObject({ isa: level, isaProblem: '' });
  }
  const wrong = buildInfo({ DISCRETE_DESCENT_ISA: 'sse9' });
  expect(wrong.isa).toBe(native.buildInfo().isaLevels.at(-1));
  expect(wrong.isaProblem).toMatch(/DISCRETE_DESCENT_ISA/);
});

test('DISCRETE_DESCENT_THREADS sets the number of threads; nonsense is ignored', () => {
  expect(buildInfo({ DISCRETE_DESCENT_THREADS: '3' }).threads).toBe(3);
  expect(buildInfo({ DISCRETE_DESCENT_THREADS: 'many' }).threads).toBe(buildInfo({}).threads);
});

test('the pool follows the processors this process may run on', () => {
  const pinned = spawnSync('taskset', ['-c', '0', 'true']);
  if (pinned.error !== undefined || pinned.status !== 0) return; // no taskset on this system
  expect(buildInfo({}, 'taskset', ['-c', '0', process.execPath]).threads).toBe(1);
});

test('child processes and cluster workers load their own copy', () => {
  const script = `
    const cluster = require('node:cluster');
    const { dmmv, denseMatrix } = require('./dist');
    const solve = () => dmmv.solve(dmmv.createProblem({ matrix: denseMatrix(1, 2, [1, 2]), lower: [1], upper: [1], levels: [0, 1] }));
    if (cluster.isPrimary) {
      let left = 2;
      solve().then(() => { for (let i = 0; i < 2; i += 1) cluster.fork(); });
      cluster.on('exit', (worker, code) => { if (code !== 5) process.exit(1); if ((left -= 1) === 0) process.exit(0); });
    } else {
      solve().then(({ objective }) => process.exit(objective === 0 ? 5 : 1));
    }`;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'discrete-descent-cluster-'));
  const file = path.join(folder, 'cluster.cjs');
  fs.writeFileSync(file, script.replaceAll('./dist', path.join(root, 'dist')));
  expect(spawnSync(process.execPath, [file], { cwd: root, timeout: 60_000 }).status).toBe(0);
  fs.rmSync(folder, { recursive: true });
});
