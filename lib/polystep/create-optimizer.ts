// Optimizers made from options or from where another one stood.
import { makeError } from '../runtime/errors';
import { type Checkpoint, parseCheckpoint } from './checkpoint';
import { Optimizer } from './optimizer';
import type { OptimizerOptions } from './options';
import { withSuitableOptions } from './suitable';

/**
 * An optimizer that is driven step by step: `step()` where there is an objective, `ask()` and `tell(costs)` where the
 * caller computes losses.
 *
 * @example
 * const optimizer = polystep.createOptimizer({ dimension: 20, stepRadius: 0.5 });
 * for (let round = 0; round < 100; round += 1) {
 *   const view = optimizer.ask();
 *   optimizer.tell(losses(view));   // one per row of 20 numbers
 * }
 *
 * @param options  see {@link OptimizerOptions}
 * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE, ERR_SHAPE_MISMATCH, ERR_NOT_FINITE  naming the option
 * Cost per step besides the losses: a rotation (8 d^3 / 3 operations) and V K D numbers per particle; with a native
 * objective in block mode no candidate and no cost matrix is ever formed. Source: arXiv 2605.01928.
 */
export function createOptimizer(options: OptimizerOptions): Optimizer {
  return new Optimizer(withSuitableOptions(options));
}

/**
 * Goes on from a checkpoint: the steps that follow are those of a run that was never interrupted, bit by bit.
 *
 * @param checkpoint  of `optimizer.checkpoint()`, also after structuredClone
 * @param options     options that were functions or objectives (`checkpoint.functions` names them), and whatever is to
 *                    change
 * @throws ERR_INVALID_FORMAT     another version, or something missing
 * @throws ERR_SHAPE_MISMATCH     arrays that are shorter or longer than the options say
 * @throws ERR_INVALID_ARG_VALUE  a function that was not given again
 */
export function restore(checkpoint: Checkpoint, options: OptimizerOptions = {}): Optimizer {
  const checked = parseCheckpoint(checkpoint);
  for (const name of checked.functions) {
    if (options[name as keyof OptimizerOptions] === undefined) {
      throw makeError(
        'ERR_INVALID_ARG_VALUE',
        `options.${name}`,
        `\`options.${name}\` was a function or an objective when the checkpoint was made: it must be given again`,
      );
    }
  }
  const optimizer = new Optimizer({ ...checked.options, ...options, dtype: checked.dtype });
  try {
    optimizer.resume(checked);
  } catch (reason) {
    optimizer.dispose();
    throw reason;
  }
  return optimizer;
}
