// Reproducible random numbers for tests, from the package's own generator.
import { native } from '../../lib/runtime/native';

/** Uniform numbers in [0, 1) from Philox words of one seed. */
export function uniforms(seed: number): () => number {
  let block = 0;
  let words: number[] = [];
  return () => {
    if (words.length < 2) words = native.philox(Int32Array.of(block++, 0, 0, 0, seed, 0));
    const high = (words.shift() as number) >>> 5;
    const low = (words.shift() as number) >>> 6;
    return (high * 2 ** 26 + low) * 2 ** -53;
  };
}
