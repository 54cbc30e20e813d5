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

study(async () => {
  const heads = ['search', ...names.flatMap((name) => [name, 'worst'])];
  const table = new Table(
    `Least value after ${evaluations} evaluations, D = ${dimension}, median and worst of ${seeds.length} seeds`,
    heads,
  );
  const row = async (name: string, settingFor: (task: Task) => Promise<Setting>): Promise<void> => {
    const cells: string[] = [];
    for (const task of tasks) {
      const setting = await settingFor(task);
      const values: number[] = [];
      for (const seed of seeds) values.push(task.score(await setting.run(task, { seed, evaluations })));
      cells.push(short(median(values)), short(Math.max(...values)));
      console.error(`${name}, ${task.name}: ${setting.label}`);
    }
    table.add(name, ...cells);
  };
  await row('polystep', () => Promise.resolve(polystepSetting));
  for (const contender of contenders) {
    if (tasks.every((task) => contender.suits(task)))
      await row(contender.name, (task) => tuned(contender, task, { seed: tuningSeed, evaluations }));
  }
});
