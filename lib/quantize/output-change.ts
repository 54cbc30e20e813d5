// How far the outputs of a model move when some of its weights change: the model runs over its calibration once, and what
// it answered is kept for every change that is tried.
import type { OnnxModel } from '../formats';
import { type OnnxRuntime, type OnnxSession, type OnnxValue, type OnnxValues } from './onnx-runtime';

type Floats = Float32Array | Float64Array;
type Model = Pick<OnnxModel, 'outputs' | 'serialize'>;

interface Change {
  moved: number;
  whole: number;
}

/** Numbers of an output of floats. */
function floatsOf(value: OnnxValue | undefined): Floats | undefined {
  const name = value?.data.constructor.name;
  return name === 'Float32Array' || name === 'Float64Array' ? (value?.data as Floats) : undefined;
}

/** Adds |y - y'|^2 and |y|^2 of each output; one that changes its shape has changed as a whole. */
function addChanges(changes: Map<string, Change>, before: ReadonlyMap<string, Floats>, after: OnnxValues): void {
  for (const [name, values] of before) {
    const found = floatsOf(after[name]);
    const other = found?.length === values.length ? found : new Float32Array(values.length);
    const change = changes.get(name) ?? { moved: 0, whole: 0 };
    values.forEach((value, i) => {
      change.whole += value ** 2;
      change.moved += (value - (other[i] as number)) ** 2;
    });
    changes.set(name, change);
  }
}

/** A model with the inputs that it and its changed copies are run on. @internal */
export class ModelOutputs {
  readonly #model: Model;
  readonly #runtime: OnnxRuntime;
  readonly #inputs: () => Iterable<OnnxValues> | AsyncIterable<OnnxValues>;
  readonly #kept: ReadonlyMap<string, Floats>[] = [];
  #room: number;

  /** Outputs of floats are kept while `bytes` hold them; what follows is made anew for every change. */
  constructor(
    model: Model,
    runtime: OnnxRuntime,
    inputs: () => Iterable<OnnxValues> | AsyncIterable<OnnxValues>,
    bytes = 2 ** 29,
  ) {
    this.#model = model;
    this.#runtime = runtime;
    this.#inputs = inputs;
    this.#room = bytes;
  }

  /** The outputs of run number `at`: kept, or by `session` and then kept if there is room. */
  async #outputs(
    at: number,
    inputs: OnnxValues,
    session: () => Promise<OnnxSession>,
  ): Promise<ReadonlyMap<string, Floats>> {
    const known = this.#kept[at];
    if (known !== undefined) return known;
    const values = await (await session()).run(inputs);
    const floats = this.#model.outputs.flatMap((name) => {
      const found = floatsOf(values[name]);
      return found === undefined ? [] : [[name, found] as const];
    });
    const bytes = floats.reduce((sum, [, { byteLength }]) => sum + byteLength, 0);
    if (at !== this.#kept.length || bytes > this.#room) {
      // What does not fit ends what is kept: later runs are found by their number.
      this.#room = 0;
      return new Map(floats);
    }
    this.#room -= bytes;
    const copies = new Map(floats.map(([name, data]) => [name, data.slice()]));
    this.#kept.push(copies);
    return copies;
  }

  /**
   * The sum over outputs of |y - y'|^2 / |y|^2, y' being those of `changed`; NaN where no output is of floats, or not
   * finite.
   */
  async changeOf(changed: Model, signal?: AbortSignal): Promise<number> {
    const changes = new Map<string, Change>();
    const sessions: OnnxSession[] = [];
    const open = async (model: Model): Promise<OnnxSession> => {
      const session = await this.#runtime(model.serialize());
      sessions.push(session);
      return session;
    };
    let own: Promise<OnnxSession> | undefined;
    try {
      const other = await open(changed);
      let at = 0;
      for await (const inputs of this.#inputs()) {
        signal?.throwIfAborted();
        const before = await this.#outputs(at, inputs, () => (own ??= open(this.#model)));
        addChanges(changes, before, await other.run(inputs));
        at += 1;
      }
    } finally {
      for (const session of sessions) await session.release();
    }
    const parts = [...changes.values()].map(({ moved, whole }) => (whole === 0 ? 0 : moved / whole));
    return parts.length === 0 ? NaN : parts.reduce((sum, part) => sum + part, 0);
  }
}
