// A polynomial with coefficients of few bits that approximates exp on [0, 1/2], proven to be the best one on the grid.
//   node examples/fixed-point-polynomial.mjs
import { denseMatrix, dmmv } from 'discrete-descent';

const degree = 3;
const fractionBits = 10;
const points = 101;
const x = Float64Array.from({ length: points }, (_, i) => (0.5 * i) / (points - 1));
const wanted = x.map(Math.exp);
const problem = dmmv.createProblem({
  matrix: denseMatrix(
    points,
    degree + 1,
    Float64Array.from(
      { length: points * (degree + 1) },
      (_, k) => x[Math.floor(k / (degree + 1))] ** (k % (degree + 1)),
    ),
  ),
  lower: wanted,
  upper: wanted,
  levels: { offset: 0, step: 2 ** -fractionBits, count: 2 ** (fractionBits + 1) }, // 0 to just below 2
});
const result = await dmmv.solveExact(problem);
const taylor = Int32Array.from([1, 1, 1 / 2, 1 / 6], (c) => Math.round(c * 2 ** fractionBits));
const rounded = dmmv.evaluate(problem, taylor).objective;
console.log(`largest error ${result.objective.toExponential(3)}, proven: ${result.proven}`);
console.log(`rounded Taylor coefficients ${rounded.toExponential(3)}`);
console.log(`coefficients / ${2 ** fractionBits}: ${[...result.indices].join(', ')}`);
