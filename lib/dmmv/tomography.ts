// Images of few grey levels from projections: the projector as a sparse matrix, two baselines, and the search.
import { callNative, homes } from '../runtime/errors';
import { matrix as matrixSchema, type SparseMatrix } from '../runtime/matrix';
import { availableMemory } from '../runtime/memory';
import type { NativeRun } from '../runtime/native';
import { type RunOptions, requireBackend, runAsync, runMembers } from '../runtime/run';
import {
  fail,
  integer,
  number,
  object,
  optional,
  parse,
  type Schema,
  typedArray,
  withDefault,
} from '../runtime/validate';
import { nativeDmmv } from './native';
import { createProblem, type Numbers } from './problem';
import { type SolveResult, solve } from './solve';

/** Parallel beams through a square image. */
export interface Beams {
  /** Side of the image in pixels. */
  size: number;
  /** Directions: a number of equally spaced ones, a pi / angles, or the angles themselves in radians. */
  angles: number | Numbers;
  /** Detectors of one direction, one pixel apart, centred. */
  detectors: number;
}

/** What was measured and what is known of the image. */
export interface TomographyProblem extends Beams {
  /** Line integrals, direction after direction: angles x detectors numbers. */
  sinogram: Numbers;
  /** Grey levels, ascending. */
  levels: Numbers;
  /** Half width of the noise: the image shall explain every measurement to within it. */
  noise: number;
  /**
   * Weight of the sum of absolute differences of neighbouring pixels beside deviations of projections (both scale with
   * the levels); default 0.1, 0 for none: then the largest deviation alone is minimised, down to `noise`.
   */
  smoothness?: number;
}

/** Options of {@link reconstructTomography}. */
export interface TomographyOptions extends RunOptions<Int32Array> {
  /** Iterations of SIRT, whose rounded image is the start; default 200. */
  sirtIterations?: number;
  /** Start from DART instead, with this many iterations; default 0: it is not run. */
  dartIterations?: number;
  /** Limit on steps of the search; default: none. With neither this nor `timeLimitMs` it ends when it stagnates. */
  maxIterations?: number;
}

/** A reconstructed image. */
export interface Tomography {
  /** size x size grey values, row after row from the top. */
  readonly image: Float64Array;
  /** Level of each pixel. */
  readonly indices: Int32Array;
  /** Largest deviation of a projection of the image from the sinogram. */
  readonly objective: number;
  /** Whether `objective` is within `noise`. */
  readonly feasible: boolean;
  /** Smoothness penalty of the image. */
  readonly softPenalty: number;
  /** The grey image of SIRT, not rounded. */
  readonly sirt: Float64Array;
  /** Level of each pixel in the image of DART, or null where it was not run. */
  readonly dart: Int32Array | null;
  /** The search's own report. */
  readonly search: SolveResult;
}

const side = integer({ min: 1, max: 32767 });
const detectorCount = integer({ min: 1, max: 2 ** 24 });
const anything: Schema<unknown> = (value) => value;

const anglesSchema: Schema<Float64Array> = (value, argument) => {
  if (typeof value === 'number') {
    const count = integer({ min: 1, max: 2 ** 20 })(value, argument);
    return Float64Array.from({ length: count }, (_, a) => (a * Math.PI) / count);
  }
  const angles = typedArray(['Float64Array'])(value, argument);
  if (angles.length === 0) fail('ERR_SHAPE_MISMATCH', argument, 'at least one angle', value);
  return angles;
};

const beamMembers = { size: side, angles: anglesSchema, detectors: detectorCount };

interface CheckedBeams {
  size: number;
  angles: Float64Array;
  detectors: number;
}

const beamsAt = homes({ beams: ['size', 'detectors', 'angles'] });

function makeProjector({ size, angles, detectors }: CheckedBeams, at: Readonly<Record<string, string>>): SparseMatrix {
  const parts = callNative(() => nativeDmmv.projector(size, detectors, angles, availableMemory()), at);
  return Object.freeze({ kind: 'sparse', ...parts });
}

/**
 * Joseph's projector of a size x size image as a sparse matrix: row a * detectors + k is the line integral along
 * x cos + y sin = k - (detectors - 1) / 2 in direction a, column i * size + j the pixel in row i from the top.
 *
 * @throws ERR_OUT_OF_RANGE   fewer than 2^31 pixels, rays and entries are possible
 * @throws ERR_OUT_OF_MEMORY  the estimate is above what is free, before anything is allocated
 * Cost: at most 2 size entries a ray. Source: Joseph, IEEE Trans. Medical Imaging 1(3), 1982.
 */
export function projector(beams: Beams): SparseMatrix {
  return makeProjector(parse(beams, 'beams', object(beamMembers)), beamsAt);
}

const sparse: Schema<SparseMatrix> = (value, argument) => {
  const given = matrixSchema(value, argument);
  return given.kind === 'sparse' ? given : fail('ERR_INVALID_ARG_TYPE', argument, 'a sparse matrix', value);
};

function perRow(matrix: SparseMatrix): Schema<Float64Array> {
  return typedArray(['Float64Array'], { length: matrix.rows, per: 'one entry per row of the matrix' });
}

const levelsSchema: Schema<Float64Array> = (value, argument) => {
  const levels = typedArray(['Float64Array'])(value, argument);
  if (levels.length === 0) fail('ERR_SHAPE_MISMATCH', argument, 'at least one level', value);
  levels.forEach((level, q) => {
    if (q > 0 && level <= (levels[q - 1] as number)) {
      fail('ERR_INVALID_ARG_VALUE', `${argument}[${q}]`, 'greater than the level before it', level);
    }
  });
  return levels;
};

/**
 * SIRT, x <- clip(x + C A^T R (b - A x)) with the inverse sums of rows and columns, from the middle of the box.
 *
 * @param matrix    A, sparse, m x n
 * @param sinogram  b, m numbers
 * @param options   `iterations` (default 200), `lower` and `upper` ends of the box (default 0 and 1), run options
 * @returns         n numbers
 * Cost: two passes over the entries an iteration. Source: Gilbert, J. Theor. Biol. 36, 1972.
 */
export async function sirt(
  matrix: SparseMatrix,
  sinogram: Numbers,
  options: RunOptions & { iterations?: number; lower?: number; upper?: number } = {},
): Promise<Float64Array> {
  const checked = parse(matrix, 'matrix', sparse);
  const measured = parse(sinogram, 'sinogram', perRow(checked));
  const given = parse(
    options,
    'options',
    object({
      ...runMembers,
      iterations: withDefault(integer({ min: 0 }), 200),
      lower: withDefault(number(), 0),
      upper: withDefault(number(), 1),
    }),
  );
  requireBackend(given.backend, 'tomography runs on the CPU only');
  const { iterations, lower, upper } = given;
  const start = (run: NativeRun): unknown => nativeDmmv.sirt(checked, measured, { iterations, lower, upper }, run);
  return runAsync(given, start, homes({ options: ['lower', 'upper'] }));
}

/**
 * DART: pixels inside a segment keep their grey level, edges and a random part of the others are reconstructed again.
 *
 * @param matrix    A, sparse, m x n, n a square
 * @param sinogram  b, m numbers
 * @param levels    grey levels, ascending
 * @param options   `sirtIterations` before it (default 200), `iterations` (100), SIRT `steps` of each (10), `freePart` of
 *                  the pixels away from edges (0.15), `smoothing` of free pixels (0.5), run options
 * @returns         level of each pixel, n integers
 * Source: Batenburg and Sijbers, IEEE Trans. Image Processing 20(9), 2011.
 */
export async function dart(
  matrix: SparseMatrix,
  sinogram: Numbers,
  levels: Numbers,
  options: RunOptions & {
    sirtIterations?: number;
    iterations?: number;
    steps?: number;
    freePart?: number;
    smoothing?: number;
  } = {},
): Promise<Int32Array> {
  const checked = parse(matrix, 'matrix', sparse);
  const size = Math.sqrt(checked.columns);
  if (!Number.isInteger(size)) fail('ERR_SHAPE_MISMATCH', 'matrix', 'a square number of columns', matrix);
  const measured = parse(sinogram, 'sinogram', perRow(checked));
  const grey = parse(levels, 'levels', levelsSchema);
  const given = parse(
    options,
    'options',
    object({
      ...runMembers,
      sirtIterations: withDefault(integer({ min: 0 }), 200),
      iterations: withDefault(integer({ min: 0 }), 100),
      steps: withDefault(integer({ min: 1 }), 10),
      freePart: withDefault(number({ min: 0, max: 1 }), 0.15),
      smoothing: withDefault(number({ min: 0, max: 1 }), 0.5),
    }),
  );
  requireBackend(given.backend, 'tomography runs on the CPU only');
  const { sirtIterations, iterations, steps, freePart, smoothing, seed } = given;
  const chosen = { levels: grey, size, sirtIterations, iterations, steps, freePart, smoothing, seed };
  return runAsync(given, (run: NativeRun): unknown => nativeDmmv.dart(checked, measured, chosen, run));
}

/** Differences of horizontal and vertical neighbours, two entries a row. */
function differences(size: number): SparseMatrix {
  const across = size * (size - 1);
  const rows = 2 * across;
  // Row of the difference between a pixel and its right or lower neighbour.
  const right = (i: number, j: number): number => i * (size - 1) + j;
  const lower = (i: number, j: number): number => across + i * size + j;
  const columnPointers = new Int32Array(size * size + 1);
  const rowIndices = new Int32Array(2 * rows);
  const values = new Float64Array(2 * rows);
  let entries = 0;
  const add = (row: number, value: number): void => {
    rowIndices[entries] = row;
    values[entries] = value;
    entries += 1;
  };
  for (let i = 0; i < size; i += 1) {
    for (let j = 0; j < size; j += 1) {
      if (j > 0) add(right(i, j - 1), -1);
      if (j < size - 1) add(right(i, j), 1);
      if (i > 0) add(lower(i - 1, j), -1);
      if (i < size - 1) add(lower(i, j), 1);
      columnPointers[i * size + j + 1] = entries;
    }
  }
  return Object.freeze({ kind: 'sparse', rows, columns: size * size, columnPointers, rowIndices, values });
}

function nearest(levels: Float64Array, value: number): number {
  let best = 0;
  levels.forEach((level, q) => {
    if (Math.abs(level - value) < Math.abs((levels[best] as number) - value)) best = q;
  });
  return best;
}

const tomographyMembers = {
  ...beamMembers,
  sinogram: anything,
  levels: levelsSchema,
  noise: number({ min: 0 }),
  smoothness: withDefault(number({ min: 0 }), 0.1),
};

const problemAt = homes({ problem: ['size', 'detectors', 'angles'] });

/**
 * Reconstructs an image of known grey levels such that its projections meet the sinogram to within the noise and, among
 * such images, neighbouring pixels differ little.
 *
 * The start is SIRT rounded to the levels (or DART). The search works on measurements that are violated, pixel by pixel;
 * once none is, on the differences. A smaller largest deviation alone is not a better image: keep `noise` at its true half
 * width. `timeLimitMs` is for the search.
 *
 * @param problem  see {@link TomographyProblem}
 * @param options  see {@link TomographyOptions}
 * @throws ERR_SHAPE_MISMATCH, ERR_NOT_FINITE, ERR_INVALID_ARG_VALUE  the sinogram or the levels do not fit
 * @throws ERR_OUT_OF_MEMORY  before the projector is allocated
 * Source: arXiv 2508.13437 (problem); soft rows are this package's own.
 */
export async function reconstructTomography(
  problem: TomographyProblem,
  options: TomographyOptions = {},
): Promise<Tomography> {
  const given = parse(problem, 'problem', object(tomographyMembers));
  const { size, angles, detectors, levels, noise, smoothness } = given;
  const rows = angles.length * detectors;
  const sinogram = parse(
    given.sinogram,
    'problem.sinogram',
    typedArray(['Float64Array'], { length: rows, per: 'angles * detectors' }),
  );
  const { sirtIterations, dartIterations, maxIterations, ...run } = parse(
    options,
    'options',
    object({
      ...runMembers,
      sirtIterations: withDefault(integer({ min: 1 }), 200),
      dartIterations: withDefault(integer({ min: 0 }), 0),
      maxIterations: optional(integer({ min: 1 })),
    }),
  );
  const shared = {
    ...(run.threads !== undefined && { threads: run.threads }),
    ...(run.signal !== undefined && { signal: run.signal }),
    seed: run.seed,
    backend: run.backend,
  };
  const matrix = makeProjector(given, problemAt);
  const lower = levels[0] as number;
  const upper = levels[levels.length - 1] as number;
  const grey = await sirt(matrix, sinogram, { ...shared, iterations: sirtIterations, lower, upper });
  const segmented =
    dartIterations > 0
      ? await dart(matrix, sinogram, levels, { ...shared, sirtIterations, iterations: dartIterations })
      : null;
  const soft = smoothness > 0 && levels.length > 1 && size > 1;
  const pairs = 2 * size * (size - 1);
  const made = createProblem({
    matrix,
    lower: sinogram,
    upper: sinogram,
    levels,
    ...(soft && {
      softRows: {
        matrix: differences(size),
        lower: new Float64Array(pairs),
        upper: new Float64Array(pairs),
        multipliers: new Float64Array(pairs).fill(smoothness),
      },
    }),
  });
  try {
    const initial = segmented ?? Int32Array.from(grey, (value) => nearest(levels, value));
    const found = await solve(made, {
      ...shared,
      ...(options.onProgress !== undefined && { onProgress: options.onProgress }),
      ...(run.timeLimitMs !== undefined && { timeLimitMs: run.timeLimitMs }),
      ...(maxIterations !== undefined && { maxIterations }),
      onAbort: run.onAbort,
      target: noise,
      initial,
      continuous: grey,
    });
    return {
      image: found.values,
      indices: found.indices,
      objective: found.objective,
      feasible: found.objective <= noise,
      softPenalty: found.softPenalty,
      sirt: grey,
      dart: segmented,
      search: found,
    };
  } finally {
    made.dispose();
  }
}
