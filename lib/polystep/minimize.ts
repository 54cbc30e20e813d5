// A whole run of the optimizer: its steps, and new starts where it stands still.
import type { RunOptions } from '../runtime/run';
import { fail, integer, object, optional, parse } from '../runtime/validate';
import { descend, type LoopOptions, type Minimum, readLoop } from './loop';
import type { Reals } from './native';
import type { Objective } from './objective';
import { Optimizer } from './optimizer';
import type { OptimizerOptions } from './options';
import { boundSchema } from './start';
import { withSuitableOptions } from './suitable';

/** New starts where a run stands still. */
export interface RestartOptions {
  /** At most so many. */
  count: number;
  /** Box that starts are drawn from, a number or D numbers; default: the box of the run. */
  lower?: number | Float64Array | readonly number[];
  /** See `lower`. */
  upper?: number | Float64Array | readonly number[];
}

/** Options of {@link minimize}. */
export interface MinimizeOptions
  extends Omit<OptimizerOptions, 'objective' | 'threads' | 'seed'>, LoopOptions<Optimizer>, RunOptions<Reals> {
  /** Starts again when `patience` or `convergence` ends a descent. */
  restarts?: RestartOptions;
}

const restartsSchema = optional(
  object({ count: integer({ min: 0 }), lower: optional(boundSchema), upper: optional(boundSchema) }),
);

function bound(given: number | Float64Array | undefined, dimension: number, argument: string): Float64Array {
  const box = typeof given === 'number' ? new Float64Array(dimension).fill(given) : given;
  if (box === undefined || !box.every(Number.isFinite))
    fail('ERR_INVALID_ARG_VALUE', argument, 'finite, or the box of the run', given);
  if (box.length !== dimension) fail('ERR_SHAPE_MISMATCH', argument, `of length ${dimension}`, given);
  return box;
}

/**
 * Minimises a loss of which only values are needed: it may be piecewise constant, noisy, or infinite in places.
 *
 * @example
 * const { x, value } = await polystep.minimize(
 *   (view, count, out) => { for (let i = 0; i < count; i += 1) out[i] = loss(view.subarray(20 * i, 20 * i + 20)); },
 *   { dimension: 20, initial: 1, maxEvaluations: 12000, radiusDecay: 0.98 },
 * );
 *
 * @param objective  a batched callback, a callback for replaced blocks, or a native objective
 * @param options    see {@link MinimizeOptions}
 * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE, ERR_SHAPE_MISMATCH, ERR_NOT_FINITE  naming the option, before any work
 * @throws ERR_INVALID_ARG_TYPE, ERR_SHAPE_MISMATCH  `objective` gave one number for a whole batch, or too few
 * @throws whatever the objective throws; what it kept of its views is empty then
 * Cost: V K evaluations per particle and step; see {@link createOptimizer}. Source: arXiv 2605.01928.
 */
export async function minimize(objective: Objective, options: MinimizeOptions = {}): Promise<Minimum> {
  const { restarts: given, ...others } = options;
  const { settings, rest } = readLoop<Optimizer>(others, 'polystep runs on the CPU only');
  const restarts = parse(given, 'options.restarts', restartsSchema);
  const { seed, threads } = settings.run;
  const own: OptimizerOptions = {
    ...(rest as OptimizerOptions),
    objective,
    seed,
    ...(threads !== undefined && { threads }),
  };
  const optimizer = new Optimizer(withSuitableOptions(own, settings.loop.maxSteps));
  const starts = (): { count: number; next: (number: number) => void } | undefined => {
    if (restarts === undefined) return undefined;
    const { count } = restarts;
    const end = (name: 'lower' | 'upper'): Float64Array =>
      bound(
        restarts[name] ?? (rest[name] as Float64Array | undefined),
        optimizer.dimension,
        `options.restarts.${name}`,
      );
    const [lower, upper] = [end('lower'), end('upper')];
    return { count, next: (number) => optimizer.restart(number, lower, upper) };
  };
  try {
    return await descend(optimizer, objective, { ...settings, restarts: starts() });
  } finally {
    optimizer.dispose();
  }
}
