// Images of few grey levels found again from noisy projections: SIRT rounded, DART, and the search from either. Seeds of the
// noise, of DART and of the search are the same.
//   node build-bench/bench/studies/dmmv-tomography.js [seconds of the search] [case ...]
import { dmmv } from '../../lib';
import { ellipsePhantom } from '../../lib/cli/report-tomography';
import { roundedImage, wrongPixels } from '../../lib/report/tomography';
import { uniforms } from '../../lib/runtime/random';
import { vectors } from '../../test/support/vectors';
import { short, study, Table } from './study';

interface Case {
  beams: { size: number; angles: number; detectors: number };
  truth: Float64Array;
  levels: number[];
  noise: number;
  /** Given, or made from the truth with uniform noise of that half width. */
  sinogram?: Float64Array;
  smoothness: number[];
  seeds: number[];
}

const [seconds = '10', ...asked] = process.argv.slice(2);

/** Case `blobs 32 x 32` of the vectors. */
function vector(): Case {
  interface Vector {
    name: string;
    N: number;
    angles: number;
    detectors: number;
    noise_halfwidth: number;
    phantom_rows: string[];
    sinogram_noisy: number[];
  }
  const { cases } = vectors<{ cases: Vector[] }>('dmmv/tomography.json');
  const given = cases.find(({ name, angles }) => name.startsWith('blobs') && angles === 8);
  if (given === undefined) throw new Error('the vectors have no blobs with 8 angles');
  return {
    beams: { size: given.N, angles: given.angles, detectors: given.detectors },
    truth: Float64Array.from(given.phantom_rows.join(''), Number),
    levels: [0, 1],
    noise: given.noise_halfwidth,
    sinogram: Float64Array.from(given.sinogram_noisy),
    smoothness: [0.1, 0.3],
    seeds: [1],
  };
}

function ellipses(size: number, angles: number, detectors: number, levels: number[], noise: number): Case {
  const truth = ellipsePhantom(size).map((level) => levels[Math.min(level, levels.length - 1)] as number);
  return { beams: { size, angles, detectors }, truth, levels, noise, smoothness: [0.1, 3], seeds: [1, 2, 3] };
}

const cases: Record<string, () => Case> = {
  blobs: vector,
  ellipses: () => ({ ...ellipses(64, 16, 92, [0, 1, 2], 1), smoothness: [0.02, 0.1, 0.3] }),
  'published noise': () => ellipses(128, 64, 128, [0, 255], 1000),
};

function measure(matrix: ReturnType<typeof dmmv.projector>, { truth, noise }: Case, seed: number): Float64Array {
  const next = uniforms(seed);
  const sinogram = Float64Array.from({ length: matrix.rows }, () => (2 * next() - 1) * noise);
  truth.forEach((value, j) => {
    for (let k = matrix.columnPointers[j] as number; k < (matrix.columnPointers[j + 1] as number); k += 1) {
      const row = matrix.rowIndices[k] as number;
      sinogram[row] = (sinogram[row] as number) + value * (matrix.values[k] as number);
    }
  });
  return sinogram;
}

study(async () => {
  const table = new Table(`Wrong pixels, searches of ${seconds} s`, [
    'image',
    'seed',
    'smoothness',
    'SIRT',
    'DART',
    's of DART',
    'from SIRT',
    's to it',
    'largest deviation / noise',
    'from DART',
    'largest deviation / noise',
  ]);
  for (const [name, make] of Object.entries(cases)) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    const given = make();
    const { beams, truth, levels, noise } = given;
    const matrix = dmmv.projector(beams);
    for (const seed of given.seeds) {
      const sinogram = given.sinogram ?? measure(matrix, given, seed);
      const begin = process.hrtime.bigint();
      const segmented = await dmmv.dart(matrix, sinogram, levels, { seed });
      const dartSeconds = Number(process.hrtime.bigint() - begin) / 1e9;
      const image = Float64Array.from(segmented, (index) => levels[index] as number);
      for (const smoothness of given.smoothness) {
        const problem = { ...beams, sinogram, levels, noise, smoothness };
        const run = { seed, timeLimitMs: 1000 * Number(seconds) };
        const first = await dmmv.reconstructTomography(problem, run);
        const second = await dmmv.reconstructTomography(problem, { ...run, dartIterations: 100 });
        table.add(
          `${name}, ${beams.size} x ${beams.size}, ${beams.angles} angles`,
          seed,
          smoothness,
          wrongPixels(truth, roundedImage(first.sirt, levels)),
          wrongPixels(truth, image),
          short(dartSeconds),
          wrongPixels(truth, first.image),
          short(first.search.trace.at(-1)?.seconds ?? NaN),
          short(first.objective / noise),
          wrongPixels(truth, second.image),
          short(second.objective / noise),
        );
      }
    }
  }
});
