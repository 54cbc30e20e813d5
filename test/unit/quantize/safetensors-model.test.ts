// Layers of a safetensors checkpoint, and checkpoints with other weights.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { openSafetensors, parseSafetensors, serializeSafetensors } from '../../../lib/formats';
import { findSafetensorsLayers, writeSafetensorsModel } from '../../../lib/quantize';
import { errorWith } from '../../support/errors';

const checkpoint = parseSafetensors(
  serializeSafetensors({
    tensors: new Map([
      ['b.weight', { dtype: 'F32' as const, shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
      ['a.weight', { dtype: 'F16' as const, shape: [2, 1, 3], data: new Uint16Array(6) }],
      ['c.weight', { dtype: 'BF16' as const, shape: [3, 2], data: new Uint16Array(6) }],
      ['embed.weight', { dtype: 'F32' as const, shape: [2, 3], data: new Float32Array(6) }],
      ['b.bias', { dtype: 'F32' as const, shape: [6], data: new Float32Array(6) }],
      ['vector.weight', { dtype: 'F32' as const, shape: [6], data: new Float32Array(6) }],
      ['codes.weight', { dtype: 'U8' as const, shape: [2, 3], data: new Uint8Array(6) }],
    ]),
    metadata: new Map([['format', 'pt']]),
  }),
);

test('layers are matrices of floating-point numbers by name', () => {
  expect(findSafetensorsLayers(checkpoint, { minimumWeights: 6 })).toEqual([
    { name: 'a.weight', rows: 2, columns: 3 },
    { name: 'b.weight', rows: 2, columns: 3 },
    { name: 'c.weight', rows: 3, columns: 2 },
  ]);
  expect(findSafetensorsLayers(checkpoint)).toEqual([]);
  const embedded = { minimumWeights: 1, include: (name: string) => name.startsWith('embed') };
  expect(findSafetensorsLayers(checkpoint, embedded).map(({ name }) => name)).toEqual(['embed.weight']);
});

test('other weights in their place, the rest byte for byte', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'checkpoint-'));
  const file = path.join(folder, 'model.safetensors');
  const values = Float32Array.of(1, -2, 0.5, 0.1, 65504, 1e-8);
  const weights = new Map([
    ['a.weight', values],
    ['b.weight', values],
    ['c.weight', values],
  ]);
  writeSafetensorsModel(file, checkpoint, new Map([...weights].map(([name, list]) => [name, () => list])));
  const written = openSafetensors(file);
  expect(written.names.sort()).toEqual(checkpoint.names.sort());
  expect(written.metadata).toEqual(checkpoint.metadata);
  for (const name of checkpoint.names) {
    expect(written.info(name)).toEqual(checkpoint.info(name));
    if (!weights.has(name)) expect(written.bytes(name)).toEqual(checkpoint.bytes(name));
  }
  expect(written.float32('b.weight')).toEqual(values);
  expect([...written.float32('a.weight')]).toEqual([1, -2, 0.5, 0.0999755859375, 65504, 0]);
  expect(written.float32('c.weight')[3]).toBe(0.10009765625);
  written.close();
  const before = fs.readFileSync(file);
  const wrong = (name: string, list: Float32Array) => () =>
    writeSafetensorsModel(file, checkpoint, new Map([[name, list]]));
  expect(wrong('codes.weight', values)).toThrow(errorWith('ERR_NOT_EXPRESSIBLE', 'weights'));
  expect(wrong('b.weight', values.subarray(1))).toThrow(errorWith('ERR_SHAPE_MISMATCH', 'tensors'));
  expect(wrong('none', values)).toThrow(errorWith('ERR_INVALID_ARG_VALUE', 'name'));
  expect(fs.readFileSync(file).equals(before)).toBe(true);
  fs.rmSync(folder, { recursive: true });
});
