// `discrete-descent solve`: a discretised equation in, fields, numbers and pictures out.
import path from 'node:path';
import { Argument, type Command, InvalidArgumentError, Option } from 'commander';
import { formats } from '..';
import { escapeHtml, htmlPage, type Section } from '../report/html';
import { convergencePicture, picturesOfFields, solutionSection } from '../report/solution';
import { writeWhole } from '../runtime/files';
import { native } from '../runtime/native';
import { progressBar } from './progress-bar';
import { addGliomaFlags, type GliomaFlags, gliomaTarget } from './solve-glioma';
import { builtIn, type ProblemFlags, targetOf } from './solve-problem';
import type { Found, More, SolveTarget } from './solve-target';
import { textTable } from './table';
import { positiveInteger, positiveNumber, UsageError, wholeNumber } from './usage';

interface SolveFlags extends ProblemFlags, GliomaFlags {
  output?: string;
  method?: string;
  linearSolver?: string;
  normalization?: 'mean' | 'sum';
  maxIterations?: number;
  option?: Record<string, unknown>;
  time?: number;
  threads?: number;
  fieldFormat: 'npy' | 'json';
  pictures: boolean;
  cards?: string;
  json?: boolean;
}

/** name=value, gathered; values are JSON where they are that, else texts. */
function assignment(text: string, before: Record<string, unknown> = {}): Record<string, unknown> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('it must have the form name=value.');
  const value = text.slice(at + 1);
  let parsed: unknown = value;
  try {
    parsed = JSON.parse(value);
  } catch {
    // a text
  }
  return { ...before, [text.slice(0, at)]: parsed };
}

function solveOptions(flags: SolveFlags, target: SolveTarget): Record<string, unknown> {
  const { method, linearSolver, normalization, maxIterations, threads, time, seed } = flags;
  return {
    ...target.solve,
    seed,
    ...(method !== undefined && { method }),
    ...(linearSolver !== undefined && { linearSolver }),
    ...(normalization !== undefined && { normalization }),
    ...(maxIterations !== undefined && { maxIterations }),
    ...(threads !== undefined && { threads }),
    ...(time !== undefined && { timeLimitMs: time * 1000 }),
    ...flags.option,
  };
}

/** Distance of the unknowns to known ones, relative to those. */
function errorsOf({ reference = {} }: SolveTarget, solution: Found): string[][] {
  return Object.entries(reference).flatMap(([name, known]) => {
    const values = solution.fields[name] ?? solution.parameters?.[name];
    if (values?.length !== known.length) return [];
    const far = Math.sqrt(known.reduce((sum, value, i) => sum + (value - (values[i] as number)) ** 2, 0));
    const size = Math.sqrt(known.reduce((sum, value) => sum + value ** 2, 0));
    return [[`${name}: distance to the known one`, (far / (size || 1)).toExponential(2)]];
  });
}

function writeResults(
  folder: string,
  flags: SolveFlags,
  target: SolveTarget,
  solution: Found,
): Record<string, unknown> {
  const { problem } = target;
  const files: Record<string, string> = {};
  const place = (name: string): string => {
    const file = path.join(folder, name);
    files[name] = file;
    return file;
  };
  const fields = Object.fromEntries(
    Object.entries(solution.fields).map(([name, data]) => {
      const shape = problem.grid.counts(problem.locations[name] as string);
      const file = `${name}.${flags.fieldFormat}`;
      if (flags.fieldFormat === 'npy') formats.writeNpy(place(file), { shape, data });
      else writeWhole(place(file), `${JSON.stringify({ shape, values: [...data] })}\n`);
      return [name, { file, shape }];
    }),
  );
  const plain = (group: Record<string, Float64Array> = {}): Record<string, number[]> =>
    Object.fromEntries(Object.entries(group).map(([name, values]) => [name, [...values]]));
  const more: More = target.more?.(solution) ?? { pictures: [], rows: [] };
  for (const { name, write } of more.files ?? []) write(place(name));
  const rows = [
    ...Object.entries((more.instead === true ? undefined : solution.parameters) ?? {}).map(([name, values]) => [
      name,
      [...values].map((v) => v.toPrecision(6)).join(', '),
    ]),
    ...more.rows,
    ...errorsOf(target, solution),
  ];
  const record = {
    problem: target.name,
    unknowns: problem.unknowns,
    residuals: problem.residuals,
    status: solution.status,
    loss: solution.loss,
    iterations: solution.iterations,
    seconds: solution.seconds,
    blocks: solution.blocks,
    parameters: plain(solution.parameters),
    networks: plain(solution.networks),
    fields,
    history: solution.history,
  };
  writeWhole(place('solution.json'), `${JSON.stringify(record, null, 2)}\n`);
  if (flags.pictures) writePage(target, solution, { more, rows, place, cards: flags.cards });
  return { ...record, rows, files };
}

function writePage(
  target: SolveTarget,
  solution: Found,
  given: { more: More; rows: string[][]; place: (name: string) => string; cards: string | undefined },
): void {
  const { problem, reference, measured } = target;
  const { more, rows, place, cards } = given;
  const ofFields =
    more.instead === true
      ? []
      : picturesOfFields({
          grid: problem.grid,
          locations: problem.locations,
          fields: solution.fields,
          ...(reference !== undefined && { reference }),
          ...(measured !== undefined && { measured }),
        });
  const drawn = [...more.pictures, ...ofFields];
  const convergence = convergencePicture('loss', solution.history);
  for (const { name, contents } of [...drawn, ...(convergence === undefined ? [] : [convergence])]) {
    writeWhole(place(name), contents);
  }
  const sentence =
    (more.text === undefined ? '' : `${escapeHtml(more.text)} `) +
    `${problem.unknowns} unknowns, ${problem.residuals} residuals; loss ${solution.loss.toExponential(3)} after ${solution.iterations} iterations and ${solution.seconds.toFixed(2)} s (${solution.status}).`;
  const heading = target.name.charAt(0).toUpperCase() + target.name.slice(1);
  const section = solutionSection(heading, { text: sentence, table: [['', 'value'], ...rows], pictures: drawn });
  const sections: Section[] = [section];
  if (convergence !== undefined) sections.push({ heading: 'How the run went', html: convergence.contents as string });
  const { version, isa } = native.buildInfo();
  writeWhole(
    place('index.html'),
    htmlPage({
      title: heading,
      lead: 'A discretised equation and what is known about its solution, solved as one sum of squares.',
      sections,
      footer: `discrete-descent ${version}, ${process.platform}-${process.arch}, kernels at level ${isa}.`,
    }),
  );
  if (cards !== undefined) writeWhole(cards, JSON.stringify([section]));
}

function print(record: Record<string, unknown>, solution: Found): void {
  const blocks = Object.entries(solution.blocks).map(([name, { count, norm, loss }]) => [
    name,
    String(count),
    norm.toExponential(3),
    loss.toExponential(3),
  ]);
  console.log(textTable(['block', 'residuals', 'root mean square', 'loss'], blocks));
  const rows = record['rows'] as string[][];
  if (rows.length > 0) console.log(`\n${textTable(['', ''], rows).trimStart()}`);
  console.log(
    `\nloss ${solution.loss.toExponential(6)}, ${solution.status}, ${solution.iterations} iterations, ${solution.seconds.toFixed(2)} s`,
  );
  console.log(`wrote ${Object.values(record['files'] as Record<string, string>).join(', ')}`);
}

async function solve(what: string, flags: SolveFlags): Promise<void> {
  if (flags.cards !== undefined && !flags.pictures)
    throw new UsageError('--cards is made of pictures: leave out --no-pictures');
  const target: SolveTarget = what === 'glioma' ? gliomaTarget(flags) : await targetOf(what, flags);
  const bar = progressBar(target.name);
  const solution = (await target.problem
    .solve({
      ...solveOptions(flags, target),
      onProgress: (progress: Parameters<typeof bar.update>[0]) => bar.update(progress),
    })
    .finally(() => bar.end())) as unknown as Found;
  const folder = flags.output ?? path.join('out', target.name.replace(/\W+/g, '-'));
  const { rows, ...record } = writeResults(folder, flags, target, solution);
  if (flags.json === true) console.log(JSON.stringify(record));
  else print({ ...record, rows }, solution);
}

/** Adds the command. */
export function addSolve(program: Command): void {
  const command = program
    .command('solve')
    .description('solve a discretised equation, forward or inverse; write fields, numbers and pictures')
    .addArgument(
      new Argument(
        '<problem>',
        `a module (.js, .mjs, .cjs, .ts), a JSON file, or one of ${builtIn.join(', ')}, glioma`,
      ),
    )
    .option('-o, --output <folder>', 'where results go (default: out/<problem>)')
    .option('--cells <n>', 'cells along each axis of space', positiveInteger)
    .option('--time-cells <n>', 'cells in time', positiveInteger)
    .option('--dimensions <n>', 'axes of space', positiveInteger)
    .option('--infer-conductivity', 'heat: the conductivity is a network, temperatures are measured')
    .option(
      '--measurements <n>',
      'heat: how many of them, at random points of the middle third of time',
      positiveInteger,
      200,
    )
    .option('--set <name=value>', 'any option of the problem, as JSON; repeat for each', assignment)
    .option('--method <name>', 'how to minimise (default: auto)')
    .option('--linear-solver <name>', 'how to solve linear systems on the way')
    .addOption(new Option('--normalization <which>', 'weights of blocks by size').choices(['mean', 'sum']))
    .option('--max-iterations <n>', 'iterations at most', wholeNumber)
    .option('--option <name=value>', 'any option of problem.solve, as JSON; repeat for each', assignment)
    .option('--time <seconds>', 'time limit', positiveNumber)
    .option('--seed <n>', 'seed of all random numbers', wholeNumber, 0)
    .option('--threads <n>', 'threads (default: all processors)', positiveInteger)
    .addOption(new Option('--field-format <which>', 'how fields are written').choices(['npy', 'json']).default('npy'))
    .option('--no-pictures', 'write neither pictures nor a page')
    .option('--cards <file>', "write the page's card as JSON, for `report --include`")
    .option('--json', 'print one JSON object and nothing else on stdout');
  addGliomaFlags(command)
    .addHelpText(
      'after',
      `
Examples:
  discrete-descent solve heat --cells 64 --time-cells 64 --infer-conductivity
  discrete-descent solve poisson --cells 64 --set reference=osc --set rightHandSide=exact
  discrete-descent solve my-equation.mjs -o results
  discrete-descent solve glioma --labels seg.nii.gz --white wm.nii.gz --grey gm.nii.gz --cells 24 --time-cells 32`,
    )
    .action(solve);
}
