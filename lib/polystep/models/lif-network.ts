// Spiking networks of leaky integrate-and-fire neurons with a hard reset.
import { fail, integer, number, object, parse, withDefault } from '../../runtime/validate';
import { GraphBuilder } from './graph';
import type { Points } from './native-objective';
import { layersSchema } from './mlp';
import { makeNetwork, Network, networkMembers, type NetworkOptions, type NetworkParts } from './network';

/** Options of {@link lifNetwork}. */
export interface LifNetworkOptions extends NetworkOptions {
  /** Units of each layer: inputs, hidden layers, outputs. */
  layers: readonly number[];
  /** Ticks of a run; default 15. */
  ticks?: number;
  /** Share of the potential that is left after a tick; default 0.95. */
  beta?: number;
  /** Potential at which a neuron fires; default 1. */
  threshold?: number;
}

/** A spiking network: its outputs are spike counts. */
export class LifNetwork extends Network {
  /** Ticks of a run. */
  readonly ticks: number;
  /** Its outputs are spikes. */
  readonly spiking = true;

  /** @internal */
  constructor(parts: NetworkParts, ticks: number, outputBias: number) {
    super(parts, outputBias);
    this.ticks = ticks;
  }

  /**
   * Which neurons of a hidden layer fire when.
   *
   * @param parameters  dimension numbers
   * @param inputs      samples x inputs numbers; default: the data it is trained on
   * @param layer       hidden layer, from 1; default 1
   * @returns           samples x units x ticks of 0 and 1
   * @throws ERR_OUT_OF_RANGE  no such hidden layer
   */
  spikes(parameters: Points, inputs?: Points, layer = 1): Uint8Array {
    parse(layer, 'layer', integer({ min: 1 }));
    if (layer > this.nodes.length - 2) {
      fail('ERR_OUT_OF_RANGE', 'layer', `a hidden layer from 1 to ${this.nodes.length - 2}`, layer);
    }
    return Uint8Array.from(this.values(parameters, inputs, layer));
  }

  /**
   * Share of output neurons that fire for no sample: their classes are lost to candidates near by.
   *
   * @param parameters  dimension numbers
   * @param inputs      samples x inputs numbers; default: the data it is trained on
   * @returns           a number in [0, 1]
   */
  silentOutputs(parameters: Points, inputs?: Points): number {
    const counts = this.predictions(parameters, inputs);
    const fires = new Uint8Array(this.outputs);
    counts.forEach((count, i) => {
      if (count > 0) fires[i % this.outputs] = 1;
    });
    return fires.filter((one) => one === 0).length / this.outputs;
  }
}

/**
 * A spiking network as an objective.
 *
 * Each tick, v = beta v + current; where v reaches the threshold the neuron fires and v becomes 0. The first layer gets
 * the current of the inputs at every tick, later ones that of the spikes before them; the outputs are spike counts, and
 * the loss is taken on these. First parameters have an output bias of 3 (1 - beta) threshold, so that every output fires
 * at the start: an output that never fires is a plateau.
 *
 * @param options  see {@link LifNetworkOptions}
 * @throws as `mlp`
 * Cost: a candidate that changes a hidden neuron costs its run, and where its spikes change the runs of the next layer.
 * Source: arXiv 2605.01928, Section 5.
 */
export function lifNetwork(options: LifNetworkOptions): LifNetwork {
  const given = parse(
    options,
    'options',
    object({
      ...networkMembers,
      layers: layersSchema,
      ticks: withDefault(integer({ min: 1, max: 4096 }), 15),
      beta: withDefault(number({ min: 0, max: 1 }), 0.95),
      threshold: withDefault(number({ above: 0 }), 1),
    }),
  );
  const { layers, ticks, beta, threshold } = given;
  const builder = new GraphBuilder(layers[0] as number);
  for (let l = 1; l < layers.length; l += 1) {
    const activation = l < layers.length - 1 ? 'lifSpikes' : 'lifCounts';
    builder.dense(l - 1, layers[l] as number, { name: `fc${l}`, activation });
  }
  const parts = makeNetwork(builder, builder.finish({ ticks, beta, threshold }), given);
  return new LifNetwork(parts, ticks, 3 * (1 - beta) * threshold);
}
