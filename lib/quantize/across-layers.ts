// Bits moved between the layers of a model: every layer is quantised at several rates, and one rate for each is chosen
// such that what all of them lose is least and everything that is stored fits into the budget.
import { fail, number, object, arrayOf, oneOf, optional, type Schema } from '../runtime/validate';
import { spendAcrossLayers } from './allocate';
import type { LayerRecord } from './model-work';

/** What a layer's loss counts for beside that of others; see {@link AcrossLayers}. */
export type LayerImportance = 'relative' | 'loss' | 'sensitivity';

/** How bits are shared between layers. */
export interface AcrossLayers {
  /**
   * Values of `averageBits` at which every layer is quantised, ascending; default: from half to twice the model's
   * `averageBits`, eight of them for BAQ, all whole numbers there for other methods.
   */
  rates?: readonly number[];
  /**
   * What is added up over layers. `'sensitivity'` (default where the model can be run, that is with
   * `calibration.inputs`): the relative error scaled by how much the outputs of the model change when this layer alone is
   * quantised, which takes a run of the model over its calibration per layer, and one more. `'relative'` (default elsewhere):
   * the error of each layer's output relative to that output. `'loss'`: the losses as they are, so that layers with large
   * outputs count most.
   *
   * The last two are about layers, not about the model: on a text recogniser both had a larger divergence than the
   * same bits everywhere in all cases, `'sensitivity'` a smaller one in three of four (docs/quantize.md). Test the result.
   */
  importance?: LayerImportance;
}

/** What was measured and chosen with `acrossLayers`. */
export interface AcrossLayersReport {
  /** What was added up. */
  readonly importance: LayerImportance;
  /** Rates to choose from. */
  readonly rates: readonly number[];
  /** Layers in their order. */
  readonly layers: readonly {
    /** Name of the layer. */
    readonly name: string;
    /** Importance times loss at each rate. */
    readonly values: readonly number[];
    /** Bytes stored at each rate. */
    readonly storedBytes: readonly number[];
    /** Index of the chosen rate. */
    readonly choice: number;
  }[];
  /** Sum of the values at the chosen rates. */
  readonly value: number;
  /** That sum minus a proven lower bound: 0 when no choice of rates is better. */
  readonly gap: number;
  /** The best of the rates that all layers can have within the same budget, and what it would lose; null: none fits. */
  readonly uniform: {
    /** The rate. */
    readonly rate: number;
    /** The sum of the values at it. */
    readonly value: number;
  } | null;
}

const ascending: Schema<number[]> = (value, argument) => {
  const rates = arrayOf(number({ above: 0, max: 8 }), { min: 1 })(value, argument);
  const bad = rates.findIndex((rate, at) => at > 0 && rate <= (rates[at - 1] as number));
  if (bad >= 0) fail('ERR_INVALID_ARG_VALUE', `${argument}[${bad}]`, 'greater than the rate before it', rates[bad]);
  return rates;
};

const members = object({
  rates: optional(ascending),
  importance: optional(oneOf(['relative', 'loss', 'sensitivity'])),
});

/** true, false or an object of {@link AcrossLayers}. @internal */
export const acrossLayersSchema: Schema<ReturnType<typeof members> | undefined> = (value, argument) => {
  if (value === undefined || value === false) return undefined;
  return members(value === true ? {} : value, argument);
};

/** Rates of codes around a number of bits: whole ones where a method takes no others. @internal */
export function defaultRates(averageBits: number, wholeBits: boolean, maxBits: number): number[] {
  if (wholeBits) {
    const first = Math.min(8, Math.max(1, Math.floor(averageBits / 2)));
    const last = Math.min(8, Math.ceil(2 * averageBits));
    return Array.from({ length: last - first + 1 }, (_, k) => first + k);
  }
  const parts = [0.5, 0.625, 0.75, 0.875, 1, 1.25, 1.5, 2];
  const eighths = parts.map((part) => Math.min(maxBits, Math.max(0.125, Math.round(8 * part * averageBits) / 8)));
  return [...new Set(eighths)];
}

/** The rate at which layers are tried alone: the one nearest to the budget, the lower of two. @internal */
export function probeRate(rates: readonly number[], averageBits: number): number {
  const distances = rates.map((rate) => Math.abs(rate - averageBits));
  return distances.indexOf(Math.min(...distances));
}

/** What each rate of a layer counts for. */
function valuesOf(records: readonly LayerRecord[], importance: LayerImportance, probe: Probe | undefined): number[] {
  if (importance === 'loss') return records.map(({ loss }) => loss);
  const errors = records.map(({ relativeError }) => relativeError);
  if (probe === undefined) return errors;
  const measured = errors[probe.rate] as number;
  // Without an error to go by nothing is known of the layer but that it is as good as it gets there.
  return measured === 0 ? errors : errors.map((error) => (error / measured) * probe.change);
}

/** How much the outputs of a model change when one layer alone is quantised at one rate. @internal */
export interface Probe {
  /** Index of the rate. */
  readonly rate: number;
  /** Relative change of the outputs. */
  readonly change: number;
}

/**
 * Chooses a rate for each layer. `layers`: what was measured, at every rate, in order.
 *
 * @throws ERR_OUT_OF_RANGE  the budget is below what the cheapest rates store: the message says how much that is
 * @internal
 */
export async function chooseRates(
  layers: readonly { readonly records: readonly LayerRecord[]; readonly probe: Probe | undefined }[],
  { rates, importance, averageBits }: { rates: readonly number[]; importance: LayerImportance; averageBits: number },
  run: { signal?: AbortSignal; threads?: number },
): Promise<AcrossLayersReport> {
  const values = layers.map(({ records, probe }) => valuesOf(records, importance, probe));
  const storedBytes = layers.map(({ records }) => records.map((record) => record.storedBytes));
  const weights = layers.reduce((sum, { records: [first] }) => {
    const { rows, columns } = first as LayerRecord;
    return sum + rows * columns;
  }, 0);
  const found = await spendAcrossLayers(
    { values, bits: storedBytes.map((bytes) => bytes.map((count) => 8 * count)), weights, averageBits },
    'request.averageBits',
    run,
  );
  const uniform = rates
    .map((rate, k) => ({
      rate,
      value: values.reduce((sum, row) => sum + (row[k] as number), 0),
      bits: storedBytes.reduce((sum, row) => sum + 8 * (row[k] as number), 0),
    }))
    .filter(({ bits }) => bits <= averageBits * weights)
    .sort((a, b) => a.value - b.value)[0];
  return {
    importance,
    rates,
    layers: layers.map(({ records }, layer) => ({
      name: (records[0] as LayerRecord).name,
      values: values[layer] as number[],
      storedBytes: storedBytes[layer] as number[],
      choice: found.choices[layer] as number,
    })),
    value: found.value,
    gap: found.gap,
    uniform: uniform === undefined ? null : { rate: uniform.rate, value: uniform.value },
  };
}
