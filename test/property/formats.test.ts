// Files that went wrong on the way: whatever the bytes, reading gives a value or the typed error, never anything else.
import * as fc from 'fast-check';
import * as formats from '../../lib/formats';
import { floatTensor, integersAttribute, model, node, tensorAttribute, value } from '../support/onnx-file';

const onnx = model({
  nodes: [
    node('Constant', [], ['w'], tensorAttribute('value', floatTensor('', [2, 2], [1, 2, 3, 4]))),
    node('Conv', ['x', 'w'], ['y'], integersAttribute('pads', [1, 1])),
  ],
  initializers: [floatTensor('b', [2], [1, 2], 'packed'), floatTensor('c', [1], [1], 'single')],
  inputs: [value('x', ['n', 2])],
  outputs: [value('y', ['n', 2])],
});
const safetensors = formats.serializeSafetensors({
  tensors: new Map([
    ['a', { dtype: 'F32' as const, shape: [32, 32], data: new Float32Array(1024).fill(0.5) }],
    ['b', { dtype: 'F16' as const, shape: [3], data: Uint16Array.of(1, 2, 3) }],
    ['c', { dtype: 'U8' as const, shape: [], data: Uint8Array.of(1) }],
  ]),
  metadata: new Map([['format', 'pt']]),
});

interface Change {
  at: number;
  kind: 'set' | 'insert' | 'remove' | 'cut';
  byte: number;
}

function mutate(bytes: Uint8Array, changes: Change[]): Uint8Array {
  let result = [...bytes];
  for (const { at, kind, byte } of changes) {
    const position = Math.floor(at * result.length);
    if (kind === 'set') result[position] = byte;
    else if (kind === 'insert') result.splice(position, 0, byte);
    else if (kind === 'remove') result.splice(position, 1);
    else result = result.slice(0, position);
  }
  return Uint8Array.from(result);
}

const changes = fc.array(
  fc.record({
    // Anywhere alike: doubles and biased integers would nearly always hit the first bytes.
    at: fc.noBias(fc.nat(999_999)).map((part) => part / 1e6),
    kind: fc.constantFrom<Change['kind'][]>('set', 'set', 'set', 'insert', 'remove', 'cut'),
    byte: fc.integer({ min: 0, max: 255 }),
  }),
  { minLength: 1, maxLength: 4 },
);

/** Whether reading worked; anything but a value or a typed error fails the test. */
function reads(read: () => void, codes: string[]): boolean {
  try {
    read();
    return true;
  } catch (error) {
    if (!codes.includes((error as { code: string }).code)) throw error;
    return false;
  }
}

test('ONNX: a mutated model is read, and written unchanged, or refused', () => {
  let accepted = 0;
  let refused = 0;
  fc.assert(
    fc.property(changes, (list) => {
      const bytes = mutate(onnx, list);
      const read = reads(() => {
        const parsed = formats.parseOnnx(bytes);
        expect(Buffer.compare(parsed.serialize(), bytes)).toBe(0);
        for (const entry of parsed.nodes) entry.integers('pads');
        for (const constant of parsed.constants.values()) constant.float32();
        parsed.edit({ outputs: ['w'] });
      }, ['ERR_INVALID_FORMAT', 'ERR_NOT_EXPRESSIBLE']);
      if (read) accepted += 1;
      else refused += 1;
    }),
    { numRuns: 3000 },
  );
  expect(accepted).toBeGreaterThan(50);
  expect(refused).toBeGreaterThan(50);
});

test('safetensors: a mutated file is read or refused', () => {
  let accepted = 0;
  let refused = 0;
  fc.assert(
    fc.property(changes, (list) => {
      const read = reads(() => {
        const file = formats.parseSafetensors(mutate(safetensors, list));
        for (const name of file.names) {
          expect(file.bytes(name)).toHaveLength(file.info(name).byteLength);
          file.float32(name);
        }
      }, ['ERR_INVALID_FORMAT', 'ERR_NOT_EXPRESSIBLE']);
      if (read) accepted += 1;
      else refused += 1;
    }),
    { numRuns: 3000 },
  );
  expect(accepted).toBeGreaterThan(50);
  expect(refused).toBeGreaterThan(50);
});

test.each([
  ['CNF', 'c comment\np cnf 4 4\n1 -2 3 0\n-4 2 0\n0\n4 -1 0\n%\n'],
  ['WCNF', 'p wcnf 4 3 12\n12 1 -2 0\n3.5 3 0\n1 -4 -1 2 0\n'],
  ['WCNF without a header', 'h 1 -2 0\n3 3 0\n1e2 -4 -1 0\n'],
])('DIMACS %s: a mutated file is read or refused with a line', (_, text) => {
  let accepted = 0;
  let refused = 0;
  fc.assert(
    fc.property(changes, (list) => {
      const bytes = mutate(Buffer.from(text), list);
      const read = reads(() => {
        const cnf = formats.parseDimacs(bytes);
        expect(formats.parseDimacs(formats.serializeDimacs(cnf)).literals).toEqual(cnf.literals);
      }, ['ERR_INVALID_FORMAT']);
      if (read) accepted += 1;
      else refused += 1;
    }),
    { numRuns: 3000 },
  );
  expect(accepted).toBeGreaterThan(50);
  expect(refused).toBeGreaterThan(50);
});

test('safetensors: what is written is read', () => {
  const name = fc.string({ unit: 'binary', maxLength: 8 }).filter((text) => text !== '__metadata__');
  const tensors = fc.dictionary(name, fc.array(fc.float({ noNaN: true })), { noNullPrototype: true });
  fc.assert(
    fc.property(tensors, fc.dictionary(name, fc.string(), { noNullPrototype: true }), (values, metadata) => {
      const entries = Object.entries(values).map(
        ([key, list]) => [key, { dtype: 'F32' as const, shape: [list.length], data: Float32Array.from(list) }] as const,
      );
      const file = formats.parseSafetensors(
        formats.serializeSafetensors({ tensors: new Map(entries), metadata: new Map(Object.entries(metadata)) }),
      );
      expect([...file.names].sort()).toEqual(Object.keys(values).sort());
      for (const [key, { data }] of entries) expect(file.float32(key)).toEqual(data);
      expect(file.metadata).toEqual(new Map(Object.entries(metadata)));
    }),
  );
});
