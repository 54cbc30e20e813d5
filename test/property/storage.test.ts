// Quantised layers in files: what is read is what was written, and what is broken is refused.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as fc from 'fast-check';
import { openSafetensors, parseSafetensors } from '../../lib/formats';
import {
  dequantize,
  pack,
  quantizedLayerNames,
  readQuantized,
  storedBytes,
  writeQuantized,
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
