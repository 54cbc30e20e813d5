// Attention to one slot: the largest score decides.
import { integer, object, parse, withDefault } from '../../runtime/validate';
import { GraphBuilder } from './graph';
import { makeNetwork, Network, networkMembers, type NetworkOptions } from './network';

/** Options of {@link argmaxAttention}. */
export interface ArgmaxAttentionOptions extends NetworkOptions {
  /** Numbers of a sample. */
  inputs: number;
  /** Units of the hidden layer. */
  hidden: number;
  /** Slots; default 8. */
  slots?: number;
  /** Classes. */
  outputs: number;
}

const count = integer({ min: 1, max: 2 ** 20 });

/**
 * A network with hard attention as an objective: h = relu(W1 x + b1), the slot s is the first largest of K h, the logistic
 * function of row s of K scales Wv h + bv unit by unit, and a last layer follows.
 *
 * Parameters lie as fc1, keys (slots x hidden, no bias), values, fc2.
 *
 * @param options  see {@link ArgmaxAttentionOptions}
 * @throws as `mlp`
 * Cost: as `mlp`. Source: arXiv 2605.01928, Section 5.
 */
export function argmaxAttention(options: ArgmaxAttentionOptions): Network {
  const given = parse(
    options,
    'options',
    object({ ...networkMembers, inputs: count, hidden: count, slots: withDefault(count, 8), outputs: count }),
  );
  const builder = new GraphBuilder(given.inputs);
  const hidden = builder.dense(0, given.hidden, { name: 'fc1', activation: 'relu' });
  const keys = builder.dense(hidden, given.slots, { name: 'attn.keys', activation: 'identity', bias: false });
  const values = builder.dense(hidden, given.hidden, { name: 'attn.values', activation: 'identity' });
  builder.dense(builder.gate(values, keys), given.outputs, { name: 'fc2', activation: 'identity' });
  return new Network(makeNetwork(builder, builder.finish(), given));
}
