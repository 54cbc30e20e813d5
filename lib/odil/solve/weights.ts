// Weights of residual blocks by name.
import { fail, number, object, type Schema, withDefault } from '../../runtime/validate';
import type { NativeWeights } from '../native';

/** initial * 0.5^(iteration / halfLife): a regularisation that fades while the run goes on. */
export interface DecayingWeight {
  /** At iteration 0; default 1. */
  initial?: number;
  /** Iterations in which it falls to a half. */
  halfLife: number;
}

/** By block; those that are not named have 1. */
export type BlockWeights = Readonly<Record<string, number | DecayingWeight>>;

const weight = number({ min: 0 });
const decaying = object({ initial: withDefault(weight, 1), halfLife: number({ above: 0 }) });

function record(blocks: readonly string[], value: unknown, argument: string): [number, unknown, string][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) {
    fail('ERR_INVALID_ARG_TYPE', argument, 'an object of weights by block', value);
  }
  return Object.entries(value).map(([name, one]) => {
    const block = blocks.indexOf(name);
    if (block < 0) fail('ERR_INVALID_ARG_VALUE', `${argument}.${name}`, `a block (${blocks.join(', ')})`, one);
    return [block, one, `${argument}.${name}`];
  });
}

/** Weights that may decay. @internal */
export function weightsSchema(blocks: readonly string[]): Schema<NativeWeights> {
  return (value, argument) => {
    if (value === undefined) return { weights: new Float64Array(0), halfLives: new Float64Array(0) };
    const weights = new Float64Array(blocks.length).fill(1);
    const halfLives = new Float64Array(blocks.length).fill(Infinity);
    for (const [block, one, name] of record(blocks, value, argument)) {
      const { initial, halfLife } =
        typeof one === 'number' ? { initial: weight(one, name), halfLife: Infinity } : decaying(one, name);
      weights[block] = initial;
      halfLives[block] = halfLife;
    }
    return { weights, halfLives };
  };
}

/** One number per block, 1 where none is given; empty where there are none at all. @internal */
export function fixedWeightsSchema(blocks: readonly string[], element: Schema<number> = weight): Schema<Float64Array> {
  return (value, argument) => {
    if (value === undefined) return new Float64Array(0);
    const weights = new Float64Array(blocks.length).fill(1);
    for (const [block, one, name] of record(blocks, value, argument)) weights[block] = element(one, name);
    return weights;
  };
}
