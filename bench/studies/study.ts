// What the studies of odil share: they measure errors and iteration counts, print them as Markdown and time nothing
// that is compared with somebody else's clock. Each is a program of its own:
//   npx tsc -p tsconfig.bench.json && node build-bench/bench/studies/odil-cavity.js
import type { odil } from '../../lib';

/** Prints a table row by row, as the rows come. */
export class Table {
  constructor(title: string, heads: readonly string[]) {
    console.log(`\n${title}\n\n| ${heads.join(' | ')} |\n|---|${'---:|'.repeat(heads.length - 1)}`);
  }

  add(...cells: readonly (string | number)[]): void {
    console.log(`| ${cells.join(' | ')} |`);
  }
}

/** Three significant digits, as a power of ten where that is shorter; a dash for what is not a number. */
export const short = (value: number): string =>
  Number.isNaN(value)
    ? '-'
    : value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5)
      ? value.toExponential(2)
      : value.toPrecision(3);

/** The report of a run of Gauss-Newton. */
export function gaussNewtonOf(solution: odil.Solution): odil.Solution & odil.GaussNewtonReport {
  if (solution.method !== 'gauss-newton') throw new Error(`expected gauss-newton, ran ${solution.method}`);
  return solution;
}

/** The report of a run of control-space. */
export function controlSpaceOf(solution: odil.Solution): odil.Solution & odil.ControlSpaceReport {
  if (solution.method !== 'control-space') throw new Error(`expected control-space, ran ${solution.method}`);
  return solution;
}

/** Root of the mean square of a - b. */
export const rootMeanSquare = (a: Float64Array, b: Float64Array): number =>
  Math.sqrt(a.reduce((sum, value, i) => sum + (value - (b[i] as number)) ** 2, 0) / a.length);

/** The mean of some numbers. */
export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** An array of that name. */
export function arrayOf(values: Readonly<Record<string, Float64Array>> | undefined, name: string): Float64Array {
  const found = values?.[name];
  if (found === undefined) throw new Error(`no array ${name}`);
  return found;
}

/** Runs a study; what goes wrong ends it with a status that says so. */
export function study(run: () => void | Promise<void>): void {
  Promise.resolve()
    .then(run)
    .catch((error: unknown) => {
      console.error(error instanceof Error ? error.message : error);
      process.exitCode = 1;
    });
}
