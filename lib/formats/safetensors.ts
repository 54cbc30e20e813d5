// Safetensors: tensors by name behind a JSON header (github.com/huggingface/safetensors). Tensors are read one by one,
// so that a checkpoint larger than memory can be quantised layer by layer.
import { makeError } from '../runtime/errors';
import { writePieces } from '../runtime/files';
import { type ByteSource, fileSource, invalidFormat, memorySource } from './bytes';
import {
  bfloat16ToFloat32,
  float16ToFloat32,
  float8E4M3ToNumber,
  float8E5M2ToNumber,
  float8E8M0ToNumber,
} from './half';

/** Element types of safetensors. */
export type SafetensorsDtype =
  | 'BOOL'
  | 'F4'
  | 'F6_E2M3'
  | 'F6_E3M2'
  | 'U8'
  | 'I8'
  | 'F8_E5M2'
  | 'F8_E4M3'
  | 'F8_E8M0'
  | 'I16'
  | 'U16'
  | 'F16'
  | 'BF16'
  | 'I32'
  | 'U32'
  | 'F32'
  | 'C64'
  | 'F64'
  | 'I64'
  | 'U64';

const bitsOf: Readonly<Record<SafetensorsDtype, number>> = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
};

/** Name, type and shape of a stored tensor. */
export interface SafetensorsInfo {
  /** Name. */
  readonly name: string;
  /** Element type. */
  readonly dtype: SafetensorsDtype;
  /** Extents, outermost first; none for a scalar. */
  readonly shape: readonly number[];
  /** Size of its data. */
  readonly byteLength: number;
}

/** A tensor to write. */
export interface SafetensorsEntry {
  /** Element type. */
  readonly dtype: SafetensorsDtype;
  /** Extents, outermost first. */
  readonly shape: readonly number[];
  /** Its elements, little-endian as typed arrays are; a function is called when its turn to be written comes. */
  readonly data: ArrayBufferView | (() => ArrayBufferView);
}

/** What a safetensors file is made of. */
export interface SafetensorsContents {
  /** Tensors by name. */
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
  /** Free texts by name. */
  readonly metadata?: ReadonlyMap<string, string>;
}

interface Located extends SafetensorsInfo {
  readonly begin: number;
}

const headerLimit = 100_000_000; // as in the reference reader
const metadataKey = '__metadata__';

/** Bytes of a tensor, or NaN where its size is no whole number of bytes or not a safe integer. */
function sizeOf(dtype: SafetensorsDtype, shape: readonly number[]): number {
  const bytes = (shape.reduce((product, extent) => product * extent, 1) * bitsOf[dtype]) / 8;
  return Number.isSafeInteger(bytes) ? bytes : NaN;
}

function isExtent(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readMetadata(value: unknown): Map<string, string> {
  if (!isObject(value)) throw invalidFormat('file', 'safetensors: the metadata is not an object');
  const metadata = new Map<string, string>();
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') throw invalidFormat('file', `safetensors: metadata \`${key}\` is not a text`);
    metadata.set(key, text);
  }
  return metadata;
}

function readInfo(name: string, value: unknown, available: number): Located {
  const wrong = (what: string): Error => invalidFormat('file', `safetensors: tensor \`${name}\` ${what}`);
  if (!isObject(value)) throw wrong('is not described by an object');
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== 'string' || !Object.hasOwn(bitsOf, dtype)) throw wrong('has an unknown element type');
  if (!Array.isArray(shape) || !shape.every(isExtent)) throw wrong('has a shape that is not a list of extents');
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isExtent)) throw wrong('has no offsets');
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > available) throw wrong(`lies outside the file (bytes ${begin} to ${end} of ${available})`);
  const byteLength = sizeOf(dtype as SafetensorsDtype, shape);
  if (byteLength !== end - begin) throw wrong(`takes ${end - begin} bytes, but type and shape make ${byteLength}`);
  return { name, dtype: dtype as SafetensorsDtype, shape, byteLength, begin };
}

function readHeader(source: ByteSource): { tensors: Map<string, Located>; metadata: Map<string, string> } {
  if (source.byteLength < 8) throw invalidFormat('file', 'safetensors: shorter than its 8-byte header length');
  const length = Number(new DataView(source.read(0, 8).buffer).getBigUint64(0, true));
  if (length > headerLimit || 8 + length > source.byteLength) {
    throw invalidFormat('file', `safetensors: a header of ${length} bytes does not fit`);
  }
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(source.read(8, length)));
  } catch (error) {
    throw invalidFormat('file', 'safetensors: the header is not JSON', error);
  }
  if (!isObject(header)) throw invalidFormat('file', 'safetensors: the header is not an object');
  const data = 8 + length;
  const tensors = new Map<string, Located>();
  let metadata = new Map<string, string>();
  for (const [name, value] of Object.entries(header)) {
    if (name === metadataKey) metadata = readMetadata(value);
    else tensors.set(name, readInfo(name, value, source.byteLength - data));
  }
  checkCovered([...tensors.values()], source.byteLength - data);
  for (const [name, info] of tensors) tensors.set(name, { ...info, begin: data + info.begin });
  return { tensors, metadata };
}

/** Tensors must cover the data without gap or overlap: nothing can hide in a file, nothing is shared. */
function checkCovered(tensors: Located[], available: number): void {
  let end = 0;
  for (const { name, begin, byteLength } of tensors.sort((a, b) => a.begin - b.begin || a.byteLength - b.byteLength)) {
    if (begin !== end) throw invalidFormat('file', `safetensors: a gap or overlap before tensor \`${name}\``);
    end += byteLength;
  }
  if (end !== available) throw invalidFormat('file', `safetensors: ${available - end} bytes belong to no tensor`);
}

const toFloat32: Partial<Record<SafetensorsDtype, (bytes: Uint8Array) => Float32Array>> = {
  F32: ({ buffer }) => new Float32Array(buffer),
  F16: ({ buffer }) => float16ToFloat32(new Uint16Array(buffer)),
  BF16: ({ buffer }) => bfloat16ToFloat32(new Uint16Array(buffer)),
  F64: ({ buffer }) => Float32Array.from(new Float64Array(buffer)),
  F8_E5M2: (bytes) => Float32Array.from(bytes, float8E5M2ToNumber),
  F8_E4M3: (bytes) => Float32Array.from(bytes, float8E4M3ToNumber),
  F8_E8M0: (bytes) => Float32Array.from(bytes, float8E8M0ToNumber),
  BOOL: (bytes) => Float32Array.from(bytes),
  U8: (bytes) => Float32Array.from(bytes),
  I8: ({ buffer }) => Float32Array.from(new Int8Array(buffer)),
  U16: ({ buffer }) => Float32Array.from(new Uint16Array(buffer)),
  I16: ({ buffer }) => Float32Array.from(new Int16Array(buffer)),
};

/** An open safetensors file: its header is in memory, tensors are read when asked for. */
export class SafetensorsFile {
  readonly #source: ByteSource;
  readonly #tensors: Map<string, Located>;
  /** Free texts by name. */
  readonly metadata: ReadonlyMap<string, string>;

  /** @internal */
  constructor(source: ByteSource) {
    this.#source = source;
    const { tensors, metadata } = readHeader(source);
    this.#tensors = tensors;
    this.metadata = metadata;
  }

  /** Names of the tensors, in the order of the header. */
  get names(): string[] {
    return [...this.#tensors.keys()];
  }

  /** Whether there is a tensor of this name. */
  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /** Type and shape of a tensor. Throws `ERR_INVALID_ARG_VALUE` where there is none of this name. */
  info(name: string): SafetensorsInfo {
    const { dtype, shape, byteLength } = this.#locate(name);
    return { name, dtype, shape, byteLength };
  }

  /** The bytes of a tensor, a copy at offset 0 of its own buffer. */
  bytes(name: string): Uint8Array<ArrayBuffer> {
    const { begin, byteLength } = this.#locate(name);
    return this.#source.read(begin, byteLength) as Uint8Array<ArrayBuffer>;
  }

  /**
   * The elements of a tensor as float32: exact for 8 and 16-bit types and F32, rounded for F64. Throws
   * `ERR_NOT_EXPRESSIBLE` for wide integers, complex numbers and types below 8 bits: use `bytes`.
   */
  float32(name: string): Float32Array {
    const { dtype } = this.#locate(name);
    const convert = toFloat32[dtype];
    if (convert === undefined) {
      throw makeError('ERR_NOT_EXPRESSIBLE', 'name', `tensor \`${name}\` of type ${dtype} cannot be read as float32`);
    }
    return convert(this.bytes(name));
  }

  /** Closes the file; tensors cannot be read afterwards. */
  close(): void {
    this.#source.close();
  }

  #locate(name: string): Located {
    const info = this.#tensors.get(name);
    if (info !== undefined) return info;
    throw makeError('ERR_INVALID_ARG_VALUE', 'name', `the file has no tensor \`${name}\``);
  }
}

/**
 * Opens a safetensors file; only its header is read. Throws `ERR_INVALID_FORMAT` where the file is not one, Node's own
 * error where it cannot be opened.
 */
export function openSafetensors(file: string): SafetensorsFile {
  const source = fileSource(file);
  try {
    return new SafetensorsFile(source);
  } catch (error) {
    source.close();
    throw error;
  }
}

/** Reads safetensors from memory. Throws `ERR_INVALID_FORMAT`. */
export function parseSafetensors(bytes: Uint8Array): SafetensorsFile {
  return new SafetensorsFile(memorySource(bytes));
}

function* pieces({ tensors, metadata }: SafetensorsContents): Generator<Uint8Array> {
  const compare = (a: string, b: string): number => (a < b ? -1 : 1);
  // Widest elements first, so that all lie aligned; then by name: the order of the reference writer.
  const ordered = [...tensors].sort(
    ([nameA, a], [nameB, b]) => bitsOf[b.dtype] - bitsOf[a.dtype] || compare(nameA, nameB),
  );
  const header = new Map<string, unknown>();
  if (metadata !== undefined && metadata.size > 0) header.set(metadataKey, Object.fromEntries(metadata));
  let offset = 0;
  for (const [name, { dtype, shape }] of ordered) {
    const size = shape.every(isExtent) ? sizeOf(dtype, shape) : NaN;
    if (name === metadataKey || Number.isNaN(size)) {
      throw makeError('ERR_INVALID_ARG_VALUE', 'tensors', `tensor \`${name}\` cannot be stored: name, type or shape`);
    }
    header.set(name, { dtype, shape, data_offsets: [offset, offset + size] });
    offset += size;
  }
  const text = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const length = Math.ceil(text.length / 8) * 8;
  const head = Buffer.alloc(8 + length, ' ');
  head.writeBigUInt64LE(BigInt(length));
  text.copy(head, 8);
  yield head;
  for (const [name, { dtype, shape, data }] of ordered) {
    const view = typeof data === 'function' ? data() : data;
    if (view.byteLength !== sizeOf(dtype, shape)) {
      throw makeError(
        'ERR_SHAPE_MISMATCH',
        'tensors',
        `tensor \`${name}\` has ${view.byteLength} bytes, but type and shape make ${sizeOf(dtype, shape)}`,
      );
    }
    yield new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  }
}

/** Writes a safetensors file, whole or not at all; the same contents give the same bytes. */
export function writeSafetensors(file: string, contents: SafetensorsContents): void {
  writePieces(file, pieces(contents));
}

/** The bytes of a safetensors file. */
export function serializeSafetensors(contents: SafetensorsContents): Uint8Array {
  return Buffer.concat([...pieces(contents)]);
}
