// The real model, quantised and read with: a third of the test lines, 2 bits.
import { compare, type Row } from '../compare.cjs';

jest.setTimeout(600_000);

test('2 bits: tables and levels read most of what GPTQ and rounding lose', async () => {
  const names = ['rtn', 'gptq', 'baq official', 'baq table', 'baq levels'];
  const { rows } = await compare({ bits: [2], lines: 32, names });
  const of = (method: string): Row => rows.find((row) => row.method === method) as Row;
  expect(of('float32').characterErrorRate).toBeLessThan(0.02);
  for (const name of names.filter((method) => method !== 'baq official')) {
    expect(of(name).averageBits).toBeLessThanOrEqual(2.0001);
  }
  expect(of('rtn').characterErrorRate).toBeGreaterThan(0.9);
  expect(of('gptq').characterErrorRate).toBeGreaterThan(0.5);
  for (const name of ['baq table', 'baq levels']) {
    expect(of(name).characterErrorRate).toBeLessThan(0.2);
    expect(of(name).divergence).toBeLessThan(0.6);
    expect(of(name).divergence).toBeLessThan(of('baq official').divergence);
  }
});
