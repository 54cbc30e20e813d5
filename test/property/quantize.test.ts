// Invariants of quantisation on random layers, and the orderings between methods on generated ones.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { formats, quantize } from '../../lib';
import { generateLayer, type Preset, quadratic, relativeError } from '../support/layers';
import { uniforms } from '../support/philox-random';

interface RandomLayer {
  weights: Float32Array;
  activations: Float32Array;
  rows: number;
  columns: number;
}

const layers = fc
  .record({
    rows: fc.integer({ min: 1, max: 12 }),
    columns: fc.integer({ min: 1, max: 24 }),
    tokens: fc.integer({ min: 1, max: 60 }),
    seed: fc.integer({ min: 0, max: 1e6 }),
  })
  .map(({ rows, columns, tokens, seed }): RandomLayer => {
    const random = uniforms(seed);
    const gains = Array.from({ length: columns }, () => 8 ** (2 * random() - 1));
    return {
      rows,
      columns,
      weights: Float32Array.from({ length: rows * columns }, () => (random() - 0.5) ** 3),
      activations: Float32Array.from(
        { length: tokens * columns },
        (_, at) => (gains[at % columns] as number) * (random() - 0.5),
      ),
    };
  });

const methods: quantize.QuantizeSyncOptions[] = [
  { method: 'rtn', averageBits: 3 },
  { method: 'gptq', averageBits: 2 },
  { method: 'gptq', averageBits: 3, actOrder: true, coordinateDescent: 2, refitScales: true },
  { method: 'gptq', averageBits: 4, groupSize: 5, allowTail: true, symmetric: true },
  { method: 'gptq', averageBits: 4, groupSize: 7, allowTail: true, staticGroups: true, search: 'hessian' },
  { method: 'gptq', averageBits: 3, perTensor: true, search: 'mse' },
  { method: 'gptq', ternary: true },
  { mode: 'official', averageBits: 3 },
  { mode: 'int', averageBits: 2.5, actOrder: true },
  { mode: 'table', averageBits: 2 },
  { mode: 'levels', averageBits: 1.7, maxBits: 5 },
  { mode: 'table', averageBits: 2.3, groupSize: 6, allowTail: true },
  { mode: 'int', averageBits: 3, groupSize: 7, allowTail: true, actOrder: true },
  { mode: 'levels', averageBits: 3, groupSize: 5, allowTail: true, actOrder: true, staticGroups: true },
  { mode: 'table', averageBits: 3, groupSize: 8, allowTail: true, staticGroups: true, search: 'hessian' },
];

function dampedMatrix(layer: RandomLayer, damping: number): Float64Array {
  const { columns } = layer;
  const { matrix } = quantize.createHessian(columns).add(layer.activations);
  let trace = 0;
  for (let j = 0; j < columns; j += 1) {
    if (matrix[j * columns + j] === 0) matrix[j * columns + j] = 1;
    trace += matrix[j * columns + j] as number;
  }
  return matrix.map((value, at) => (at % (columns + 1) === 0 ? value + (damping * trace) / columns : value));
}

const difference = (layer: RandomLayer, values: Float32Array): Float64Array =>
  Float64Array.from(layer.weights, (weight, at) => weight - (values[at] as number));

test.each(methods.map((options) => [JSON.stringify(options), options] as const))(
  'the loss is 1/2 tr((W - Q) Hd (W - Q)^T): %s',
  (_, options) => {
    fc.assert(
      fc.property(layers, (layer) => {
        const found = quantize.quantizeLayerSync(layer, options);
        const expected =
          quadratic(difference(layer, found.dequantize()), dampedMatrix(layer, found.damping), layer.columns) / 2;
        expect(Math.abs(found.loss - expected)).toBeLessThanOrEqual(1e-3 * expected + 1e-9);
      }),
      { numRuns: 25, seed: 5 },
    );
  },
);

test('without correlations GPTQ is rounding to the nearest', () => {
  fc.assert(
    fc.property(layers, (layer) => {
      const { columns } = layer;
      // Every token sees one input only.
      const activations = new Float32Array(columns * columns);
      for (let j = 0; j < columns; j += 1) activations[j * columns + j] = 1 + j;
      const rtn = quantize.quantizeLayerSync({ ...layer, activations }, { method: 'rtn', averageBits: 3 });
      const gptq = quantize.quantizeLayerSync({ ...layer, activations }, { method: 'gptq', averageBits: 3 });
      expect(gptq.codes).toEqual(rtn.codes);
      expect(gptq.grid).toEqual(rtn.grid);
    }),
    { numRuns: 25, seed: 6 },
  );
});

test('X -> X D, W -> W D^-1 changes nothing but the grid', () => {
  fc.assert(
    fc.property(
      layers,
      fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 24, maxLength: 24 }),
      (layer, exponents) => {
        const { columns, rows } = layer;
        const random = uniforms(columns);
        const activations = Float32Array.from({ length: 3 * columns * columns }, () => random() - 0.5);
        const gain = (at: number): number => 2 ** (exponents[at % columns] as number);
        const options = { method: 'gptq', averageBits: 2, groupSize: 1, staticGroups: true, damping: 0 } as const;
        const one = quantize.quantizeLayerSync({ rows, columns, weights: layer.weights, activations }, options);
        const other = quantize.quantizeLayerSync(
          {
            rows,
            columns,
            weights: layer.weights.map((weight, at) => weight / gain(at)),
            activations: activations.map((x, at) => x * gain(at)),
          },
          options,
        );
        expect(other.codes).toEqual(one.codes);
        expect(other.loss).toBeCloseTo(one.loss, 10);
      },
    ),
    { numRuns: 25, seed: 7 },
  );
});

test('budgets hold, dead columns cost nothing and stay zero', () => {
  fc.assert(
    fc.property(
      layers,
      fc.constantFrom('int' as const, 'table' as const, 'levels' as const),
      fc.double({ min: 0.3, max: 6, noNaN: true }),
      (layer, mode, averageBits) => {
        const { columns } = layer;
        const dead = columns - 1;
        const activations = layer.activations.map((x, at) => (at % columns === dead ? 0 : x));
        const found = quantize.quantizeLayerSync({ ...layer, activations }, { mode, averageBits });
        // Costs of mode 'levels' are rounded to 1/1024 bit.
        expect(found.averageBits).toBeLessThanOrEqual(averageBits + (mode === 'levels' ? 1 / 2048 : 1e-9));
        expect([...found.deadColumns]).toContain(dead);
        expect(
          found
            .dequantize()
            .filter((_, at) => at % columns === dead)
            .every((value) => value === 0),
        ).toBe(true);
        expect(found.bitsPerWeight).toBeGreaterThan(found.averageBits);
      },
    ),
    { numRuns: 60, seed: 8 },
  );
});

test('stored budgets hold for what is really stored, groups included', () => {
  fc.assert(
    fc.property(
      layers,
      fc.constantFrom('int' as const, 'table' as const, 'levels' as const),
      fc.record({
        groupSize: fc.integer({ min: 1, max: 24 }),
        actOrder: fc.boolean(),
        staticGroups: fc.boolean(),
        spare: fc.double({ min: 0.1, max: 4, noNaN: true }),
      }),
      (layer, mode, { spare, ...groups }) => {
        const { rows, columns } = layer;
        const count = Math.ceil(columns / groups.groupSize);
        const runs = count === 1 || !groups.actOrder || groups.staticGroups;
        const side =
          (count === 1 ? 64 : 24 * count) / columns +
          ((mode === 'levels' ? 5 : 4) + (runs ? 0 : Math.ceil(Math.log2(count)))) / rows;
        fc.pre(side + spare <= 8);
        const averageBits = side + spare;
        const options = { mode, averageBits, budget: 'stored', allowTail: true, ...groups } as const;
        const found = quantize.quantizeLayerSync(layer, options);
        expect(found.bitsPerWeight).toBeLessThanOrEqual(averageBits + 1e-9);
        // A budget for codes alone that leaves as much to them spends no less on them, but for words of mixed radix.
        const codes = quantize.quantizeLayerSync(layer, { mode, averageBits: spare, allowTail: true, ...groups });
        if (mode !== 'levels') expect(found.averageBits).toBeCloseTo(codes.averageBits, 9);
      },
    ),
    { numRuns: 100, seed: 10 },
  );
});

test('ranges of groups: what is written is read, multiplied with and dequantised bit for bit', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'groups-'));
  const file = path.join(folder, 'layer.safetensors');
  try {
    fc.assert(
      fc.property(
        layers,
        fc.constantFrom(...methods.filter(({ mode, groupSize }) => mode !== undefined && groupSize !== undefined)),
        (layer, options) => {
          const found = quantize.quantizeLayerSync(layer, options);
          const { rows, columns, codes, levels, grid } = found;
          quantize.writeQuantized(file, { layers: new Map([['a', { weights: found }]]) });
          const read = formats.openSafetensors(file);
          const { weights } = quantize.readQuantized(read, 'a');
          expect(weights).toEqual({ rows, columns, codes, levels, grid });
          if ((grid.groups ?? 1) > 1) {
            expect([read.info('a.range').dtype, read.info('a.ratio').dtype]).toEqual(['BF16', 'U8']);
          }
          read.close();
          using packed = quantize.pack(weights);
          expect(packed.dequantize()).toEqual(found.dequantize());
          expect(packed.multiply(layer.activations.subarray(0, columns))).toEqual(
            found.multiply(layer.activations.subarray(0, columns)),
          );
        },
      ),
      { numRuns: 60, seed: 11 },
    );
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

test('a group as wide as the layer is no group', () => {
  fc.assert(
    fc.property(layers, fc.constantFrom('int' as const, 'table' as const, 'levels' as const), (layer, mode) => {
      const plain = quantize.quantizeLayerSync(layer, { mode, averageBits: 2.5 });
      for (const groupSize of [layer.columns, 100]) {
        const found = quantize.quantizeLayerSync(layer, { mode, averageBits: 2.5, groupSize, allowTail: true });
        expect([found.codes, found.grid, found.loss]).toEqual([plain.codes, plain.grid, plain.loss]);
      }
    }),
    { numRuns: 20, seed: 12 },
  );
});

test('refinement never loses', () => {
  fc.assert(
    fc.property(layers, fc.constantFrom(...methods.filter(({ mode }) => mode !== 'official')), (layer, options) => {
      const loss = (coordinateDescent: number, refitScales: boolean): number =>
        quantize.quantizeLayerSync(layer, { ...options, coordinateDescent, refitScales }).loss;
      const raw = loss(0, false);
      const descended = loss(3, false);
      expect(descended).toBeLessThanOrEqual(raw * (1 + 1e-4) + 1e-12);
      expect(loss(3, true)).toBeLessThanOrEqual(descended * (1 + 1e-6) + 1e-12);
    }),
    { numRuns: 60, seed: 9 },
  );
});

test.each(methods.map((options) => [JSON.stringify(options), options] as const))(
  'same bytes for any number of threads: %s',
  (_, options) => {
    const layer = generateLayer('mild', 4, { M: 70, N: 260, T: 300, r: 8 });
    const run = (threads: number): quantize.QuantizedLayer =>
      quantize.quantizeLayerSync(
        { weights: layer.weights, rows: 70, columns: 260, activations: layer.activations },
        { ...options, threads },
      );
    const one = run(1);
    for (const threads of [2, 5]) {
      const other = run(threads);
      expect(Buffer.from(other.codes.buffer).equals(Buffer.from(one.codes.buffer))).toBe(true);
      expect([other.loss, other.levels, other.grid]).toEqual([one.loss, one.levels, one.grid]);
    }
  },
);

describe.each(['hard', 'mild'] as const)('orderings on %s layers', (preset: Preset) => {
  const better: boolean[] = [];
  test.each([11, 12, 13, 14, 15])('seed %i', (seed) => {
    const layer = generateLayer(preset, seed, { M: 48, N: 96, T: 384, r: 24 });
    const { weights, rows, columns, hessian } = layer;
    const run = (averageBits: number, options: quantize.QuantizeSyncOptions): number =>
      relativeError(
        layer,
        quantize.quantizeLayerSync({ weights, rows, columns, hessian }, { averageBits, ...options }).dequantize(),
      );
    for (const bits of [2, 3, 4]) {
      const rtn = run(bits, { method: 'rtn' });
      const gptq = run(bits, { method: 'gptq' });
      const int = run(bits, { mode: 'int', coordinateDescent: 0, refitScales: false });
      const table = run(bits, { mode: 'table' });
      const official = run(bits, { mode: 'official' });
      expect(rtn).toBeGreaterThan(gptq);
      expect(gptq).toBeGreaterThan(int);
      expect(int).toBeGreaterThan(table);
      if (bits === 2) expect(table).toBeLessThan(0.9 * official);
      better.push(run(bits, { mode: 'levels' }) < official);
    }
  });
  test('levels beat the published code nearly always', () => {
    expect(better).toHaveLength(15);
    expect(better.filter(Boolean).length).toBeGreaterThanOrEqual(14);
  });
});

test.each([7, 8])('columns that matter most get more than 256 levels where they may: seed %i', (seed) => {
  const layer = generateLayer('hard', seed, { M: 64, N: 128, T: 512, r: 32 });
  const { weights, rows, columns, hessian } = layer;
  const run = (options: quantize.QuantizeSyncOptions): quantize.QuantizedLayer =>
    quantize.quantizeLayerSync({ weights, rows, columns, hessian }, { averageBits: 5, ...options });
  const [official, narrow, wide] = [
    run({ mode: 'official' }),
    run({ mode: 'levels' }),
    run({ mode: 'levels', maxBits: 10 }),
  ];
  expect([narrow, wide].map(({ codes }) => codes.BYTES_PER_ELEMENT)).toEqual([1, 2]);
  expect(wide.averageBits).toBeLessThanOrEqual(5.001);
  const errorOf = (found: quantize.QuantizedLayer): number => relativeError(layer, found.dequantize());
  expect(errorOf(wide)).toBeLessThan(0.9 * errorOf(narrow));
  expect(errorOf(wide)).toBeLessThan(0.9 * errorOf(official));
});
