// Packed weights: values bit for bit, products against the definition, at every level; life and bad input.
import fc from 'fast-check';
import { quantize } from '../../../lib';
import { native } from '../../../lib/runtime/native';
import { errorWith } from '../../support/errors';

const { pack } = quantize;
const { isa, isaLevels } = native.buildInfo();
afterAll(() => native.setIsa(isa));

const { fround } = Math;
function roundHalfEven(value: number): number {
  const down = Math.floor(value);
  const rest = value - down;
  if (rest !== 0.5) return Math.round(value);
  return down % 2 === 0 ? down : down + 1;
}

/** The formulas of coded-weights.ts, every operation rounded to float32. */
function valueAt({ codes, levels, columns, grid }: quantize.CodedWeights, i: number, j: number): number {
  const count = levels[j] as number;
  const code = codes[i * columns + j] as number;
  if (count === 1) return 0;
  const at = i * (grid.groups ?? 1) + (grid.groupOfColumn?.[j] ?? 0);
  if (grid.kind === 'range') {
    const scale = fround((grid.range[at] as number) / (count - 1));
    const zero = roundHalfEven(fround((grid.ratio[at] as number) * (count - 1)));
    return fround(scale * fround(code - zero));
  }
  if (grid.kind === 'scale') return fround((grid.scale[at] as number) * fround(code - (grid.zero[at] as number)));
  return [grid.low[at] as number, 0, grid.high[at] as number][code] as number;
}

const size = fc.double({ min: 0.01, max: 4, noNaN: true });

const layers: fc.Arbitrary<quantize.CodedWeights> = fc
  .record({
    rows: fc.integer({ min: 1, max: 40 }),
    kind: fc.constantFrom('range' as const, 'scale' as const, 'ternary' as const),
    groups: fc.integer({ min: 1, max: 3 }),
    counts: fc.array(fc.oneof(fc.integer({ min: 1, max: 17 }), fc.integer({ min: 1, max: 1024 })), {
      minLength: 1,
      maxLength: 80,
    }),
    seed: fc.infiniteStream(fc.nat(2 ** 30)),
    sizes: fc.infiniteStream(size),
  })
  .map(({ rows, kind, groups, counts, seed, sizes }) => {
    const next = (): number => seed.next().value as number;
    const columns = counts.length;
    const levels = Uint32Array.from(counts, (count) => (kind === 'ternary' ? 1 + (count % 3) : count));
    const codes = new (Math.max(...levels) > 256 ? Uint16Array : Uint8Array)(rows * columns).map(
      (_, e) => next() % (levels[e % columns] as number),
    );
    const some = (length: number, of: () => number): Float32Array => Float32Array.from({ length }, of);
    const positive = (): number => sizes.next().value as number;
    const groupOfColumn = Int32Array.from({ length: columns }, () => next() % groups);
    const per = rows * groups;
    const grid: quantize.QuantizationGrid =
      kind === 'range'
        ? groups === 1
          ? { kind, range: some(rows, positive), ratio: some(rows, () => (next() % 1001) / 1000) }
          : { kind, groups, groupOfColumn, range: some(per, positive), ratio: some(per, () => (next() % 1001) / 1000) }
        : kind === 'scale'
          ? { kind, groups, groupOfColumn, scale: some(per, positive), zero: some(per, () => (next() % 17) - 1) }
          : { kind, groups, groupOfColumn, low: some(per, () => -positive()), high: some(per, positive) };
    return { rows, columns, codes, levels, grid };
  });

describe.each(isaLevels)('at level %s', (level) => {
  beforeAll(() => native.setIsa(level));

  test('values are those of the formulas, products those of the values', () => {
    fc.assert(
      fc.property(layers, (layer) => {
        const { rows, columns, levels, grid } = layer;
        using packed = pack(layer);
        const values = packed.dequantize();
        const expected = Float32Array.from(values, (_, e) => valueAt(layer, Math.floor(e / columns), e % columns));
        values.forEach((value, e) => {
          if (value !== expected[e]) throw new Error(`value ${e}: ${value} instead of ${expected[e]}`);
        });
        const x = Float32Array.from({ length: 3 * columns }, (_, k) => Math.sin(k + 1));
        const y = packed.multiply(x, { tokens: 3 });
        const groups = grid.groups ?? 1;
        for (let token = 0; token < 3; token += 1) {
          const one = x.subarray(token * columns, (token + 1) * columns);
          expect(packed.multiply(one)).toEqual(y.subarray(token * rows, (token + 1) * rows));
          const total = one.reduce((sum, value) => sum + Math.abs(value), 0);
          for (let i = 0; i < rows; i += 1) {
            let product = 0;
            let reach = 0;
            for (let j = 0; j < columns; j += 1) {
              product += (values[i * columns + j] as number) * (one[j] as number);
              const at = i * groups + (grid.groupOfColumn?.[j] ?? 0);
              const most = (levels[j] as number) - 1;
              reach = Math.max(
                reach,
                grid.kind === 'range'
                  ? (grid.range[at] as number) * (1 + Math.abs(grid.ratio[at] as number))
                  : grid.kind === 'scale'
                    ? (grid.scale[at] as number) * (most + Math.abs(grid.zero[at] as number))
                    : (grid.high[at] as number) - (grid.low[at] as number),
              );
            }
            const bound = 4 * (columns / 32 + 9 * groups + 24) * 2 ** -24 * reach * total;
            expect(Math.abs((y[token * rows + i] as number) - product)).toBeLessThanOrEqual(bound);
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});

const good = (): quantize.CodedWeights => ({
  rows: 2,
  columns: 3,
  codes: Uint8Array.of(0, 1, 2, 1, 0, 4),
  levels: Uint32Array.of(2, 4, 5),
  grid: { kind: 'range', range: Float32Array.of(1, 2), ratio: Float32Array.of(0, 0.5) },
});

test('an example by hand', () => {
  const packed = pack(good());
  // Row 0: codes / (levels - 1); row 1: 2 / (levels - 1) * (code - round(0.5 * (levels - 1))).
  const values = Float32Array.of(0, 1 / 3, 0.5, 2, fround(2 / 3) * -2, 1);
  expect(packed.dequantize()).toEqual(values);
  const y = packed.multiply(Float32Array.of(1, 3, 2));
  expect(y[0]).toBeCloseTo(2, 5);
  expect(y[1]).toBeCloseTo(0, 5);
});

test('the arrays are copied', () => {
  const weights = good();
  const packed = pack(weights);
  const before = packed.dequantize();
  weights.codes.fill(0);
  expect(packed.dequantize()).toEqual(before);
});

test('size', () => {
  const rows = 64;
  const columns = 128;
  const packed = pack({
    rows,
    columns,
    codes: new Uint8Array(rows * columns),
    levels: new Uint32Array(columns).fill(8),
    grid: { kind: 'range', range: new Float32Array(rows).fill(1), ratio: new Float32Array(rows) },
  });
  expect(packed.byteLength).toBe((rows * columns * 3) / 8 + 8 * rows + 8 * columns);
  expect(packed.bitsPerWeight).toBe((8 * packed.byteLength) / (rows * columns));
});

test('disposed weights are refused', () => {
  const packed = pack(good());
  packed.dispose();
  packed.dispose();
  expect(packed.disposed).toBe(true);
  expect(() => packed.multiply(new Float32Array(3))).toThrow(errorWith('ERR_DISPOSED', 'weights'));
  expect(() => packed.dequantize()).toThrow(errorWith('ERR_DISPOSED', 'weights'));
});

describe('bad input', () => {
  const change = (members: object): quantize.CodedWeights => ({ ...good(), ...members });
  const grid = (members: object) => change({ grid: { ...good().grid, ...members } });
  const scales = (members: object) =>
    change({
      grid: {
        kind: 'scale',
        groups: 1,
        scale: Float32Array.of(1, 1),
        zero: Float32Array.of(0, 1),
        groupOfColumn: Int32Array.of(0, 0, 0),
        ...members,
      },
    });
  test.each([
    ['nothing', undefined, 'ERR_INVALID_ARG_TYPE', 'weights'],
    ['no codes', change({ codes: undefined }), 'ERR_INVALID_ARG_TYPE', 'weights.codes'],
    ['a code missing', change({ codes: new Uint8Array(5) }), 'ERR_SHAPE_MISMATCH', 'weights.codes'],
    ['a code too large', change({ codes: Uint8Array.of(0, 1, 2, 2, 0, 4) }), 'ERR_OUT_OF_RANGE', 'weights.codes'],
    ['no levels', change({ levels: Uint32Array.of(2, 0, 5) }), 'ERR_OUT_OF_RANGE', 'weights.levels'],
    ['wrong levels', change({ levels: [2, 4, 5] }), 'ERR_INVALID_ARG_TYPE', 'weights.levels'],
    ['an unknown grid', grid({ kind: 'log' }), 'ERR_INVALID_ARG_VALUE', 'weights.grid.kind'],
    ['an unknown member', grid({ low: 1 }), 'ERR_INVALID_ARG_VALUE', 'weights.grid.low'],
    ['no group of columns', grid({ groups: 1 }), 'ERR_INVALID_ARG_TYPE', 'weights.grid.groupOfColumn'],
    ['a range of NaN', grid({ range: Float32Array.of(1, NaN) }), 'ERR_NOT_FINITE', 'weights.grid.range[1]'],
    ['a negative range', grid({ range: Float32Array.of(1, -1) }), 'ERR_INVALID_ARG_VALUE', 'weights.grid.range'],
    ['a zero point too far', grid({ ratio: Float32Array.of(1e7, 0) }), 'ERR_OUT_OF_RANGE', 'weights.grid.ratio'],
    ['half a zero', scales({ zero: Float32Array.of(0.5, 0) }), 'ERR_INVALID_ARG_VALUE', 'weights.grid.zero'],
    ['no groups', scales({ groups: 0 }), 'ERR_OUT_OF_RANGE', 'weights.grid.groups'],
    [
      'no such group',
      scales({ groupOfColumn: Int32Array.of(0, 1, 0) }),
      'ERR_OUT_OF_RANGE',
      'weights.grid.groupOfColumn',
    ],
    ['scales missing', scales({ scale: Float32Array.of(1) }), 'ERR_SHAPE_MISMATCH', 'weights.grid.scale'],
  ])('%s', (_, weights, code, argument) => {
    expect(() => pack(weights as quantize.CodedWeights)).toThrow(errorWith(code, argument));
  });
  test('activations', () => {
    const packed = pack(good());
    expect(() => packed.multiply(new Float32Array(2))).toThrow(errorWith('ERR_SHAPE_MISMATCH', 'x'));
    expect(() => packed.multiply(new Float32Array(3), { tokens: 2 })).toThrow(errorWith('ERR_SHAPE_MISMATCH', 'x'));
    expect(() => packed.multiply(new Float64Array(3) as never)).toThrow(errorWith('ERR_INVALID_ARG_TYPE', 'x'));
    expect(() => packed.multiply(Float32Array.of(0, NaN, 0))).toThrow(errorWith('ERR_NOT_FINITE', 'x[1]'));
    expect(() => packed.multiply(new Float32Array(3), { tokens: -1 })).toThrow(
      errorWith('ERR_OUT_OF_RANGE', 'options.tokens'),
    );
  });
});
