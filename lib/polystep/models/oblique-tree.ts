// Decision trees whose nodes ask linear questions.
import { integer, object, parse } from '../../runtime/validate';
import { GraphBuilder } from './graph';
import { makeNetwork, Network, networkMembers, type NetworkOptions } from './network';

/** Options of {@link obliqueTree}. */
export interface ObliqueTreeOptions extends NetworkOptions {
  /** Numbers of a sample. */
  inputs: number;
  /** Questions from the root to a leaf, at least 1. */
  depth: number;
}

/**
 * An oblique decision tree of two classes as an objective: node i goes right, to 2 i + 2, where w . x + b > 0, else left,
 * to 2 i + 1; a leaf above zero says class 1. The default loss is `'zeroOne'`.
 *
 * Parameters lie as the weights of all 2^depth - 1 nodes, their biases, the 2^depth leaves.
 *
 * @param options  see {@link ObliqueTreeOptions}
 * @throws as `mlp`
 * Cost: a candidate that changes one question costs that question and the walk down. Source: arXiv 2605.01928.
 */
export function obliqueTree(options: ObliqueTreeOptions): Network {
  const given = parse(
    options,
    'options',
    object({ ...networkMembers, inputs: integer({ min: 1, max: 2 ** 20 }), depth: integer({ min: 1, max: 16 }) }),
  );
  const builder = new GraphBuilder(given.inputs);
  builder.tree(builder.dense(0, 2 ** given.depth - 1, { name: 'nodes', activation: 'step' }));
  const labelled = typeof given.data === 'object' && given.data !== null && 'labels' in given.data;
  const loss = given.loss ?? (labelled ? 'zeroOne' : undefined);
  return new Network(makeNetwork(builder, builder.finish(), { ...given, loss }));
}
