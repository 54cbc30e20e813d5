// `discrete-descent maxsat`: clauses in, as many of them satisfied as the time allows out.
import { type Command } from 'commander';
import { formats, polystep } from '..';
import { convergencePlot } from '../report/convergence';
import { writeWhole } from '../runtime/files';
import { writeHistory } from './history-lines';
import { progressBar } from './progress-bar';
import { positiveInteger, positiveNumber, UsageError, wholeNumber } from './usage';

const { maxSat, polishMaxSat, randomKSat } = polystep.models;

interface MaxSatFlags {
  random?: number;
  ratio?: number;
  seed: number;
  sweeps: number;
  polish?: number;
  time?: number;
  threads?: number;
  output?: string;
  history?: string;
  plot?: string;
  cards?: string;
  json?: boolean;
}

/** Clauses of a file, or drawn. */
function problemOf(file: string | undefined, { random, ratio, seed }: MaxSatFlags): polystep.models.MaxSat {
  if ((file === undefined) === (random === undefined)) throw new UsageError('give either a file or --random');
  if (random !== undefined) {
    const clauses = randomKSat({ variables: random, seed, ...(ratio !== undefined && { ratio }) });
    return maxSat({ ...clauses, cost: 'count' });
  }
  if (ratio !== undefined) throw new UsageError('--ratio is of --random');
  let cnf: formats.Cnf;
  try {
    cnf = formats.readDimacs(file as string);
  } catch (cause) {
    throw new UsageError(`cannot read ${file}: ${(cause as Error).message}`);
  }
  return maxSat({ cnf, cost: 'count' });
}

/** What solvers of the MaxSAT evaluations print: the cost, whether all is satisfied, the literals that are true. */
function* assignmentLines(truth: Uint8Array, { unsatisfied, unsatisfiedWeight }: polystep.models.MaxSatCount) {
  yield `o ${unsatisfiedWeight}\ns ${unsatisfied === 0 ? 'SATISFIABLE' : 'UNKNOWN'}\n`;
  for (let from = 0; from < truth.length; from += 20) {
    const literals = Array.from(truth.subarray(from, from + 20), (value, i) => (value === 1 ? 1 : -1) * (from + i + 1));
    yield `v ${literals.join(' ')}${from + 20 >= truth.length ? ' 0' : ''}\n`;
  }
}

function curve(title: string, history: polystep.History, polished: number | undefined): string {
  const at = Array.from(history.step, (step) => step + 1);
  const curves = [
    { label: 'after the sweep', values: history.minCost, at },
    { label: 'best so far', values: history.best, at },
  ];
  if (polished !== undefined && polished > 0) {
    curves.push({ label: 'polished', values: Float64Array.of(polished, polished), at: [0, at.length] });
  }
  return convergencePlot({ title, curves, xLabel: 'sweep', yLabel: 'weight of unsatisfied clauses' });
}

async function maxsat(file: string | undefined, flags: MaxSatFlags): Promise<void> {
  using problem = problemOf(file, flags);
  const { variables, clauseCount } = problem;
  const { sweeps, seed, threads, time, polish } = flags;
  const bar = progressBar('maxsat');
  const common = { seed, onProgress: (progress: Parameters<typeof bar.update>[0]) => bar.update(progress) };
  const found = await polystep
    .minimize(problem, {
      ...problem.searchOptions({ sweeps }),
      maxSteps: sweeps,
      ...common,
      ...(threads !== undefined && { threads }),
      ...(time !== undefined && { timeLimitMs: time * 1000 }),
    })
    .finally(() => bar.end());
  let truth = problem.assignment(found.x);
  const searched = problem.count(truth);
  let local: polystep.models.PolishResult | undefined;
  if (polish !== undefined) {
    const limits = { timeLimitMs: polish * 1000, maxFlips: Number.MAX_SAFE_INTEGER };
    local = await polishMaxSat(problem, truth, { ...common, ...limits }).finally(() => bar.end());
    truth = local.assignment;
  }
  const count = problem.count(truth);
  const percent = (satisfied: number): string => `${((100 * satisfied) / clauseCount).toFixed(3)} %`;
  const written: string[] = [];
  const write = (name: string | undefined, how: (name: string) => void): void => {
    if (name === undefined) return;
    how(name);
    written.push(name);
  };
  const picture = curve(`${variables} variables, ${clauseCount} clauses`, found.history, local?.unsatisfiedWeight);
  write(flags.output, (name) => writeWhole(name, [...assignmentLines(truth, count)].join('')));
  write(flags.history, (name) => writeHistory(name, found.history));
  write(flags.plot, (name) => writeWhole(name, picture));
  const sentence =
    `${count.satisfied} of ${clauseCount} clauses satisfied (${percent(count.satisfied)}); ` +
    `${found.steps} sweeps in ${found.seconds.toFixed(2)} s left ${searched.unsatisfied} unsatisfied` +
    (local === undefined
      ? ''
      : `, ${local.flips} flips of local search in ${local.seconds.toFixed(2)} s then ${local.unsatisfied}`);
  write(flags.cards, (name) => {
    const text = `Each variable is drawn anew, pair after pair, with probabilities that fall with the clauses it would break; no gradient is needed. ${sentence}.`;
    const heading = `MAX-SAT: ${variables} variables, ${clauseCount} random clauses`;
    writeWhole(name, JSON.stringify([{ heading, html: `<p>${text}</p>${picture}` }]));
  });
  if (flags.json === true) {
    const { steps, evaluations, seconds, status } = found;
    const polished = local && { flips: local.flips, seconds: local.seconds, status: local.status };
    const search = { ...searched, steps, evaluations, seconds, status };
    console.log(
      JSON.stringify({ variables, clauses: clauseCount, ...count, search, polish: polished, files: written }),
    );
    return;
  }
  console.log(sentence);
  if (count.unsatisfied !== count.unsatisfiedWeight) console.log(`weight unsatisfied: ${count.unsatisfiedWeight}`);
  if (written.length > 0) console.log(`wrote ${written.join(', ')}`);
}

/** Adds the command. */
export function addMaxSat(program: Command): void {
  program
    .command('maxsat')
    .description('satisfy as many clauses as possible')
    .argument('[file]', 'DIMACS, CNF or WCNF')
    .option('--random <n>', 'random clauses of three literals over n variables instead of a file', positiveInteger)
    .option('--ratio <r>', 'clauses per variable of --random (default: 4.27)', positiveNumber)
    .option('--sweeps <n>', 'sweeps over all variables', positiveInteger, 334)
    .option('--polish <seconds>', 'local search (annealed probSAT) after the sweeps, so long at most', positiveNumber)
    .option('--time <seconds>', 'time limit of the sweeps', positiveNumber)
    .option('--seed <n>', 'seed of all random numbers', wholeNumber, 0)
    .option('--threads <n>', 'threads (default: all processors)', positiveInteger)
    .option('-o, --output <file>', 'writes the assignment, as `v` lines of literals')
    .option('--history <file>', 'writes what each sweep did, one JSON object a line')
    .option('--plot <file>', 'writes the curve as SVG')
    .option('--cards <file>', 'writes the curve as JSON, for `report --include`')
    .option('--json', 'print one JSON object and nothing else on stdout')
    .addHelpText(
      'after',
      '\nExample:\n  discrete-descent maxsat --random 10000 --polish 5 -o assignment.txt --plot curve.svg',
    )
    .action(maxsat);
}
