// What createHessian and quantizeLayer refuse, how runs end early, and what a result says of itself.
import { quantize } from '../../../lib';
import { errorWith } from '../../support/errors';
import { uniforms } from '../../support/philox-random';

const rows = 3;
const columns = 4;
const random = uniforms(1);
const weights = Float32Array.from({ length: rows * columns }, () => random() - 0.5);
const activations = Float32Array.from({ length: 10 * columns }, () => random() - 0.5);
const valid = { weights, rows, columns, activations };

const nan = (length: number, at: number): Float32Array => Float32Array.from({ length }, (_, i) => (i === at ? NaN : 1));

describe('layers that are refused', () => {
  const disposed = quantize.createHessian(columns).add(activations);
  disposed.dispose();
  test.each<[string, object, string, string]>([
    ['too few weights', { weights: new Float32Array(5) }, 'ERR_SHAPE_MISMATCH', 'layer.weights'],
    ['weights of the wrong type', { weights: new Float64Array(12) }, 'ERR_INVALID_ARG_TYPE', 'layer.weights'],
    ['a weight that is not finite', { weights: nan(12, 7) }, 'ERR_NOT_FINITE', 'layer.weights[7]'],
    ['no rows', { rows: 0 }, 'ERR_OUT_OF_RANGE', 'layer.rows'],
    ['no columns', { columns: 0 }, 'ERR_OUT_OF_RANGE', 'layer.columns'],
    ['half a token', { activations: new Float32Array(6) }, 'ERR_SHAPE_MISMATCH', 'layer.activations'],
    ['no tokens', { activations: new Float32Array(0) }, 'ERR_SHAPE_MISMATCH', 'layer.activations'],
    ['an activation that is not finite', { activations: nan(8, 3) }, 'ERR_NOT_FINITE', 'layer.activations[3]'],
    ['no sequences', { sequences: 0 }, 'ERR_OUT_OF_RANGE', 'layer.sequences'],
    ['something else as Hessian', { activations: undefined, hessian: {} }, 'ERR_INVALID_ARG_TYPE', 'layer.hessian'],
    [
      'both',
      { hessian: quantize.createHessian(columns).add(activations) },
      'ERR_INVALID_ARG_VALUE',
      'layer.activations',
    ],
    [
      'a Hessian of another width',
      { activations: undefined, hessian: quantize.createHessian(5) },
      'ERR_SHAPE_MISMATCH',
      'layer.hessian',
    ],
    [
      'an empty Hessian',
      { activations: undefined, hessian: quantize.createHessian(4) },
      'ERR_INVALID_ARG_VALUE',
      'layer.hessian',
    ],
    ['a disposed Hessian', { activations: undefined, hessian: disposed }, 'ERR_DISPOSED', 'hessian'],
    ['nothing known of the inputs', { activations: undefined }, 'ERR_INVALID_ARG_VALUE', 'layer.hessian'],
    ['a misspelt member', { weight: weights }, 'ERR_INVALID_ARG_VALUE', 'layer.weight'],
  ])('%s', async (_, change, code, argument) => {
    expect(() => quantize.quantizeLayerSync({ ...valid, ...change })).toThrow(errorWith(code, argument));
    await expect(quantize.quantizeLayer({ ...valid, ...change })).rejects.toEqual(errorWith(code, argument));
  });

  test('a detached buffer', () => {
    const gone = Float32Array.from(weights);
    structuredClone(gone, { transfer: [gone.buffer] });
    expect(() => quantize.quantizeLayerSync({ ...valid, weights: gone })).toThrow(
      errorWith('ERR_SHAPE_MISMATCH', 'layer.weights'),
    );
  });
});

describe('options that are refused', () => {
  const gptq = { method: 'gptq' };
  test.each<[string, object, string, string]>([
    ['no bits', { averageBits: 0 }, 'ERR_OUT_OF_RANGE', 'options.averageBits'],
    ['nine bits', { averageBits: 9 }, 'ERR_OUT_OF_RANGE', 'options.averageBits'],
    ['half bits without BAQ', { ...gptq, averageBits: 2.5 }, 'ERR_OUT_OF_RANGE', 'options.averageBits'],
    ['more bits than a column may have', { averageBits: 5, maxBits: 4 }, 'ERR_OUT_OF_RANGE', 'options.averageBits'],
    ['nine bits of a column in whole bits', { maxBits: 9 }, 'ERR_OUT_OF_RANGE', 'options.maxBits'],
    ['eleven bits of a column', { mode: 'levels', maxBits: 11 }, 'ERR_OUT_OF_RANGE', 'options.maxBits'],
    ['an unknown method', { method: 'awq' }, 'ERR_INVALID_ARG_VALUE', 'options.method'],
    ['an unknown mode', { mode: 'best' }, 'ERR_INVALID_ARG_VALUE', 'options.mode'],
    ['too few levels', { ...gptq, levels: [2, 2] }, 'ERR_SHAPE_MISMATCH', 'options.levels'],
    ['a column of no levels', { ...gptq, levels: [2, 0, 2, 2] }, 'ERR_OUT_OF_RANGE', 'options.levels[1]'],
    ['levels with BAQ', { levels: [2, 2, 2, 2] }, 'ERR_INVALID_ARG_VALUE', 'options.levels'],
    ['groups that do not fit', { ...gptq, groupSize: 3 }, 'ERR_OUT_OF_RANGE', 'options.groupSize'],
    ['groups wider than the layer', { groupSize: 5 }, 'ERR_OUT_OF_RANGE', 'options.groupSize'],
    ['groups of the published code', { mode: 'official', groupSize: 2 }, 'ERR_INVALID_ARG_VALUE', 'options.mode'],
    ['an unknown budget', { budget: 'bytes' }, 'ERR_INVALID_ARG_VALUE', 'options.budget'],
    ['stored bits without BAQ', { ...gptq, budget: 'stored' }, 'ERR_INVALID_ARG_VALUE', 'options.budget'],
    [
      'stored bits of the published code',
      { mode: 'official', budget: 'stored' },
      'ERR_INVALID_ARG_VALUE',
      'options.budget',
    ],
    // Ranges of 3 rows take 48 bits a column, levels of columns 4 / 3.
    ['stored bits below what ranges take', { budget: 'stored' }, 'ERR_OUT_OF_RANGE', 'options.averageBits'],
    ['one grid for all with BAQ', { perTensor: true }, 'ERR_INVALID_ARG_VALUE', 'options.method'],
    ['symmetry of the published code', { mode: 'official', symmetric: true }, 'ERR_INVALID_ARG_VALUE', 'options.mode'],
    ['search of the published code', { mode: 'official', search: 'mse' }, 'ERR_INVALID_ARG_VALUE', 'options.mode'],
    [
      'groups and one grid for all',
      { ...gptq, groupSize: 2, perTensor: true },
      'ERR_INVALID_ARG_VALUE',
      'options.perTensor',
    ],
    [
      'dynamic groups of three values',
      { ...gptq, groupSize: 2, ternary: true },
      'ERR_INVALID_ARG_VALUE',
      'options.staticGroups',
    ],
    [
      'symmetric grids of three values',
      { ...gptq, symmetric: true, ternary: true },
      'ERR_INVALID_ARG_VALUE',
      'options.ternary',
    ],
    ['an unknown symmetry', { ...gptq, symmetric: 'yes' }, 'ERR_INVALID_ARG_TYPE', 'options.symmetric'],
    ['negative damping', { damping: -0.1 }, 'ERR_OUT_OF_RANGE', 'options.damping'],
    ['refining the published code', { mode: 'official', refitScales: true }, 'ERR_INVALID_ARG_VALUE', 'options.mode'],
    [
      'refining wide codes',
      { ...gptq, levels: [1025, 2, 2, 2], refitScales: true },
      'ERR_INVALID_ARG_VALUE',
      'options.levels',
    ],
    ['another back end', { backend: 'cuda' }, 'ERR_BACKEND_UNAVAILABLE', 'options.backend'],
    ['a misspelt option', { groupsize: 2 }, 'ERR_INVALID_ARG_VALUE', 'options.groupsize'],
  ])('%s', async (_, options, code, argument) => {
    expect(() => quantize.quantizeLayerSync(valid, options)).toThrow(errorWith(code, argument));
    await expect(quantize.quantizeLayer(valid, options)).rejects.toEqual(errorWith(code, argument));
  });
});

describe('a Hessian', () => {
  test.each<[string, () => unknown, string, string]>([
    ['no columns', () => quantize.createHessian(0), 'ERR_OUT_OF_RANGE', 'columns'],
    ['half a token', () => quantize.createHessian(4).add([1, 2]), 'ERR_SHAPE_MISMATCH', 'activations'],
    ['infinity', () => quantize.createHessian(2).add([1, Infinity]), 'ERR_NOT_FINITE', 'activations[1]'],
    [
      'no sequences',
      () => quantize.createHessian(2).add([1, 1], { sequences: 0 }),
      'ERR_OUT_OF_RANGE',
      'options.sequences',
    ],
    ['nothing added', () => quantize.createHessian(2).matrix, 'ERR_INVALID_ARG_VALUE', 'hessian'],
  ])('refuses %s', (_, call, code, argument) => {
    expect(call).toThrow(errorWith(code, argument));
  });

  test('keeps its factor for the next run, and not for other options or after another batch', () => {
    const other = Float32Array.from({ length: 9 * columns }, () => random() - 0.5);
    const shared = quantize.createHessian(columns);
    const fresh = (): quantize.Hessian => quantize.createHessian(columns);
    const run = (hessian: quantize.Hessian, options: quantize.QuantizeSyncOptions): Float32Array =>
      quantize.quantizeLayerSync({ weights, rows, columns, hessian }, { averageBits: 2, ...options }).dequantize();
    const batches: Float32Array[] = [];
    for (const batch of [activations, other]) {
      shared.add(batch);
      batches.push(batch);
      for (const options of [{}, { damping: 0.5 }, { actOrder: true }, {}, { averageBits: 3 }]) {
        const again = batches.reduce((hessian, values) => hessian.add(values), fresh());
        expect(run(shared, options)).toEqual(run(again, options));
      }
    }
  });

  test('batches added asynchronously count as those added at once, in the order of the calls', async () => {
    const batches = Array.from({ length: 5 }, (_, b) =>
      Float32Array.from({ length: 37 * columns }, (__, e) => Math.sin(e * (b + 1))),
    );
    const expected = quantize.createHessian(columns);
    for (const values of batches) expected.add(values, { sequences: 2 });
    const hessian = quantize.createHessian(columns);
    const promises = batches.map((values) => hessian.addAsync(values, { sequences: 2, threads: 2 }));
    const refused = hessian.addAsync(new Float32Array(columns).fill(NaN));
    batches[4]?.fill(0); // copied at the call
    await expect(refused).rejects.toEqual(errorWith('ERR_NOT_FINITE', 'activations[0]'));
    expect(await Promise.all(promises)).toEqual(promises.map(() => hessian));
    expect([hessian.sequences, hessian.tokens]).toEqual([10, 185]);
    expect(hessian.matrix).toEqual(expected.matrix);
    await expect(hessian.addAsync([1])).rejects.toEqual(errorWith('ERR_SHAPE_MISMATCH', 'activations'));
    const late = [hessian.addAsync(batches[0] as Float32Array), hessian.addAsync(batches[1] as Float32Array)];
    hessian.dispose();
    for (const promise of late) await expect(promise).rejects.toEqual(errorWith('ERR_DISPOSED', 'hessian'));
    await expect(hessian.addAsync(batches[0] as Float32Array)).rejects.toEqual(errorWith('ERR_DISPOSED', 'hessian'));
  });

  test('counts, and lets go of its memory once', () => {
    const hessian = quantize.createHessian(2).add([1, 2, 3, 4], { sequences: 2 }).add([1, 0]);
    expect([hessian.sequences, hessian.tokens, hessian.columns]).toEqual([3, 3, 2]);
    const expected = [11, 14, 14, 20].map((sum) => (2 * sum) / 3);
    hessian.matrix.forEach((value, at) => expect(value).toBeCloseTo(expected[at] as number, 12));
    hessian.dispose();
    hessian.dispose();
    expect(hessian.disposed).toBe(true);
    expect(() => hessian.matrix).toThrow(errorWith('ERR_DISPOSED', 'hessian'));
    expect(() => hessian.add([1, 2])).toThrow(errorWith('ERR_DISPOSED', 'hessian'));
  });
});

describe('a result', () => {
  test('knows what it costs', () => {
    const cost = (options: quantize.QuantizeSyncOptions): [number, number] => {
      const found = quantize.quantizeLayerSync(valid, options);
      return [found.averageBits, found.bitsPerWeight];
    };
    // Scale (32 bits) and zero (as wide as a code) of each row, or one for all, or for each group.
    expect(cost({ method: 'gptq', averageBits: 3 })).toEqual([3, 3 + 35 / columns]);
    expect(cost({ method: 'gptq', averageBits: 3, symmetric: true })).toEqual([3, 3 + 32 / columns]);
    expect(cost({ method: 'rtn', averageBits: 4, perTensor: true })[1]).toBe(4 + 32 / (rows * columns));
    expect(cost({ method: 'gptq', averageBits: 3, groupSize: 2 })[1]).toBe(3 + 70 / columns);
    // Three values: 40 codes in a word of 64 bits, two numbers a row.
    expect(cost({ method: 'gptq', ternary: true })).toEqual([Math.log2(3), 1.6 + 64 / columns]);
    const levels = [4, 2, 16, 1];
    expect(cost({ method: 'gptq', levels })).toEqual([7 / 4, 7 / 4 + 64 / columns + 2 / rows]);
    expect(cost({ method: 'gptq', levels: [4, 5, 16, 1] })[1]).toBe((6 + 64 / 27) / 4 + 64 / columns + 2 / rows);
    expect(cost({ method: 'gptq', levels: [1001, 5, 16, 1] })[1]).toBeCloseTo(
      (14 + 64 / 27) / 4 + 64 / columns + 2 / rows,
      12,
    );
  });

  test('BAQ on symmetric grids has a zero in the middle of every range', () => {
    const found = quantize.quantizeLayerSync(valid, { averageBits: 2, symmetric: true });
    expect(found.grid).toMatchObject({ kind: 'range', ratio: new Float32Array(rows).fill(0.5) });
  });

  test('reports phases, damping and the Hessian that was given', async () => {
    const hessian = quantize.createHessian(columns).add(activations);
    const running = quantize.quantizeLayer({ weights, rows, columns, hessian }, { averageBits: 2, damping: 0.1 });
    hessian.dispose();
    const found = await running;
    expect(found.status).toBe('complete');
    expect(found.damping).toBe(0.1);
    expect(Object.keys(found.seconds)).toEqual(['hessian', 'factor', 'grid', 'quantize', 'allocate', 'refine']);
    expect(Object.values(found.seconds).every((seconds) => seconds >= 0)).toBe(true);
    expect(found.codes).toEqual(quantize.quantizeLayerSync(valid, { averageBits: 2, damping: 0.1 }).codes);
    expect(found.sensitivities).toHaveLength(columns);
  });

  test('needs nothing of the inputs for rounding to the nearest', () => {
    const found = quantize.quantizeLayerSync({ weights, rows, columns }, { method: 'rtn', averageBits: 8 });
    const values = found.dequantize();
    const loss = weights.reduce((sum, weight, at) => sum + (weight - (values[at] as number)) ** 2 / 2, 0);
    expect(found.loss).toBeCloseTo(loss, 12);
    expect(found.deadColumns).toHaveLength(0);
  });
});

describe('a run that is stopped', () => {
  const size = 1500; // seconds of work, so that an abort at the first report comes in time
  const big = {
    weights: Float32Array.from({ length: size * size }, () => random() - 0.5),
    rows: size,
    columns: size,
    activations: Float32Array.from({ length: 2 * size * size }, () => random() - 0.5),
  };

  test('reports progress and rejects with the reason of its signal', async () => {
    const controller = new AbortController();
    const phases: string[] = [];
    const running = quantize.quantizeLayer(big, {
      rounds: 100,
      coordinateDescent: 1000,
      signal: controller.signal,
      onProgress: ({ phase, fraction }) => {
        phases.push(phase);
        expect(fraction).toBeGreaterThanOrEqual(0);
        expect(fraction).toBeLessThanOrEqual(1);
        controller.abort(new Error('enough'));
      },
    });
    await expect(running).rejects.toThrow('enough');
    expect(phases.length).toBeGreaterThan(0);
  });

  test('gives its best state when asked to, within the budget', async () => {
    const controller = new AbortController();
    const found = await quantize.quantizeLayer(big, {
      averageBits: 2,
      rounds: 100,
      coordinateDescent: 1000,
      signal: controller.signal,
      onAbort: 'return',
      onProgress: () => controller.abort(),
    });
    expect(found.status).toBe('cancelled');
    expect(found.averageBits).toBeLessThanOrEqual(2);
    expect(Number.isFinite(found.loss)).toBe(true);
  });

  test('keeps a time limit: rounding to the nearest where no pass was complete', () => {
    const found = quantize.quantizeLayerSync(big, { method: 'gptq', timeLimitMs: 1e-3 });
    expect(found.status).toBe('time');
    const rtn = quantize.quantizeLayerSync(big, { method: 'rtn' });
    expect(found.codes).toEqual(rtn.codes);
    expect(found.loss / rtn.loss).toBeCloseTo(1, 12);
  });

  test('watches a flag on shared memory', () => {
    const cancelFlag = new Int32Array(new SharedArrayBuffer(4)).fill(1);
    expect(quantize.quantizeLayerSync(valid, { cancelFlag }).status).toBe('cancelled');
  });
});

test('a layer multiplies by its packed codes and gives its tensors', () => {
  const next = uniforms(17);
  const weights = Float32Array.from({ length: 20 * 24 }, () => next() - 0.5);
  const activations = Float32Array.from({ length: 60 * 24 }, () => next() - 0.5);
  const layer = quantize.quantizeLayerSync({ weights, rows: 20, columns: 24, activations }, { averageBits: 3 });
  const x = Float32Array.from({ length: 48 }, () => next() - 0.5);
  const values = layer.dequantize();
  const y = layer.multiply(x, { tokens: 2 });
  expect(y).toHaveLength(40);
  y.forEach((value, at) => {
    const [token, row] = [Math.floor(at / 20), at % 20];
    let sum = 0;
    for (let j = 0; j < 24; j += 1) sum += (values[row * 24 + j] as number) * (x[token * 24 + j] as number);
    expect(Math.abs(value - sum)).toBeLessThan(1e-4);
  });
  expect([...layer.toTensors().keys()]).toEqual(['codes', 'levels', 'range', 'ratio']);
});
