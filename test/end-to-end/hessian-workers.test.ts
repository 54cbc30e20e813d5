// Hessians in worker threads, by the built package: each thread has its own, and one that ends takes its batch with it.
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { quantize } from '../../lib';

const main = path.join(__dirname, '..', '..', 'dist', 'index.js');
const [columns, tokens] = [64, 9000];
const activations = Float32Array.from({ length: columns * tokens }, (_, at) => Math.sin(at * (1 + (at % 7))));

/** Adds what it is sent, in two batches at once, and answers with the matrix; `endless` keeps adding. */
const program = `
const { parentPort, workerData: { main, columns, activations, endless } } = require('node:worker_threads');
const { quantize } = require(main);
const hessian = quantize.createHessian(columns);
const add = () => Promise.all([hessian.addAsync(activations), hessian.addAsync(activations)]);
if (endless) {
  void (async () => { for (;;) { await add(); parentPort.postMessage('added'); } })();
} else {
  void add().then(() => parentPort.postMessage(hessian.matrix));
}`;

const start = (endless: boolean): Worker =>
  new Worker(program, { eval: true, workerData: { main, columns, activations, endless } });
const messageOf = (worker: Worker): Promise<unknown> =>
  new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });

test('threads give the same bits, while others are ended in the middle of a batch', async () => {
  const expected = quantize.createHessian(columns).add(activations).add(activations).matrix;
  const ended = [start(true), start(true)];
  await Promise.all(ended.map(messageOf));
  const answers = [start(false), start(false)].map(messageOf);
  expect(await Promise.all(ended.map((worker) => worker.terminate()))).toEqual([1, 1]);
  for (const answer of await Promise.all(answers)) expect(answer).toEqual(expected);
});
