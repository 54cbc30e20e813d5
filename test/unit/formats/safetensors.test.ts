// Safetensors: bytes as other writers make them, all element types, and everything a file can have wrong.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as formats from '../../../lib/formats';
import { errorWith } from '../../support/errors';

const { openSafetensors, parseSafetensors, serializeSafetensors, writeSafetensors } = formats;
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'safetensors-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));

/** A file by hand: header text and data. */
function raw(header: string, data: Uint8Array = new Uint8Array()): Uint8Array {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
  return Buffer.concat([length, Buffer.from(header), data]);
}

test('a file as the reference writer makes it', () => {
  const data = Buffer.from(Float32Array.of(1, -2, 0.5).buffer);
  const file = parseSafetensors(
    raw(
      '{"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}',
      data,
    ),
  );
  expect(file.names).toEqual(['b', 'a']);
  expect(file.metadata).toEqual(new Map([['format', 'pt']]));
  expect(file.float32('a')).toEqual(Float32Array.of(1));
  expect(file.float32('b')).toEqual(Float32Array.of(-2, 0.5));
  expect(file.info('b')).toEqual({ name: 'b', dtype: 'F32', shape: [2], byteLength: 8 });
  expect(file.has('c')).toBe(false);
  expect(() => file.info('c')).toThrow(errorWith('ERR_INVALID_ARG_VALUE', 'name'));
});

test('all element types come back byte for byte, aligned, in a file that is always the same', () => {
  const sizes: Record<string, number> = {
    BOOL: 8, F4: 4, F6_E2M3: 6, F6_E3M2: 6, U8: 8, I8: 8, F8_E5M2: 8, F8_E4M3: 8, F8_E8M0: 8, I16: 16, U16: 16,
    F16: 16, BF16: 16, I32: 32, U32: 32, F32: 32, C64: 64, F64: 64, I64: 64, U64: 64,
  }; // prettier-ignore
  const tensors = new Map<string, formats.SafetensorsEntry>();
  for (const [dtype, bits] of Object.entries(sizes)) {
    const data = Uint8Array.from({ length: bits }, (_, i) => (i * 37 + bits) % 251);
    tensors.set(`tensor.${dtype}`, { dtype: dtype as formats.SafetensorsDtype, shape: [2, 4], data: () => data });
  }
  const file = path.join(folder, 'new', 'all.safetensors');
  writeSafetensors(file, { tensors, metadata: new Map([['__proto__', 'ü']]) });
  const reversed = new Map([...tensors].reverse());
  expect(new Uint8Array(fs.readFileSync(file))).toEqual(
    new Uint8Array(serializeSafetensors({ tensors: reversed, metadata: new Map([['__proto__', 'ü']]) })),
  );
  const read = openSafetensors(file);
  expect([...read.names].sort()).toEqual([...tensors.keys()].sort());
  expect(read.metadata.get('__proto__')).toBe('ü');
  for (const [name, { data }] of tensors) expect(read.bytes(name)).toEqual((data as () => Uint8Array)());
  for (const dtype of ['F4', 'F6_E2M3', 'F6_E3M2', 'I32', 'U32', 'C64', 'I64', 'U64']) {
    expect(() => read.float32(`tensor.${dtype}`)).toThrow(errorWith('ERR_NOT_EXPRESSIBLE', 'name'));
  }
  read.close();
  expect(() => read.bytes('tensor.U8')).toThrow(errorWith('ERR_DISPOSED', 'file'));
  expect(fs.readdirSync(path.dirname(file))).toEqual(['all.safetensors']);
});

test('floats of all widths as float32', () => {
  const one = (dtype: formats.SafetensorsDtype, data: ArrayBufferView): number[] => {
    const entry = { dtype, shape: [data.byteLength / (dtype === 'F64' ? 8 : dtype.includes('16') ? 2 : 1)], data };
    return [...parseSafetensors(serializeSafetensors({ tensors: new Map([['x', entry]]) })).float32('x')];
  };
  expect(one('F16', Uint16Array.of(0x3c00, 0x8001))).toEqual([1, -(2 ** -24)]);
  expect(one('BF16', Uint16Array.of(0x3f80, 0xff80))).toEqual([1, -Infinity]);
  expect(one('F64', Float64Array.of(0.1))).toEqual([Math.fround(0.1)]);
  expect(one('F8_E4M3', Uint8Array.of(0x38, 0x7e, 0xff, 0x01))).toEqual([1, 448, NaN, 2 ** -9]);
  expect(one('F8_E5M2', Uint8Array.of(0x3c, 0x7b, 0x7c, 0x01))).toEqual([1, 57344, Infinity, 2 ** -16]);
  expect(one('F8_E8M0', Uint8Array.of(127, 0, 255))).toEqual([1, 2 ** -127, NaN]);
  expect(one('BOOL', Uint8Array.of(0, 1))).toEqual([0, 1]);
  expect(one('U8', Uint8Array.of(255))).toEqual([255]);
  expect(one('I8', Int8Array.of(-128))).toEqual([-128]);
  expect(one('U16', Uint16Array.of(65535))).toEqual([65535]);
  expect(one('I16', Int16Array.of(-32768))).toEqual([-32768]);
});

test.each([
  ['empty', new Uint8Array()],
  ['a header longer than the file', Uint8Array.of(255, 0, 0, 0, 0, 0, 0, 0, 123)],
  ['a header length beyond all memory', new Uint8Array(64).fill(255)],
  ['no JSON', raw('{')],
  ['no UTF-8', Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 255)],
  ['a list', raw('[]')],
  ['a tensor that is a number', raw('{"a":1}')],
  ['an unknown type', raw('{"a":{"dtype":"F33","shape":[],"data_offsets":[0,0]}}')],
  ['a type from the prototype', raw('{"a":{"dtype":"toString","shape":[0],"data_offsets":[0,0]}}')],
  ['a negative extent', raw('{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,0]}}')],
  ['offsets backwards', raw('{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}', new Uint8Array(1))],
  ['beyond the end', raw('{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}', new Uint8Array(1))],
  ['size and shape differ', raw('{"a":{"dtype":"U16","shape":[1],"data_offsets":[0,1]}}', new Uint8Array(1))],
  ['half a byte', raw('{"a":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}}', new Uint8Array(1))],
  ['a gap', raw('{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', new Uint8Array(2))],
  ['bytes at the end', raw('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', new Uint8Array(2))],
  [
    'overlap',
    raw(
      '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}',
      new Uint8Array(3),
    ),
  ],
  ['an overflowing shape', raw('{"a":{"dtype":"U8","shape":[9007199254740991,9],"data_offsets":[0,0]}}')],
  ['metadata that is no text', raw('{"__metadata__":{"a":1}}')],
  ['metadata that is a list', raw('{"__metadata__":[]}')],
])('refused: %s', (_, bytes) => {
  expect(() => parseSafetensors(bytes)).toThrow(errorWith('ERR_INVALID_FORMAT', 'file'));
});

test('a failing write leaves the old file and nothing beside it', () => {
  const file = path.join(folder, 'kept.safetensors');
  const tensors = new Map([['a', { dtype: 'U8' as const, shape: [2], data: Uint8Array.of(1, 2) }]]);
  writeSafetensors(file, { tensors });
  const before = fs.readFileSync(file);
  const wrong = new Map([...tensors, ['b', { dtype: 'U8' as const, shape: [3], data: Uint8Array.of(1) }]]);
  expect(() => writeSafetensors(file, { tensors: wrong })).toThrow(errorWith('ERR_SHAPE_MISMATCH', 'tensors'));
  for (const shape of [[-1], [0.5], [2 ** 53, 2]]) {
    const entry = { dtype: 'U8' as const, shape, data: Uint8Array.of() };
    expect(() => writeSafetensors(file, { tensors: new Map([['b', entry]]) })).toThrow(
      errorWith('ERR_INVALID_ARG_VALUE', 'tensors'),
    );
  }
  expect(fs.readFileSync(file).equals(before)).toBe(true);
  expect(fs.readdirSync(folder).filter((name) => name.startsWith('kept'))).toEqual(['kept.safetensors']);
});
