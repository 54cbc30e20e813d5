// The Fisher-Kolmogorov equation, explicit in time: u' = div(D grad u) + rho u (1 - u) (odil.md, section 7.6).
import type { Faces } from './tissue';
import { type Shape3, type Volume, voxels } from './volume';

/** Diffusion coefficients at the faces of every voxel towards higher and lower indices along x, y, z. */
export interface Coefficients {
  /** Voxels along x, y, z. */
  readonly shape: Shape3;
  /** Along x, y, z: between each voxel and the next. */
  readonly upper: readonly [Float64Array, Float64Array, Float64Array];
  /** Along x, y, z: between each voxel and the one before. */
  readonly lower: readonly [Float64Array, Float64Array, Float64Array];
}

/** D (white + grey / ratio) at every face. */
export function diffusionCoefficients(faces: Faces, diffusion: number, ratio: number): Coefficients {
  const at = ({ white, grey }: Faces['upper'][number]): Float64Array =>
    white.map((fraction, i) => diffusion * (fraction + (grey[i] as number) / ratio));
  const all = ([x, y, z]: Faces['upper']): Coefficients['upper'] => [at(x), at(y), at(z)];
  return { shape: faces.shape, upper: all(faces.upper), lower: all(faces.lower) };
}

const seedMass = 1500;
const seedSpread = 15;

/** Concentration of a young tumour at a squared distance from its centre: a Gaussian, cut at 0.1 and at 1. */
export function seedConcentration(squaredDistance: number): number {
  const u = (seedMass / (4 * Math.PI * seedSpread) ** 1.5) * Math.exp(-squaredDistance / (4 * seedSpread));
  return u > 0.1 ? Math.min(u, 1) : 0;
}

/** A young tumour around a centre, in voxels (voxel i at coordinate i). */
export function seed(shape: Shape3, centre: Shape3): Volume {
  const values = new Float64Array(voxels(shape));
  let flat = 0;
  for (let x = 0; x < shape[0]; x += 1) {
    for (let y = 0; y < shape[1]; y += 1) {
      for (let z = 0; z < shape[2]; z += 1, flat += 1) {
        values[flat] = seedConcentration((x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2);
      }
    }
  }
  return { shape, values };
}

/** How a tumour grows. */
export interface Growth {
  /** Proliferation per day. */
  growth: number;
  /** Days per step. */
  timeStep: number;
  /** Number of steps. */
  steps: number;
  /** Width of a voxel along x, y, z in the unit of the diffusion; default 1. */
  spacing?: Shape3;
  /** Called after every step (the first is 0) with the state, which must not be kept; true ends the growth. */
  afterStep?: (step: number, state: Float64Array) => boolean;
}

/** Where in each row anything can happen: from the first to behind the last voxel with tissue or tumour. */
function rowRanges({ shape, upper, lower }: Coefficients, state: Float64Array): Int32Array {
  const [, , depth] = shape;
  const ranges = new Int32Array((2 * state.length) / depth);
  const alive = (flat: number): boolean =>
    state[flat] !== 0 || [...upper, ...lower].some((coefficients) => coefficients[flat] !== 0);
  for (let row = 0; row < state.length / depth; row += 1) {
    let [first, end] = [0, depth];
    while (first < end && !alive(row * depth + first)) first += 1;
    while (end > first && !alive(row * depth + end - 1)) end -= 1;
    ranges[2 * row] = first;
    ranges[2 * row + 1] = end;
  }
  return ranges;
}

/**
 * Explicit Euler steps. Unstable where timeStep * sum of a voxel's coefficients / spacing^2 exceeds 1.
 *
 * Cost: about 8 ns per step and voxel of the rows that hold tissue, one thread.
 */
export function grow(coefficients: Coefficients, start: Float64Array, options: Growth): Float64Array {
  const { growth, timeStep, steps, spacing = [1, 1, 1], afterStep } = options;
  const { shape, upper, lower } = coefficients;
  const [width, height, depth] = shape;
  const [scaleX, scaleY, scaleZ] = spacing.map((h) => 1 / (h * h)) as [number, number, number];
  const [upX, upY, upZ] = upper;
  const [lowX, lowY, lowZ] = lower;
  const ranges = rowRanges(coefficients, start);
  let now = start.slice();
  let next = start.slice();
  for (let step = 0; step < steps; step += 1) {
    for (let x = 0, row = 0; x < width; x += 1) {
      const back = (((x + width - 1) % width) - x) * height * depth;
      const ahead = (((x + 1) % width) - x) * height * depth;
      for (let y = 0; y < height; y += 1, row += 1) {
        const left = (((y + height - 1) % height) - y) * depth;
        const right = (((y + 1) % height) - y) * depth;
        const base = row * depth;
        const end = base + (ranges[2 * row + 1] as number);
        for (let p = base + (ranges[2 * row] as number); p < end; p += 1) {
          const u = now[p] as number;
          const below = p === base ? base + depth - 1 : p - 1;
          const above = p + 1 === base + depth ? base : p + 1;
          const spread =
            scaleX *
              ((lowX[p] as number) * ((now[p + back] as number) - u) -
                (upX[p] as number) * (u - (now[p + ahead] as number))) +
            scaleY *
              ((lowY[p] as number) * ((now[p + left] as number) - u) -
                (upY[p] as number) * (u - (now[p + right] as number))) +
            scaleZ *
              ((lowZ[p] as number) * ((now[below] as number) - u) - (upZ[p] as number) * (u - (now[above] as number)));
          next[p] = u + (spread + growth * (u * (1 - u))) * timeStep;
        }
      }
    }
    [now, next] = [next, now];
    if (afterStep?.(step, now) === true) break;
  }
  return now;
}
