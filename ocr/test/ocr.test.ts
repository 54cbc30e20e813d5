// The yardstick itself: lines, decoding and measures, and what the original model makes of them.
import fs from 'node:fs';
import {
  calibrationLines,
  characterErrorRate,
  decode,
  divergence,
  drawLines,
  editDistance,
  evaluate,
  modelFiles,
  testLines,
} from '../index.cjs';

jest.setTimeout(120_000);

test('lines are the same every time, others for another seed, and a longer list starts alike', () => {
  const lines = drawLines({ count: 3, seed: 7 });
  expect(drawLines({ count: 2, seed: 7 })).toEqual(lines.slice(0, 2));
  expect(drawLines({ count: 3, seed: 8 }).map(({ text }) => text)).not.toEqual(lines.map(({ text }) => text));
  const known = new Set(testLines().map(({ text }) => text));
  expect(calibrationLines().filter(({ text }) => known.has(text)).length).toBeLessThan(3);
  for (const { text, input } of lines) {
    expect(text).toMatch(/^[a-z]+( [a-z]+)*$/);
    expect(text.length).toBeLessThanOrEqual(22);
    expect(input.shape).toEqual([1, 3, 48, 320]);
    expect(input.data).toHaveLength(3 * 48 * 320);
    const sorted = Float32Array.from(input.data).sort();
    expect(sorted[0]).toBeGreaterThanOrEqual(-1);
    expect(sorted[0]).toBeLessThan(-0.3); // ink
    expect(sorted.at(-1)).toBeLessThanOrEqual(1);
    expect(sorted[sorted.length >> 1]).toBeGreaterThan(0.4); // background
  }
});

test('decoding merges repeats, drops blanks, trims', () => {
  const characters = ['', 'a', 'b', ' '];
  const read = (...classes: number[]) => {
    const data = Float32Array.from(classes.flatMap((best) => [0, 1, 2, 3].map((k) => (k === best ? 0.7 : 0.1))));
    return decode({ data, shape: [1, classes.length, 4] }, characters);
  };
  expect(read(3, 1, 1, 0, 1, 2, 3, 3, 2, 0, 3)).toBe('aab b');
  expect(read(0, 0)).toBe('');
});

test('measures', () => {
  expect(editDistance('kitten', 'sitting')).toBe(3);
  expect(editDistance('', 'ab')).toBe(2);
  expect(characterErrorRate(['abcd', 'ef'], ['abd', 'ef'])).toBeCloseTo(1 / 6, 12);
  const p = { data: Float32Array.of(0.5, 0.5, 1, 0), shape: [2, 2] };
  const q = { data: Float32Array.of(0.25, 0.75, 1, 0), shape: [2, 2] };
  expect(divergence(p, p)).toBe(0);
  expect(divergence(p, q)).toBeCloseTo((0.5 * Math.log(2) + 0.5 * Math.log(2 / 3)) / 2, 7);
});

test('the float32 model reads 96 lines with about one error in a hundred characters', async () => {
  const lines = testLines();
  const { characterErrorRate: rate, results } = await evaluate(fs.readFileSync(modelFiles.recognition), lines);
  expect(rate).toBeGreaterThan(0.002);
  expect(rate).toBeLessThan(0.02);
  for (const { distribution } of results) {
    expect(distribution.shape).toEqual([1, 40, 6625]);
    expect(distribution.data.reduce((sum, value) => sum + value, 0)).toBeCloseTo(40, 2);
  }
});
