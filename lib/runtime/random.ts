// Reproducible random numbers: Philox, the package's only generator.
import { native } from './native';

/** Uniform numbers in [0, 1) of 53 bits, the same for the same seed everywhere. @internal */
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

/** Numbers of the standard normal distribution (Box and Muller) from uniform ones. @internal */
export function normals(uniform: () => number): () => number {
  let spare: number | undefined;
  return () => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}
