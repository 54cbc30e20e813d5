// Number partitioning: two halves of a list whose sums differ least, with the proof that no split is better.
//   node examples/partition-numbers.mjs
import { denseMatrix, dmmv } from 'discrete-descent';

const numbers = [771, 121, 281, 854, 885, 734, 486, 1003, 83, 62, 411, 937, 540, 318, 605, 229];
const problem = dmmv.createProblem({
  matrix: denseMatrix(1, numbers.length, numbers),
  lower: [0],
  upper: [0],
  levels: [-1, 1], // one sign for each half
});
const result = await dmmv.solveExact(problem);

// Every split, to compare with.
let least = Infinity;
for (let word = 0; word < 2 ** (numbers.length - 1); word += 1) {
  const sum = numbers.reduce((total, value, j) => total + ((word >> j) & 1 ? value : -value), 0);
  least = Math.min(least, Math.abs(sum));
}
console.log(`difference ${result.objective}, proven: ${result.proven}; best of all splits ${least}`);
const half = (sign) => numbers.filter((_, j) => result.values[j] === sign).join(' + ');
console.log(`${half(1)}\n${half(-1)}`);
