// A baseline at work: steps of its objective, native or in callbacks.
import { type ArgumentHomes, callNative } from '../../runtime/errors';
import { runAsync } from '../../runtime/run';
import { Evaluation } from '../evaluate';
import { recordsOf, type StepRecord, Warnings } from '../history';
import type { StepRun } from '../loop';
import { nativeStops, type Reals } from '../native';
import { type BatchedLoss, isNative, type NativeLoss } from '../objective';
import {
  nativeBaselines,
  type NativeMethodOptions,
  type NativeSearch,
  type NativeSearchInfo,
  type NativeSearchOptions,
} from './native';

/** @internal */
export interface SearchSettings {
  native: NativeSearchOptions & NativeMethodOptions;
  initial: Reals;
  objective: BatchedLoss | NativeLoss;
  maxEvaluations: number;
  concurrency: number;
  bufferBytes: number;
  threads: number;
}

const argumentsAt: ArgumentHomes = {};

/** A baseline while it runs, as `onStep` sees it. */
export class BaselineSearch {
  /** D, numbers of a candidate. */
  readonly dimension: number;
  private readonly handle: NativeSearch;
  private readonly evaluation: Evaluation;
  private readonly warned = new Warnings();

  /** @internal */
  constructor(private readonly settings: SearchSettings) {
    const { native, initial, objective, bufferBytes } = settings;
    this.dimension = native.dimension;
    const handle = isNative(objective) ? objective.nativeObjective : undefined;
    this.handle = callNative(() => nativeBaselines.create(native, initial, handle), argumentsAt);
    this.evaluation = new Evaluation(native.single, bufferBytes);
  }

  private get info(): NativeSearchInfo {
    return callNative(() => nativeBaselines.info(this.handle));
  }
  /** Candidates of a step. */
  get candidates(): number {
    return this.info.candidates;
  }
  /** Steps taken. */
  get steps(): number {
    return this.info.step;
  }
  /** Candidates scored so far. */
  get evaluations(): number {
    return this.info.evaluations;
  }
  /** Least loss of any candidate so far; infinity before the first finite one. */
  get value(): number {
    return this.info.bestValue;
  }
  /** The candidate with that loss, D numbers, a copy; the iterate before there is one. */
  get x(): Reals {
    const best = callNative(() => nativeBaselines.best(this.handle));
    return best.length > 0 ? best : this.iterate;
  }
  /** Where the search stands: D numbers, a copy. */
  get iterate(): Reals {
    return callNative(() => nativeBaselines.current(this.handle));
  }
  /** What was noticed so far, each thing once. */
  get warnings(): readonly string[] {
    return this.warned.list();
  }

  private end(metrics: Float64Array): StepRecord[] {
    const records = recordsOf(metrics);
    for (const record of records) {
      this.warned.lookAtOutcome(record);
      if (record.outcome === 'moved' && record.frozenRows === 1) {
        this.warned.add('frozen', `in step ${record.step}, all candidates cost the same`);
      }
    }
    return records;
  }

  private fits(evaluations: number): boolean {
    return this.evaluations + evaluations <= this.settings.maxEvaluations;
  }

  /** @internal */
  async take(
    count: number,
    run: StepRun,
    check: () => void,
  ): Promise<{ records: StepRecord[]; stop: (typeof nativeStops)[number] }> {
    const { objective, maxEvaluations, threads, concurrency } = this.settings;
    if (isNative(objective)) {
      const { metrics, stop } = await runAsync<{ metrics: Float64Array; stop: number }>(
        run,
        (native) => nativeBaselines.run(this.handle, count, maxEvaluations, native),
        argumentsAt,
      );
      return { records: this.end(metrics), stop: nativeStops[stop] as (typeof nativeStops)[number] };
    }
    const { candidates } = this.info;
    if (!this.fits(candidates)) return { records: [], stop: 'budget' };
    const losses = new Float64Array(candidates);
    const fill = (first: number, rows: number, view: Reals): void =>
      nativeBaselines.candidates(this.handle, first, rows, view, threads);
    await this.evaluation.batches(objective, candidates, this.dimension, fill, losses, concurrency, check);
    const records = this.end(callNative(() => nativeBaselines.finish(this.handle, losses, threads)));
    return { records, stop: nativeStops[this.info.stop] as (typeof nativeStops)[number] };
  }

  /** @internal */
  async score(run: StepRun): Promise<void> {
    const { objective, concurrency } = this.settings;
    if (!this.fits(1)) return;
    if (isNative(objective)) {
      await runAsync(run, (native) => nativeBaselines.score(this.handle, native), argumentsAt);
      return;
    }
    const point = this.iterate;
    const loss = new Float64Array(1);
    const fill = (_first: number, _rows: number, view: Reals): void => view.set(point);
    await this.evaluation.batches(objective, 1, this.dimension, fill, loss, concurrency, () => undefined);
    callNative(() => nativeBaselines.offer(this.handle, loss[0] as number));
  }

  /** Gives its memory back; views of callbacks lose theirs. @internal */
  dispose(): void {
    this.evaluation.close();
    callNative(() => nativeBaselines.dispose(this.handle));
  }
}
