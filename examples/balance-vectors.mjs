// Discrepancy: signs that keep every coordinate of a signed sum of vectors small, with a proof where one is cheap.
//   node examples/balance-vectors.mjs
import { denseMatrix, dmmv } from 'discrete-descent';

const rows = 12;
const vectors = 20;
const entries = Float64Array.from({ length: rows * vectors }, (_, k) => Math.sign(Math.sin(3 * k * k + 1)));

const problem = dmmv.createProblem({
  matrix: denseMatrix(rows, vectors, entries),
  lower: new Float64Array(rows),
  upper: new Float64Array(rows),
  levels: [-1, 1],
});

const result = await dmmv.solve(problem, {
  timeLimitMs: 1000,
  onProgress: ({ objective, seconds }) => console.log(`${seconds.toFixed(2)} s: largest coordinate ${objective}`),
});

console.log(`largest coordinate ${result.objective}, ${result.status}`);
console.log(`signs ${[...result.values].map((value) => (value > 0 ? '+' : '-')).join('')}`);
