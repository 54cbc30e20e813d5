// The searches that the studies of polystep compare, each with the eight settings that it may choose from on a seed that
// it is not judged by. Lengths are shares of a task's own, losses of its loss at the start.
import { polystep } from '../../lib';

const { baselines } = polystep;

/** Something to minimise, and how it is judged. */
export interface Task {
  name: string;
  objective: polystep.NativeLoss;
  initial: polystep.Start | ((seed: number) => polystep.Start);
  /** Coordinates of a good point are of this size. */
  length: number;
  /** Loss at the start, roughly. */
  loss: number;
  /** Population of evolution strategies. */
  population: number;
  /** What sigma and learning rate fall to in a run: two choices. */
  decays: readonly [number, number];
  dtype: 'float32' | 'float64';
  /** Polystep's own settings for a run of so many evaluations. */
  searchOptions(evaluations: number): polystep.MinimizeOptions;
  /** Of a result: less is better. Settings are chosen by it. */
  cost(found: polystep.Minimum): number;
  /** Of a result, for the table. */
  score(found: polystep.Minimum): number;
}

/** What ends a run and what schedules are laid out for. */
export interface Limits {
  seed: number;
  evaluations: number;
  restoreBest?: boolean;
}

/** One search with one of its settings. */
export interface Setting {
  label: string;
  run(task: Task, limits: Limits): Promise<polystep.Minimum>;
}

/** One search. */
export interface Contender {
  name: string;
  settings: readonly Setting[];
  /** Whether it can be asked at all. */
  suits(task: Task): boolean;
}

function common(task: Task, { seed, evaluations, restoreBest = true }: Limits) {
  const initial = typeof task.initial === 'function' ? task.initial(seed) : task.initial;
  return { maxEvaluations: evaluations, seed, initial, dtype: task.dtype, threads: 1, restoreBest, scoreFinal: false };
}

/** The factor from step to step that comes to `end` in a run. */
const factor = (end: number, evaluations: number, population: number): number =>
  end ** (population / Math.max(evaluations, population));

/** All pairs of two lists, four and two in length. */
const grid = <A, B>(first: readonly A[], second: readonly B[], make: (a: A, b: B) => Setting): Setting[] =>
  first.flatMap((a) => second.map((b) => make(a, b)));

const always = (): boolean => true;

const strategies = [0.05, 0.2].flatMap((sigma) => [0.01, 0.05].map((rate) => [sigma, rate] as const));

const openAiEs: Contender = {
  name: 'OpenAI-ES',
  suits: always,
  settings: grid(strategies, [0, 1] as const, ([sigma, rate], which) => ({
    label: `sigma ${sigma}, rate ${rate}, decay ${which}`,
    run: (task, limits) => {
      const decay = factor(task.decays[which], limits.evaluations, task.population);
      return baselines.openAiEs(task.objective, {
        ...common(task, limits),
        population: task.population,
        sigma: sigma * task.length,
        learningRate: rate * task.length,
        sigmaDecay: decay,
        learningRateDecay: decay,
      });
    },
  })),
};

const eggroll: Contender = {
  name: 'EGGROLL',
  suits: (task) => task.objective.tensors !== undefined,
  settings: grid(strategies, [1, 4] as const, ([sigma, rate], rank) => ({
    label: `sigma ${sigma}, rate ${rate}, rank ${rank}`,
    run: (task, limits) => {
      const decay = factor(task.decays[1], limits.evaluations, task.population);
      return baselines.eggroll(task.objective, {
        ...common(task, limits),
        population: task.population,
        rank,
        sigma: sigma * task.length,
        learningRate: rate * task.length,
        sigmaDecay: decay,
        learningRateDecay: decay,
      });
    },
  })),
};

const cmaEs = (covariance: 'full' | 'separable'): Contender => ({
  name: covariance === 'full' ? 'CMA-ES' : 'separable CMA-ES',
  // The full one takes minutes for each of thousands of decompositions above.
  suits: (task) => covariance === 'separable' || task.objective.dimension <= 200,
  settings: grid([0.03, 0.1, 0.3, 1], [1, 4], (sigma, times) => ({
    label: `sigma ${sigma}, population x${times}`,
    run: (task, limits) =>
      baselines.cmaEs(task.objective, {
        ...common(task, limits),
        covariance,
        sigma: sigma * task.length,
        population: times * (4 + Math.floor(3 * Math.log(task.objective.dimension))),
      }),
  })),
});

/** What learning rates of raw losses are multiples of. */
const rateUnit = ({ length, loss }: Task): number => length ** 2 / loss;

const spsa: Contender = {
  name: 'SPSA',
  suits: always,
  settings: grid([1e-2, 1e-1, 1, 10], [0.02, 0.2], (rate, distance) => ({
    label: `a ${rate}, c ${distance}`,
    run: (task, limits) =>
      baselines.spsa(task.objective, {
        ...common(task, limits),
        learningRate: rate * rateUnit(task),
        perturbation: distance * task.length,
        stability: 0.05 * limits.evaluations,
      }),
  })),
};

const meZo: Contender = {
  name: 'MeZO',
  suits: always,
  settings: grid([1e-3, 1e-2, 1e-1, 1], [0.01, 0.1], (rate, distance) => ({
    label: `rate ${rate}, distance ${distance}`,
    run: (task, limits) =>
      baselines.meZo(task.objective, {
        ...common(task, limits),
        learningRate: rate * rateUnit(task),
        learningRateDecay: factor(task.decays[1], limits.evaluations, 2),
        perturbation: distance * task.length,
      }),
  })),
};

const randomSearch: Contender = {
  name: 'random search',
  suits: always,
  settings: grid([0.02, 0.05, 0.1, 0.3], [0, 1] as const, (sigma, which) => ({
    label: `sigma ${sigma}, decay ${which}`,
    run: (task, limits) =>
      baselines.randomSearch(task.objective, {
        ...common(task, limits),
        population: task.population,
        sigma: sigma * task.length,
        sigmaDecay: factor(task.decays[which], limits.evaluations, task.population),
      }),
  })),
};

/** Polystep on networks, tuned as the baselines are. */
export const tunedPolystep: Contender = {
  name: 'polystep, tuned',
  suits: (task) => task.objective.tensors !== undefined,
  settings: grid(
    [0.5, 1].flatMap((scale) => [0, 0.5].map((momentum) => [scale, momentum] as const)),
    ['orthoplex', 'simplex'] as const,
    ([scale, momentum], polytope) => ({
      label: `radii x${scale}, ${polytope}, momentum ${momentum}`,
      run: (task, limits) => {
        const blocks = Math.ceil(task.objective.dimension / 8);
        const steps = Math.max(1, Math.floor(limits.evaluations / (blocks * (polytope === 'simplex' ? 9 : 16))));
        const { stepRadius, probeRadius, ...rest } = task.searchOptions(limits.evaluations);
        const falling = (radius: polystep.Schedule | undefined): polystep.Schedule => {
          if (typeof radius !== 'object' || radius.kind !== 'geometric') throw new Error('expected a geometric radius');
          return { ...radius, initial: scale * radius.initial, target: scale * radius.target, steps };
        };
        return polystep.minimize(task.objective, {
          ...rest,
          ...common(task, limits),
          polytope,
          momentum: momentum > 0 && { initial: momentum, final: momentum },
          stepRadius: falling(stepRadius),
          probeRadius: falling(probeRadius),
          epsilon: { kind: 'geometric', initial: 1, target: 0.5, steps },
          maxSteps: steps,
        });
      },
    }),
  ),
};

/** The baselines. */
export const contenders: readonly Contender[] = [
  openAiEs,
  eggroll,
  cmaEs('full'),
  cmaEs('separable'),
  spsa,
  meZo,
  randomSearch,
];

/** Polystep with the settings that its objectives offer; nothing is chosen here. */
export const polystepSetting: Setting = {
  label: 'searchOptions',
  run: (task, limits) => {
    const { initial, ...rest } = task.searchOptions(limits.evaluations);
    return polystep.minimize(task.objective, { ...rest, ...common(task, limits), ...(initial && { initial }) });
  },
};

/** The setting that did best on the tuning seed. */
export async function tuned(contender: Contender, task: Task, limits: Limits): Promise<Setting> {
  let best: { setting: Setting; cost: number } | undefined;
  for (const setting of contender.settings) {
    const cost = task.cost(await setting.run(task, limits));
    if (best === undefined || cost < best.cost) best = { setting, cost };
  }
  return (best as { setting: Setting }).setting;
}

/**
 * Evaluations that a search makes in the time in which polystep makes `evaluations`: both run for a while in turn, five
 * times, because the machine's speed drifts and ratios do not.
 */
export async function affordable(setting: Setting, task: Task, evaluations: number, share: number): Promise<number> {
  const limits = { seed: 1, evaluations: Math.round(share * evaluations) };
  const ratios: number[] = [];
  const each = (found: polystep.Minimum): number => found.seconds / found.evaluations;
  for (let sample = 0; sample < 5; sample += 1) {
    const own = each(await polystepSetting.run(task, limits));
    ratios.push(own / each(await setting.run(task, limits)));
  }
  return Math.round(evaluations * median(ratios));
}

/** The middle of some numbers. */
export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return ((sorted[Math.ceil(half) - 1] as number) + (sorted[Math.floor(half)] as number)) / 2;
};
