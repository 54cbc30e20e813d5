// Exports byte for byte as the formats' own code writes them: GPTQ tensors by AutoGPTQ, blocks and files by the package
// gguf of llama.cpp (test/support/foreign-formats.py made the vectors, and decoded them with that code as well).
import { type GgufTensor, serializeGguf } from '../../lib/formats';
import { type CodedWeights, type GgufType, ggufBlocks, gptqTensors } from '../../lib/quantize';
import { vectors } from '../support/vectors';

interface Grid {
  scales: number[];
  zeros: number[];
}
interface Gptq extends Grid {
  bits: number;
  version: 1 | 2;
  group: number[];
  qweight: number[];
  qzeros: number[];
  scales_float16: number[];
  g_idx: number[];
}
interface Blocks extends Grid {
  type: GgufType;
  levels: number;
  bytes: string;
}
const { rows, columns, gptq, ggml, gguf } = vectors<{
  rows: number;
  columns: number;
  gptq: Gptq[];
  ggml: Blocks[];
  gguf: string;
}>('quant/foreign_formats.json');

/** The codes that the script made, and its grid. */
function weightsOf(
  { scales, zeros }: Grid,
  { levels, low = 0, group }: { levels: number; low?: number; group: number[] },
): CodedWeights {
  const codes = Uint8Array.from({ length: rows * columns }, (_, at) => {
    if (at % 32 < 2) return at % 32 === 0 ? low : levels - 1;
    return low + ((at * 7 + (at >> 5)) % (levels - low));
  });
  return {
    rows,
    columns,
    codes,
    levels: new Uint32Array(columns).fill(levels),
    grid: {
      kind: 'scale',
      groups: scales.length / rows,
      scale: Float32Array.from(scales),
      zero: Float32Array.from(zeros),
      groupOfColumn: Int32Array.from(group),
    },
  };
}

test.each(gptq.map((entry) => [entry.bits, entry.version, entry] as const))(
  'GPTQ tensors of %d bits, format %d',
  (bits, version, entry) => {
    const weights = weightsOf(entry, { levels: 2 ** bits, group: entry.group });
    const tensors = gptqTensors('layer', weights, { version });
    const listOf = (part: string): number[] => [...(tensors.get(`layer.${part}`)?.data as Int32Array)];
    expect(listOf('qweight')).toEqual(entry.qweight);
    expect(listOf('qzeros')).toEqual(entry.qzeros);
    expect(listOf('scales')).toEqual(entry.scales_float16);
    expect(listOf('g_idx')).toEqual(entry.g_idx);
  },
);

const blocksOf = (entry: Blocks): Uint8Array => {
  const group = Array.from({ length: columns }, (_, column) => Math.floor(column / 32));
  const weights = weightsOf(entry, { levels: entry.levels, low: entry.type === 'Q8_0' ? 1 : 0, group });
  return ggufBlocks(weights, entry.type);
};

test.each(ggml.map((entry) => [entry.type, entry] as const))('blocks of type %s', (_, entry) => {
  expect(Buffer.from(blocksOf(entry)).toString('hex')).toBe(entry.bytes);
});

test('a GGUF file', () => {
  const blocks = ggml.map((entry) => {
    const tensor = { dtype: entry.type, shape: [rows, columns], data: blocksOf(entry) };
    return [`layer.${entry.type}`, tensor] as const;
  });
  const bytes = serializeGguf({
    tensors: new Map<string, GgufTensor>([
      ...blocks,
      ['bias', { dtype: 'F32', shape: [3], data: Float32Array.of(1, -2, 3) }],
      // 1, 2, 3 and 4.
      ['half', { dtype: 'F16', shape: [2, 2], data: Uint16Array.of(0x3c00, 0x4000, 0x4200, 0x4400) }],
    ]),
    metadata: new Map<string, string | boolean | number>([
      ['general.architecture', 'test'],
      ['test.block_count', 3],
      ['test.flag', true],
      ['test.rope', 0.5],
    ]),
  });
  expect(Buffer.from(bytes).toString('hex')).toBe(gguf);
});
