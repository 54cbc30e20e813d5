// `discrete-descent dmmv solve`: any min-max problem as JSON in, an assignment with its bound out.
import path from 'node:path';
import type { Command } from 'commander';
import { denseMatrix, dmmv, sparseMatrix } from '..';
import type { Matrix } from '../runtime/matrix';
import { writeWhole } from '../runtime/files';
import { progressBar } from './progress-bar';
import { positiveInteger, positiveNumber, readJson, UsageError, wholeNumber } from './usage';

interface DmmvFlags {
  output?: string;
  exact?: boolean;
  target?: number;
  time?: number;
  seed: number;
  threads?: number;
  json?: boolean;
}

type Members = Record<string, unknown>;

/** Numbers with null for an infinite side, which JSON has no word for. */
function sides(value: unknown, infinite: number): number[] {
  return Array.isArray(value)
    ? value.map((side: unknown) => (side === null ? infinite : side) as number)
    : (value as []);
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `[[row], ...]`, or `{ rows, columns, columnPointers, rowIndices, values }`. */
function matrixOf(value: unknown, name: string): Matrix {
  if (isObject(value)) return sparseMatrix(value as Parameters<typeof sparseMatrix>[0]);
  const rows = value as number[][];
  const columns = Array.isArray(rows) && Array.isArray(rows[0]) ? rows[0].length : 0;
  if (!Array.isArray(rows) || rows.some((row) => !Array.isArray(row) || row.length !== columns)) {
    throw new UsageError(`\`${name}\` must be an array of rows of the same length, or an object of compressed columns`);
  }
  rows.forEach((row, i) => {
    const k = row.findIndex((entry) => !Number.isFinite(entry));
    if (k >= 0) throw new UsageError(`\`${name}[${i}][${k}]\` must be a finite number, got ${JSON.stringify(row[k])}`);
  });
  return denseMatrix(rows.length, columns, rows.flat());
}

function problemOf(file: string): dmmv.Problem {
  const given = readJson(file);
  if (!isObject(given)) throw new UsageError(`${file} must hold an object { matrix, lower, upper, levels, ... }`);
  const { matrix, lower, upper, softRows, ...rest } = given;
  if (softRows !== undefined && !isObject(softRows)) {
    throw new UsageError('`softRows` must be an object { matrix, lower, upper, multipliers }');
  }
  const soft = softRows && {
    softRows: {
      ...softRows,
      matrix: matrixOf(softRows.matrix, 'softRows.matrix'),
      lower: sides(softRows.lower, -Infinity),
      upper: sides(softRows.upper, Infinity),
    },
  };
  return dmmv.createProblem({
    ...rest,
    ...soft,
    matrix: matrixOf(matrix, 'matrix'),
    lower: sides(lower, -Infinity),
    upper: sides(upper, Infinity),
  } as unknown as dmmv.ProblemOptions);
}

async function solve(file: string, flags: DmmvFlags): Promise<void> {
  if (flags.exact === true && flags.target !== undefined) {
    throw new UsageError('--target ends a search: with --exact it has no meaning');
  }
  const problem = problemOf(file);
  const bar = progressBar(path.basename(file));
  const run = {
    seed: flags.seed,
    ...(flags.threads !== undefined && { threads: flags.threads }),
    ...(flags.time !== undefined && { timeLimitMs: flags.time * 1000 }),
    onProgress: (progress: Parameters<typeof bar.update>[0]) => bar.update(progress),
  };
  const found = await (
    flags.exact === true
      ? dmmv.solveExact(problem, run)
      : dmmv.solve(problem, { ...run, ...(flags.target !== undefined && { target: flags.target }) })
  ).finally(() => bar.end());
  // JSON has no infinity: an unknown bound is null.
  const lowerBound = Number.isFinite(found.lowerBound) ? found.lowerBound : null;
  const { objective, status } = found;
  const record = { objective, lowerBound, status, indices: [...found.indices], values: [...found.values] };
  if (flags.output !== undefined) writeWhole(flags.output, `${JSON.stringify(record, null, 2)}\n`);
  if (flags.json === true) {
    console.log(JSON.stringify(record));
    return;
  }
  console.log(
    `objective ${objective.toPrecision(10)}, ${lowerBound === null ? 'no useful bound' : `nothing below ${lowerBound.toPrecision(10)}`}; ${status}`,
  );
  console.log(`values ${record.values.join(' ')}`);
}

const finite = (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new UsageError(`${text} is not a number`);
  return value;
};

/** Adds the command. */
export function addDmmv(program: Command): void {
  program
    .command('dmmv')
    .description('discrete min-max violation problems')
    .command('solve')
    .description('solve a problem of a JSON file')
    .argument('<problem>', 'JSON file { matrix, lower, upper, weights, levels, softRows }; null is an infinite side')
    .option('-o, --output <file>', 'writes the result there too, as JSON')
    .option('--exact', 'prove the optimum (few variables)')
    .option('--target <t>', 'stop at an objective of at most this', finite)
    .option('--time <seconds>', 'time limit (default: until the search stagnates)', positiveNumber)
    .option('--seed <n>', 'seed of the search', wholeNumber, 0)
    .option('--threads <n>', 'threads (default: all processors)', positiveInteger)
    .option('--json', 'print one JSON object and nothing else on stdout')
    .action(solve);
}
