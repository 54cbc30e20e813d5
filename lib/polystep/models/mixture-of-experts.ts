// A hard mixture of experts: the gate's largest score decides which expert answers.
import { integer, object, parse, withDefault } from '../../runtime/validate';
import { GraphBuilder } from './graph';
import { makeNetwork, Network, networkMembers, type NetworkOptions } from './network';

/** Options of {@link mixtureOfExperts}. */
export interface MixtureOfExpertsOptions extends NetworkOptions {
  /** Numbers of a sample. */
  inputs: number;
  /** Units of the hidden layer, and of both layers of an expert. */
  hidden: number;
  /** Experts; default 4. */
  experts?: number;
  /** Classes. */
  outputs: number;
}

const count = integer({ min: 1, max: 2 ** 20 });

/**
 * A hard mixture of experts as an objective: h = relu(W1 x + b1), the first largest of the gate's scores picks an expert
 * (linear, relu, linear), and a last layer follows.
 *
 * Parameters lie as fc1, the gate, the experts one after another, fc_out.
 *
 * @param options  see {@link MixtureOfExpertsOptions}
 * @throws as `mlp`
 * Cost: as `mlp`; every expert is computed for every sample once a step, so that a change of the gate finds it ready.
 * Source: arXiv 2605.01928, Section 5.
 */
export function mixtureOfExperts(options: MixtureOfExpertsOptions): Network {
  const given = parse(
    options,
    'options',
    object({
      ...networkMembers,
      inputs: count,
      hidden: count,
      experts: withDefault(integer({ min: 1, max: 1024 }), 4),
      outputs: count,
    }),
  );
  const builder = new GraphBuilder(given.inputs);
  const hidden = builder.dense(0, given.hidden, { name: 'fc1', activation: 'relu' });
  const gate = builder.dense(hidden, given.experts, { name: 'moe.gate', activation: 'identity' });
  const experts = Array.from({ length: given.experts }, (_, expert) => {
    const inner = builder.dense(hidden, given.hidden, { name: `moe.experts.${expert}.0`, activation: 'relu' });
    return builder.dense(inner, given.hidden, { name: `moe.experts.${expert}.2`, activation: 'identity' });
  });
  builder.dense(builder.select(gate, experts), given.outputs, { name: 'fc_out', activation: 'identity' });
  return new Network(makeNetwork(builder, builder.finish(), given));
}
