// GGUF: read here field by field as the format's description says.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type GgufDtype, serializeGguf, writeGguf } from '../../../lib/formats';
import { errorWith } from '../../support/errors';

const tensors = new Map([
  ['a.weight', { dtype: 'Q4_0' as const, shape: [2, 64], data: Uint8Array.from({ length: 72 }, (_, i) => i) }],
  ['b', { dtype: 'F32' as const, shape: [3], data: () => Float32Array.of(1, 2, 3) }],
  ['c', { dtype: 'F16' as const, shape: [1], data: Uint16Array.of(0x3c00) }],
]);
const metadata = new Map<string, string | boolean | number>([
  ['general.architecture', 'test'],
  ['count', 7],
  ['part', -0.5],
  ['yes', true],
]);

test('header, values, tensors at aligned offsets', () => {
  const bytes = Buffer.from(serializeGguf({ tensors, metadata }));
  let at = 0;
  const uint32 = () => bytes.readUInt32LE((at += 4) - 4);
  const uint64 = () => Number(bytes.readBigUInt64LE((at += 8) - 8));
  const text = () => {
    const length = uint64();
    return bytes.toString('utf8', at, (at += length));
  };
  expect(bytes.toString('latin1', 0, (at += 4))).toBe('GGUF');
  expect([uint32(), uint64(), uint64()]).toEqual([3, 3, 4]);
  expect([text(), uint32(), text()]).toEqual(['general.architecture', 8, 'test']);
  expect([text(), uint32(), uint32()]).toEqual(['count', 4, 7]);
  expect([text(), uint32(), bytes.readFloatLE((at += 4) - 4)]).toEqual(['part', 6, -0.5]);
  expect([text(), uint32(), bytes[at++]]).toEqual(['yes', 7, 1]);
  const infos = Array.from({ length: 3 }, () => {
    const name = text();
    const extents = Array.from({ length: uint32() }, uint64);
    return { name, extents, type: uint32(), offset: uint64() };
  });
  expect(infos).toEqual([
    { name: 'a.weight', extents: [64, 2], type: 2, offset: 0 },
    { name: 'b', extents: [3], type: 0, offset: 96 },
    { name: 'c', extents: [1], type: 1, offset: 128 },
  ]);
  const data = Math.ceil(at / 32) * 32;
  expect([...bytes.subarray(data, data + 72)]).toEqual(Array.from({ length: 72 }, (_, i) => i));
  expect(bytes.readFloatLE(data + 96 + 8)).toBe(3);
  expect(bytes.readUInt16LE(data + 128)).toBe(0x3c00);
  expect(bytes).toHaveLength(data + 160);
});

test('what cannot be written leaves no file', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'gguf-'));
  const file = path.join(folder, 'x.gguf');
  const attempt = (dtype: GgufDtype, shape: number[], size: number) => () =>
    writeGguf(file, { tensors: new Map([['x', { dtype, shape, data: new Uint8Array(size) }]]) });
  expect(attempt('Q4_0', [64, 2], 72)).toThrow(errorWith('ERR_INVALID_ARG_VALUE', 'tensors'));
  expect(attempt('F32', [], 4)).toThrow(errorWith('ERR_INVALID_ARG_VALUE', 'tensors'));
  expect(attempt('F32', [-1], 4)).toThrow(errorWith('ERR_INVALID_ARG_VALUE', 'tensors'));
  expect(attempt('F32', [2], 4)).toThrow(errorWith('ERR_SHAPE_MISMATCH', 'tensors'));
  expect(fs.readdirSync(folder)).toEqual([]);
  attempt('Q8_0', [1, 32], 34)();
  expect(fs.readdirSync(folder)).toEqual(['x.gguf']);
  fs.rmSync(folder, { recursive: true });
});
