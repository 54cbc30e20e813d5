// What the loaded binary says of itself, and its random words.
import fs from 'node:fs';
import path from 'node:path';
import { native } from '../../../lib/runtime/native';
import packageJson from '../../../package.json';

test('the binary is of this version and reports its level and threads', () => {
  const info = native.buildInfo();
  expect(info.version).toBe(packageJson.version);
  expect(info.isaLevels).toContain(info.isa);
  expect(info.threads).toBeGreaterThanOrEqual(1);
  expect(info.isaProblem).toBe('');
});

test('an unknown instruction-set level is refused by name', () => {
  expect(() => native.setIsa('sse9')).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }) as Error);
  for (const level of native.buildInfo().isaLevels) {
    native.setIsa(level);
    expect(native.buildInfo().isa).toBe(level);
  }
});

test('Philox gives the known answers', () => {
  const file = path.join(__dirname, '..', '..', 'golden', 'vectors', 'philox.json');
  const { known } = JSON.parse(fs.readFileSync(file, 'utf8')) as {
    known: { counter: number[]; key: number[]; out: number[] }[];
  };
  expect(known.length).toBeGreaterThanOrEqual(3);
  for (const { counter, key, out } of known) expect(native.philox(Int32Array.from([...counter, ...key]))).toEqual(out);
});
