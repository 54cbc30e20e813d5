// What a run says about its steps.
import { nativeMetrics, stepOutcomes } from './native';

/** One step. */
export interface StepRecord {
  /** From 0; steps that coast count. */
  readonly step: number;
  /** So far. */
  readonly evaluations: number;
  /** Over all candidates, after replacing what is not finite; in a sequential step the loss after the sweep. */
  readonly meanCost: number;
  /** Least of the step; in a sequential step the loss after the sweep. */
  readonly minCost: number;
  /** Mean over particles of |dx|^2, without momentum. */
  readonly meanSquaredDisplacement: number;
  /** Mean over particles of 1 / sum_n w_n^2 / V: 1 where weights are uniform, 1 / V where they are one-hot. */
  readonly effectiveSamples: number;
  /** Mean over particles of |dx| / step radius. */
  readonly relativeDisplacement: number;
  /** Share of particles whose candidates all cost the same: the radius does not reach past the plateau. */
  readonly frozenRows: number;
  /** Temperature. */
  readonly epsilon: number;
  /** Effective step radius, all multipliers included. */
  readonly stepRadius: number;
  /** Effective probe radius. */
  readonly probeRadius: number;
  /** Of the adaptive radius. */
  readonly radiusMultiplier: number;
  /** `'coasted'`: a step without evaluations; `'infeasible'`: nothing was finite; `'reverted'`: the new point was not. */
  readonly outcome: (typeof stepOutcomes)[number];
  /** Best value so far. */
  readonly best: number;
  /** Iterations of the assignment; 0 for rules without any. */
  readonly transportIterations: number;
  /** Whether it converged. */
  readonly transportConverged: boolean;
  /** Its objective; NaN for rules without one. */
  readonly transportObjective: number;
  /** KL(T^T 1 || b). */
  readonly klViolation: number;
  /** Of the trust region. */
  readonly trustMultiplier: number;
  /** Absorbs so far. */
  readonly absorbed: number;
  /**
   * Share of the outputs that fire for no sample of the step's batch, where the step began: spiking networks of
   * `polystep.models` only, else NaN.
   */
  readonly silentOutputs: number;
}

/** Steps as columns: entry k of each belongs to the k-th step of the run. */
export interface History {
  /** See {@link StepRecord.step}. */
  readonly step: Float64Array;
  /** See {@link StepRecord.evaluations}. */
  readonly evaluations: Float64Array;
  /** See {@link StepRecord.meanCost}. */
  readonly meanCost: Float64Array;
  /** See {@link StepRecord.minCost}. */
  readonly minCost: Float64Array;
  /** See {@link StepRecord.meanSquaredDisplacement}. */
  readonly meanSquaredDisplacement: Float64Array;
  /** See {@link StepRecord.effectiveSamples}. */
  readonly effectiveSamples: Float64Array;
  /** See {@link StepRecord.relativeDisplacement}. */
  readonly relativeDisplacement: Float64Array;
  /** See {@link StepRecord.frozenRows}. */
  readonly frozenRows: Float64Array;
  /** See {@link StepRecord.epsilon}. */
  readonly epsilon: Float64Array;
  /** See {@link StepRecord.stepRadius}. */
  readonly stepRadius: Float64Array;
  /** See {@link StepRecord.probeRadius}. */
  readonly probeRadius: Float64Array;
  /** See {@link StepRecord.radiusMultiplier}. */
  readonly radiusMultiplier: Float64Array;
  /** See {@link StepRecord.best}. */
  readonly best: Float64Array;
  /** See {@link StepRecord.silentOutputs}. */
  readonly silentOutputs: Float64Array;
}

const width = nativeMetrics.length;

/** Records from the numbers that native code gives. @internal */
export function recordsOf(metrics: Float64Array): StepRecord[] {
  return Array.from({ length: metrics.length / width }, (_, k) => {
    const record: Record<string, unknown> = {};
    for (let i = 0; i < width; i += 1) record[nativeMetrics[i] as string] = metrics[k * width + i];
    record['outcome'] = stepOutcomes[record['outcome'] as number];
    record['transportConverged'] = record['transportConverged'] !== 0;
    return record as unknown as StepRecord;
  });
}

const columns = [
  'step',
  'evaluations',
  'meanCost',
  'minCost',
  'meanSquaredDisplacement',
  'effectiveSamples',
  'relativeDisplacement',
  'frozenRows',
  'epsilon',
  'stepRadius',
  'probeRadius',
  'radiusMultiplier',
  'best',
  'silentOutputs',
] as const satisfies readonly (keyof History)[];

/** Steps as they come, kept as columns: a long run has more of them than objects would be cheap. @internal */
export class HistoryColumns {
  private readonly values = columns.map((): number[] => []);
  private steps = 0;

  get length(): number {
    return this.steps;
  }

  add(records: readonly StepRecord[]): void {
    this.steps += records.length;
    columns.forEach((name, i) => {
      for (const record of records) (this.values[i] as number[]).push(record[name]);
    });
  }

  history(): History {
    const history: Record<string, Float64Array> = {};
    columns.forEach((name, i) => {
      history[name] = Float64Array.from(this.values[i] as number[]);
    });
    return history as unknown as History;
  }
}

/** Looks at steps as they come and collects what a user should know, each thing once. @internal */
export class Warnings {
  private readonly texts = new Map<string, string>();
  private lastRadius = Infinity;

  add(key: string, text: string): void {
    if (!this.texts.has(key)) this.texts.set(key, text);
  }

  /** What steps of all searches may come to. */
  lookAtOutcome({ step, outcome }: StepRecord): void {
    if (outcome === 'infeasible') this.add('infeasible', `no loss of step ${step} was finite: nothing moved`);
    if (outcome === 'reverted') this.add('reverted', `the point after step ${step} was not finite: taken back`);
  }

  /** `soft`: whether weights follow a temperature, so that one-hot rows say something about it. */
  look(record: StepRecord, vertices: number, soft: boolean): void {
    const { step } = record;
    this.lookAtOutcome(record);
    if (record.outcome !== 'moved') return;
    if (record.frozenRows >= 0.5) {
      const share = Math.round(record.frozenRows * 100);
      this.add(
        'frozen',
        `in step ${step}, ${share} % of the particles saw no difference: the probe radius does not reach past the plateau`,
      );
    }
    if (record.silentOutputs >= 0.5) {
      const share = Math.round(record.silentOutputs * 100);
      this.add(
        'silent',
        `at step ${step}, ${share} % of the outputs fire for no sample: their classes are lost; smaller radii, or first parameters with an output bias that makes every output fire`,
      );
    }
    if (soft && record.effectiveSamples < 1.2 / vertices && record.stepRadius >= this.lastRadius) {
      this.add(
        'greedy',
        `in step ${step}, weights are nearly one-hot while the radius does not shrink: the temperature is too small`,
      );
    }
    if (!record.transportConverged) this.add('transport', `the assignment of step ${step} did not converge`);
    this.lastRadius = record.stepRadius;
  }

  list(): string[] {
    return [...this.texts.values()];
  }
}
