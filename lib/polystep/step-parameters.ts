// What a step is taken with: its temperature and radii, from schedules or from what the steps before it said.
import type { StepRecord } from './history';
import { nextProgressive, type ProgressiveState, resolve } from './schedules';
import type { Settings } from './settings';

/** @internal */
export class StepParameters {
  /** Where a progressive temperature stands; undefined where it is a number or a schedule. */
  progressive: ProgressiveState | undefined;
  readonly #settings: Settings;

  constructor(settings: Settings) {
    this.#settings = settings;
    const { epsilon } = settings;
    if (typeof epsilon === 'object' && epsilon.kind === 'progressive') {
      this.progressive = { value: epsilon.initial, raw: epsilon.initial };
    }
  }

  /** Whether those of later steps are known before the next one is taken. */
  get ahead(): boolean {
    return this.progressive === undefined;
  }

  /** Temperature, step radius and probe radius of a step, before multipliers. */
  of(step: number): [number, number, number] {
    const { epsilon, stepRadius, probeRadius, relative, radiusDecay } = this.#settings;
    const temperature =
      typeof epsilon === 'object' && epsilon.kind === 'progressive'
        ? (this.progressive as ProgressiveState).value
        : resolve(epsilon, step, 'options.epsilon', true);
    const decay = radiusDecay ** step;
    const radius = resolve(stepRadius, step, 'options.stepRadius', false) * (relative.step ? temperature : 1);
    const probe = resolve(probeRadius, step, 'options.probeRadius', true) * (relative.probe ? temperature : 1);
    return [temperature, radius * decay, probe * decay];
  }

  learn(record: StepRecord): void {
    const { epsilon, maxIterations } = this.#settings;
    if (this.progressive === undefined || record.outcome !== 'moved') return;
    if (typeof epsilon !== 'object' || epsilon.kind !== 'progressive') return;
    const solve = { iterations: record.transportIterations, maxIterations, converged: record.transportConverged };
    this.progressive = nextProgressive(this.progressive, solve, epsilon);
  }
}
