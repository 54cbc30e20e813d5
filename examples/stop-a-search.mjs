// Stopping a search from outside, without losing what it has found.
//   node examples/stop-a-search.mjs
import { denseMatrix, dmmv } from 'discrete-descent';

const problem = dmmv.createProblem({
  matrix: denseMatrix(
    200,
    100,
    Float64Array.from({ length: 20_000 }, (_, k) => Math.cos(k * k)),
  ),
  lower: new Float64Array(200).fill(1),
  upper: new Float64Array(200).fill(1),
  levels: { offset: -2, step: 0.25, count: 17 },
});

const result = await dmmv.solve(problem, { signal: AbortSignal.timeout(300), onAbort: 'return' });
console.log(`${result.status} after ${result.iterations} iterations: objective ${result.objective}`);
