// The 8 x 8 digits of examples/data: 1437 images to learn from and 360 to be judged by.
import path from 'node:path';
import { readNpy } from '../../lib/formats';
import { packageRoot } from '../../lib/runtime/native';

export interface Digits {
  inputs: Float32Array;
  labels: Int32Array;
}

/** Pixels divided by 16. */
export function digits(): { train: Digits; test: Digits } {
  const { data } = readNpy(path.join(packageRoot, 'examples', 'data', 'digits.npy'));
  const part = (from: number, to: number): Digits => ({
    inputs: Float32Array.from(
      { length: 64 * (to - from) },
      (_, i) => Number(data[65 * (from + Math.floor(i / 64)) + (i % 64)]) / 16,
    ),
    labels: Int32Array.from({ length: to - from }, (_, i) => Number(data[65 * (from + i) + 64])),
  });
  return { train: part(0, 1437), test: part(1437, 1797) };
}
