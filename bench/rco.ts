// RCO beside what else one would do, on problems whose optimum is known or can be enumerated (the quantisation
// specification, section 11.4). A table of losses in Markdown, not of times:
//   npx tsc -p tsconfig.bench.json && node build-bench/bench/rco.js [seeds]
import { quantize } from '../lib';

/** Uniform and normal numbers by SplitMix64. */
class Random {
  #state: bigint;

  constructor(seed: number) {
    this.#state = BigInt(seed);
  }

  uniform(): number {
    this.#state = BigInt.asUintN(64, this.#state + 0x9e3779b97f4a7c15n);
    let z = this.#state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return Number((z ^ (z >> 31n)) >> 11n) * 2 ** -53;
  }

  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }
}

interface Instance {
  groups: number;
  options: number;
  weights: number[];
  costs: number[];
  budget: number;
  table: number[][];
  interactions: number[][] | undefined;
}

/** Costs w_i times 2, 3, ... with w_i in 1 .. 5, a budget at 40 % of the span, interactions of deviation 0.25. */
function makeInstance(seed: number, groups: number, options: number, quadratic: boolean): Instance {
  const random = new Random(seed);
  const weights = Array.from({ length: groups }, () => 1 + Math.floor(5 * random.uniform()));
  const table = Array.from({ length: groups }, () => {
    const scale = Math.exp(random.normal());
    return Array.from({ length: options }, () => scale * random.uniform()).sort((a, b) => b - a);
  });
  const interactions = Array.from({ length: groups }, () => new Array<number>(groups).fill(0));
  for (let i = 0; i < groups; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      const value = 0.25 * random.normal();
      (interactions[i] as number[])[j] = value;
      (interactions[j] as number[])[i] = value;
    }
  }
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return {
    groups,
    options,
    weights,
    costs: Array.from({ length: options }, (_, k) => 2 + k),
    budget: Math.floor(total * (2 + 0.4 * (options - 1))),
    table,
    interactions: quadratic ? interactions : undefined,
  };
}

/** The loss of an assignment, and d loss / d P. */
function evaluate(
  { table, interactions, groups, options }: Instance,
  choices: ArrayLike<number>,
): quantize.Evaluation & object {
  const e = table.map((row, i) => row[choices[i] as number] as number);
  const pull = e.map((_, i) => (interactions?.[i] ?? []).reduce((sum, q, j) => sum + q * (e[j] as number), 0));
  const loss = e.reduce((sum, value, i) => sum + value * (1 + (pull[i] as number)), 0);
  const gradient = new Float64Array(groups * options);
  table.forEach((row, i) => row.forEach((d, k) => (gradient[i * options + k] = d * (1 + 2 * (pull[i] as number)))));
  return { loss, gradient };
}

/** The best of all assignments within the budget, or NaN where there are too many. */
function optimum(instance: Instance): number {
  const { groups, options, weights, costs, budget, table, interactions } = instance;
  if (interactions === undefined) {
    const products = weights.map((weight) => costs.map((cost) => weight * cost));
    return quantize.solveKnapsackSync({ values: table, costs: products, budget, method: 'dynamic-programming' }).value;
  }
  if (options ** groups > 1e5) return NaN;
  let best = Infinity;
  for (let code = 0; code < options ** groups; code += 1) {
    const choices = weights.map((_, i) => Math.floor(code / options ** i) % options);
    const cost = choices.reduce((sum, k, i) => sum + (weights[i] as number) * (costs[k] as number), 0);
    if (cost <= budget) best = Math.min(best, evaluate(instance, choices).loss);
  }
  return best;
}

const problemOf = ({
  weights,
  costs,
  budget,
}: Instance): Pick<quantize.RcoProblem, 'weights' | 'costs' | 'budget'> => ({
  weights,
  costs,
  budget,
});

/** The published loop: no other start, no swaps. The rounding of its last logits, and the best sample it saw. */
async function descend(instance: Instance, options: quantize.RcoOptions): Promise<{ final: number; best: number }> {
  let best = Infinity;
  const found = await quantize.rco(
    {
      ...problemOf(instance),
      ...(options.start === 'sensitivity' && { proxy: instance.table }),
      objective: (choices, { phase }) => {
        const answer = evaluate(instance, choices);
        if (phase !== 'proxy') best = Math.min(best, answer.loss);
        return answer;
      },
    },
    { steps: 300, gradients: true, swapEvaluations: 0, ...options },
  );
  return { final: found.finalLoss ?? NaN, best };
}

/** rco as it comes: from the separable solution, with swaps at the end. */
async function whole(instance: Instance, options: quantize.RcoOptions): Promise<quantize.RcoResult> {
  const { table, interactions } = instance;
  const objective = { table, ...(interactions !== undefined && { interactions }) };
  return quantize.rco({ ...problemOf(instance), objective }, options);
}

function softmax(logits: readonly number[]): number[] {
  const largest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/**
 * The same samples, temperatures and Adam without the manifold: lambda ((C - B) / B)^2 is added to the loss instead, C
 * being the expected cost of the sample; at the end the budget is kept by the best assignment for the logits.
 */
function penalised(instance: Instance, lambda: number, seed: number): number {
  const { groups, options, weights, costs, budget } = instance;
  const random = new Random(1000 + seed);
  const steps = 300;
  const cells = groups * options;
  const alpha = new Float64Array(cells);
  const first = new Float64Array(cells);
  const second = new Float64Array(cells);
  for (let step = 0; step < steps; step += 1) {
    const tau = 0.01 ** (step / (steps - 1));
    const soft = weights.map((_, i) =>
      softmax(
        costs.map(
          (_cost, k) => ((alpha[i * options + k] as number) - Math.log(-Math.log(random.uniform() + 1e-20))) / tau,
        ),
      ),
    );
    const hard = soft.map((row) => row.indexOf(Math.max(...row)));
    const { gradient = new Float64Array(cells) } = evaluate(instance, hard);
    const cost = soft.reduce(
      (sum, row, i) => sum + (weights[i] as number) * row.reduce((inner, p, k) => inner + p * (costs[k] as number), 0),
      0,
    );
    const slope = (2 * lambda * (cost - budget)) / budget ** 2;
    soft.forEach((row, i) => {
      const towards = row.map(
        (_, k) => (gradient[i * options + k] as number) + slope * (weights[i] as number) * (costs[k] as number),
      );
      const mean = row.reduce((sum, p, k) => sum + p * (towards[k] as number), 0);
      row.forEach((p, k) => {
        const at = i * options + k;
        const g = (p * ((towards[k] as number) - mean)) / tau;
        first[at] = 0.9 * (first[at] as number) + 0.1 * g;
        second[at] = 0.999 * (second[at] as number) + 0.001 * g * g;
        const root = Math.sqrt(second[at] / (1 - 0.999 ** (step + 1)));
        alpha[at] = (alpha[at] as number) - (0.1 * (first[at] / (1 - 0.9 ** (step + 1)))) / (root + 1e-8);
      });
    });
  }
  const values = weights.map((_, i) =>
    softmax([...alpha.subarray(i * options, (i + 1) * options)]).map((p) => -Math.log(Math.max(p, 1e-10))),
  );
  const products = weights.map((weight) => costs.map((cost) => weight * cost));
  const { choices } = quantize.solveKnapsackSync({ values, costs: products, budget });
  return evaluate(instance, choices).loss;
}

const heads = [
  'problem',
  'optimum',
  'loop, 1 sample: final / best seen',
  '4 samples',
  'sensitivity start',
  'penalty 1 / 10 / 100, then DP',
  'separable DP',
  'DP and swaps',
  '`rco`',
];

async function row(groups: number, options: number, quadratic: boolean, seeds: number): Promise<string[]> {
  const columns: number[][] = [];
  for (let seed = 1; seed <= seeds; seed += 1) {
    const instance = makeInstance(seed, groups, options, quadratic);
    const one = await descend(instance, { seed });
    const four = await descend(instance, { seed, samples: 4 });
    const sensitivity = await descend(instance, { seed, start: 'sensitivity' });
    const swaps = await whole(instance, { steps: 0 });
    columns.push([
      optimum(instance),
      ...[one, four, sensitivity].flatMap(({ final, best }) => [final, best]),
      ...[1, 10, 100].map((lambda) => penalised(instance, lambda, seed)),
      swaps.proxyLoss ?? NaN,
      swaps.loss,
      (await whole(instance, { seed })).loss,
    ]);
  }
  const mean = (at: number): string => {
    const value = columns.reduce((sum, values) => sum + (values[at] as number), 0) / seeds;
    return Number.isNaN(value) ? '?' : value.toFixed(3);
  };
  return [
    `${quadratic ? 'quadratic' : 'separable'} N = ${groups}, K = ${options}`,
    mean(0),
    ...[1, 3, 5].map((at) => `${mean(at)} / ${mean(at + 1)}`),
    `${mean(7)} / ${mean(8)} / ${mean(9)}`,
    ...[10, 11, 12].map(mean),
  ];
}

async function main(): Promise<void> {
  const seeds = Number(process.argv[2] ?? 10);
  if (!Number.isSafeInteger(seeds) || seeds < 1) throw new Error('usage: node build-bench/bench/rco.js [seeds]');
  console.log(`| ${heads.join(' | ')} |\n|---|${'---:|'.repeat(heads.length - 1)}`);
  const problems = [
    [20, 4, false],
    [50, 7, false],
    [100, 7, false],
    [8, 3, true],
    [9, 3, true],
    [30, 5, true],
  ] as const;
  for (const [groups, options, quadratic] of problems) {
    console.log(`| ${(await row(groups, options, quadratic, seeds)).join(' | ')} |`);
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
