// The layers of a safetensors checkpoint that can be quantised, and checkpoints with other weights in their place.
import {
  float32ToBfloat16,
  float32ToFloat16,
  type SafetensorsDtype,
  type SafetensorsFile,
  writeSafetensors,
} from '../formats';
import { makeError } from '../runtime/errors';

/** A weight matrix of a checkpoint: outputs x inputs. */
export interface SafetensorsLayer {
  /** Name of the tensor. */
  readonly name: string;
  /** Outputs of the layer. */
  readonly rows: number;
  /** Inputs of the layer; for a convolution channels times positions of the kernel. */
  readonly columns: number;
}

/** Which tensors are meant. */
export interface SafetensorsLayerFilter {
  /** Smallest number of weights (default 5000). */
  readonly minimumWeights?: number;
  /** Whether a tensor is a layer to quantise; default: all whose name ends in `weight` and has no `embed` in it. */
  readonly include?: (name: string, shape: readonly number[]) => boolean;
}

const narrow: Partial<Record<SafetensorsDtype, (values: Float32Array) => ArrayBufferView>> = {
  F32: (values) => values,
  F16: float32ToFloat16,
  BF16: float32ToBfloat16,
};

const isLinear = (name: string): boolean => name.endsWith('weight') && !name.includes('embed');

/**
 * The tensors of a checkpoint that can be quantised: floating-point, of at least two dimensions, the first being the
 * outputs (as PyTorch stores linear layers and convolutions of one group). Sorted by name.
 */
export function findSafetensorsLayers(
  file: SafetensorsFile,
  { minimumWeights = 5000, include = isLinear }: SafetensorsLayerFilter = {},
): SafetensorsLayer[] {
  return file.names.sort().flatMap((name) => {
    const { dtype, shape } = file.info(name);
    const [rows = 0, ...rest] = shape;
    const columns = rest.reduce((product, extent) => product * extent, 1);
    const size = rows * columns;
    if (rest.length === 0 || size === 0 || size < minimumWeights || narrow[dtype] === undefined) return [];
    return include(name, shape) ? [{ name, rows, columns }] : [];
  });
}

/**
 * Writes the checkpoint anew with these weights in place of its own, in the element types it has (16-bit ones round);
 * other tensors are copied byte for byte, one at a time. A function is called when its tensor's turn comes, so that
 * the whole model never needs to be in memory.
 */
export function writeSafetensorsModel(
  target: string,
  source: SafetensorsFile,
  weights: ReadonlyMap<string, Float32Array | (() => Float32Array)>,
): void {
  for (const name of weights.keys()) {
    if (narrow[source.info(name).dtype] === undefined) {
      const message = `tensor \`${name}\` of type ${source.info(name).dtype} cannot take float32 values`;
      throw makeError('ERR_NOT_EXPRESSIBLE', 'weights', message);
    }
  }
  const entries = source.names.map((name) => {
    const { dtype, shape } = source.info(name);
    const data = (): ArrayBufferView => {
      const values = weights.get(name);
      if (values === undefined) return source.bytes(name);
      return (narrow[dtype] as (values: Float32Array) => ArrayBufferView)(
        typeof values === 'function' ? values() : values,
      );
    };
    return [name, { dtype, shape, data }] as const;
  });
  writeSafetensors(target, { tensors: new Map(entries), metadata: source.metadata });
}
