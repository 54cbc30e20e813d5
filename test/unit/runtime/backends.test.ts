// Back ends: the CPU is always there, a missing one says why, and a process that wants none sees none.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { backends } from '../../../lib';

const root = path.join(__dirname, '..', '..', '..');

test('the CPU is available; whatever is not has a reason', () => {
  const found = backends();
  expect(found[0]).toEqual({ name: 'cpu', available: true, devices: [] });
  for (const { available, reason } of found) if (!available) expect(reason).toMatch(/\w+ \w+/);
});

test('DISCRETE_DESCENT_NO_BACKENDS switches probing off, and nothing is ever printed', () => {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['-e', "process.stdout.write(JSON.stringify(require('./dist').backends()))"],
    {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, DISCRETE_DESCENT_NO_BACKENDS: '1' },
    },
  );
  expect(stderr).toBe('');
  const cuda = (JSON.parse(stdout) as { name: string; available: boolean; reason: string }[]).find(
    ({ name }) => name === 'cuda',
  );
  expect(cuda?.available).toBe(false);
  expect(cuda?.reason).toMatch(/DISCRETE_DESCENT_NO_BACKENDS/);
});
