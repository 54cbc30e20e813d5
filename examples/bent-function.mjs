// Bent functions: signs of all points of a cube whose correlation with every linear function is as small as can be,
// 2^(n / 2). A Hadamard matrix and two levels; the bound sqrt(2^n) proves the result.
//   node examples/bent-function.mjs
import { denseMatrix, dmmv } from 'discrete-descent';

const bits = 6;
const points = 2 ** bits;
const parity = (word) => (word === 0 ? 0 : (word & 1) ^ parity(word >> 1));
const entries = Float64Array.from({ length: points * points }, (_, k) =>
  parity(Math.floor(k / points) & (k % points)) === 0 ? 1 : -1,
);
const problem = dmmv.createProblem({
  matrix: denseMatrix(points, points, entries),
  lower: new Float64Array(points),
  upper: new Float64Array(points),
  levels: [-1, 1],
});
const bound = Math.sqrt(points); // Parseval: the squares of all correlations add up to points^2
const result = await dmmv.solve(problem, { target: bound, timeLimitMs: 20_000 });
console.log(`largest correlation ${result.objective}, bent functions have ${bound}`);
console.log([...result.values].map((value) => (value > 0 ? '0' : '1')).join(''));
