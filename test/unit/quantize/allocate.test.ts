// Bits to columns and to layers.
import { quantize } from '../../../lib';
import { errorWith } from '../../support/errors';

const sensitivities = [16, 4, 1, 0];

test('dead columns get nothing and leave their share', () => {
  const real = quantize.allocateBits(sensitivities, { averageBits: 2, mode: 'continuous' });
  expect([...real.bits].map((bits) => Number(bits.toFixed(12)))).toEqual(
    [11 / 3, 8 / 3, 5 / 3, 0].map((x) => Number(x.toFixed(12))),
  );
  expect(real.achievedBits).toBeCloseTo(2, 12);
  const whole = quantize.allocateBits(sensitivities, { averageBits: 2 });
  expect(whole.bits.reduce((sum, bits) => sum + bits, 0)).toBe(8);
  expect(whole.bits[3]).toBe(0);
  const levels = quantize.allocateBits(sensitivities, { averageBits: 2, mode: 'levels' });
  expect(levels.achievedBits).toBeLessThanOrEqual(2 + 1e-3);
  expect(levels.objective).toBeLessThanOrEqual(whole.objective * (1 + 1e-12));
  expect(levels.levels?.[3]).toBe(1);
});

test('official: levels, and the truth about the mean', () => {
  const official = quantize.allocateBits([1, 1, 1, 1], { averageBits: 3, mode: 'official' });
  expect([...(official.levels as Int32Array)]).toEqual([8, 8, 8, 8]);
  expect(official.achievedBits).toBe(3);
});

const bad: [string, unknown, unknown, string, string][] = [
  ['no columns', [], { averageBits: 1 }, 'ERR_SHAPE_MISMATCH', 'sensitivities'],
  ['a negative sensitivity', [1, -1], { averageBits: 1 }, 'ERR_OUT_OF_RANGE', 'sensitivities'],
  ['an infinite sensitivity', [1, Infinity], { averageBits: 1 }, 'ERR_NOT_FINITE', 'sensitivities[1]'],
  ['a string', 'abc', { averageBits: 1 }, 'ERR_INVALID_ARG_TYPE', 'sensitivities'],
  ['too many bits', [1], { averageBits: 9 }, 'ERR_OUT_OF_RANGE', 'options.averageBits'],
  ['negative bits', [1], { averageBits: -1 }, 'ERR_OUT_OF_RANGE', 'options.averageBits'],
  ['a broken maximum', [1], { averageBits: 1, maxBits: 2.5 }, 'ERR_OUT_OF_RANGE', 'options.maxBits'],
  ['an unknown mode', [1], { averageBits: 1, mode: 'best' }, 'ERR_INVALID_ARG_VALUE', 'options.mode'],
  ['no options', [1], undefined, 'ERR_INVALID_ARG_TYPE', 'options'],
];
test.each(bad)('refused: %s', (_, given, options, code, argument) => {
  expect(() => quantize.allocateBits(given as number[], options as quantize.AllocationOptions)).toThrow(
    errorWith(code, argument),
  );
});

const layers = [
  { rows: 4, columns: 100, losses: [100, 30, 8, 2] },
  { rows: 64, columns: 64, losses: [100, 10, 5, 4], importance: 2 },
];

test('across layers everything that is stored counts', async () => {
  const options = { bits: [0, 2, 4, 8], averageBits: 4, scaleBits: 16 };
  const found = await quantize.allocateAcrossLayers(layers, options);
  const { codes, sideInformation, padding } = found.storage;
  const weights = 400 + 4096;
  expect(found.achievedBits).toBeCloseTo((codes + sideInformation + padding) / weights, 12);
  expect(found.achievedBits).toBeLessThanOrEqual(4);
  expect(found.gap).toBe(0);
  // All sixteen assignments by hand.
  const stored = (rows: number, columns: number, bits: number): number =>
    bits === 0 ? 0 : rows * (Math.ceil((columns * bits) / 32) * 32 + 16 + bits);
  let best = Infinity;
  options.bits.forEach((first, i) => {
    options.bits.forEach((second, j) => {
      if (stored(4, 100, first) + stored(64, 64, second) > 4 * weights) return;
      best = Math.min(best, (layers[0]?.losses[i] as number) + 2 * (layers[1]?.losses[j] as number));
    });
  });
  expect(found.loss).toBe(best);
  expect([...found.bits]).toEqual([...found.choices].map((choice) => options.bits[choice]));
});

test('across layers: groups cost scales, and too small a budget is refused', async () => {
  const options = { bits: [4], averageBits: 5 };
  const layer = { rows: 8, columns: 256, losses: [1] };
  const found = await quantize.allocateAcrossLayers([{ ...layer, groupSize: 64 }], options);
  expect(found.storage).toEqual({ codes: 8192, sideInformation: 8 * 4 * 20, padding: 0 });
  await expect(quantize.allocateAcrossLayers([layer], { ...options, averageBits: 4 })).rejects.toThrow(/at least 8352/);
  await expect(quantize.allocateAcrossLayers([], options)).rejects.toEqual(errorWith('ERR_SHAPE_MISMATCH', 'layers'));
  await expect(quantize.allocateAcrossLayers([{ ...layer, losses: [1, 2] }], options)).rejects.toEqual(
    errorWith('ERR_SHAPE_MISMATCH', 'layers[0].losses'),
  );
  await expect(quantize.allocateAcrossLayers([layer], { ...options, bits: [17] })).rejects.toEqual(
    errorWith('ERR_OUT_OF_RANGE', 'options.bits[0]'),
  );
});
