// The optimizer as an object: steps of an objective, or ask and tell.
import { type ArgumentHomes, callNative, makeError } from '../runtime/errors';
import { runAsync } from '../runtime/run';
import { fail } from '../runtime/validate';
import { type Checkpoint, checkpointVersion, storable } from './checkpoint';
import { evaluateCurrent, evaluateStep, Evaluation } from './evaluate';
import { recordsOf, type StepRecord, Warnings } from './history';
import {
  type NativeOptimizer,
  type NativeOptimizerInfo,
  nativePolystep,
  nativeRules,
  nativeStops,
  type Reals,
} from './native';
import { type BatchedLoss, type DeltaLoss, isNative } from './objective';
import type { OptimizerOptions } from './options';
import { lossesOf } from './plan';
import { rankAt } from './schedules';
import { type Settings, settingsOf } from './settings';
import { StepParameters } from './step-parameters';
import { layOut, nativeSubspace } from './subspace';

type StepRun = Parameters<typeof runAsync>[0];

const argumentsAt: ArgumentHomes = {
  rotations: 'options.rotations',
  subspace: 'options.subspace',
  screening: 'options.screening',
  bases: 'options.subspace.bases',
};

/** A minimiser that is driven step by step; made by {@link createOptimizer}. */
export class Optimizer {
  /** D, numbers of a candidate. */
  readonly dimension: number;
  private handle: NativeOptimizer;
  private readonly settings: Settings;
  private readonly given: OptimizerOptions;
  private readonly evaluation: Evaluation;
  private readonly warned = new Warnings();
  private readonly parameters: StepParameters;
  private rank: number | undefined;
  private asked: Reals | undefined;
  private view: Reals | undefined;
  private busy = false;
  private readonly vertices: number;

  /** @internal */
  constructor(options: OptimizerOptions) {
    this.given = options;
    const settings = settingsOf(options);
    this.settings = settings;
    this.parameters = new StepParameters(settings);
    this.dimension = settings.native.dimension;
    const { objective, native } = settings;
    const handle = isNative(objective) ? objective.nativeObjective : undefined;
    this.handle = callNative(() => nativePolystep.createOptimizer(native, settings.initial, handle), argumentsAt);
    this.vertices = this.info.vertices;
    this.evaluation = new Evaluation(native.single, settings.bufferBytes);
    settings.warnings.forEach((text) => this.warned.add(text, text));
    if (settings.subspace?.rankSchedule !== undefined) this.rank = settings.subspace.rankSchedule[0]?.[1];
  }

  private get info(): NativeOptimizerInfo {
    return callNative(() => nativePolystep.info(this.handle));
  }
  /** Particles (blocks in block mode). */
  get particles(): number {
    return this.info.particles;
  }
  /** Candidates of a step that evaluates. */
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
  /** The candidate with that loss, D numbers, a copy; the (first) iterate before there is one. */
  get x(): Reals {
    const best = callNative(() => nativePolystep.best(this.handle));
    return best.length > 0 ? best : this.iterate.slice(0, this.dimension);
  }
  /** Where the run stands: D numbers, in population mode particles x D; a copy. */
  get iterate(): Reals {
    return callNative(() => nativePolystep.current(this.handle));
  }
  /** What was noticed so far, each thing once. */
  get warnings(): readonly string[] {
    return this.warned.list();
  }

  /** Reason to stop that the last step found: patience or convergence. @internal */
  get stop(): (typeof nativeStops)[number] {
    return nativeStops[this.info.stop] as (typeof nativeStops)[number];
  }

  /** Goes on in the subspace that the rank schedule has for this step; whether that is another one. */
  private followRank(step: number): boolean {
    const { subspace, native } = this.settings;
    if (subspace?.rankSchedule === undefined) return false;
    const rank = rankAt(subspace.rankSchedule, step);
    if (rank === this.rank) return false;
    this.rank = rank;
    const entries = layOut(subspace, rank, native.single ? 4 : 8);
    callNative(() => nativePolystep.absorb(this.handle, nativeSubspace(subspace, entries, native.seed)), argumentsAt);
    return true;
  }

  private begin(step: number): void {
    const [epsilon, stepRadius, probeRadius] = this.parameters.of(step);
    const given = this.settings.rotations?.(step);
    const rotations = given === undefined ? undefined : Float64Array.from(given);
    const { threads } = this.settings;
    callNative(
      () => nativePolystep.begin(this.handle, epsilon, stepRadius, probeRadius, rotations, threads),
      argumentsAt,
    );
  }

  private end(metrics: Float64Array): StepRecord[] {
    const records = recordsOf(metrics);
    const soft = !['greedy', 'sample', 'linear'].includes(nativeRules[this.settings.native.rule] ?? '');
    for (const record of records) {
      this.warned.look(record, this.vertices, soft);
      this.parameters.learn(record);
    }
    return records;
  }

  private fits(evaluations: number): boolean {
    return this.evaluations + evaluations <= this.settings.maxEvaluations;
  }

  /**
   * The candidates of the next step, candidates x D numbers row by row, particle by particle and vertex by vertex; the
   * optimizer's memory, valid until `tell`. Undefined where `maxEvaluations` does not hold another step.
   *
   * @throws ERR_INVALID_ARG_VALUE  asked twice without telling, or an optimizer with an objective that is taking a step
   * @throws ERR_OUT_OF_MEMORY      the candidates take more than `bufferBytes`
   */
  ask(): Reals | undefined {
    if (this.busy) this.refuse('is taking a step: await it first');
    if (this.asked !== undefined) this.refuse('was asked already: tell it the costs first');
    for (;;) {
      let { step, nextEvaluations, candidates, evaluations } = this.info;
      if (evaluations + nextEvaluations > this.settings.maxEvaluations) return undefined;
      if (this.followRank(step)) ({ step, nextEvaluations, candidates, evaluations } = this.info);
      const count = nextEvaluations;
      if (count * this.dimension * (this.settings.native.single ? 4 : 8) > this.settings.bufferBytes) {
        throw makeError(
          'ERR_OUT_OF_MEMORY',
          'options.bufferBytes',
          `\`options.bufferBytes\` must hold ${candidates} candidates of ${this.dimension} numbers, got ${this.settings.bufferBytes}`,
        );
      }
      this.begin(step);
      if (count === 0) {
        this.end(callNative(() => nativePolystep.finish(this.handle, new Float64Array(0), undefined, 1)));
        continue;
      }
      const size = count * this.dimension;
      if (this.view === undefined || this.view.length !== size) {
        this.view = this.settings.native.single ? new Float32Array(size) : new Float64Array(size);
      }
      const { view } = this;
      callNative(() => nativePolystep.candidates(this.handle, 0, count, view, this.settings.threads, false));
      this.settings.repair?.(view, count);
      this.asked = view;
      return view;
    }
  }

  /**
   * Ends the step that `ask` began.
   *
   * @param costs  a loss per candidate, NaN and infinity allowed
   * @throws ERR_INVALID_ARG_VALUE  nothing was asked; ERR_SHAPE_MISMATCH  another number of costs
   */
  tell(costs: Float64Array | Float32Array | readonly number[]): StepRecord {
    if (this.asked === undefined) this.refuse('was not asked: there is nothing to tell');
    const losses = lossesOf(costs, 'costs');
    const count = this.asked.length / this.dimension;
    if (losses.length !== count) fail('ERR_SHAPE_MISMATCH', 'costs', `of length ${count} (one per candidate)`, costs);
    const points = this.settings.repair === undefined ? undefined : this.asked;
    const metrics = callNative(() => nativePolystep.finish(this.handle, losses, points, this.settings.threads));
    this.asked = undefined;
    return this.end(metrics)[0] as StepRecord;
  }

  private refuse(text: string): never {
    throw makeError('ERR_INVALID_ARG_VALUE', 'optimizer', `\`optimizer\` ${text}`);
  }

  /**
   * Takes one step of the objective. Undefined where `maxEvaluations` does not hold another one.
   *
   * @throws ERR_INVALID_ARG_VALUE  no objective, or a step that is not finished
   * @throws whatever a callback throws; the optimizer then stands where it stood before the step
   */
  async step(): Promise<StepRecord | undefined> {
    const { records } = await this.take(1, {
      backend: 'auto',
      threads: this.settings.threads === 0 ? undefined : this.settings.threads,
      seed: 0,
      onProgress: undefined,
      timeLimitMs: undefined,
      signal: undefined,
      onAbort: 'reject',
    });
    return records[0];
  }

  /** Up to `count` steps; fewer when a reason to stop is found. @internal */
  async take(
    count: number,
    run: StepRun,
    check: () => void = () => undefined,
  ): Promise<{ records: StepRecord[]; stop: (typeof nativeStops)[number] }> {
    const { objective } = this.settings;
    if (objective === undefined) this.refuse('has no objective: use ask and tell');
    if (this.busy) this.refuse('is taking a step: await it first');
    if (this.asked !== undefined) this.refuse('was asked: tell it the costs first');
    this.busy = true;
    try {
      if (isNative(objective) && this.settings.rotations === undefined) return await this.takeNative(count, run);
      if (isNative(objective)) {
        throw makeError(
          'ERR_INVALID_ARG_VALUE',
          'options.rotations',
          '`options.rotations` does not go with native objectives',
        );
      }
      return await this.takeCallback(objective, check);
    } finally {
      this.busy = false;
    }
  }

  private async takeNative(
    count: number,
    run: StepRun,
  ): Promise<{ records: StepRecord[]; stop: (typeof nativeStops)[number] }> {
    const { step } = this.info;
    this.followRank(step);
    const schedule = this.settings.subspace?.rankSchedule;
    let steps = this.parameters.ahead ? count : 1;
    if (schedule !== undefined)
      steps = Math.min(steps, (schedule.find(([start]) => start > step)?.[0] ?? Infinity) - step);
    const table = new Float64Array(3 * steps);
    for (let i = 0; i < steps; i += 1) table.set(this.parameters.of(step + i), 3 * i);
    const { metrics, stop } = await runAsync<{ metrics: Float64Array; stop: number }>(
      run,
      (native) => nativePolystep.run(this.handle, table, this.settings.maxEvaluations, native),
      argumentsAt,
    );
    return { records: this.end(metrics), stop: nativeStops[stop] as (typeof nativeStops)[number] };
  }

  private async takeCallback(
    loss: BatchedLoss | DeltaLoss,
    check: () => void,
  ): Promise<{ records: StepRecord[]; stop: (typeof nativeStops)[number] }> {
    const { threads, concurrency } = this.settings;
    let { step, nextEvaluations } = this.info;
    if (!this.fits(nextEvaluations)) return { records: [], stop: 'budget' };
    this.followRank(step);
    ({ nextEvaluations, step } = this.info);
    this.begin(step);
    try {
      let losses: Float64Array = new Float64Array(0);
      if (nextEvaluations > 0) {
        const { candidates, points, particles, rowDimension } = this.info;
        const confirmed = this.settings.native.trustRegion ? points : 0;
        const centres = nextEvaluations - candidates - confirmed;
        const shape = { dimension: this.dimension, candidates, centres, particles, rowDimension, step };
        losses = await evaluateStep(this.handle, loss, this.evaluation, shape, { threads, concurrency }, check);
      }
      const records = this.end(callNative(() => nativePolystep.finish(this.handle, losses, undefined, threads)));
      if (this.info.confirmations > 0) {
        const values = await this.scoreCallback(loss);
        callNative(() => nativePolystep.confirm(this.handle, values));
      }
      return { records, stop: this.stop };
    } catch (reason) {
      callNative(() => nativePolystep.abandon(this.handle));
      throw reason;
    }
  }

  private scoreCallback(loss: BatchedLoss | DeltaLoss): Promise<Float64Array> {
    const { points, rowDimension, step } = this.info;
    const shape = { dimension: this.dimension, points, rowDimension, step };
    return evaluateCurrent(this.handle, loss, this.evaluation, shape, this.settings.concurrency);
  }

  /** Scores the iterate, if the budget holds that, and offers it as the best. @internal */
  async score(run: StepRun): Promise<void> {
    const { objective } = this.settings;
    if (objective === undefined || !this.fits(this.info.points)) return;
    if (isNative(objective)) {
      await runAsync(run, (native) => nativePolystep.score(this.handle, native), argumentsAt);
      return;
    }
    const values = await this.scoreCallback(objective);
    callNative(() => nativePolystep.offer(this.handle, values));
  }

  /** A new start in a box. @internal */
  restart(number: number, lower: Float64Array, upper: Float64Array): void {
    callNative(() => nativePolystep.restart(this.handle, number, lower, upper), argumentsAt);
  }

  /** Puts what a subspace found into its base and sets the coordinates to zero; without a subspace nothing changes. */
  absorb(): void {
    callNative(() => nativePolystep.absorb(this.handle, undefined));
  }

  /**
   * Where the run stands, as a plain object of numbers and typed arrays; copies. Between steps only.
   *
   * @throws ERR_INVALID_ARG_VALUE  in the middle of a step
   */
  checkpoint(): Checkpoint {
    if (this.busy || this.asked !== undefined) this.refuse('is in the middle of a step');
    const { plain, functions } = storable(this.given);
    return {
      format: 'discrete-descent polystep',
      version: checkpointVersion,
      dtype: this.settings.native.single ? 'float32' : 'float64',
      options: plain,
      functions,
      step: this.steps,
      progressive: this.parameters.progressive ?? null,
      state: callNative(() => nativePolystep.save(this.handle)),
    };
  }

  /** @internal */
  resume(checkpoint: Checkpoint): void {
    const { subspace } = this.settings;
    // The layout of the rank that held in the last step: the next one may change it.
    if (subspace?.rankSchedule !== undefined && checkpoint.step > 0) this.followRank(checkpoint.step - 1);
    callNative(() => nativePolystep.load(this.handle, checkpoint.state));
    if (checkpoint.progressive !== null) this.parameters.progressive = { ...checkpoint.progressive };
  }

  /** Gives its memory back; views of callbacks lose theirs. */
  dispose(): void {
    this.evaluation.close();
    callNative(() => nativePolystep.disposeOptimizer(this.handle));
  }
}
