// Smooth functions of 20 variables at 12 000 evaluations: polystep's searchOptions, one setting for all of them, beside
// every baseline, each with the best of eight settings for each function.
//   npx tsc -p tsconfig.bench.json && node build-bench/bench/studies/polystep-functions.js
import { polystep } from '../../lib';
import { contenders, median, polystepSetting, type Setting, type Task, tuned } from './polystep-contenders';
import { short, study, Table } from './study';

const dimension = 20;
const evaluations = 12000;
const tuningSeed = 100;
const seeds = Array.from({ length: 11 }, (_, i) => i + 1);
const names = ['sphere', 'ackley', 'rastrigin', 'rosenbrock'] as const;
const starts = { sphere: 175, ackley: 13, rastrigin: 375, rosenbrock: 2e5 };

const tasks = names.map((name): Task => {
  const objective = polystep.functions[name]({ dimension });
  const [low, high] = [objective.lower[0] as number, objective.upper[0] as number];
  return {
    name,
    objective,
    initial: { uniform: [low, high] },
    length: high,
    loss: starts[name],
    population: 24,
    decays: [1e-2, 1e-5],
    dtype: 'float64',
    searchOptions: (count) => objective.searchOptions({ evaluations: count }),
    cost: ({ value }) => (Number.isFinite(value) ? value : Infinity),
    score: ({ value }) => value,
  };
});

/** Results of one search on every function: values, and seconds a run. */
interface Row {
  values: number[][];
  seconds: number[];
}

/** `times`: seconds that each function may take instead of the evaluations, and how many of those that will be. */
async function judge(settings: readonly Setting[], times?: { seconds: number; evaluations: number }[]): Promise<Row> {
  const row: Row = { values: [], seconds: [] };
  for (const [i, task] of tasks.entries()) {
    const values: number[] = [];
    const seconds: number[] = [];
    const time = times?.[i];
    for (const seed of seeds) {
      const limits = { seed, evaluations: time?.evaluations ?? evaluations };
      const limit = time === undefined ? {} : { timeLimitMs: 1000 * time.seconds };
      const found = await (settings[i] as Setting).run(task, { ...limits, ...limit });
      values.push(task.score(found));
      seconds.push(found.seconds);
    }
    row.values.push(values);
    row.seconds.push(median(seconds));
  }
  return row;
}

study(async () => {
  const heads = ['search', ...names.flatMap((name) => [name, 'worst']), 'ms'];
  const table = new Table(
    `Least value after ${evaluations} evaluations, D = ${dimension}, median and worst of ${seeds.length} seeds`,
    heads,
  );
  const timed: (() => Promise<void>)[] = [];
  let own: Row | undefined;
  await judge(tasks.map(() => polystepSetting)); // the first runs of a process are slower
  for (const contender of [undefined, ...contenders]) {
    if (contender !== undefined && !tasks.every((task) => contender.suits(task))) continue;
    const settings: Setting[] = [];
    for (const task of tasks) {
      settings.push(contender ? await tuned(contender, task, { seed: tuningSeed, evaluations }) : polystepSetting);
    }
    const name = contender?.name ?? 'polystep';
    console.error(`${name}: ${settings.map(({ label }) => label).join('; ')}`);
    const row = await judge(settings);
    own ??= row;
    const first = own;
    const cells = row.values.flatMap((values) => [short(median(values)), short(Math.max(...values))]);
    table.add(name, ...cells, short(1000 * median(row.seconds)));
    const times = first.seconds.map((seconds, i) => ({
      seconds,
      evaluations: Math.round((evaluations * seconds) / (row.seconds[i] as number)),
    }));
    timed.push(async () => {
      const { values } = contender === undefined ? row : await judge(settings, times);
      equal.add(name, ...values.map((of) => short(median(of))), ...times.map((time) => time.evaluations));
    });
  }
  const equal = new Table(`The same in polystep's time, median; then the evaluations that fit`, [
    'search',
    ...names,
    ...names.map((name) => `evaluations, ${name}`),
  ]);
  for (const run of timed) await run();
});
