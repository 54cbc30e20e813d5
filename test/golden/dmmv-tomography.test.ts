// tomography.json: the projector entry by entry, sinograms, and images found again.
import { dmmv } from '../../lib';
import { vectors } from '../support/vectors';

interface TomographyCase {
  name: string;
  N: number;
  angles: number;
  detectors: number;
  noise_halfwidth: number;
  phantom_rows: string[];
  sinogram_clean: number[];
  sinogram_noisy: number[];
  true_objective: number;
  matrix_nnz: number;
  matrix_sum: number;
  column0: [number, number][];
  column0_pixel: [number, number];
}

const { cases } = vectors<{ cases: TomographyCase[] }>('dmmv/tomography.json');

describe.each(cases.map((given) => [given.name, given] as const))('%s', (_, given) => {
  const beams = { size: given.N, angles: given.angles, detectors: given.detectors };
  const truth = Int32Array.from(given.phantom_rows.join(''), Number);
  const matrix = dmmv.projector(beams);

  test('the projector', () => {
    expect(matrix.values).toHaveLength(given.matrix_nnz);
    expect(matrix.values.reduce((sum, value) => sum + value, 0)).toBeCloseTo(given.matrix_sum, 9);
    const pixel = given.column0_pixel[0] * given.N + given.column0_pixel[1];
    const begin = matrix.columnPointers[pixel] as number;
    given.column0.forEach(([row, value], k) => {
      expect(matrix.rowIndices[begin + k]).toBe(row);
      expect(matrix.values[begin + k]).toBeCloseTo(value, 10);
    });
  });

  test('projections of the phantom and what it is worth', () => {
    const problem = (sinogram: number[]): dmmv.Problem =>
      dmmv.createProblem({ matrix, lower: sinogram, upper: sinogram, levels: [0, 1] });
    const clean = dmmv.evaluate(problem(given.sinogram_clean), truth);
    clean.activities.forEach((value, i) => expect(value).toBeCloseTo(given.sinogram_clean[i] as number, 10));
    expect(dmmv.evaluate(problem(given.sinogram_noisy), truth).objective).toBeCloseTo(given.true_objective, 10);
  });

  test('the phantom is found again', async () => {
    const found = await dmmv.reconstructTomography(
      { ...beams, sinogram: given.sinogram_noisy, levels: [0, 1], noise: given.noise_halfwidth + 1e-9 },
      { maxIterations: given.N < 16 ? 20_000 : 1_000_000, seed: 1 },
    );
    expect(found.feasible).toBe(true);
    const wrong = found.indices.reduce((count, index, k) => count + (index === truth[k] ? 0 : 1), 0);
    const start = found.sirt.reduce((count, grey, k) => count + ((grey > 0.5 ? 1 : 0) === truth[k] ? 0 : 1), 0);
    expect(wrong).toBeLessThanOrEqual(Math.min(start, 2));
  });
});
