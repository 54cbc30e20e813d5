// The job mechanism, through the computation that only spins: promise, abort, progress, exceptions, sync twin.
import { native } from '../../../lib/runtime/native';
import {
  runAsync,
  runMembers,
  type RunOptions,
  runSync,
  type SyncRunOptions,
  syncRunMembers,
} from '../../../lib/runtime/run';
import { object, parse } from '../../../lib/runtime/validate';

interface SpinResult {
  iterations: number;
  status: string;
}

const spin = (seconds: number, options: RunOptions<number> = {}, fail = false): Promise<SpinResult> =>
  runAsync<SpinResult>(parse(options, 'options', object(runMembers)), (run) => native.spin({ seconds, fail }, run));
const spinSync = (seconds: number, options: SyncRunOptions<number> = {}, fail = false): SpinResult =>
  runSync<SpinResult>(parse(options, 'options', object(syncRunMembers)), (run) => native.spin({ seconds, fail }, run));

test('a job resolves with its result', async () => {
  expect(await spin(0.01)).toMatchObject({ status: 'done' });
});

test('the event loop turns while a job runs', async () => {
  const controller = new AbortController();
  const running = spin(60, { signal: controller.signal, onAbort: 'return' });
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setTimeout(resolve, 1));
  controller.abort();
  expect((await running).status).toBe('cancelled');
});

test('an aborted signal rejects before starting, with its reason', async () => {
  const reason = { why: 'not today' };
  await expect(spin(60, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});

test('an abort stops a running job and rejects with the signal reason', async () => {
  const controller = new AbortController();
  const running = spin(60, { signal: controller.signal });
  setTimeout(() => controller.abort(), 20);
  await expect(running).rejects.toMatchObject({ name: 'AbortError' });
});

test("onAbort: 'return' resolves with the best state so far", async () => {
  const controller = new AbortController();
  const running = spin(60, { signal: controller.signal, onAbort: 'return' });
  setTimeout(() => controller.abort(), 20);
  const result = await running;
  expect(result.status).toBe('cancelled');
  expect(result.iterations).toBeGreaterThan(0);
});

test('the listener is removed from the signal when the job ends', async () => {
  const controller = new AbortController();
  const removed = jest.spyOn(controller.signal, 'removeEventListener');
  await spin(0.01, { signal: controller.signal });
  expect(removed).toHaveBeenCalledWith('abort', expect.any(Function));
});

test('a time limit returns the state reached', async () => {
  expect(await spin(60, { timeLimitMs: 30 })).toMatchObject({ status: 'time-limit' });
});

test('progress is throttled, grows, and carries the best state', async () => {
  const fractions: number[] = [];
  const best: (number | undefined)[] = [];
  await spin(0.8, { onProgress: (progress) => fractions.push(progress.fraction) && best.push(progress.best) });
  expect(fractions.length).toBeGreaterThanOrEqual(2);
  expect(fractions.length).toBeLessThanOrEqual(17);
  expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
  expect(best.every((value) => typeof value === 'number' && value > 0)).toBe(true);
});

test('an exception in onProgress stops the job and becomes the rejection', async () => {
  const failure = new Error('from the callback');
  const calls: number[] = [];
  await expect(
    spin(60, {
      onProgress: (progress) => {
        calls.push(progress.iterations);
        throw failure;
      },
    }),
  ).rejects.toBe(failure);
  expect(calls).toHaveLength(1);
});

test('a native failure becomes an error of this package with a stack of this file', async () => {
  await expect(spin(0, {}, true)).rejects.toMatchObject({ code: 'ERR_SINGULAR', argument: 'spin' });
  expect(() => spinSync(0, {}, true)).toThrow(expect.objectContaining({ code: 'ERR_SINGULAR' }) as Error);
});

test('many jobs run at once and all settle', async () => {
  const results = await Promise.all(Array.from({ length: 40 }, () => spin(0.005)));
  expect(results).toHaveLength(40);
});

test('the synchronous twin reports progress on the calling thread and passes exceptions through', () => {
  const failure = new Error('from the callback');
  expect(() =>
    spinSync(60, {
      onProgress: () => {
        throw failure;
      },
    }),
  ).toThrow(failure);
});

test('a cancel flag on shared memory stops a synchronous run', () => {
  const cancelFlag = new Int32Array(new SharedArrayBuffer(4));
  Atomics.store(cancelFlag, 0, 1);
  expect(spinSync(60, { cancelFlag }).status).toBe('cancelled');
  expect(() => spinSync(0, { cancelFlag: new Int32Array(1) })).toThrow(/SharedArrayBuffer/);
});

test.each([
  [{ threads: 0 }, 'ERR_OUT_OF_RANGE', 'options.threads'],
  [{ threads: 1.5 }, 'ERR_OUT_OF_RANGE', 'options.threads'],
  [{ seed: -1 }, 'ERR_OUT_OF_RANGE', 'options.seed'],
  [{ seed: 2 ** 53 }, 'ERR_OUT_OF_RANGE', 'options.seed'],
  [{ timeLimitMs: 0 }, 'ERR_OUT_OF_RANGE', 'options.timeLimitMs'],
  [{ timeLimitMs: NaN }, 'ERR_NOT_FINITE', 'options.timeLimitMs'],
  [{ signal: {} }, 'ERR_INVALID_ARG_TYPE', 'options.signal'],
  [{ onProgress: 1 }, 'ERR_INVALID_ARG_TYPE', 'options.onProgress'],
  [{ backend: 'gpu' }, 'ERR_INVALID_ARG_VALUE', 'options.backend'],
  [{ onAbort: 'ignore' }, 'ERR_INVALID_ARG_VALUE', 'options.onAbort'],
  [{ sead: 1 }, 'ERR_INVALID_ARG_VALUE', 'options.sead'],
  [null, 'ERR_INVALID_ARG_TYPE', 'options'],
])('bad run options are refused before anything starts: %p', (options, code, argument) => {
  expect(() => parse(options, 'options', object(runMembers))).toThrow(
    expect.objectContaining({ code, argument }) as Error,
  );
});
