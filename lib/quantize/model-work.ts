// Finished layers on disk, one file for each layer and rate, which appear whole: what a run that was cut, or other
// machines, have done.
import fs from 'node:fs';
import path from 'node:path';
import { openSafetensors, type SafetensorsFile } from '../formats';
import { writeWhole } from '../runtime/files';
import { dequantize } from './dequantize';
import type { QuantizedLayer } from './quantized-layer';
import { readDetails, readQuantized, storedBytes, writeQuantized } from './storage';

/** What is known of a finished layer. */
export interface LayerRecord {
  /** Name of the layer. */
  readonly name: string;
  /** Outputs. */
  readonly rows: number;
  /** Inputs. */
  readonly columns: number;
  /** The `averageBits` that were asked for: with `acrossLayers` the rate that was chosen. */
  readonly rate: number;
  /** Mean of log2(levels). */
  readonly averageBits: number;
  /** Bits per weight with side information. */
  readonly bitsPerWeight: number;
  /** Bytes in a packed file: codes with their padding, levels, grid. What `acrossLayers` spends. */
  readonly storedBytes: number;
  /** 1/2 tr((W - Q) Hd (W - Q)^T). */
  readonly loss: number;
  /** tr((W - Q) Hd (W - Q)^T) / tr(W Hd W^T). */
  readonly relativeError: number;
  /** Damping really used. */
  readonly damping: number;
  /** Columns whose input is always 0. */
  readonly deadColumns: number;
  /** How many columns have how many levels. */
  readonly levelCounts: Readonly<Record<string, number>>;
  /** Seconds it took. */
  readonly seconds: number;
}

const fingerprintKey = 'discrete-descent.fingerprint';

function countLevels(levels: Uint32Array): Record<string, number> {
  const counts = new Map<number, number>();
  for (const count of levels) counts.set(count, (counts.get(count) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([a], [b]) => a - b));
}

/**
 * Layers of one model, calibration and set of options, told apart by a fingerprint, each at one or several rates; all
 * but the last of what is asked for here is about one rate of one layer.
 * @internal
 */
export class ModelWork {
  readonly #folder: string;
  readonly #fingerprint: string;
  readonly #names: readonly string[];
  readonly #rates: readonly number[];
  readonly #done = new Map<string, string>();

  /** `names` of the model's layers in their order; `rates` (numbers of bits) at which each is quantised. */
  constructor(folder: string, fingerprint: string, names: readonly string[], rates: readonly number[]) {
    this.#folder = folder;
    this.#fingerprint = fingerprint;
    this.#names = names;
    this.#rates = rates;
    for (const [layer] of names.entries()) {
      for (const [rate] of rates.entries()) {
        const file = this.#file(layer, rate);
        if (this.#isWhole(file)) this.#done.set(`${layer}.${rate}`, file);
      }
    }
  }

  #file(layer: number, rate: number, ending = 'safetensors'): string {
    const number = `${String(layer).padStart(5, '0')}.${rate}`;
    return path.join(this.#folder, `${number}-${this.#fingerprint.slice(0, 16)}.${ending}`);
  }

  /** A file of another run, or one that was damaged, counts as not there. */
  #isWhole(file: string): boolean {
    if (!fs.existsSync(file)) return false;
    try {
      const opened = openSafetensors(file);
      const same = opened.metadata.get(fingerprintKey) === this.#fingerprint;
      opened.close();
      return same;
    } catch {
      return false;
    }
  }

  has(layer: number, rate: number): boolean {
    return this.#done.has(`${layer}.${rate}`);
  }

  /** Whether a layer is there at every rate. */
  hasAll(layer: number): boolean {
    return this.#rates.every((_, rate) => this.has(layer, rate));
  }

  keep(layer: number, rate: number, quantized: QuantizedLayer, seconds: number): void {
    const name = this.#names[layer] as string;
    const record: LayerRecord = {
      name,
      rows: quantized.rows,
      columns: quantized.columns,
      rate: this.#rates[rate] as number,
      averageBits: quantized.averageBits,
      bitsPerWeight: quantized.bitsPerWeight,
      storedBytes: storedBytes(quantized),
      loss: quantized.loss,
      relativeError: quantized.energy === null || quantized.energy === 0 ? 0 : quantized.loss / quantized.energy,
      damping: quantized.damping,
      deadColumns: quantized.deadColumns.length,
      levelCounts: countLevels(quantized.levels),
      seconds,
    };
    const file = this.#file(layer, rate);
    writeQuantized(file, {
      layers: new Map([[name, { weights: quantized, details: { ...record } }]]),
      metadata: new Map([[fingerprintKey, this.#fingerprint]]),
    });
    this.#done.set(`${layer}.${rate}`, file);
  }

  #open<Result>(layer: number, rate: number, read: (file: SafetensorsFile, name: string) => Result): Result {
    const file = openSafetensors(this.#done.get(`${layer}.${rate}`) as string);
    try {
      return read(file, this.#names[layer] as string);
    } finally {
      file.close();
    }
  }

  record(layer: number, rate: number): LayerRecord {
    return this.#open(layer, rate, readDetails) as unknown as LayerRecord;
  }

  /** Values of a layer. */
  values(layer: number, rate: number): Float32Array {
    return dequantize(this.#open(layer, rate, readQuantized).weights);
  }

  /** What `keepProbe` has kept of a layer, or undefined. */
  probe(layer: number, rate: number): number | undefined {
    try {
      const { change } = JSON.parse(fs.readFileSync(this.#file(layer, rate, 'json'), 'utf8')) as { change: unknown };
      return typeof change === 'number' ? change : undefined;
    } catch {
      return undefined;
    }
  }

  /** Keeps how much the outputs of the model change by this layer alone. */
  keepProbe(layer: number, rate: number, change: number): void {
    writeWhole(this.#file(layer, rate, 'json'), JSON.stringify({ change }));
  }

  /** Layers in one file, each at the rate it is given with. */
  writePacked(target: string, chosen: ReadonlyMap<number, number>): void {
    const layers = [...chosen].map(
      ([layer, rate]) => [this.#names[layer] as string, this.#open(layer, rate, readQuantized)] as const,
    );
    writeQuantized(target, { layers: new Map(layers) });
  }

  /** Removes the files of this run, and the folder when nothing else is in it. */
  remove(): void {
    for (const [layer] of this.#names.entries()) {
      for (const [rate] of this.#rates.entries()) {
        for (const ending of ['safetensors', 'json']) fs.rmSync(this.#file(layer, rate, ending), { force: true });
      }
    }
    this.#done.clear();
    if (fs.existsSync(this.#folder) && fs.readdirSync(this.#folder).length === 0) fs.rmdirSync(this.#folder);
  }
}
