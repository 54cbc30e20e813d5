// Batches added asynchronously that are aborted or watched: all of a batch counts, or nothing.
import { quantize } from '../../../lib';
import { errorWith } from '../../support/errors';
import { uniforms } from '../../support/philox-random';

const columns = 96;
const next = uniforms(23);
const batchOf = (tokens: number): Float32Array => Float32Array.from({ length: tokens * columns }, () => next() - 0.5);
const short = batchOf(300);
// Long enough for several reports, which come at most every 50 ms.
const tokens = 20000;
const long = new Float32Array(40 * tokens * columns);
{
  const piece = batchOf(tokens);
  for (let k = 0; k < 40; k += 1) long.set(piece, k * piece.length);
}

/** What a Hessian says of itself. */
const stateOf = (hessian: quantize.Hessian): unknown[] => [hessian.sequences, hessian.tokens, hessian.matrix];

test('an abort before a turn or within it adds nothing, and batches behind it count', async () => {
  const hessian = quantize.createHessian(columns).add(short);
  const expected = quantize.createHessian(columns).add(short).add(short, { sequences: 2 });
  const controller = new AbortController();
  const reason = new Error('enough');
  const within = hessian.addAsync(long, {
    signal: controller.signal,
    onProgress: ({ fraction }) => {
      if (fraction > 0) controller.abort(reason);
    },
  });
  const before = hessian.addAsync(short, { signal: controller.signal });
  const behind = hessian.addAsync(short, { sequences: 2, signal: new AbortController().signal });
  await expect(within).rejects.toBe(reason);
  await expect(before).rejects.toBe(reason);
  expect(await behind).toBe(hessian);
  expect(stateOf(hessian)).toEqual(stateOf(expected));
  await expect(hessian.addAsync(short, { signal: controller.signal })).rejects.toBe(reason);
  expect(stateOf(hessian)).toEqual(stateOf(expected));
});

test('an abort that comes too late is none', async () => {
  const hessian = quantize.createHessian(columns);
  const controller = new AbortController();
  const added = hessian.addAsync(short, { signal: controller.signal });
  // Its turn begins in the next microtask, and a batch this short is not interrupted.
  await Promise.resolve();
  await Promise.resolve();
  await new Promise((resolve) => setTimeout(resolve, 100));
  controller.abort();
  expect(await added).toBe(hessian);
  expect(hessian.tokens).toBe(300);
});

test('progress rises, and an exception in it aborts the batch', async () => {
  const hessian = quantize.createHessian(columns);
  const fractions: number[] = [];
  await hessian.addAsync(long, {
    onProgress: ({ phase, fraction }) => {
      expect(phase).toBe('hessian');
      fractions.push(fraction);
    },
  });
  expect(fractions.length).toBeGreaterThan(0);
  expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
  expect(fractions.every((fraction) => fraction >= 0 && fraction < 1)).toBe(true);
  expect(stateOf(hessian)).toEqual(stateOf(quantize.createHessian(columns).add(long, { threads: 2 })));

  const failing = quantize.createHessian(columns);
  const reason = new Error('from the callback');
  const failed = failing.addAsync(long, {
    onProgress: () => {
      throw reason;
    },
  });
  await expect(failed).rejects.toBe(reason);
  expect([failing.sequences, failing.tokens]).toEqual([0, 0]);
});

test.each<[string, object, string, string]>([
  ['no signal', { signal: {} }, 'ERR_INVALID_ARG_TYPE', 'options.signal'],
  ['no function', { onProgress: 1 }, 'ERR_INVALID_ARG_TYPE', 'options.onProgress'],
  ['no such option', { timeLimitMs: 1 }, 'ERR_INVALID_ARG_VALUE', 'options.timeLimitMs'],
])('refused: %s', async (_, options, code, argument) => {
  await expect(quantize.createHessian(columns).addAsync(short, options)).rejects.toEqual(errorWith(code, argument));
});
