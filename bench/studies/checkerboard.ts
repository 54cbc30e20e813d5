// The XOR checkerboard of the published examples: 3 x 3 cells on [0, 3)^2, the class is the parity of the cell.
import { uniforms } from '../../lib/runtime/random';

/** Two features a sample, centred and divided by their deviation. */
export interface Board {
  inputs: number[];
  labels: number[];
}

const cells = 3;
const noise = 0.05;

/** `positive`: share of class 1 that is left of it; default: all. */
export function checkerboard(samples: number, seed: number, positive?: number): Board {
  const uniform = uniforms(seed);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  const points = Array.from({ length: samples }, () => [cells * uniform(), cells * uniform()] as const);
  const classOf = ([x, y]: readonly [number, number]): number => (Math.floor(x) + Math.floor(y)) % 2;
  const zeros = points.filter((point) => classOf(point) === 0);
  const ones = points.filter((point) => classOf(point) === 1);
  const kept = positive === undefined ? ones.length : Math.trunc((zeros.length * positive) / (1 - positive));
  const all = [...zeros, ...ones.slice(0, kept)];
  const noisy = all.map(([x, y]) => [x + noise * normal(), y + noise * normal()] as const);
  const scaled = ([0, 1] as const).map((axis) => {
    const centre = noisy.reduce((sum, point) => sum + point[axis], 0) / noisy.length;
    const squares = noisy.reduce((sum, point) => sum + (point[axis] - centre) ** 2, 0);
    return noisy.map((point) => (point[axis] - centre) / Math.sqrt(squares / (noisy.length - 1)));
  });
  return { inputs: all.flatMap((_, i) => scaled.map((values) => values[i] as number)), labels: all.map(classOf) };
}
