// Running ONNX models through whatever can: onnxruntime-node where it is installed, or what the caller brings.
import { makeError } from '../runtime/errors';

/** Data of a tensor that goes into or comes out of a model. */
export type OnnxData = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array | Int8Array | Uint16Array;

/** A tensor that goes into or comes out of a model. */
export interface OnnxValue {
  /** Elements, row-major. */
  readonly data: OnnxData;
  /** Extents, outermost first. */
  readonly shape: readonly number[];
}

/** Tensors by name. */
export type OnnxValues = Readonly<Record<string, OnnxValue>>;

/** A model that is ready to run. */
export interface OnnxSession {
  /** Runs the model; gives all its outputs. */
  run(inputs: OnnxValues): Promise<OnnxValues>;
  /** Lets go of the model. */
  release(): Promise<void>;
}

/** Makes models ready to run. */
export type OnnxRuntime = (model: Uint8Array) => Promise<OnnxSession>;

/** The part of onnxruntime-node (or onnxruntime-web) that is used here. */
export interface OnnxRuntimeModule {
  /** Makes sessions. */
  readonly InferenceSession: {
    /** Makes a session of a model. */
    create(model: Uint8Array, options?: object): Promise<OnnxRuntimeModuleSession>;
  };
  /** Makes tensors. */
  readonly Tensor: OnnxRuntimeModuleTensor;
}

/** The class of tensors of onnxruntime-node. */
export interface OnnxRuntimeModuleTensor {
  /** Element type, elements, extents. */
  new (type: never, data: never, dims: readonly number[]): object;
}

/** A session of onnxruntime-node. */
export interface OnnxRuntimeModuleSession {
  /** Runs the model. */
  run(feeds: never): Promise<Readonly<Record<string, unknown>>>;
  /** Lets go of the model. */
  release(): Promise<void>;
}

const typeOf = new Map<string, string>([
  ['Float32Array', 'float32'],
  ['Float64Array', 'float64'],
  ['Int32Array', 'int32'],
  ['BigInt64Array', 'int64'],
  ['Uint8Array', 'uint8'],
  ['Int8Array', 'int8'],
  ['Uint16Array', 'float16'],
]);

async function loadPeer(): Promise<OnnxRuntimeModule> {
  const name = 'onnxruntime-node';
  try {
    const loaded = (await import(name)) as OnnxRuntimeModule & { default?: OnnxRuntimeModule };
    return loaded.default ?? loaded;
  } catch (cause) {
    const message = `running ONNX models needs the optional package \`${name}\`: npm install ${name}`;
    throw makeError('ERR_BACKEND_UNAVAILABLE', 'runtime', message, { cause });
  }
}

/**
 * A runtime on `onnxruntime-node`, an optional peer: it is looked for when the first session is made, and
 * `ERR_BACKEND_UNAVAILABLE` says how to install it where it is missing. Give `module` to use one of your own, for
 * example `require('onnxruntime-web')`. Sessions use `threads` threads (1: results do not depend on the machine's
 * processors). Uint16Array stands for float16.
 */
export function onnxRuntime({
  module,
  threads = 1,
}: { module?: OnnxRuntimeModule; threads?: number } = {}): OnnxRuntime {
  return async (model) => {
    const { InferenceSession, Tensor } = module ?? (await loadPeer());
    const session = await InferenceSession.create(model, {
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      logSeverityLevel: 3,
    });
    return {
      async run(inputs) {
        const feeds = Object.entries(inputs).map(([name, { data, shape }]) => {
          const type = typeOf.get(data.constructor.name);
          return [name, new Tensor(type as never, data as never, shape)];
        });
        const results = await session.run(Object.fromEntries(feeds) as never);
        const values = Object.entries(results).map(([name, value]) => {
          const { data, dims } = value as { data: OnnxData; dims: number[] };
          return [name, { data, shape: dims }] as const;
        });
        return Object.fromEntries(values);
      },
      release: () => session.release(),
    };
  };
}
