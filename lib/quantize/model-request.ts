// What a user may ask of quantizeModel, and what is refused before any work.
import path from 'node:path';
import type { RunOptions } from '../runtime/run';
import { boolean, fail, functionOf, integer, number, object, oneOf, optional, withDefault } from '../runtime/validate';
import { type AcrossLayers, acrossLayersSchema, defaultRates, type LayerImportance, probeRate } from './across-layers';
import type { QuantizeOptions } from './layer';
import type { Calibration, LayerSelection } from './model-source';

/** What is quantised and how. */
export interface ModelRequest
  extends LayerSelection, Omit<QuantizeOptions, keyof RunOptions | 'averageBits' | 'levels' | 'measureEnergy'> {
  /** The model: .onnx or .safetensors. */
  input: string;
  /** The model to write, of the same format; appears whole or not at all. */
  output: string;
  /**
   * Bits per weight; default 4. What every layer's codes have, as in `quantizeLayer`; with `acrossLayers` what the whole
   * model has with everything counted: codes, padding, levels of columns, grids.
   */
  averageBits?: number;
  /**
   * Layers share the budget instead of getting the same bits each; default false. Every layer is quantised at several
   * rates, which takes as many times longer and as much of the work folder; the best choice within the budget is then
   * known (`acrossLayers` of the report). Works with `shard` (the choice is made by `mergeModel`), not with `sequential`:
   * what a layer would see depends on choices that are not made yet.
   */
  acrossLayers?: boolean | AcrossLayers;
  /** What is known of the inputs; default: nothing, and then only method `'rtn'` makes sense. */
  calibration?: Calibration;
  /**
   * Layers see inputs made by the layers before them as quantised (true), or by the original model (default false).
   * Takes a run of the model per layer, and cannot be sharded.
   */
  sequential?: boolean;
  /**
   * `'values'` (default): the same format with quantised values, which loads anywhere and is no smaller; `'packed'`: a
   * safetensors file of codes, for `formats` and `quantize.readQuantizedLayer`.
   */
  format?: 'values' | 'packed';
  /** Folder of finished layers; default: the output's name with `.layers` behind it. Removed when the model is whole. */
  workFolder?: string;
  /** Keep that folder; default false, but true with `shard`. */
  keepWork?: boolean;
  /** Only layers number `index`, `index + count`, ...: another machine does the others; then `mergeModel`. */
  shard?: {
    /** From 0. */
    index: number;
    /** Number of shards. */
    count: number;
  };
}

const text = (value: unknown, argument: string): string => {
  if (typeof value !== 'string' || value === '') fail('ERR_INVALID_ARG_TYPE', argument, 'the path of a file', value);
  return value;
};
const anything = (value: unknown): unknown => value;

// What quantizeLayer says about these is what counts.
const passedOn = {
  budget: anything,
  mode: anything,
  groupSize: anything,
  allowTail: anything,
  staticGroups: anything,
  exactGroups: anything,
  blockSize: anything,
  symmetric: anything,
  search: anything,
  ternary: anything,
  perTensor: anything,
  actOrder: anything,
  damping: anything,
  rounds: anything,
  rangeFits: anything,
  maxBits: anything,
  coordinateDescent: anything,
  refitScales: anything,
};

/** A {@link ModelRequest} with defaults. @internal */
export const requestSchema = object({
  input: text,
  output: text,
  calibration: (value: unknown, argument: string): Calibration | undefined => {
    if (value === undefined) return undefined;
    if (typeof value !== 'object' || value === null || !('inputs' in value || 'activations' in value)) {
      fail('ERR_INVALID_ARG_TYPE', argument, 'an object with `inputs` or `activations`', value);
    }
    return value as Calibration;
  },
  sequential: withDefault(boolean, false),
  acrossLayers: acrossLayersSchema,
  format: withDefault(oneOf(['values', 'packed']), 'values'),
  workFolder: optional(text),
  keepWork: optional(boolean),
  shard: optional(object({ index: integer({ min: 0 }), count: integer({ min: 1 }) })),
  minimumWeights: optional(integer({ min: 1 })),
  convolutions: optional(oneOf(['none', 'pointwise', 'all'])),
  include: optional(functionOf<(name: string) => boolean>()),
  method: withDefault(oneOf(['rtn', 'gptq', 'baq']), 'baq'),
  averageBits: withDefault(number({ above: 0, max: 64 }), 4),
  ...passedOn,
});

/** A checked request. @internal */
export type Request = ReturnType<typeof requestSchema>;

const layerOptionNames = ['method', ...(Object.keys(passedOn) as (keyof typeof passedOn)[])] as const;

/** What `quantizeLayer` is asked for, but for the bits. @internal */
export function layerOptions(request: Request): QuantizeOptions {
  const given = layerOptionNames.flatMap((name) => (request[name] === undefined ? [] : [[name, request[name]]]));
  return Object.fromEntries(given) as QuantizeOptions;
}

/** Values of `averageBits` at which layers are quantised. @internal */
export function ratesOf({ acrossLayers, averageBits, method, maxBits }: Request): readonly number[] {
  if (acrossLayers === undefined) return [averageBits];
  return acrossLayers.rates ?? defaultRates(averageBits, method !== 'baq', typeof maxBits === 'number' ? maxBits : 8);
}

/** What is added up over layers, or undefined where they share nothing. @internal */
export function importanceOf({ acrossLayers, calibration }: Request): LayerImportance | undefined {
  if (acrossLayers === undefined) return undefined;
  const runs = calibration !== undefined && 'inputs' in calibration;
  return acrossLayers.importance ?? (runs ? 'sensitivity' : 'relative');
}

/** Index of the rate at which layers are tried alone, or undefined where they are not. @internal */
export function probedRate(request: Request): number | undefined {
  if (importanceOf(request) !== 'sensitivity') return undefined;
  return probeRate(ratesOf(request), request.averageBits);
}

/** Refuses what does not go together. @internal */
export function check(request: Request): void {
  const { shard, sequential, output, input, acrossLayers, averageBits, calibration } = request;
  if (shard !== undefined && shard.index >= shard.count) {
    fail('ERR_OUT_OF_RANGE', 'request.shard.index', `below \`count\`, which is ${shard.count}`, shard.index);
  }
  if (shard !== undefined && shard.count > 1 && sequential) {
    fail('ERR_INVALID_ARG_VALUE', 'request.sequential', 'false with `shard`: layers wait for those before', sequential);
  }
  if (acrossLayers === undefined && averageBits > 8) {
    fail('ERR_OUT_OF_RANGE', 'request.averageBits', 'at most 8 without `acrossLayers`', averageBits);
  }
  if (acrossLayers !== undefined && sequential) {
    const why = 'false with `acrossLayers`: what a layer sees would depend on rates that are not chosen yet';
    fail('ERR_INVALID_ARG_VALUE', 'request.sequential', why, sequential);
  }
  if (acrossLayers !== undefined && request.ternary === true) {
    const why = 'absent with `ternary`, which has one rate only';
    fail('ERR_INVALID_ARG_VALUE', 'request.acrossLayers', why, acrossLayers);
  }
  if (acrossLayers?.importance === 'sensitivity' && !(calibration !== undefined && 'inputs' in calibration)) {
    const why = "'relative' or 'loss' without `calibration.inputs`: the model cannot be run";
    fail('ERR_INVALID_ARG_VALUE', 'request.acrossLayers.importance', why, acrossLayers.importance);
  }
  if (path.resolve(input) === path.resolve(output)) {
    fail('ERR_INVALID_ARG_VALUE', 'request.output', 'another file than `input`', output);
  }
  if (request.method !== 'rtn' && request.calibration === undefined) {
    fail('ERR_INVALID_ARG_VALUE', 'request.calibration', `given for method '${request.method}'`, undefined);
  }
  const wanted = request.format === 'packed' ? '.safetensors' : path.extname(input).toLowerCase();
  if (path.extname(output).toLowerCase() !== wanted) {
    fail('ERR_INVALID_ARG_VALUE', 'request.output', `a file that ends in ${wanted}`, output);
  }
}
