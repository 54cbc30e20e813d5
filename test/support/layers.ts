// Layers with the spread of sensitivities that real ones have, from the generator of the specification (SplitMix64,
// Box-Muller, float64 throughout), and the error that quantisers are compared by.
import { quantize } from '../../lib';

/** A generated layer and its Hessian. */
export interface GeneratedLayer {
  weights: Float32Array;
  activations: Float32Array;
  rows: number;
  columns: number;
  hessian: quantize.Hessian;
}

/** Random numbers of the generator. */
export class SplitMix {
  #state: bigint;
  constructor(seed: number) {
    this.#state = BigInt(seed);
  }
  next(): bigint {
    const mask = (1n << 64n) - 1n;
    this.#state = (this.#state + 0x9e3779b97f4a7c15n) & mask;
    let z = this.#state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
    return z ^ (z >> 31n);
  }
  uniform(): number {
    return Number(this.next() >> 11n) * 2 ** -53;
  }
  normal(): number {
    const first = this.uniform();
    return Math.sqrt(-2 * Math.log(1 - first)) * Math.cos(2 * Math.PI * this.uniform());
  }
  student(): number {
    const [n0, ...rest] = Array.from({ length: 5 }, () => this.normal()) as [number, ...number[]];
    return n0 / Math.sqrt(rest.reduce((sum, n) => sum + n * n, 0) / 4);
  }
}

const presets = {
  hard: { sigma: 0.8, outlierPart: 0.02, outlierGain: 20, noise: 0.3, decay: 1 },
  mild: { sigma: 0.3, outlierPart: 0.02, outlierGain: 8, noise: 0.5, decay: 0.5 },
  flat: { sigma: 0, outlierPart: 0, outlierGain: 1, noise: 1, decay: 0 },
};

/** Names of the presets. */
export type Preset = keyof typeof presets;

interface Size {
  M: number;
  N: number;
  T: number;
  r: number;
}

const made = new Map<string, GeneratedLayer>();

/** Layer `seed` of a preset: M outputs, N inputs, T tokens in four sequences, r factors. Made once. */
export function generateLayer(preset: Preset, seed: number, size: Size): GeneratedLayer {
  const key = [preset, seed, size.M, size.N, size.T, size.r].join();
  const layer = made.get(key) ?? makeLayer(preset, seed, size);
  made.set(key, layer);
  return layer;
}

function makeLayer(preset: Preset, seed: number, { M, N, T, r }: Size): GeneratedLayer {
  const { sigma, outlierPart, outlierGain, noise, decay } = presets[preset];
  const random = new SplitMix(seed);
  const fill = (count: number, next: (index: number) => number): Float64Array =>
    Float64Array.from({ length: count }, (_, index) => next(index));
  const A = fill(N * r, () => random.normal() / Math.sqrt(r));
  const g = fill(N, () => Math.exp(sigma * random.normal()));
  const ranks = fill(N, () => random.uniform());
  const outliers = outlierPart === 0 ? 0 : Math.max(1, Math.floor(outlierPart * N + 0.5));
  [...ranks.keys()]
    .sort((a, b) => (ranks[a] as number) - (ranks[b] as number) || a - b)
    .slice(0, outliers)
    .forEach((j) => {
      g[j] = (g[j] as number) * outlierGain;
    });
  const raw = fill(r, (k) => (k + 1) ** -decay);
  const size = Math.sqrt(raw.reduce((sum, s) => sum + s * s, 0) / r);
  const Z = fill(T * r, (at) => (random.normal() * (raw[at % r] as number)) / size);
  const E = fill(T * N, () => random.normal());
  const activations = new Float32Array(T * N);
  for (let t = 0; t < T; t += 1) {
    for (let j = 0; j < N; j += 1) {
      let sum = 0;
      for (let k = 0; k < r; k += 1) sum += (Z[t * r + k] as number) * (A[j * r + k] as number);
      activations[t * N + j] = (sum + noise * (E[t * N + j] as number)) * (g[j] as number);
    }
  }
  const h = fill(M, () => Math.exp(0.3 * random.normal()));
  const weights = Float32Array.from(
    { length: M * N },
    (_, at) => 0.02 * (h[Math.floor(at / N)] as number) * random.student(),
  );
  const hessian = quantize.createHessian(N).add(activations, { sequences: 4 });
  return { weights, activations, rows: M, columns: N, hessian };
}

/** tr(D H D^T), D rows x columns. */
export function quadratic(difference: ArrayLike<number>, matrix: Float64Array, columns: number): number {
  let sum = 0;
  for (let row = 0; row < difference.length; row += columns) {
    for (let j = 0; j < columns; j += 1) {
      let inner = 0;
      for (let k = 0; k < columns; k += 1)
        inner += (matrix[j * columns + k] as number) * (difference[row + k] as number);
      sum += inner * (difference[row + j] as number);
    }
  }
  return sum;
}

/** tr((W - Q) H (W - Q)^T) / tr(W H W^T) with the undamped Hessian. */
export function relativeError(layer: GeneratedLayer, values: Float32Array): number {
  const { weights, columns, hessian } = layer;
  const { matrix } = hessian;
  const difference = Float64Array.from(weights, (weight, at) => weight - (values[at] as number));
  return quadratic(difference, matrix, columns) / quadratic(weights, matrix, columns);
}
