// Weight rounding: what it promises about its result, and what it refuses.
import { denseMatrix, dmmv } from '../../../lib';
import { errorWith } from '../../support/errors';
import { SplitMix } from '../../support/weight-rows';

const tokens = 40;
const rows = 5;
const columns = 12;

function layer(seed: number): { weights: Float64Array; rows: number; columns: number; activations: Float64Array } {
  const random = new SplitMix(seed);
  return {
    activations: Float64Array.from({ length: tokens * columns }, () => random.normal()),
    weights: Float64Array.from({ length: rows * columns }, () => 0.1 * random.normal()),
    rows,
    columns,
  };
}

/** Largest and Euclidean output error of a row, by the formula. */
function errorsOf(
  given: ReturnType<typeof layer>,
  values: Float64Array,
  row: number,
): { largest: number; norm: number } {
  let largest = 0;
  let square = 0;
  for (let t = 0; t < tokens; t += 1) {
    let error = 0;
    for (let j = 0; j < columns; j += 1) {
      const at = row * columns + j;
      error +=
        (given.activations[t * columns + j] as number) * ((values[at] as number) - (given.weights[at] as number));
    }
    largest = Math.max(largest, Math.abs(error));
    square += error * error;
  }
  return { largest, norm: Math.sqrt(square) };
}

test('errors are those of the values, and no row is worse than GPTQ or nearest levels', async () => {
  const given = layer(1);
  const rounded = await dmmv.roundWeights({ ...given, bits: 3 }, { sweeps: 20 });
  for (let row = 0; row < rows; row += 1) {
    const { largest, norm } = errorsOf(given, rounded.values, row);
    expect(rounded.errors[row]).toBeCloseTo(largest, 12);
    expect(rounded.norms[row]).toBeCloseTo(norm, 12);
    expect(rounded.errors[row]).toBeLessThanOrEqual(rounded.gptqErrors[row] as number);
    expect(rounded.errors[row]).toBeLessThanOrEqual(rounded.nearestErrors[row] as number);
  }
  expect(rounded.status).toBe('done');
  expect(rounded.codes.every((code) => code >= 0 && code < 8)).toBe(true);
});

test('a row of six weights of two bits ends at its optimum', async () => {
  const random = new SplitMix(5);
  const weights = Float64Array.from({ length: 6 }, () => random.normal());
  const activations = Float64Array.from({ length: 6 * 30 }, () => random.normal());
  const low = Math.min(...weights);
  const step = (Math.max(...weights) - low) / 3;
  let optimum = Infinity;
  for (let word = 0; word < 4 ** 6; word += 1) {
    let largest = 0;
    for (let t = 0; t < 30; t += 1) {
      let error = 0;
      for (let j = 0; j < 6; j += 1) {
        error += (activations[t * 6 + j] as number) * (low + step * ((word >> (2 * j)) & 3) - (weights[j] as number));
      }
      largest = Math.max(largest, Math.abs(error));
    }
    optimum = Math.min(optimum, largest);
  }
  const rounded = await dmmv.roundWeights({ weights, rows: 1, columns: 6, activations, bits: 2 }, { sweeps: 500 });
  expect(rounded.errors[0]).toBeCloseTo(optimum, 12);
});

test.each(['auto', 'unit'] as const)('%s moves: bytes do not depend on the number of threads', async (moves) => {
  const given = { ...layer(2), bits: 3 };
  const one = await dmmv.roundWeights(given, { sweeps: 10, threads: 1, seed: 3, moves });
  const three = await dmmv.roundWeights(given, { sweeps: 10, threads: 3, seed: 3, moves });
  expect(three.codes).toEqual(one.codes);
  expect(three.errors).toEqual(one.errors);
});

test('outliers and flagged weights keep their value, and the grid is made of the others', async () => {
  const given = layer(3);
  given.weights[4] = 9;
  const fixed = new Uint8Array(rows * columns);
  fixed[columns + 1] = 1;
  const rounded = await dmmv.roundWeights({ ...given, bits: 3, outliers: 5, fixed }, { sweeps: 10 });
  for (const at of [4, columns + 1]) {
    expect(rounded.codes[at]).toBe(-1);
    expect(rounded.values[at]).toBe(given.weights[at]);
  }
  expect((rounded.offsets[0] as number) + 7 * (rounded.steps[0] as number)).toBeLessThan(1);
  expect(rounded.errors[0]).toBeCloseTo(errorsOf(given, rounded.values, 0).largest, 12);
});

test('grids of the caller are kept', async () => {
  const given = layer(4);
  const grids = { offsets: new Float64Array(rows).fill(-0.3), steps: new Float64Array(rows).fill(0.05) };
  const rounded = await dmmv.roundWeights({ ...given, bits: 4, grids }, { sweeps: 5 });
  rounded.values.forEach((value, k) => expect(value).toBeCloseTo(-0.3 + 0.05 * (rounded.codes[k] as number), 12));
});

test('the Euclidean part of the objective lowers the norm, and a guard keeps it', async () => {
  const given = { ...layer(6), bits: 2 };
  const plain = await dmmv.roundWeights(given, { sweeps: 60 });
  const mixed = await dmmv.roundWeights(given, { sweeps: 60, l2Weight: 10 });
  const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);
  expect(sum(mixed.norms)).toBeLessThan(sum(plain.norms));
  const start = await dmmv.roundWeights({ ...given, initial: mixed.codes }, { sweeps: 1, l2Weight: 10, seed: 9 });
  const guarded = await dmmv.roundWeights({ ...given, initial: mixed.codes }, { sweeps: 60, l2Weight: 10, l2Guard: 0 });
  guarded.norms.forEach((norm, row) => {
    const value = (run: dmmv.RoundedWeights): number => (run.errors[row] as number) + 10 * (run.norms[row] as number);
    expect(norm).toBeLessThanOrEqual((mixed.norms[row] as number) * (1 + 1e-6));
    expect(value(start)).toBeLessThanOrEqual(value(mixed) * (1 + 1e-9));
  });
});

test('reweighted GPTQ is one more start, never a loss', async () => {
  const given = { ...layer(7), bits: 2 };
  const rounded = await dmmv.roundWeights(given, { sweeps: 1, reweighted: true });
  rounded.errors.forEach((error, row) => expect(error).toBeLessThanOrEqual(rounded.gptqErrors[row] as number));
});

test('equal weights, a single column and columns of zeros are no trouble', async () => {
  const flat = await dmmv.roundWeights(
    { weights: [0.5, 0.5], rows: 1, columns: 2, activations: [1, 2, 3, 4], bits: 3 },
    { sweeps: 2 },
  );
  expect([...flat.values]).toEqual([0.5, 0.5]);
  expect(flat.errors[0]).toBe(0);
  const narrow = await dmmv.roundWeights({ weights: [1, 2], rows: 2, columns: 1, activations: [3], bits: 1 });
  expect([...narrow.values]).toEqual([1, 2]);
  const dead = await dmmv.roundWeights(
    { weights: [0, 0.3, 1], rows: 1, columns: 3, activations: [0, 1, 2, 0, 3, 1], bits: 1 },
    { sweeps: 5 },
  );
  expect(dead.errors[0]).toBeLessThanOrEqual(dead.nearestErrors[0] as number);
});

test('float32 arrays, a column-major matrix and plain arrays say the same', async () => {
  const given = layer(8);
  const single = { weights: Float32Array.from(given.weights), activations: Float32Array.from(given.activations) };
  const turned = new Float64Array(tokens * columns);
  single.activations.forEach((value, k) => {
    turned[Math.floor(k / columns) + (k % columns) * tokens] = value;
  });
  const first = await dmmv.roundWeights({ ...given, ...single, bits: 3 }, { sweeps: 5 });
  const second = await dmmv.roundWeights(
    {
      ...given,
      weights: [...single.weights],
      activations: denseMatrix(tokens, columns, turned, { order: 'column' }),
      bits: 3,
    },
    { sweeps: 5 },
  );
  expect(second.codes).toEqual(first.codes);
});

test('progress carries the codes, and an abort returns the best so far', async () => {
  const given = { ...layer(9), bits: 3 };
  const stop = new AbortController();
  let seen: Int32Array | undefined;
  const rounded = await dmmv.roundWeights(given, {
    timeLimitMs: 60_000,
    signal: stop.signal,
    onAbort: 'return',
    onProgress: ({ best }) => {
      seen = best;
      stop.abort();
    },
  });
  expect(seen).toHaveLength(rows * columns);
  expect(rounded.status).toBe('cancelled');
  rounded.errors.forEach((error, row) => expect(error).toBeLessThanOrEqual(rounded.gptqErrors[row] as number));
});

const valid = { weights: [1, 2, 3, 4], rows: 2, columns: 2, activations: [1, 0, 0, 1], bits: 2 };

test.each<[string, object, string, string]>([
  ['no weights', { weights: undefined }, 'ERR_INVALID_ARG_TYPE', 'layer.weights'],
  ['too few weights', { weights: [1, 2] }, 'ERR_SHAPE_MISMATCH', 'layer.weights'],
  ['an infinite weight', { weights: [1, 2, Infinity, 4] }, 'ERR_NOT_FINITE', 'layer.weights[2]'],
  ['NaN among the activations', { activations: [1, NaN] }, 'ERR_NOT_FINITE', 'layer.activations[1]'],
  ['half a token', { activations: [1, 2, 3] }, 'ERR_SHAPE_MISMATCH', 'layer.activations'],
  ['no token', { activations: [] }, 'ERR_SHAPE_MISMATCH', 'layer.activations'],
  ['17 bits', { bits: 17 }, 'ERR_OUT_OF_RANGE', 'layer.bits'],
  ['flags of another length', { fixed: new Uint8Array(3) }, 'ERR_SHAPE_MISMATCH', 'layer.fixed'],
  ['flags of another type', { fixed: [0, 0, 0, 0] }, 'ERR_INVALID_ARG_TYPE', 'layer.fixed'],
  ['codes of another length', { initial: [0] }, 'ERR_SHAPE_MISMATCH', 'layer.initial'],
  ['a code that is no level', { initial: [0, 1, 2, 4] }, 'ERR_OUT_OF_RANGE', 'layer.initial[3]'],
  ['a step of 0', { grids: { offsets: [0, 0], steps: [1, 0] } }, 'ERR_INVALID_ARG_VALUE', 'layer.grids.steps[1]'],
  ['a misspelt member', { activation: [] }, 'ERR_INVALID_ARG_VALUE', 'layer.activation'],
])('%s: refused', async (_, change, code, argument) => {
  await expect(dmmv.roundWeights({ ...valid, ...change })).rejects.toThrow(errorWith(code, argument));
});

test('memory is asked for before it is taken', async () => {
  await expect(dmmv.roundWeights(valid, { memoryLimitBytes: 10 })).rejects.toThrow(
    expect.objectContaining({ code: 'ERR_OUT_OF_MEMORY' }) as Error,
  );
});
