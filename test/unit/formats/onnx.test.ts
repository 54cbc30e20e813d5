// ONNX models: what is read, what an edit changes, and that nothing else moves.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as formats from '../../../lib/formats';
import { errorWith } from '../../support/errors';
import {
  bytesOf,
  delimited,
  floatAttribute,
  floatTensor,
  integerAttribute,
  integersAttribute,
  model,
  node,
  tensorAttribute,
  value,
  varint,
  whole,
} from '../../support/onnx-file';

const { openOnnx, parseOnnx } = formats;
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

const float16 = bytesOf(
  whole(1, 2),
  whole(2, 10),
  delimited(5, bytesOf(varint(0x3c00), varint(0xc000))),
  delimited(8, 'half'),
);
const float64 = bytesOf(
  delimited(1, bytesOf([2])), // packed extents
  whole(2, 11),
  delimited(10, new Uint8Array(Float64Array.of(0.1, 2).buffer)),
  delimited(8, 'double'),
);
const plain = model({
  nodes: [
    node('Constant', [], ['w'], tensorAttribute('value', floatTensor('', [2, 3], [1, 2, 3, 4, 5, 6]))),
    node('MatMul', ['x', 'w'], ['y']),
    node(
      'Conv',
      ['y', 'b'],
      ['z'],
      integersAttribute('pads', [1, 2, 3, 4]),
      integerAttribute('group', 2),
      floatAttribute('alpha', 0.5),
    ),
  ],
  initializers: [
    floatTensor('b', [2], [7, 8], 'packed'),
    floatTensor('c', [2], [9, 10], 'single'),
    float16,
    float64,
    bytesOf(whole(1, 1), whole(2, 7), delimited(7, bytesOf([5])), delimited(8, 'integer')),
    bytesOf(whole(1, 1), whole(2, 1), whole(14, 1), delimited(8, 'external')),
  ],
  inputs: [value('x', ['n', 2])],
  outputs: [value('z', ['n', 3])],
});
// Unknown fields of all layouts, and a tag with a needless byte, in the model.
const odd = bytesOf(
  [0xa0, 0x86, 0x00, 0x80, 0x01],
  plain,
  varint(1000 * 8 + 1), [1, 2, 3, 4, 5, 6, 7, 8],
  varint(1001 * 8 + 5), [1, 2, 3, 4],
  delimited(1002, 'kept'),
); // prettier-ignore

test('nodes, attributes, constants', () => {
  const read = parseOnnx(plain);
  expect(read.inputs).toEqual(['x']);
  expect(read.outputs).toEqual(['z']);
  expect(read.opsets).toEqual(new Map([['', 13]]));
  expect(read.nodes.map(({ opType }) => opType)).toEqual(['Constant', 'MatMul', 'Conv']);
  expect([...read.constants.keys()]).toEqual(['b', 'c', 'half', 'double', 'integer', 'external', 'w']);
  const values = (name: string): number[] => [...(read.constants.get(name)?.float32() ?? [])];
  expect(values('w')).toEqual([1, 2, 3, 4, 5, 6]);
  expect(read.constants.get('w')?.shape).toEqual([2, 3]);
  expect(values('b')).toEqual([7, 8]);
  expect(values('c')).toEqual([9, 10]);
  expect(values('half')).toEqual([1, -2]);
  expect(values('double')).toEqual([Math.fround(0.1), 2]);
  expect(() => values('integer')).toThrow(errorWith('ERR_NOT_EXPRESSIBLE', 'model'));
  expect(() => values('external')).toThrow(errorWith('ERR_NOT_EXPRESSIBLE', 'model'));
  const conv = read.nodes[2];
  expect(conv?.integers('pads')).toEqual([1, 2, 3, 4]);
  expect(conv?.integers('strides')).toBeUndefined();
  expect(conv?.integer('group', 1)).toBe(2);
  expect(conv?.integer('other', 1)).toBe(1);
  expect(conv?.number('alpha', 1)).toBe(0.5);
  expect(conv?.number('beta', 1)).toBe(1);
  expect(conv?.text('auto_pad', 'NOTSET')).toBe('NOTSET');
});

test('what is not edited stays byte for byte', () => {
  expect(same(parseOnnx(odd).serialize(), odd)).toBe(true);
  expect(same(parseOnnx(odd).edit({}).serialize(), odd)).toBe(true);
  // Values put back where they lay raw: not one byte moves.
  expect(
    same(
      parseOnnx(odd)
        .edit({ constants: new Map([['w', Float32Array.of(1, 2, 3, 4, 5, 6)]]) })
        .serialize(),
      odd,
    ),
  ).toBe(true);
});

test('constants keep type, name and place', () => {
  const constants = new Map([
    ['w', Float32Array.of(6, 5, 4, 3, 2, 1)],
    ['b', Float32Array.of(0.1, 0.2)],
    ['c', Float32Array.of(-1, -2)],
    ['half', Float32Array.of(0.1, 65504)],
    ['double', Float32Array.of(0.25, 0.5)],
  ]);
  const original = parseOnnx(odd);
  const edited = original.edit({ constants });
  for (const [name, values] of constants) {
    const expected = name === 'half' ? [0.0999755859375, 65504] : [...values];
    expect([...(edited.constants.get(name)?.float32() ?? [])]).toEqual(expected);
    expect(edited.constants.get(name)?.dataType).toBe(original.constants.get(name)?.dataType);
  }
  expect([...edited.constants.keys()]).toEqual([...original.constants.keys()]);
  expect(original.constants.get('w')?.float32()[0]).toBe(1);
  const back = new Map([['w', Float32Array.of(1, 2, 3, 4, 5, 6)]]);
  expect(
    same(
      original
        .edit({ constants: new Map([['w', Float32Array.of(6, 5, 4, 3, 2, 1)]]) })
        .edit({ constants: back })
        .serialize(),
      odd,
    ),
  ).toBe(true);
});

test('outputs, nodes, initialisers and operator sets', () => {
  const edited = parseOnnx(odd).edit({
    outputs: ['y', 'z', 'y'],
    nodes: new Map([
      [1, [{ opType: 'Twice', domain: 'com.example', name: 'n', inputs: ['x', ''], outputs: ['y'],
        attributes: { k: -3, list: [1, 2], text: 'ü', t: { dataType: 'uint8', shape: [2], data: Uint8Array.of(1, 2) } } }]],
      [2, []],
    ]),
    initializers: new Map([['new', { dataType: 'float32', shape: [1], data: Float32Array.of(3) }]]),
    removeInitializers: new Set(['b']),
    opsets: new Map([['', 21], ['com.example', 1]]),
  }); // prettier-ignore
  expect(edited.outputs).toEqual(['z', 'y']);
  expect(edited.nodes.map(({ opType }) => opType)).toEqual(['Constant', 'Twice']);
  const [, twice] = edited.nodes;
  expect(twice?.domain).toBe('com.example');
  expect(twice?.inputs).toEqual(['x', '']);
  expect(twice?.integer('k', 0)).toBe(-3);
  expect(twice?.integers('list')).toEqual([1, 2]);
  expect(twice?.text('text', '')).toBe('ü');
  expect(twice?.tensorBytes('t')).toBeDefined();
  expect([...(edited.constants.get('new')?.float32() ?? [])]).toEqual([3]);
  expect(edited.constants.has('b')).toBe(false);
  expect(edited.opsets).toEqual(new Map([['', 21], ['com.example', 1]])); // prettier-ignore
  // A lower version than the model's is no change.
  expect(
    parseOnnx(plain)
      .edit({ opsets: new Map([['', 7]]) })
      .opsets.get(''),
  ).toBe(13);
});

test('nodes before all others', () => {
  const value = { dataType: 'uint4' as const, shape: [3], data: Uint8Array.of(0x21, 0x03) };
  const first = { opType: 'Constant', inputs: [], outputs: ['four'], attributes: { value } };
  const edited = parseOnnx(plain).edit({ firstNodes: [first], nodes: new Map([[1, []]]) });
  expect(edited.nodes.map(({ opType, outputs }) => [opType, ...outputs])).toEqual([
    ['Constant', 'four'],
    ['Constant', 'w'],
    ['Conv', 'z'],
  ]);
  expect(edited.constants.get('four')).toMatchObject({ dataType: 21, shape: [3], isFloat: false });
});

test('edits that make no sense', () => {
  const read = parseOnnx(plain);
  const constant = (name: string, ...values: number[]) => ({ constants: new Map([[name, Float32Array.from(values)]]) });
  expect(() => read.edit(constant('no', 1))).toThrow(errorWith('ERR_INVALID_ARG_VALUE', 'edit.constants'));
  expect(() => read.edit(constant('b', 1))).toThrow(errorWith('ERR_SHAPE_MISMATCH', 'edit.constants'));
  expect(() => read.edit(constant('integer', 1))).toThrow(errorWith('ERR_NOT_EXPRESSIBLE', 'model'));
  expect(() => read.edit(constant('external', 1))).toThrow(errorWith('ERR_NOT_EXPRESSIBLE', 'model'));
  expect(() => read.edit({ nodes: new Map([[3, []]]) })).toThrow(errorWith('ERR_INVALID_ARG_VALUE', 'edit.nodes'));
});

test('files', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'onnx-'));
  const file = path.join(folder, 'model.onnx');
  parseOnnx(odd).write(file);
  expect(same(openOnnx(file).serialize(), odd)).toBe(true);
  expect(() => openOnnx(path.join(folder, 'none.onnx'))).toThrow(expect.objectContaining({ code: 'ENOENT' }) as Error);
  fs.rmSync(folder, { recursive: true });
});

const broken = (...graph: Uint8Array[]): Uint8Array => delimited(7, bytesOf(...graph));
test.each([
  ['nothing', new Uint8Array()],
  ['no graph', whole(1, 7)],
  ['two graphs', bytesOf(delimited(7, ''), delimited(7, ''))],
  ['a graph that is a number', whole(7, 1)],
  ['a varint without end', Uint8Array.of(255)],
  ['an overlong varint', Uint8Array.of(8, ...new Array<number>(10).fill(255), 0)],
  ['field number 0', Uint8Array.of(0, 0)],
  ['a group', Uint8Array.of(11)],
  ['a length beyond the end', Uint8Array.of(58, 5, 0)],
  ['a length beyond all memory', Uint8Array.of(58, 255, 255, 255, 255, 255, 255, 255, 255, 127)],
  ['a truncated fixed value', Uint8Array.of(13, 1)],
  ['a name that is no UTF-8', broken(delimited(1, delimited(1, Uint8Array.of(255))))],
  ['a negative extent', broken(delimited(5, bytesOf([8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1])))],
  ['an extent beyond whole numbers', broken(delimited(5, bytesOf([8, 255, 255, 255, 255, 255, 255, 255, 127])))],
  ['a constant twice', broken(delimited(5, floatTensor('a', [1], [1])), delimited(5, floatTensor('a', [1], [1])))],
])('refused: %s', (_, bytes) => {
  expect(() => parseOnnx(bytes)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_FORMAT' }) as Error);
});

test.each([
  ['too few elements', floatTensor('a', [3], [1, 2])],
  ['half an element', bytesOf(whole(1, 1), whole(2, 1), delimited(9, bytesOf([1, 2])), delimited(8, 'a'))],
  ['half an element, packed', bytesOf(whole(1, 1), whole(2, 1), delimited(4, bytesOf([1, 2])), delimited(8, 'a'))],
  ['far too few elements', floatTensor('a', [2 ** 40], [1, 2])],
])('a tensor with %s', (_, tensor) => {
  const constant = parseOnnx(broken(delimited(5, tensor))).constants.get('a');
  expect(() => constant?.float32()).toThrow(expect.objectContaining({ code: 'ERR_INVALID_FORMAT' }) as Error);
});
