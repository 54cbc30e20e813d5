// Temperatures and radii that change from step to step.
import { makeError } from '../runtime/errors';
import {
  boolean,
  fail,
  functionOf,
  integer,
  number,
  object,
  optional,
  parse,
  type Schema,
  withDefault,
} from '../runtime/validate';

/** max(initial - decay t, target); an initial value below the target gives the target from step 0 on. */
export interface LinearSchedule {
  /** Tells schedules apart. */
  readonly kind: 'linear';
  /** Value of step 0. */
  readonly initial: number;
  /** Value at the end. */
  readonly target: number;
  /** Per step, not negative. */
  readonly decay: number;
}

/** target + (initial - target) (1 + cos(pi min(t, T) / T)) / 2. */
export interface CosineSchedule {
  /** Tells schedules apart. */
  readonly kind: 'cosine';
  /** Value of step 0. */
  readonly initial: number;
  /** Value at the end. */
  readonly target: number;
  /** T; default: ceil((initial - target) / decay), at least 1. */
  readonly steps?: number;
  /** Gives T where `steps` is absent. */
  readonly decay?: number;
  /** More than 1: after T steps it starts again, each period this much longer, at most 100 times. Default 1: no. */
  readonly restartMultiplier?: number;
  /** A new period is longer than the last by at least this; default 1. Release 0.7 had 0. */
  readonly restartGrowth?: number;
}

/** initial (t + 1)^-exponent; the exponent 0.6 (default) meets the conditions of the convergence theorem. */
export interface PowerSchedule {
  /** Tells schedules apart. */
  readonly kind: 'power';
  /** Value of step 0. */
  readonly initial: number;
  /** Default 0.6. */
  readonly exponent?: number;
}

/** From initial to target by equal factors over `steps` steps, then target. */
export interface GeometricSchedule {
  /** Tells schedules apart. */
  readonly kind: 'geometric';
  /** Value of step 0. */
  readonly initial: number;
  /** Value at the end. */
  readonly target: number;
  /** Steps between them. */
  readonly steps: number;
}

/**
 * Follows how hard the last Sinkhorn solve was: not converged or more than `slow` of its iterations, the value grows by
 * `increase` up to `most`; fewer than `fast`, it shrinks by `decrease` down to `target`; smoothed. For iterative rules.
 */
export interface ProgressiveSchedule {
  /** Tells schedules apart. */
  readonly kind: 'progressive';
  /** Default 1. */
  readonly initial?: number;
  /** Default 0.01. */
  readonly target?: number;
  /** Default 5. */
  readonly most?: number;
  /** Default 1.2. */
  readonly increase?: number;
  /** Default 0.95. */
  readonly decrease?: number;
  /** Default 0.1. */
  readonly fast?: number;
  /** Default 0.5. */
  readonly slow?: number;
  /** Share of the new value; default 0.3. */
  readonly smoothing?: number;
}

/** A schedule that depends on the step alone. */
export type StepSchedule = LinearSchedule | CosineSchedule | PowerSchedule | GeometricSchedule;
/** A number for all steps, a schedule, or any function of the step (from 0). */
export type Schedule = number | StepSchedule | ((step: number) => number);

const finite = number();
const kinds: Record<string, Schema<object>> = {
  linear: object({ kind: (value) => value as 'linear', initial: finite, target: finite, decay: number({ min: 0 }) }),
  cosine: object({
    kind: (value) => value as 'cosine',
    initial: finite,
    target: finite,
    steps: optional(integer({ min: 1 })),
    decay: optional(number({ above: 0 })),
    restartMultiplier: withDefault(number({ min: 1 }), 1),
    restartGrowth: withDefault(integer({ min: 0 }), 1),
  }),
  power: object({ kind: (value) => value as 'power', initial: finite, exponent: withDefault(number({ min: 0 }), 0.6) }),
  geometric: object({
    kind: (value) => value as 'geometric',
    initial: number({ above: 0 }),
    target: number({ above: 0 }),
    steps: integer({ min: 1 }),
  }),
};

function cosineValue(schedule: CosineSchedule, step: number): number {
  const { initial, target, decay, restartMultiplier = 1, restartGrowth = 1 } = schedule;
  let period = schedule.steps ?? Math.max(1, Math.ceil((initial - target) / (decay as number)));
  let local = step;
  if (restartMultiplier > 1) {
    for (let restarts = 0; restarts < 100 && local >= period; restarts += 1) {
      local -= period;
      period = Math.max(Math.floor(period * restartMultiplier), period + restartGrowth);
    }
  }
  return target + ((initial - target) * (1 + Math.cos((Math.PI * Math.min(local, period)) / period))) / 2;
}

function valueAt(schedule: StepSchedule, step: number): number {
  if (schedule.kind === 'linear') return Math.max(schedule.initial - schedule.decay * step, schedule.target);
  if (schedule.kind === 'cosine') return cosineValue(schedule, step);
  if (schedule.kind === 'power') return schedule.initial * (step + 1) ** -(schedule.exponent ?? 0.6);
  const { initial, target, steps } = schedule;
  return step >= steps ? target : initial * (target / initial) ** (step / steps);
}

/** A number, a schedule object or a function. @internal */
export const scheduleSchema: Schema<Schedule> = (value, argument) => {
  if (typeof value === 'number') return finite(value, argument);
  if (typeof value === 'function') return functionOf<(step: number) => number>()(value, argument);
  const kind = (value as { kind?: unknown } | null | undefined)?.kind;
  if (typeof kind !== 'string' || !Object.hasOwn(kinds, kind)) {
    fail(
      'ERR_INVALID_ARG_TYPE',
      argument,
      "a number, a function or a schedule of kind 'linear', 'cosine', 'power' or 'geometric'",
      value,
    );
  }
  const schedule = (kinds[kind] as Schema<object>)(value, argument) as StepSchedule;
  if (schedule.kind === 'cosine' && schedule.steps === undefined && schedule.decay === undefined) {
    fail('ERR_INVALID_ARG_VALUE', `${argument}.steps`, 'given, or `decay`', undefined);
  }
  return schedule;
};

/**
 * The value of a schedule at a step.
 *
 * @param schedule  a number, a schedule object or a function
 * @param step      from 0
 * @throws ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE, ERR_NOT_FINITE
 */
export function scheduleValue(schedule: Schedule, step: number): number {
  const checked = parse(schedule, 'schedule', scheduleSchema);
  const at = parse(step, 'step', number({ min: 0 }));
  if (typeof checked === 'number') return checked;
  return typeof checked === 'function' ? checked(at) : valueAt(checked, at);
}

/** The value at a step of a schedule that was checked before, or an error that names the step. @internal */
export function resolve(schedule: Schedule, step: number, argument: string, positive: boolean): number {
  const value =
    typeof schedule === 'number' ? schedule : typeof schedule === 'function' ? schedule(step) : valueAt(schedule, step);
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0 || (positive && value === 0)) {
    const text = `\`${argument}\` must be ${positive ? 'positive' : 'non-negative'} and finite in step ${step}, got ${String(value)}`;
    throw makeError(Number.isFinite(value) ? 'ERR_OUT_OF_RANGE' : 'ERR_NOT_FINITE', argument, text);
  }
  return value;
}

/** @internal */
export const progressiveSchema = object({
  kind: (value: unknown) => value as 'progressive',
  initial: withDefault(number({ above: 0 }), 1),
  target: withDefault(number({ above: 0 }), 0.01),
  most: withDefault(number({ above: 0 }), 5),
  increase: withDefault(number({ min: 1 }), 1.2),
  decrease: withDefault(number({ above: 0, max: 1 }), 0.95),
  fast: withDefault(number({ min: 0, max: 1 }), 0.1),
  slow: withDefault(number({ min: 0, max: 1 }), 0.5),
  smoothing: withDefault(number({ above: 0, max: 1 }), 0.3),
});

/** State of a progressive schedule. */
export interface ProgressiveState {
  /** The value in use: smoothed. */
  readonly value: number;
  /** The value that follows the solves at once. */
  readonly raw: number;
}

/** @internal */
export function nextProgressive(
  { value, raw }: ProgressiveState,
  { iterations, maxIterations, converged }: { iterations: number; maxIterations: number; converged: boolean },
  checked: ReturnType<typeof progressiveSchema>,
): ProgressiveState {
  const { target, most, increase, decrease, fast, slow, smoothing } = checked;
  const share = iterations / maxIterations;
  let next = raw;
  if (!converged || share > slow) next = Math.min(raw * increase, most);
  else if (share < fast) next = Math.max(raw * decrease, target);
  const smooth = (1 - smoothing) * value + smoothing * next;
  return { value: Math.min(Math.max(smooth, target), most), raw: next };
}

/**
 * A progressive schedule after a solve.
 *
 * @param state     undefined for the first solve, which was made with `initial`
 * @param solve     iterations it took, iterations it was allowed, and whether it converged
 * @param schedule  see {@link ProgressiveSchedule}
 * @throws ERR_OUT_OF_RANGE, ERR_INVALID_ARG_TYPE
 */
export function progressiveStep(
  state: ProgressiveState | undefined,
  solve: { iterations: number; maxIterations: number; converged: boolean },
  schedule: Omit<ProgressiveSchedule, 'kind'> = {},
): ProgressiveState {
  const checked = parse({ ...schedule, kind: 'progressive' }, 'schedule', progressiveSchema);
  const members = { iterations: number({ min: 0 }), maxIterations: number({ above: 0 }), converged: boolean };
  const given = parse(solve, 'solve', object(members));
  return nextProgressive(state ?? { value: checked.initial, raw: checked.initial }, given, checked);
}

/** Ranks of a subspace from given steps on: the first from step 0. */
export type RankSchedule = readonly (readonly [step: number, rank: number])[];

/** @internal */
export const rankScheduleSchema: Schema<[number, number][]> = (value, argument) => {
  if (!Array.isArray(value) || value.length === 0) {
    fail('ERR_INVALID_ARG_TYPE', argument, 'an array of [step, rank] with step 0 first', value);
  }
  const stages = value.map((stage: unknown, i): [number, number] => {
    const at = `${argument}[${i}]`;
    if (!Array.isArray(stage) || stage.length !== 2) fail('ERR_INVALID_ARG_TYPE', at, 'a pair [step, rank]', stage);
    return [integer({ min: 0 })(stage[0], `${at}[0]`), integer({ min: 1 })(stage[1], `${at}[1]`)];
  });
  stages.forEach(([step], i) => {
    const before = i === 0 ? -1 : (stages[i - 1] as [number, number])[0];
    if (step <= before || (i === 0 && step !== 0)) {
      fail('ERR_INVALID_ARG_VALUE', `${argument}[${i}][0]`, i === 0 ? '0' : `more than ${before}`, step);
    }
  });
  return stages;
};

/**
 * The rank that holds in a step.
 *
 * @throws ERR_INVALID_ARG_VALUE  stages that do not start at 0 or do not increase
 */
export function rankAt(schedule: RankSchedule, step: number): number {
  const stages = parse(schedule, 'schedule', rankScheduleSchema);
  let rank = (stages[0] as [number, number])[1];
  for (const [start, value] of stages) if (step >= start) rank = value;
  return rank;
}
