// GGUF files, version 3 (github.com/ggml-org/ggml, docs/gguf.md): written only, as the container of exported tensors.
import { makeError } from '../runtime/errors';
import { writePieces } from '../runtime/files';

/** Element types of the tensors written here. */
export type GgufDtype = 'F32' | 'F16' | 'BF16' | 'Q4_0' | 'Q4_1' | 'Q5_0' | 'Q5_1' | 'Q8_0';

/** Number in ggml.h, and bytes per block of so many elements. */
const types: Readonly<Record<GgufDtype, { id: number; bytes: number; elements: number }>> = {
  F32: { id: 0, bytes: 4, elements: 1 },
  F16: { id: 1, bytes: 2, elements: 1 },
  Q4_0: { id: 2, bytes: 18, elements: 32 },
  Q4_1: { id: 3, bytes: 20, elements: 32 },
  Q5_0: { id: 6, bytes: 22, elements: 32 },
  Q5_1: { id: 7, bytes: 24, elements: 32 },
  Q8_0: { id: 8, bytes: 34, elements: 32 },
  BF16: { id: 30, bytes: 2, elements: 1 },
};

/** A tensor to write. */
export interface GgufTensor {
  /** Element type. */
  readonly dtype: GgufDtype;
  /** Extents, outermost first (the file has them the other way round). */
  readonly shape: readonly number[];
  /** Its elements or blocks; a function is called when its turn to be written comes. */
  readonly data: ArrayBufferView | (() => ArrayBufferView);
}

/** What a GGUF file is made of. */
export interface GgufContents {
  /** Tensors by name, in the order of the file. */
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  /** Values by key: texts, booleans, and numbers (whole ones of 32 bits without sign as such, others as float32). */
  readonly metadata?: ReadonlyMap<string, string | boolean | number>;
}

const alignment = 32;

function fixed(bytes: number, write: (buffer: Buffer) => unknown): Buffer {
  const buffer = Buffer.alloc(bytes);
  write(buffer);
  return buffer;
}

const uint32 = (value: number): Buffer => fixed(4, (buffer) => buffer.writeUInt32LE(value));
const uint64 = (value: number): Buffer => fixed(8, (buffer) => buffer.writeBigUInt64LE(BigInt(value)));

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([uint64(bytes.length), bytes]);
}

function typedValue(value: string | boolean | number): Buffer {
  if (typeof value === 'string') return Buffer.concat([uint32(8), text(value)]);
  if (typeof value === 'boolean') return Buffer.concat([uint32(7), Buffer.of(value ? 1 : 0)]);
  if (Number.isInteger(value) && value >= 0 && value < 2 ** 32) return Buffer.concat([uint32(4), uint32(value)]);
  return Buffer.concat([uint32(6), fixed(4, (buffer) => buffer.writeFloatLE(value))]);
}

/** Size of a tensor; its innermost extent must be whole blocks. */
function sizeOf(name: string, { dtype, shape }: GgufTensor): number {
  const { bytes, elements } = types[dtype];
  const size = (shape.reduce((product, extent) => product * extent, 1) / elements) * bytes;
  const valid = shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0) && Number.isSafeInteger(size);
  if (!valid || shape.length < 1 || shape.length > 4 || (shape.at(-1) ?? 0) % elements !== 0) {
    const message = `tensor \`${name}\` of type ${dtype} cannot have the shape [${shape.join(', ')}]`;
    throw makeError('ERR_INVALID_ARG_VALUE', 'tensors', message);
  }
  return size;
}

const padding = (size: number): number => (alignment - (size % alignment)) % alignment;

function* pieces({ tensors, metadata = new Map<string, never>() }: GgufContents): Generator<Uint8Array> {
  const head = [Buffer.from('GGUF'), uint32(3), uint64(tensors.size), uint64(metadata.size)];
  for (const [key, value] of metadata) head.push(text(key), typedValue(value));
  let offset = 0;
  for (const [name, tensor] of tensors) {
    const size = sizeOf(name, tensor); // refuses shapes before they are written
    const extents = [...tensor.shape].reverse().map(uint64);
    head.push(text(name), uint32(extents.length), ...extents, uint32(types[tensor.dtype].id), uint64(offset));
    offset += size + padding(size);
  }
  const bytes = Buffer.concat(head);
  yield bytes;
  yield new Uint8Array(padding(bytes.length));
  for (const [name, tensor] of tensors) {
    const view = typeof tensor.data === 'function' ? tensor.data() : tensor.data;
    const size = sizeOf(name, tensor);
    if (view.byteLength !== size) {
      const message = `tensor \`${name}\` has ${view.byteLength} bytes, but type and shape make ${size}`;
      throw makeError('ERR_SHAPE_MISMATCH', 'tensors', message);
    }
    yield new Uint8Array(view.buffer, view.byteOffset, size);
    yield new Uint8Array(padding(size));
  }
}

/** Writes a GGUF file, whole or not at all; the same contents give the same bytes. */
export function writeGguf(file: string, contents: GgufContents): void {
  writePieces(file, pieces(contents));
}

/** The bytes of a GGUF file. */
export function serializeGguf(contents: GgufContents): Uint8Array {
  return Buffer.concat([...pieces(contents)]);
}
