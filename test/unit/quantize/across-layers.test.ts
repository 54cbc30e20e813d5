// Choosing a rate for each layer from what was measured: against all choices, and what is said where none fits.
import { chooseRates, defaultRates, probeRate } from '../../../lib/quantize/across-layers';
import type { LayerRecord } from '../../../lib/quantize/model-work';
import { uniforms } from '../../support/philox-random';

const rates = [1, 2, 3, 4];

function record(layer: number, k: number, part: Partial<LayerRecord>): LayerRecord {
  return {
    name: `layer ${layer}`,
    rows: 10 + layer,
    columns: 20,
    rate: rates[k] as number,
    averageBits: rates[k] as number,
    bitsPerWeight: NaN,
    storedBytes: 0,
    loss: 0,
    relativeError: 0,
    damping: 0.01,
    deadColumns: 0,
    levelCounts: {},
    seconds: 0,
    ...part,
  };
}

function measured(seed: number, count: number): { records: LayerRecord[]; probe: undefined }[] {
  const next = uniforms(seed);
  return Array.from({ length: count }, (_, layer) => {
    const scale = Math.exp(4 * next());
    const records = rates.map((rate, k) =>
      record(layer, k, {
        storedBytes: Math.ceil(((10 + layer) * 20 * rate) / 8) + Math.floor(20 * next()),
        loss: scale * 1000 * 4 ** -rate * (0.5 + next()),
        relativeError: scale * 4 ** -rate * (0.5 + next()),
      }),
    );
    return { records, probe: undefined };
  });
}

test.each([1, 2, 3])(
  'the best of all choices within the budget, and no worse than one rate for all; seed %i',
  async (seed) => {
    const layers = measured(seed, 5);
    const weights = layers.reduce((sum, { records: [first] }) => sum + (first?.rows ?? 0) * 20, 0);
    for (const importance of ['relative', 'loss'] as const) {
      const averageBits = 2.7;
      const found = await chooseRates(layers, { rates, importance, averageBits }, {});
      let best = Infinity;
      for (let code = 0; code < 4 ** 5; code += 1) {
        const choice = layers.map(({ records }, i) => records[Math.floor(code / 4 ** i) % 4] as LayerRecord);
        if (8 * choice.reduce((sum, { storedBytes }) => sum + storedBytes, 0) > averageBits * weights) continue;
        const key = importance === 'loss' ? 'loss' : 'relativeError';
        best = Math.min(
          best,
          choice.reduce((sum, one) => sum + one[key], 0),
        );
      }
      expect(found.value).toBeCloseTo(best, 10);
      expect(found.gap).toBe(0);
      expect(found.uniform?.rate).toBe(2);
      expect(found.value).toBeLessThanOrEqual(found.uniform?.value as number);
      const spent = found.layers.reduce((sum, { storedBytes, choice }) => sum + (storedBytes[choice] as number), 0);
      expect(8 * spent).toBeLessThanOrEqual(averageBits * weights);
    }
  },
);

test('sensitivity: errors in proportion, at the size that was measured; a layer that moves the outputs gets the bits', async () => {
  const layers = [0, 1].map((layer) => ({
    records: rates.map((rate, k) => record(0, k, { storedBytes: 25 * rate, relativeError: 4 ** -rate })),
    probe: { rate: 1, change: layer === 0 ? 0.5 : 1e-6 },
  }));
  const found = await chooseRates(layers, { rates, importance: 'sensitivity', averageBits: 2.5 }, {});
  expect(found.layers.map(({ values }) => values[1])).toEqual([0.5, 1e-6]);
  expect(found.layers[0]?.values[2]).toBeCloseTo(0.125, 12);
  expect(found.layers.map(({ choice }) => choice)).toEqual([3, 0]);
});

test('a budget below the cheapest choice says what that takes', async () => {
  const layers = measured(4, 3);
  const bits = 8 * layers.reduce((sum, { records: [first] }) => sum + (first?.storedBytes ?? 0), 0);
  const asked = chooseRates(layers, { rates, importance: 'loss', averageBits: 0.5 }, {});
  await expect(asked).rejects.toMatchObject({ code: 'ERR_OUT_OF_RANGE', argument: 'request.averageBits' });
  await expect(asked).rejects.toThrow(`at least ${bits} bits in ${20 * 33} weights`);
});

test('rates around the budget', () => {
  expect(defaultRates(2, false, 8)).toEqual([1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4]);
  expect(defaultRates(6, false, 8)).toEqual([3, 3.75, 4.5, 5.25, 6, 7.5, 8]);
  expect(defaultRates(0.1, false, 8)).toEqual([0.125, 0.25]);
  expect(defaultRates(3, true, 8)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(defaultRates(8, true, 8)).toEqual([4, 5, 6, 7, 8]);
  expect(probeRate([1, 2, 3], 2.5)).toBe(1);
  expect(probeRate([1, 2, 3], 2.6)).toBe(2);
});
