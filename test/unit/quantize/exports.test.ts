// Formats of others, decoded here as their own code decodes them.
import { float16ToFloat32 } from '../../../lib/formats';
import { type CodedWeights, dequantize, type GgufType, ggufBlocks, gptqTensors } from '../../../lib/quantize';
import { errorWith } from '../../support/errors';
import { vectors } from '../../support/vectors';

const refused = errorWith('ERR_NOT_EXPRESSIBLE', 'weights');

/** Weights on a scale grid; scales are float16 numbers, so that nothing rounds. */
function sample({
  rows = 32,
  columns = 64,
  levels = 16,
  groups = 2,
  zero = (i: number) => 1 + (i % (levels - 1)),
} = {}): CodedWeights {
  const codes = Uint8Array.from({ length: rows * columns }, (_, at) => (at * 7 + (at >> 5)) % levels);
  const size = columns / groups;
  return {
    rows,
    columns,
    codes,
    levels: new Uint32Array(columns).fill(levels),
    grid: {
      kind: 'scale',
      groups,
      scale: Float32Array.from({ length: rows * groups }, (_, i) => 2 ** -8 * (1 + (i % 5))),
      zero: Float32Array.from({ length: rows * groups }, (_, i) => zero(i)),
      groupOfColumn: Int32Array.from({ length: columns }, (_, j) => Math.floor(j / size)),
    },
  };
}

/** Bits from `from` of a stream of 32-bit words, `step` apart. */
function field(words: Int32Array, start: number, step: number, from: number, bits: number): number {
  let value = 0;
  for (let bit = 0; bit < bits; ++bit) {
    const at = from + bit;
    value |= (((words[start + Math.floor(at / 32) * step] ?? 0) >>> (at % 32)) & 1) << bit;
  }
  return value;
}

describe.each([2, 3, 4, 8])('GPTQ, %d bits', (bits) => {
  const levels = 2 ** bits;
  test.each([1, 2] as const)('format %d: scale * (code - zero) of the tensors is the layer', (version) => {
    const zero = version === 1 ? undefined : (i: number) => i % levels;
    const weights = sample(zero === undefined ? { levels } : { levels, zero });
    const tensors = gptqTensors('layer', weights, { version });
    const data = <Data>(part: string): Data => tensors.get(`layer.${part}`)?.data as Data;
    const [qweight, qzeros, group] = [
      data<Int32Array>('qweight'),
      data<Int32Array>('qzeros'),
      data<Int32Array>('g_idx'),
    ];
    const scales = float16ToFloat32(data<Uint16Array>('scales'));
    expect(tensors.get('layer.qweight')?.shape).toEqual([2 * bits, 32]);
    expect(tensors.get('layer.qzeros')?.shape).toEqual([2, bits]);
    const expected = dequantize(weights);
    for (let i = 0; i < 32; ++i) {
      for (let j = 0; j < 64; ++j) {
        const g = group[j] ?? 0;
        const code = field(qweight, i, 32, j * bits, bits);
        const stored = field(qzeros, g * bits, 1, i * bits, bits) + (version === 1 ? 1 : 0);
        expect((scales[g * 32 + i] ?? NaN) * (code - stored)).toBe(expected[i * 64 + j]);
      }
    }
  });
});

test('GPTQ: the official packing of 3 bits', () => {
  const { gptq3 } = vectors<{ gptq3: Record<'W' | 'scale' | 'zero' | 'qweight_int32', { data: number[] }> }>(
    'quant/packing.json',
  );
  const { W, scale, zero, qweight_int32: words } = gptq3;
  const grid = {
    kind: 'scale' as const,
    groups: 1,
    scale: Float32Array.from(scale.data),
    zero: Float32Array.from(zero.data),
    groupOfColumn: new Int32Array(32),
  };
  const codes = Uint8Array.from(W.data, (value, at) => {
    const row = Math.floor(at / 32);
    return Math.round(value / (scale.data[row] ?? 1)) + (zero.data[row] ?? 0);
  });
  // The checkpoint form wants 32 outputs: the two rows of the vector, sixteen times.
  const sixteen = <Value>(list: ArrayLike<Value>): Value[] => Array.from({ length: 16 }, () => Array.from(list)).flat();
  const many = {
    rows: 32, columns: 32, codes: Uint8Array.from(sixteen(codes)), levels: new Uint32Array(32).fill(8),
    grid: { ...grid, scale: Float32Array.from(sixteen(grid.scale)), zero: Float32Array.from(sixteen(grid.zero)) },
  }; // prettier-ignore
  const found = gptqTensors('x', many).get('x.qweight')?.data as Int32Array;
  for (let word = 0; word < 3; ++word) {
    expect([...found.subarray(word * 32, word * 32 + 2)]).toEqual(words.data.slice(word * 2, word * 2 + 2));
  }
});

test('GPTQ: what the format has no form for', () => {
  expect(() => gptqTensors('x', sample({ levels: 5 }))).toThrow(refused);
  expect(() => gptqTensors('x', sample({ rows: 31 }))).toThrow(refused);
  expect(() => gptqTensors('x', sample({ columns: 62 }))).toThrow(refused);
  expect(() => gptqTensors('x', sample({ zero: () => 0 }))).toThrow(/format 2 can/);
  expect(() => gptqTensors('x', sample({ zero: () => 17 }))).toThrow(refused);
  expect(() => gptqTensors('x', sample({ zero: () => 16 }), { version: 2 })).toThrow(refused);
  const { grid, ...rest } = sample();
  const scale = new Float32Array(64).fill(1e6);
  expect(() => gptqTensors('x', { ...rest, grid: { ...grid, scale } as CodedWeights['grid'] })).toThrow(/float16/);
  const range = { kind: 'range' as const, range: new Float32Array(32).fill(1), ratio: new Float32Array(32).fill(0.5) };
  const mixed = Uint32Array.from({ length: 64 }, (_, j) => (j % 2 ? 16 : 4));
  const few = { ...rest, codes: rest.codes.map((code) => code % 4), grid: range };
  expect(() => gptqTensors('x', { ...few, levels: mixed })).toThrow(/different numbers of levels \(4, 16\)/);
  expect(gptqTensors('x', { ...few, levels: new Uint32Array(64).fill(4) }).size).toBe(4);
  const ternary = {
    kind: 'ternary' as const,
    groups: 1,
    low: new Float32Array(32),
    high: new Float32Array(32),
    groupOfColumn: new Int32Array(64),
  };
  expect(() => gptqTensors('x', { ...few, grid: ternary })).toThrow(refused);
});

const blockBytes = { Q4_0: 18, Q4_1: 20, Q5_0: 22, Q5_1: 24, Q8_0: 34 };

/** dequantize_row_* of ggml-quants.c. */
function ggufValues(bytes: Uint8Array, type: GgufType): number[] {
  const values: number[] = [];
  const size = blockBytes[type];
  const half = (at: number): number =>
    float16ToFloat32(Uint16Array.of((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8)))[0] ?? NaN;
  for (let start = 0; start < bytes.length; start += size) {
    const d = half(start);
    const m = type.endsWith('_1') ? half(start + 2) : 0;
    let at = start + (type.endsWith('_1') ? 4 : 2);
    if (type === 'Q8_0') {
      for (let i = 0; i < 32; ++i) values.push((((bytes[at + i] ?? 0) << 24) >> 24) * d);
      continue;
    }
    let high = 0;
    if (type.startsWith('Q5')) {
      high = new DataView(bytes.buffer).getUint32(at, true);
      at += 4;
    }
    const shift = { Q4_0: 8, Q4_1: 0, Q5_0: 16, Q5_1: 0 }[type];
    for (let i = 0; i < 32; ++i) {
      const nibble = i < 16 ? (bytes[at + i] ?? 0) & 15 : (bytes[at + i - 16] ?? 0) >> 4;
      values.push((nibble + 16 * ((high >>> i) & 1) - shift) * d + m);
    }
  }
  return values;
}

test.each([
  ['Q4_0', 16, 8],
  ['Q4_1', 16, 3],
  ['Q5_0', 32, 16],
  ['Q5_1', 32, 30],
  ['Q8_0', 256, 128],
] as const)('GGUF %s: decoded as llama.cpp does, the layer', (type, levels, zero) => {
  const weights = sample({ levels, zero: () => zero });
  const bytes = ggufBlocks(weights, type);
  expect(bytes).toHaveLength((32 * 64 * blockBytes[type]) / 32);
  expect(Float32Array.from(ggufValues(bytes, type))).toEqual(dequantize(weights));
});

test('GGUF: fewer levels fit as well, other zeros too where no code is lost', () => {
  const weights = sample({ levels: 4, zero: (i) => i % 3 });
  for (const type of ['Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q8_0'] as const) {
    expect(Float32Array.from(ggufValues(ggufBlocks(weights, type), type))).toEqual(dequantize(weights));
  }
  expect(() => ggufBlocks(sample({ levels: 16, zero: () => 7 }), 'Q4_0')).toThrow(refused);
  expect(() => ggufBlocks(sample({ levels: 32 }), 'Q4_1')).toThrow(refused);
  expect(() => ggufBlocks(sample({ groups: 4 }), 'Q4_1')).toThrow(/different groups/);
  expect(() => ggufBlocks(sample({ columns: 48, groups: 1 }), 'Q4_1')).toThrow(refused);
});
