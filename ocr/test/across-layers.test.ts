// Bits moved between the layers of the real model: at the same storage it reads better, by what its outputs lose.
import { acrossLayers, type AcrossRow } from '../across-layers.cjs';

jest.setTimeout(600_000);

test('2 bits: the sensitivity of the outputs gives a better model in no more bytes', async () => {
  const rows = await acrossLayers({ bits: 2, lines: 32, calibration: 16, rates: [1.5, 2, 3], names: ['sensitivity'] });
  const [same, moved] = rows as [AcrossRow, AcrossRow];
  expect(moved.storedBits).toBeLessThanOrEqual(same.storedBits);
  expect(moved.divergence).toBeLessThan(0.85 * same.divergence);
  expect(moved.characterErrorRate).toBeLessThan(same.characterErrorRate);
});
