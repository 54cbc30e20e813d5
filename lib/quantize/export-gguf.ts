// Blocks of 32 weights as in GGUF files of llama.cpp (ggml-quants.c): Q4_0, Q4_1, Q5_0, Q5_1, Q8_0.
import type { CodedWeights } from './coded-weights';
import { affineWeights, blockGroups, notExpressible, toFloat16 } from './export-common';

/** Block types of GGUF that need no second level of scales. */
export type GgufType = 'Q4_0' | 'Q4_1' | 'Q5_0' | 'Q5_1' | 'Q8_0';

const types: Readonly<Record<GgufType, { bits: number; offset: number; minimum: boolean }>> = {
  Q4_0: { bits: 4, offset: 8, minimum: false },
  Q4_1: { bits: 4, offset: 0, minimum: true },
  Q5_0: { bits: 5, offset: 16, minimum: false },
  Q5_1: { bits: 5, offset: 0, minimum: true },
  Q8_0: { bits: 8, offset: 128, minimum: false },
};

const width = 32;

/** Nibbles and high bits of a block, or signed bytes. */
function* codeBytes(codes: readonly number[], bits: number): Generator<number> {
  if (bits === 8) {
    for (const code of codes) yield (code - 128) & 255;
    return;
  }
  if (bits === 5) {
    for (let byte = 0; byte < 4; ++byte) {
      yield codes.slice(8 * byte, 8 * byte + 8).reduce((sum, code, bit) => sum | ((code >> 4) << bit), 0);
    }
  }
  for (let i = 0; i < 16; ++i) yield ((codes[i] ?? 0) & 15) | (((codes[i + 16] ?? 0) & 15) << 4);
}

/**
 * The blocks of a layer, row after row. Each block holds 32 columns of one group: a float16 scale d, for the types ending
 * in _1 a float16 minimum m, and codes q with the value d * (q - 8), d * (q - 16), d * q (q from -128) or d * q + m. Codes are exact,
 * d and m rounded by a part of 2^-11 at most. Throws `ERR_NOT_EXPRESSIBLE` where weights have no such form.
 */
export function ggufBlocks(weights: CodedWeights, type: GgufType): Uint8Array {
  const { bits, offset, minimum } = types[type];
  const format = `GGUF ${type}`;
  const affine = affineWeights(weights, format);
  const { rows, columns, codes, grid } = affine;
  if (columns % width !== 0) throw notExpressible(format, `${columns} columns are not a multiple of ${width}`);
  const groups = blockGroups(affine, width, format);
  const bytes: number[] = [];
  const half = (value: number, what: string): void => {
    const found = toFloat16(value, format, what);
    bytes.push(found & 255, found >> 8);
  };
  for (let row = 0; row < rows; ++row) {
    groups.forEach((group, block) => {
      const scale = grid.scale[row * grid.groups + group] ?? 0;
      const zero = grid.zero[row * grid.groups + group] ?? 0;
      const start = row * columns + block * width;
      const shifted = Array.from(codes.subarray(start, start + width), (code) =>
        minimum ? code : code - zero + offset,
      );
      const wrong = shifted.findIndex((code) => code < 0 || code >= 2 ** bits);
      if (wrong >= 0) {
        const code = codes[start + wrong] ?? 0;
        throw notExpressible(format, `the code ${code} with zero point ${zero} does not fit its ${bits} bits`);
      }
      half(scale, 'scale');
      if (minimum) half(-scale * zero, 'minimum');
      bytes.push(...codeBytes(shifted, bits));
    });
  }
  return Uint8Array.from(bytes);
}
