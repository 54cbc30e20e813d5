// Losses of one step from a callback: views filled natively, chunk by chunk, answers checked and put in their place.
import { makeError } from '../runtime/errors';
import { fail } from '../runtime/validate';
import { type NativeOptimizer, nativePolystep, type Reals } from './native';
import { type BatchedLoss, type DeltaLoss, isDelta } from './objective';

/** A view and the array its losses go to. */
interface Lane {
  view: Reals;
  out: Reals;
  words: Uint32Array;
}

const unanswered = 0x7ff8d15c;

/** Owns the memory that callbacks see; reused from step to step. @internal */
export class Evaluation {
  private lanes: Lane[] = [];

  constructor(
    private readonly single: boolean,
    private readonly bufferBytes: number,
  ) {}

  /** Takes the views away from whoever kept one. */
  close(): void {
    for (const { view } of this.lanes) nativePolystep.detach(view);
    this.lanes = [];
  }

  /** Rows of `width` numbers that fit a view. */
  rowsPerChunk(width: number): number {
    return Math.max(1, Math.floor(this.bufferBytes / (width * (this.single ? 4 : 8))));
  }

  private lane(index: number, rows: number, width: number): Lane {
    const known = this.lanes[index];
    if (known !== undefined && known.view.length >= rows * width && known.out.length >= rows) return known;
    const numbers = (count: number): Reals => (this.single ? new Float32Array(count) : new Float64Array(count));
    const out = numbers(rows);
    const made = { view: numbers(rows * width), out, words: new Uint32Array(out.buffer) };
    if (known !== undefined) nativePolystep.detach(known.view);
    this.lanes[index] = made;
    return made;
  }

  /**
   * Losses of candidates first ... first + count - 1 into `losses`; synchronous when the callback is. `fill` writes the
   * candidates into a view.
   */
  async batches(
    loss: BatchedLoss,
    total: number,
    width: number,
    fill: (first: number, count: number, view: Reals) => void,
    losses: Float64Array,
    concurrency: number,
    check: () => void,
  ): Promise<void> {
    const rows = Math.min(total, this.rowsPerChunk(width));
    const pending: Promise<void>[] = Array.from({ length: concurrency }, () => Promise.resolve());
    let failed: { reason: unknown } | undefined;
    let waits = false;
    for (let first = 0, chunk = 0; first < total; first += rows, chunk += 1) {
      const slot = chunk % concurrency;
      if (waits) await pending[slot];
      if (failed !== undefined) break;
      check();
      const count = Math.min(rows, total - first);
      const lane = this.lane(slot, rows, width);
      fill(first, count, lane.view);
      const answer = this.ask(lane, count, width, (view, out) => loss(view, count, out));
      const into = losses.subarray(first, first + count);
      if (isThenable(answer)) {
        waits = true;
        pending[slot] = answer
          .then((given) => this.take(lane, count, given, into))
          .catch((reason: unknown) => {
            failed ??= { reason };
          });
      } else {
        this.take(lane, count, answer, into);
      }
    }
    if (waits) await Promise.all(pending);
    if (failed !== undefined) throw failed.reason;
  }

  private before = new Map<Lane, { sum: number; length: number }>();

  private ask(lane: Lane, count: number, width: number, call: (view: Reals, out: Reals) => unknown): unknown {
    const view = lane.view.subarray(0, count * width);
    const out = lane.out.subarray(0, count);
    lane.words.fill(unanswered);
    this.before.set(lane, { sum: nativePolystep.checksum(view, view.length), length: count * width });
    return call(view, out);
  }

  private take(lane: Lane, count: number, answer: unknown, into: Float64Array): void {
    const before = this.before.get(lane) as { sum: number; length: number };
    if (lane.view.length < before.length || lane.out.length < count) {
      this.lanes = [];
      throw makeError('ERR_INVALID_ARG_VALUE', 'objective', '`objective` must not detach the views it is given');
    }
    if (nativePolystep.checksum(lane.view, before.length) !== before.sum) {
      throw makeError(
        'ERR_INVALID_ARG_VALUE',
        'objective',
        '`objective` must not write into the candidates it is given',
      );
    }
    if (answer === undefined) {
      const per = lane.words.length / lane.out.length;
      for (let i = 0; i < count; i += 1) {
        const value = lane.out[i] as number;
        if (Number.isNaN(value) && lane.words[i * per] === unanswered && lane.words[i * per + per - 1] === unanswered) {
          throw makeError(
            'ERR_SHAPE_MISMATCH',
            'objective',
            `\`objective\` must give ${count} losses, out[${i}] was not filled`,
          );
        }
        into[i] = value;
      }
      return;
    }
    if (typeof answer === 'number') {
      fail('ERR_INVALID_ARG_TYPE', 'objective', `a function that gives ${count} losses, one per candidate`, answer);
    }
    const array = answer as ArrayLike<number>;
    const known =
      Array.isArray(answer) ||
      ['[object Float64Array]', '[object Float32Array]'].includes(Object.prototype.toString.call(answer));
    if (!known) fail('ERR_INVALID_ARG_TYPE', 'objective', 'a function that fills `out` or gives an array', answer);
    if (array.length !== count) {
      fail('ERR_SHAPE_MISMATCH', 'objective', `a function that gives ${count} losses, one per candidate`, answer);
    }
    for (let i = 0; i < count; i += 1) {
      const value = array[i] as unknown;
      if (typeof value !== 'number') fail('ERR_INVALID_ARG_TYPE', 'objective', 'a function that gives numbers', value);
      into[i] = value;
    }
  }

  /** Loss of the base itself: its first block replaced by what it is. */
  async base(loss: DeltaLoss, point: Reals, columns: number): Promise<number> {
    const lane = this.lane(0, 1, columns);
    lane.view.fill(0);
    lane.view.set(point.subarray(0, Math.min(columns, point.length)));
    const answer = this.ask(lane, 1, columns, (view, out) => loss.replacements(view, 1, out, { first: 0, columns }));
    const value = new Float64Array(1);
    this.take(lane, 1, isThenable(answer) ? await answer : answer, value);
    return value[0] as number;
  }

  /** Losses of all blocks of a step for a callback that sees replacements. */
  async blocks(
    loss: DeltaLoss,
    particles: number,
    perParticle: number,
    columns: number,
    fill: (first: number, count: number, view: Reals) => void,
    losses: Float64Array,
    check: () => void,
  ): Promise<void> {
    const together = Math.min(particles, Math.max(1, Math.floor(this.rowsPerChunk(columns) / perParticle)));
    const chunk = this.single
      ? new Float32Array(together * perParticle * columns)
      : new Float64Array(together * perParticle * columns);
    const lane = this.lane(0, perParticle, columns);
    for (let p = 0; p < particles; p += together) {
      check();
      const count = Math.min(together, particles - p);
      fill(p * perParticle, count * perParticle, chunk);
      for (let q = 0; q < count; q += 1) {
        const size = perParticle * columns;
        lane.view.set(chunk.subarray(q * size, (q + 1) * size));
        const block = { first: (p + q) * columns, columns };
        const answer = this.ask(lane, perParticle, columns, (view, out) =>
          loss.replacements(view, perParticle, out, block),
        );
        const at = (p + q) * perParticle;
        const given = isThenable(answer) ? await answer : answer;
        this.take(lane, perParticle, given, losses.subarray(at, at + perParticle));
      }
    }
  }
}

function isThenable(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

/** What a step's losses depend on. @internal */
export interface StepShape {
  dimension: number;
  candidates: number;
  centres: number;
  particles: number;
  rowDimension: number;
  step: number;
}

/** All losses of a step: candidates, then centres. @internal */
export async function evaluateStep(
  optimizer: NativeOptimizer,
  loss: BatchedLoss | DeltaLoss,
  evaluation: Evaluation,
  shape: StepShape,
  { threads, concurrency }: { threads: number; concurrency: number },
  check: () => void,
): Promise<Float64Array> {
  const { dimension, candidates, centres, particles, rowDimension, step } = shape;
  const losses = new Float64Array(candidates + centres);
  const fill = (first: number, count: number, view: Reals): void =>
    nativePolystep.candidates(optimizer, first, count, view, threads, isDelta(loss));
  if (!isDelta(loss)) {
    await evaluation.batches(loss, candidates + centres, dimension, fill, losses, concurrency, check);
    return losses;
  }
  const point = nativePolystep.current(optimizer);
  await loss.start(point.slice(), step);
  const own = losses.subarray(0, candidates);
  await evaluation.blocks(loss, particles, candidates / particles, rowDimension, fill, own, check);
  if (centres > 0) losses[candidates] = await evaluation.base(loss, point, rowDimension);
  return losses;
}

/** Losses of the iterate: `points` of them. @internal */
export async function evaluateCurrent(
  optimizer: NativeOptimizer,
  loss: BatchedLoss | DeltaLoss,
  evaluation: Evaluation,
  shape: { dimension: number; points: number; rowDimension: number; step: number },
  concurrency: number,
): Promise<Float64Array> {
  const point = nativePolystep.current(optimizer);
  const { dimension, points, rowDimension, step } = shape;
  const losses = new Float64Array(points);
  if (isDelta(loss)) {
    await loss.start(point.slice(), step);
    losses[0] = await evaluation.base(loss, point, rowDimension);
    return losses;
  }
  const fill = (first: number, count: number, view: Reals): void =>
    view.set(point.subarray(first * dimension, (first + count) * dimension));
  await evaluation.batches(loss, points, dimension, fill, losses, concurrency, () => undefined);
  return losses;
}
