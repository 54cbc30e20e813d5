// Searches that polystep is compared with: the same objectives, the same accounting, the same result.
import { fail, object, parse } from '../../runtime/validate';
import { descend, type Minimum, readLoop } from '../loop';
import { isDelta, type Objective, objectiveSchema } from '../objective';
import { box, dimensionOf, startOf } from '../start';
import {
  baselineMembers,
  type BaselineOptions,
  type CmaEsOptions,
  type EggrollOptions,
  type MeZoOptions,
  type Method,
  methods,
  type OpenAiEsOptions,
  type RandomSearchOptions,
  type SpsaOptions,
} from './options';
import { BaselineSearch } from './search';

export type {
  BaselineOptions,
  CmaEsOptions,
  EggrollOptions,
  MeZoOptions,
  OpenAiEsOptions,
  RandomSearchOptions,
  SpsaOptions,
} from './options';
export type { OptimizerName } from './native';
export type { BaselineSearch } from './search';

/** Numbers that the state of a method holds, roughly. */
const stateNumbers = (dimension: number, full: boolean): number => (full ? 2 * dimension ** 2 : 8 * dimension);

async function search(method: Method, given: Objective, options: BaselineOptions): Promise<Minimum> {
  const { settings, rest } = readLoop<BaselineSearch>(options, 'the baselines of polystep run on the CPU only');
  const objective = parse(given, 'objective', objectiveSchema);
  if (isDelta(objective)) {
    fail('ERR_INVALID_ARG_TYPE', 'objective', 'a function or a native objective: candidates differ everywhere', given);
  }
  const checked = parse(rest, 'options', object({ ...baselineMembers, ...method.members }));
  const own = Object.fromEntries(
    Object.keys(method.members).map((name) => [name, (checked as Record<string, unknown>)[name]]),
  );
  const { seed, threads } = settings.run;
  const dimension = dimensionOf(objective, checked);
  const [lower, upper] = box(checked.lower, checked.upper, dimension);
  const single = checked.dtype === 'float32';
  const { maxEvaluations, patience, minDelta, concurrency, bufferBytes } = checked;
  const context = { objective, dimension, lower, upper, maxSteps: settings.loop.maxSteps, maxEvaluations };
  const native = method.native(own, context);
  const bytes = 8 * stateNumbers(dimension, native['separable'] === false);
  const running = new BaselineSearch({
    native: {
      ...native,
      method: method.index,
      single,
      dimension,
      lower,
      upper,
      seed,
      patience,
      minDelta,
      bytes,
    },
    initial: startOf(checked.initial, objective, { dimension, particles: 1, seed, single, lower, upper }),
    objective,
    maxEvaluations,
    concurrency,
    bufferBytes,
    threads: threads ?? 0,
  });
  try {
    return await descend(running, objective, settings);
  } finally {
    running.dispose();
  }
}

/**
 * OpenAI-ES: an evolution strategy with mirrored normal perturbations of one size, ranked losses and Adam.
 *
 * @example
 * const { x, value } = await polystep.baselines.openAiEs(loss, { dimension: 20, initial: 1, maxEvaluations: 12000 });
 *
 * @param objective  a batched callback or a native objective
 * @param options    see {@link OpenAiEsOptions}
 * @throws ERR_INVALID_ARG_TYPE  a callback for replaced blocks: candidates of this search differ everywhere
 * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE, ERR_SHAPE_MISMATCH, ERR_NOT_FINITE  naming the option, before any work
 * @throws whatever the objective throws
 * Cost: `population` evaluations a step, each perturbation drawn twice (about 12 ns a number). Source: Salimans et al.,
 * arXiv 1703.03864, Algorithm 1 and Section 2.1.
 */
export function openAiEs(objective: Objective, options: OpenAiEsOptions = {}): Promise<Minimum> {
  return search(methods.openAiEs, objective, options);
}

/**
 * CMA-ES: candidates of a normal distribution whose covariance is learned from the best of them. A plateau as wide as
 * most candidates widens the search.
 *
 * @param objective  as for {@link openAiEs}
 * @param options    see {@link CmaEsOptions}
 * @throws as {@link openAiEs}; ERR_OUT_OF_RANGE  `'full'` above 4096 dimensions
 * Cost: `population` evaluations a step and, with the full covariance, population D^2 operations, in some steps 9 D^3.
 * Source: Hansen, arXiv 1604.00772, with the defaults of Table 1; separable: Ros and Hansen, PPSN X (2008).
 */
export function cmaEs(objective: Objective, options: CmaEsOptions = {}): Promise<Minimum> {
  return search(methods.cmaEs, objective, options);
}

/**
 * SPSA: a gradient from the losses at x + c s and x - c s with random signs s, and gains that fall.
 *
 * @param objective  as for {@link openAiEs}
 * @param options    see {@link SpsaOptions}
 * @throws as {@link openAiEs}
 * Cost: 2 `directions` evaluations a step. Source: Spall, IEEE Transactions on Automatic Control 37 (1992); gains of
 * IEEE Transactions on Aerospace and Electronic Systems 34 (1998), Section III.
 */
export function spsa(objective: Objective, options: SpsaOptions = {}): Promise<Minimum> {
  return search(methods.spsa, objective, options);
}

/**
 * MeZO: stochastic descent along a normal direction that is drawn again instead of stored.
 *
 * @param objective  as for {@link openAiEs}
 * @param options    see {@link MeZoOptions}
 * @throws as {@link openAiEs}
 * Cost: 2 `directions` evaluations a step. Source: Malladi et al., arXiv 2305.17333, Algorithm 1.
 */
export function meZo(objective: Objective, options: MeZoOptions = {}): Promise<Minimum> {
  return search(methods.meZo, objective, options);
}

/**
 * EGGROLL: the evolution strategy of {@link openAiEs} whose perturbations of matrices have a low rank, which is far fewer
 * random numbers; their sum over a step has full rank again.
 *
 * @param objective  as for {@link openAiEs}
 * @param options    see {@link EggrollOptions}
 * @throws as {@link openAiEs}; ERR_INVALID_ARG_VALUE  neither the objective nor the options say the tensors
 * Cost: `population` evaluations a step, r operations a number and perturbation. Source: Sarkar et al., arXiv 2511.16652.
 */
export function eggroll(objective: Objective, options: EggrollOptions = {}): Promise<Minimum> {
  return search(methods.eggroll, objective, options);
}

/**
 * Random search: goes to the best of the iterate and a few random candidates.
 *
 * @param objective  as for {@link openAiEs}
 * @param options    see {@link RandomSearchOptions}
 * @throws as {@link openAiEs}; ERR_INVALID_ARG_VALUE  `'uniform'` without a finite box
 * Cost: `population` evaluations a step, the iterate's among them.
 */
export function randomSearch(objective: Objective, options: RandomSearchOptions = {}): Promise<Minimum> {
  return search(methods.randomSearch, objective, options);
}
