// Tensors of GPTQ checkpoints, as AutoGPTQ, GPTQModel, vLLM and transformers read them.
import type { SafetensorsEntry } from '../formats';
import type { CodedWeights } from './coded-weights';
import { affineWeights, notExpressible, toFloat16 } from './export-common';
import { packWords } from './packing';

/** How GPTQ tensors are written. */
export interface GptqOptions {
  /** Format 1 (default) stores zeros minus one and so has none of 0; format 2 stores them as they are. */
  readonly version?: 1 | 2;
}

/**
 * A layer as the tensors NAME.qweight (I32, inputs * bits / 32 x outputs), NAME.qzeros (I32, groups x outputs * bits / 32),
 * NAME.scales (F16, groups x outputs) and NAME.g_idx (I32, inputs). Scales are rounded to float16, by a part of 2^-11 at
 * most; codes and zeros are exact. Throws `ERR_NOT_EXPRESSIBLE` where the format has no form for the weights: numbers of
 * levels other than 4, 8, 16, 256 or different ones, zeros out of range, sizes that are no multiples of 32.
 */
export function gptqTensors(
  name: string,
  weights: CodedWeights,
  { version = 1 }: GptqOptions = {},
): Map<string, SafetensorsEntry> {
  const format = `GPTQ format ${version}`;
  const { rows, columns, codes, levels, grid } = affineWeights(weights, format);
  const bits = Math.log2(levels);
  if (![2, 3, 4, 8].includes(bits)) throw notExpressible(format, `${levels} levels are not 2, 3, 4 or 8 bits`);
  if (rows % 32 !== 0 || columns % 32 !== 0) {
    throw notExpressible(format, `${rows} x ${columns} are not multiples of 32`);
  }
  const { groups } = grid;
  const zeros = new Uint8Array(groups * rows);
  const scales = new Uint16Array(groups * rows);
  for (let row = 0; row < rows; ++row) {
    for (let group = 0; group < groups; ++group) {
      const zero = (grid.zero[row * groups + group] ?? 0) - (version === 1 ? 1 : 0);
      if (zero < 0 || zero >= levels) {
        const hint = version === 1 && zero === -1 ? '; format 2 can' : '';
        throw notExpressible(format, `it has no zero point ${zero + (version === 1 ? 1 : 0)}${hint}`);
      }
      zeros[group * rows + row] = zero;
      scales[group * rows + row] = toFloat16(grid.scale[row * groups + group] ?? 0, format, 'scale');
    }
  }
  refuseCodes(codes, levels, format);
  const signed = (words: Uint32Array): Int32Array => new Int32Array(words.buffer, words.byteOffset, words.length);
  const words = packWords(Uint8Array.from(codes), { rows, columns, transposed: true }, bits);
  const zeroWords = packWords(zeros, { rows: groups, columns: rows }, bits);
  return new Map<string, SafetensorsEntry>([
    [`${name}.qweight`, { dtype: 'I32', shape: [(columns * bits) / 32, rows], data: signed(words) }],
    [`${name}.qzeros`, { dtype: 'I32', shape: [groups, (rows * bits) / 32], data: signed(zeroWords) }],
    [`${name}.scales`, { dtype: 'F16', shape: [groups, rows], data: scales }],
    [`${name}.g_idx`, { dtype: 'I32', shape: [columns], data: grid.groupOfColumn }],
  ]);
}

function refuseCodes(codes: Int32Array, levels: number, format: string): void {
  // Dropped columns take the code of zero, which may lie one above in format 1.
  if (codes.some((code) => code < 0 || code >= levels)) {
    throw notExpressible(format, 'a dropped column in a row whose zero point is no code');
  }
}
