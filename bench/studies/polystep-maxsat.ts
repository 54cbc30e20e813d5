// Random 3-SAT at 4.27 clauses a variable within the published numbers of candidates: the published rule, the package's
// own, what local search adds to it, and local search alone in the same time, annealed and as published (probSAT). One
// thread; seconds are wall time.
//   node build-bench/bench/studies/polystep-maxsat.js [--variables 100,1000] [--instances 5] [--polish 1]
// --polish: seconds of local search at least; it gets as long as the search took where that is longer.
import { parseArgs } from 'node:util';
import { polystep } from '../../lib';
import { uniforms } from '../../lib/runtime/random';
import { mean, short, study, Table } from './study';

const { maxSat, polishMaxSat, randomKSat } = polystep.models;

/** Candidates of the published runs: 1000 steps of which a third evaluates, at a million variables 84 sweeps' worth. */
const publishedEvaluations = (variables: number): number => (variables < 1_000_000 ? 334 : 84) * 2 * variables;

interface Outcome {
  evaluations: number;
  satisfied: number;
  seconds: number;
}

interface Row {
  paper: Outcome;
  own: Outcome;
  polished: Outcome;
  alone: Outcome;
  probSat: Outcome;
}

async function instance(variables: number, seed: number, polishSeconds: number): Promise<Row> {
  using problem = maxSat({ ...randomKSat({ variables, seed }), cost: 'count' });
  const share = (point: ArrayLike<number>): number => (100 * problem.count(point).satisfied) / problem.clauseCount;
  const search = async (options: polystep.MinimizeOptions): Promise<[Outcome, polystep.Reals]> => {
    const limits = { maxEvaluations: publishedEvaluations(variables), threads: 1, seed, scoreFinal: false };
    const { x, evaluations, seconds } = await polystep.minimize(problem, { ...options, ...limits });
    return [{ evaluations, satisfied: share(x), seconds }, x];
  };
  const walk = async (
    start: ArrayLike<number>,
    limit: number,
    choice: 'annealed' | 'constant' = 'annealed',
  ): Promise<Outcome> => {
    const limits = { maxFlips: Number.MAX_SAFE_INTEGER, timeLimitMs: 1000 * limit, seed, choice };
    const { assignment, flips, seconds } = await polishMaxSat(problem, start, limits);
    return { evaluations: flips, satisfied: share(assignment), seconds };
  };
  // A million variables were given other radii than the rule for the smaller sizes says.
  const million = { epsilon: 5, stepRadius: 5000, probeRadius: 500, radiusMode: 'absolute', scaleCost: 1 } as const;
  const published = { ...problem.searchOptions({ preset: 'paper' }), ...(variables >= 1_000_000 && million) };
  const [paper] = await search({ ...published, maxSteps: variables < 1_000_000 ? 1000 : 500 });
  // A sweep counts its end as an evaluation, so that one sweep less fits the budget.
  const sweeps = Math.floor(publishedEvaluations(variables) / (2 * variables + 1));
  const [own, point] = await search({ ...problem.searchOptions({ sweeps }), maxSteps: sweeps });
  const time = Math.max(polishSeconds, own.seconds);
  const polished = await walk(point, time);
  const uniform = uniforms(seed);
  const random = Uint8Array.from({ length: variables }, () => Number(uniform() < 0.5));
  const alone = await walk(random, own.seconds + time);
  const probSat = await walk(random, own.seconds + time, 'constant');
  return { paper, own, polished, alone, probSat };
}

const list = (text: string): number[] =>
  text.split(',').map((item) => {
    const value = Number(item);
    if (!Number.isInteger(value) || value < 3) throw new Error(`--variables: numbers from 3, got ${item}`);
    return value;
  });

study(async () => {
  const { values } = parseArgs({
    options: {
      variables: { type: 'string', default: '100,500,1000,5000,20000' },
      instances: { type: 'string', default: '5' },
      polish: { type: 'string', default: '1' },
    },
  });
  const table = new Table(`Satisfied, % (mean of ${values.instances} instances, the worst in brackets)`, [
    'variables',
    'published rule',
    's',
    'package',
    's',
    'evaluations',
    'polished',
    'polish s',
    'local search alone',
    's',
    'probSAT alone',
    's',
  ]);
  for (const variables of list(values.variables)) {
    const rows: Row[] = [];
    for (let seed = 1; seed <= Number(values.instances); seed += 1) {
      rows.push(await instance(variables, seed, Number(values.polish)));
    }
    const shares = (of: keyof Row): string => {
      const all = rows.map((row) => row[of].satisfied);
      return `${mean(all).toFixed(2)} (${Math.min(...all).toFixed(2)})`;
    };
    const seconds = (of: keyof Row): string => short(mean(rows.map((row) => row[of].seconds)));
    const evaluations = mean(rows.map((row) => row.own.evaluations));
    table.add(
      variables,
      ...[shares('paper'), seconds('paper'), shares('own'), seconds('own'), evaluations],
      ...[shares('polished'), seconds('polished'), shares('alone'), seconds('alone')],
      ...[shares('probSat'), seconds('probSat')],
    );
  }
});
