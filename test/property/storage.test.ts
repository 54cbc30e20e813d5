// Quantised layers in files: what is read is what was written, and what is broken is refused.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as fc from 'fast-check';
import { openSafetensors, parseSafetensors, type SafetensorsEntry, writeSafetensors } from '../../lib/formats';
import {
  dequantize,
  pack,
  quantizedLayerNames,
  readQuantized,
  storedBytes,
  writeQuantized,
  type CodedWeights,
  type CodePacking,
} from '../../lib/quantize';
import { codedWeights } from '../support/coded-weights';
import { errorWith } from '../support/errors';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'storage-'));
const file = path.join(folder, 'layers.safetensors');
afterAll(() => fs.rmSync(folder, { recursive: true }));
const packing = fc.constantFrom<CodePacking[]>('bits', 'radix');

test('bit for bit, layers beside other tensors, in as many bytes as promised', () => {
  fc.assert(
    fc.property(codedWeights(), codedWeights(), packing, (first, second, how) => {
      const other = { dtype: 'F32' as const, shape: [2], data: Float32Array.of(1, 2) };
      const details = { method: 'test', list: [1, 2] };
      writeQuantized(
        file,
        {
          layers: new Map([
            ['a.weight', { weights: first, details }],
            ['b.weight', { weights: second }],
          ]),
          tensors: new Map([['bias', other]]),
          metadata: new Map([['format', 'pt']]),
        },
        { packing: how },
      );
      const read = openSafetensors(file);
      expect(quantizedLayerNames(read)).toEqual(['a.weight', 'b.weight']);
      expect(readQuantized(read, 'a.weight')).toEqual({ weights: first, details });
      expect(readQuantized(read, 'b.weight')).toEqual({ weights: second, details: {} });
      expect(read.float32('bias')).toEqual(other.data);
      const bytes = read.names.filter((name) => name.startsWith('a.')).map((name) => read.info(name).byteLength);
      expect(bytes.reduce((sum, size) => sum + size, 0)).toBe(storedBytes(first, how));
      expect(storedBytes(first, 'radix')).toBeLessThanOrEqual(storedBytes(first, 'bits'));
      read.close();
    }),
  );
});

test('columns say how many levels they have in as few bits as that takes', () => {
  const weights = (levels: number[]): CodedWeights => ({
    rows: 2,
    columns: levels.length,
    codes: new Uint8Array(2 * levels.length),
    levels: Uint32Array.from(levels),
    grid: { kind: 'range', range: Float32Array.of(1, 1), ratio: Float32Array.of(0, 0) },
  });
  const cases: [levels: number[], stored: Record<string, number[]>][] = [
    [Array<number>(40).fill(4), { levels: [3, 0] }],
    // Two kinds, the columns 0 to 7 of the second: a bit each.
    [[...Array<number>(8).fill(16), ...Array<number>(8).fill(4)], { levels: [3, 0, 15, 0], level_index: [255, 0] }],
    // Places 3, 0, 1, 2, 4 in 3 bits each: 011 000 100 010 001 from the lowest.
    [[256, 1, 3, 5, 300], { levels: [0, 0, 2, 0, 4, 0, 255, 0, 43, 1], level_index: [0b01000011, 0b01000100] }],
    [[1, 1, 1], { levels: [0, 0], level_index: [0] }],
  ];
  for (const [levels, stored] of cases) {
    const given = weights(levels);
    writeQuantized(file, { layers: new Map([['a', { weights: given }]]) });
    const read = openSafetensors(file);
    const found = ['levels', 'level_index'].flatMap((part) =>
      read.has(`a.${part}`) ? [[part, [...read.bytes(`a.${part}`)]]] : [],
    );
    expect(Object.fromEntries(found)).toEqual(stored);
    expect(readQuantized(read, 'a').weights.levels).toEqual(given.levels);
    read.close();
  }
});

test('files of version 1 are read', () => {
  const header = { version: 1, rows: 1, columns: 3, grid: 'range', groups: 1, packing: 'bits', details: {} };
  const one = { dtype: 'F32' as const, shape: [1], data: Float32Array.of(1) };
  const read = (levels: [string, SafetensorsEntry], codes: number[]): number[][] => {
    const data = Uint8Array.from(codes);
    writeSafetensors(file, {
      tensors: new Map([
        ['a.codes', { dtype: 'U8', shape: [data.length], data }],
        ['a.range', one],
        ['a.ratio', one],
        levels,
      ]),
      metadata: new Map([['a.quantized', JSON.stringify(header)]]),
    });
    const opened = openSafetensors(file);
    const { weights } = readQuantized(opened, 'a');
    opened.close();
    return [[...weights.levels], [...weights.codes]];
  };
  // Runs by rising number of levels, each a row of whole bytes.
  const bits = { dtype: 'U8' as const, shape: [3], data: Uint8Array.of(2, 0, 1) };
  expect(read(['a.bits', bits], [1, 3])).toEqual([
    [4, 1, 2],
    [3, 0, 1],
  ]);
  const levels = { dtype: 'U16' as const, shape: [3], data: Uint16Array.of(2, 4, 2) };
  expect(read(['a.levels', levels], [0b1001, 4])).toEqual([
    [3, 5, 3],
    [1, 4, 2],
  ]);
});

test('a file that speaks of more columns than it holds is refused before memory is taken for them', () => {
  const header = { version: 2, rows: 1, columns: 2 ** 40, grid: 'range', groups: 1, packing: 'bits', details: {} };
  const one = { dtype: 'F32' as const, shape: [1], data: Float32Array.of(1) };
  for (const count of [0, 3]) {
    writeSafetensors(file, {
      tensors: new Map<string, SafetensorsEntry>([
        ['a.codes', { dtype: 'U8', shape: [1], data: Uint8Array.of(0) }],
        ['a.levels', { dtype: 'U16', shape: [1], data: Uint16Array.of(count) }],
        ['a.level_index', { dtype: 'U8', shape: [1], data: Uint8Array.of(0) }],
        ['a.range', one],
        ['a.ratio', one],
      ]),
      metadata: new Map([['a.quantized', JSON.stringify(header)]]),
    });
    const opened = openSafetensors(file);
    expect(() => readQuantized(opened, 'a')).toThrow(errorWith('ERR_INVALID_FORMAT', 'file'));
    opened.close();
  }
});

test('values are those of native code, bit for bit', () => {
  fc.assert(
    fc.property(codedWeights([1, 2, 3, 4, 5, 8, 12, 16, 256]), (weights) => {
      expect(new Uint32Array(dequantize(weights).buffer)).toEqual(new Uint32Array(pack(weights).dequantize().buffer));
    }),
  );
});

test('a broken file gives the typed error or layers that can be used', () => {
  fc.assert(
    fc.property(
      codedWeights(),
      packing,
      fc.array(fc.tuple(fc.noBias(fc.nat()), fc.nat(255)), { minLength: 1, maxLength: 3 }),
      (weights, how, changes) => {
        writeQuantized(file, { layers: new Map([['a', { weights }]]) }, { packing: how });
        const bytes = fs.readFileSync(file);
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        try {
          const read = parseSafetensors(bytes);
          for (const name of quantizedLayerNames(read)) {
            const { weights: found } = readQuantized(read, name);
            expect(dequantize(found)).toHaveLength(found.rows * found.columns);
            expect(found.codes.every((code, at) => code < (found.levels[at % found.columns] ?? 0))).toBe(true);
          }
        } catch (error) {
          if ((error as { code: string }).code !== 'ERR_INVALID_FORMAT') throw error;
        }
      },
    ),
    { numRuns: 1000 },
  );
});

test('what cannot be stored or is not there', () => {
  const [weights] = fc.sample(codedWeights([4]), { numRuns: 1, seed: 1 });
  if (weights === undefined) throw new Error('no sample');
  const wrong = {
    ...weights,
    codes: new Uint8Array(weights.codes.length).fill(4),
    levels: weights.levels.map(() => 3),
  };
  expect(() => writeQuantized(file, { layers: new Map([['a', { weights: wrong }]]) })).toThrow(
    errorWith('ERR_OUT_OF_RANGE', 'weights'),
  );
  const twice = new Map([['a.codes', { dtype: 'U8' as const, shape: [0], data: new Uint8Array() }]]);
  expect(() => writeQuantized(file, { layers: new Map([['a', { weights }]]), tensors: twice })).toThrow(
    errorWith('ERR_INVALID_ARG_VALUE', 'contents'),
  );
  writeQuantized(file, { layers: new Map([['a', { weights }]]) });
  const read = openSafetensors(file);
  expect(() => readQuantized(read, 'b')).toThrow(errorWith('ERR_INVALID_ARG_VALUE', 'name'));
  read.close();
});
