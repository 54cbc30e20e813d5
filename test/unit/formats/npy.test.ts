// NPY files against bytes that numpy wrote, round trips, and files that lie.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { formats } from '../../../lib';
import { errorWith } from '../../support/errors';

const { parseNpy, serializeNpy } = formats;

/** A file as numpy lays it out, header spelled out by hand. */
function npy(descr: string, fortran: boolean, shape: string, data: Buffer, version = 1): Buffer {
  const text =
    `{'descr': '${descr}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': ${shape}, }`.padEnd(117) + '\n';
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  if (version === 1) length.writeUInt16LE(text.length);
  else length.writeUInt32LE(text.length);
  return Buffer.concat([
    Buffer.from([0x93]),
    Buffer.from('NUMPY'),
    Buffer.from([version, 0]),
    length,
    Buffer.from(text),
    data,
  ]);
}
const bytesOf = (array: ArrayBufferView): Buffer => Buffer.from(array.buffer, array.byteOffset, array.byteLength);

test('types, byte orders, versions and the order of indices', () => {
  const doubles = Float64Array.of(1, 2, 3, 4, 5, 6);
  expect(parseNpy(npy('<f8', false, '(2, 3)', bytesOf(doubles)))).toEqual({ shape: [2, 3], data: doubles });
  expect(parseNpy(npy('<f8', false, '(2, 3)', bytesOf(doubles), 2)).data).toEqual(doubles);
  expect(parseNpy(npy('<f8', true, '(2, 3)', bytesOf(doubles))).data).toEqual(Float64Array.of(1, 3, 5, 2, 4, 6));
  const swapped = Buffer.from(bytesOf(Int32Array.of(-7, 8)));
  expect(parseNpy(npy('>i4', false, '(2,)', swapped.swap32())).data).toEqual(Int32Array.of(-7, 8));
  expect(parseNpy(npy('|b1', false, '(2,)', Buffer.from([1, 0]))).data).toEqual(Uint8Array.of(1, 0));
  expect(parseNpy(npy('<f2', false, '(2,)', bytesOf(Uint16Array.of(0x3c00, 0xc000)))).data).toEqual(
    Float32Array.of(1, -2),
  );
  expect(parseNpy(npy('<i8', false, '()', bytesOf(BigInt64Array.of(-5n))))).toEqual({
    shape: [],
    data: BigInt64Array.of(-5n),
  });
  const cube = Float64Array.from({ length: 24 }, (_, i) => i);
  const turned = parseNpy(npy('<f8', true, '(2, 3, 4)', bytesOf(cube))).data;
  for (let i = 0; i < 24; i += 1) {
    const [x, y, z] = [Math.floor(i / 12), Math.floor(i / 4) % 3, i % 4];
    expect(turned[i]).toBe(x + 2 * y + 6 * z);
  }
});

test('what is written comes back, for every type', () => {
  const shape = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 });
  const kinds = [Float64Array, Float32Array, Int8Array, Uint8Array, Int16Array, Uint16Array, Int32Array, Uint32Array];
  fc.assert(
    fc.property(shape, fc.constantFrom(...kinds), fc.integer({ min: 0, max: 100 }), (extents, Kind, start) => {
      const count = extents.reduce((product, extent) => product * extent, 1);
      const array = { shape: extents, data: new Kind(count).map((_: number, i: number) => start + i) };
      const bytes = serializeNpy(array);
      expect(bytes.length % 64).toBe(array.data.byteLength % 64);
      expect(parseNpy(bytes)).toEqual(array);
    }),
  );
});

test('numpy reads it, where there is numpy', () => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'discrete-descent-npy-')), 'a.npy');
  formats.writeNpy(file, { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6.5) });
  const code = `import numpy; a = numpy.load(${JSON.stringify(file)}); print(a.shape, a.dtype, a[1][2])`;
  const { status, stdout, stderr } = spawnSync('python3', ['-c', code], { encoding: 'utf8' });
  if (status === 0) expect(stdout.trim()).toBe('(2, 3) float32 6.5');
  else expect(stderr).not.toContain('ValueError'); // no numpy, or no Python
  fs.rmSync(path.dirname(file), { recursive: true });
});

test('files that are cut off, or lie, give typed errors', () => {
  const good = npy('<f8', false, '(2, 3)', Buffer.alloc(48));
  for (let length = 0; length < good.length; length += 1) {
    expect(() => parseNpy(good.subarray(0, length))).toThrow(errorWith('ERR_INVALID_FORMAT', 'bytes'));
  }
  const lies = [
    npy('<f8', false, '(2, 4)', Buffer.alloc(48)),
    npy('<f8', false, '(99999999999, 99999999999)', Buffer.alloc(48)),
    npy('<c16', false, '(3,)', Buffer.alloc(48)),
    npy('|O', false, '(6,)', Buffer.alloc(48)),
    npy('<f8', false, '(-2, -3)', Buffer.alloc(48)),
    npy('<f8', false, 'six', Buffer.alloc(48)),
    Buffer.concat([good, Buffer.alloc(1)]),
  ];
  for (const lie of lies) expect(() => parseNpy(lie)).toThrow(errorWith('ERR_INVALID_FORMAT', 'bytes'));
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 127 }), fc.integer({ min: 0, max: 255 }), (at, byte) => {
      const damaged = Buffer.from(good);
      damaged[at] = byte;
      try {
        expect(parseNpy(damaged).data.length).toBeLessThanOrEqual(48);
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_INVALID_FORMAT' });
      }
    }),
    { numRuns: 2000 },
  );
  expect(() => serializeNpy({ shape: [2], data: new Float64Array(3) })).toThrow(
    errorWith('ERR_SHAPE_MISMATCH', 'array.shape'),
  );
});
