// Tomography: baselines, errors, and what the reconstruction promises.
import { dmmv, sparseMatrix } from '../../../lib';
import { ellipsePhantom } from '../../../lib/cli/report-tomography';
import { roundedImage, wrongPixels } from '../../../lib/report/tomography';
import { uniforms } from '../../../lib/runtime/random';
import { errorWith } from '../../support/errors';

const beams = { size: 12, angles: 6, detectors: 17 };
const matrix = dmmv.projector(beams);
const truth = Int32Array.from({ length: 144 }, (_, k) => {
  const i = Math.floor(k / 12);
  const j = k % 12;
  return i > 2 && i < 9 && j > 3 && j < 8 ? (j < 6 ? 2 : 1) : 0;
});
const levels = [0, 1, 2.5];
const sinogram = project(Float64Array.from(truth, (q) => levels[q] as number));

function project(image: Float64Array, by = matrix): Float64Array {
  const sums = new Float64Array(by.rows);
  for (let j = 0; j < by.columns; j += 1) {
    for (let k = by.columnPointers[j] as number; k < (by.columnPointers[j + 1] as number); k += 1) {
      const row = by.rowIndices[k] as number;
      sums[row] = (sums[row] as number) + (by.values[k] as number) * (image[j] as number);
    }
  }
  return sums;
}

test('a ray along the pixels of a column or row adds them up, and rows that miss the image are empty', () => {
  const straight = dmmv.projector({ size: 3, angles: 2, detectors: 5 });
  const rows = new Map<number, number[]>();
  for (let j = 0; j < 9; j += 1) {
    for (let k = straight.columnPointers[j] as number; k < (straight.columnPointers[j + 1] as number); k += 1) {
      if ((straight.values[k] as number) < 1e-9) continue; // cos(pi / 2) is not quite 0
      expect(straight.values[k]).toBeCloseTo(1, 12);
      rows.set(straight.rowIndices[k] as number, [...(rows.get(straight.rowIndices[k] as number) ?? []), j]);
    }
  }
  expect(Object.fromEntries(rows)).toEqual({
    1: [0, 3, 6],
    2: [1, 4, 7],
    3: [2, 5, 8],
    6: [6, 7, 8],
    7: [3, 4, 5],
    8: [0, 1, 2],
  });
});

test('angles may be given one by one', () => {
  const angles = Float64Array.from({ length: 6 }, (_, a) => (a * Math.PI) / 6);
  expect(dmmv.projector({ ...beams, angles })).toEqual(matrix);
});

test('SIRT stays in its box and explains the measurements better with every iteration', async () => {
  const deviation = (image: Float64Array): number =>
    Math.hypot(...project(image).map((value, i) => value - (sinogram[i] as number)));
  const images = await Promise.all(
    [1, 10, 100].map((iterations) => dmmv.sirt(matrix, sinogram, { iterations, upper: 2.5 })),
  );
  const [first, second, third] = images.map(deviation) as [number, number, number];
  expect(second).toBeLessThan(first);
  expect(third).toBeLessThan(second);
  images.forEach((image) => expect(image.every((value) => value >= 0 && value <= 2.5)).toBe(true));
  expect(await dmmv.sirt(matrix, sinogram, { iterations: 10, upper: 2.5, threads: 3 })).toEqual(images[1]);
});

test('DART finds levels; the same seed gives the same image', async () => {
  const options = { iterations: 20, seed: 4 };
  const image = await dmmv.dart(matrix, sinogram, levels, options);
  expect(await dmmv.dart(matrix, sinogram, levels, { ...options, threads: 2 })).toEqual(image);
  const wrong = image.filter((q, k) => q !== truth[k]).length;
  expect(wrong).toBeLessThan(30);
});

test('an image of three levels is found again, from SIRT and from DART, whatever the threads', async () => {
  const problem = { ...beams, sinogram, levels, noise: 1e-6 };
  const found = await dmmv.reconstructTomography(problem, { maxIterations: 200_000, threads: 1 });
  expect(found.feasible).toBe(true);
  expect(found.indices).toEqual(truth);
  expect([...found.image]).toEqual([...truth].map((q) => levels[q]));
  expect(found.dart).toBeNull();
  const again = await dmmv.reconstructTomography(problem, { maxIterations: 200_000, threads: 3 });
  expect(again.indices).toEqual(found.indices);
  const other = await dmmv.reconstructTomography(problem, { maxIterations: 200_000, dartIterations: 10 });
  expect(other.dart).toHaveLength(144);
  expect(other.indices).toEqual(truth);
});

test('a large image with noise of four grey steps is found within the noise: far from it the walk must not drift', async () => {
  const size = 128;
  const fine = { size, angles: 64, detectors: size };
  const shown = ellipsePhantom(size).map((level) => Math.min(level, 1));
  const uniform = uniforms(1);
  const measured = project(shown, dmmv.projector(fine)).map((value) => value + 4 * (2 * uniform() - 1));
  const found = await dmmv.reconstructTomography(
    { ...fine, sinogram: measured, levels: [0, 1], noise: 4, smoothness: 0.3 },
    { maxIterations: 12_000, seed: 1 },
  );
  expect(found.feasible).toBe(true);
  expect(wrongPixels(shown, roundedImage(found.sirt, [0, 1]))).toBeGreaterThan(10);
  expect(wrongPixels(shown, found.image)).toBeLessThanOrEqual(2);
});

test('without smoothness the largest deviation alone counts', async () => {
  const noisy = sinogram.map((value, i) => value + (i % 2 === 0 ? 0.2 : -0.2));
  const found = await dmmv.reconstructTomography(
    { ...beams, sinogram: noisy, levels, noise: 0.2 + 1e-9, smoothness: 0 },
    { maxIterations: 200_000 },
  );
  expect(found.softPenalty).toBe(0);
  expect(found.objective).toBeLessThanOrEqual(0.2 + 1e-9);
  expect(['target', 'optimal']).toContain(found.search.status);
});

const valid = { ...beams, sinogram, levels, noise: 0.1 };

test.each<[string, object, string, string]>([
  ['a sinogram of another length', { sinogram: [1, 2] }, 'ERR_SHAPE_MISMATCH', 'problem.sinogram'],
  ['NaN in the sinogram', { sinogram: sinogram.map(() => NaN) }, 'ERR_NOT_FINITE', 'problem.sinogram[0]'],
  ['levels out of order', { levels: [1, 0] }, 'ERR_INVALID_ARG_VALUE', 'problem.levels[1]'],
  ['no levels', { levels: [] }, 'ERR_SHAPE_MISMATCH', 'problem.levels'],
  ['no angles', { angles: [] }, 'ERR_SHAPE_MISMATCH', 'problem.angles'],
  ['a side of 0', { size: 0 }, 'ERR_OUT_OF_RANGE', 'problem.size'],
  ['negative noise', { noise: -1 }, 'ERR_OUT_OF_RANGE', 'problem.noise'],
  ['a misspelt member', { detector: 3 }, 'ERR_INVALID_ARG_VALUE', 'problem.detector'],
])('%s: refused', async (_, change, code, argument) => {
  await expect(dmmv.reconstructTomography({ ...valid, ...change })).rejects.toThrow(errorWith(code, argument));
});

test('too many rays are refused before anything is allocated', () => {
  expect(() => dmmv.projector({ size: 32767, angles: 64, detectors: 1024 })).toThrow(
    expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }) as Error,
  );
});

test('the baselines refuse what does not fit', async () => {
  await expect(dmmv.sirt(matrix, [1])).rejects.toThrow(errorWith('ERR_SHAPE_MISMATCH', 'sinogram'));
  await expect(dmmv.sirt(matrix, sinogram, { lower: 2 })).rejects.toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }) as Error,
  );
  const flat = sparseMatrix({ rows: 1, columns: 3, columnPointers: [0, 0, 0, 0], rowIndices: [], values: [] });
  await expect(dmmv.dart(flat, [1], [0, 1])).rejects.toThrow(errorWith('ERR_SHAPE_MISMATCH', 'matrix'));
});
