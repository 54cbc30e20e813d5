// NPY files: one array of numpy behind a header in Python's words (numpy.org/doc/stable/reference/generated/
// numpy.lib.format.html).
import fs from 'node:fs';
import { writeWhole } from '../runtime/files';
import { fail } from '../runtime/validate';
import { invalidFormat } from './bytes';
import { float16ToFloat32 } from './half';

/** Arrays that a file can hold. */
export type NpyData =
  | Float64Array
  | Float32Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** An array with its shape. */
export interface NpyArray {
  /** Extents, outermost first; empty for a single number. */
  readonly shape: readonly number[];
  /** Elements, row-major. */
  readonly data: NpyData;
}

interface ElementType {
  readonly bytes: number;
  readonly array: new (buffer: ArrayBuffer) => NpyData;
}

const elementTypes: Readonly<Record<string, ElementType>> = {
  f8: { bytes: 8, array: Float64Array },
  f4: { bytes: 4, array: Float32Array },
  f2: { bytes: 2, array: Uint16Array }, // widened below
  i1: { bytes: 1, array: Int8Array },
  i2: { bytes: 2, array: Int16Array },
  i4: { bytes: 4, array: Int32Array },
  i8: { bytes: 8, array: BigInt64Array },
  u1: { bytes: 1, array: Uint8Array },
  u2: { bytes: 2, array: Uint16Array },
  u4: { bytes: 4, array: Uint32Array },
  u8: { bytes: 8, array: BigUint64Array },
  b1: { bytes: 1, array: Uint8Array },
};

const magic = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]);
const longestHeader = 1 << 20;

interface Header {
  type: string;
  swapped: boolean;
  columnMajor: boolean;
  shape: number[];
  begin: number;
}

function readHeader(bytes: Buffer, argument: string): Header {
  if (bytes.length < 10 || !bytes.subarray(0, 6).equals(magic)) {
    throw invalidFormat(argument, `\`${argument}\` does not begin like an NPY file`);
  }
  const version = bytes[6] as number;
  if (version < 1 || version > 3)
    throw invalidFormat(argument, `\`${argument}\` has the unknown NPY version ${version}`);
  const lengthBytes = version === 1 ? 2 : 4;
  if (bytes.length < 8 + lengthBytes) throw invalidFormat(argument, `\`${argument}\` ends within its header`);
  const length = version === 1 ? bytes.readUInt16LE(8) : bytes.readUInt32LE(8);
  const begin = 8 + lengthBytes + length;
  if (length > longestHeader || begin > bytes.length) {
    throw invalidFormat(argument, `\`${argument}\` says that its header has ${length} bytes`);
  }
  const text = bytes.toString(version === 3 ? 'utf8' : 'latin1', 8 + lengthBytes, begin);
  const descr = /'descr'\s*:\s*'([<>|=])([a-z]\d+)'/.exec(text);
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text);
  const shape = /'shape'\s*:\s*\(([\d,\s]*)\)/.exec(text);
  if (descr === null || order === null || shape === null) {
    throw invalidFormat(
      argument,
      `\`${argument}\` has no plain array of numbers in its header: ${text.slice(0, 80).trim()}`,
    );
  }
  const type = descr[2] as string;
  if (!Object.hasOwn(elementTypes, type)) {
    throw invalidFormat(argument, `\`${argument}\` holds elements of type ${type}, which are not read`);
  }
  const extents = (shape[1] as string).split(',').map((one) => one.trim());
  return {
    type,
    swapped: descr[1] === '>',
    columnMajor: order[1] === 'True',
    shape: extents.filter((one) => one !== '').map(Number),
    begin,
  };
}

/** From the first index fastest to the last index fastest. */
function toRowMajor(data: NpyData, shape: readonly number[]): NpyData {
  const result = data.slice() as Float64Array;
  const source = data as Float64Array; // the element type is the same on both sides
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((product, extent) => product * extent, 1));
  const at = shape.map(() => 0);
  for (let i = 0, place = 0; i < result.length; i += 1) {
    result[i] = source[place] as number;
    for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
      const extent = shape[axis] as number;
      place += strides[axis] as number;
      at[axis] = (at[axis] as number) + 1;
      if ((at[axis] as number) < extent) break;
      place -= extent * (strides[axis] as number);
      at[axis] = 0;
    }
  }
  return result;
}

function swapBytes(bytes: Buffer, width: number): void {
  if (width === 2) bytes.swap16();
  if (width === 4) bytes.swap32();
  if (width === 8) bytes.swap64();
}

/** The array in `bytes`; `argument` names them in errors. @internal */
export function readNpyBytes(bytes: Uint8Array, argument: string): NpyArray {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { type, swapped, columnMajor, shape, begin } = readHeader(buffer, argument);
  const { bytes: width, array } = elementTypes[type] as ElementType;
  const count = shape.reduce((product, extent) => product * extent, 1);
  const size = count * width;
  if (!Number.isSafeInteger(size) || size !== buffer.length - begin) {
    const expected = `[${shape.join(', ')}] of ${type}: ${size} bytes`;
    throw invalidFormat(argument, `\`${argument}\` should hold ${expected}, but holds ${buffer.length - begin}`);
  }
  // A copy of its own, so that views of wider types are aligned.
  const own = Buffer.from(new ArrayBuffer(size));
  buffer.copy(own, 0, begin);
  if (swapped) swapBytes(own, width);
  let data: NpyData = new array(own.buffer);
  if (type === 'f2') data = float16ToFloat32(data as Uint16Array);
  return { shape, data: columnMajor && shape.length > 1 ? toRowMajor(data, shape) : data };
}

/**
 * The array in an NPY file's bytes. Half precision is widened to float32, booleans become 0 and 1, arrays with the
 * first index fastest are turned around.
 *
 * @throws ERR_INVALID_FORMAT  no such file, a type that is not a number, or another length than the header says
 */
export function parseNpy(bytes: Uint8Array): NpyArray {
  if (!(bytes instanceof Uint8Array)) fail('ERR_INVALID_ARG_TYPE', 'bytes', 'a Uint8Array', bytes);
  return readNpyBytes(bytes, 'bytes');
}

/** The array in an NPY file, as `parseNpy`. Throws as it does, and what the system says where there is no file. */
export function readNpy(file: string): NpyArray {
  return readNpyBytes(fs.readFileSync(file), file);
}

/**
 * An NPY file as bytes.
 *
 * @throws ERR_SHAPE_MISMATCH  as many elements as the shape says there must be
 */
export function serializeNpy({ shape, data }: NpyArray): Uint8Array {
  const type = Object.keys(elementTypes).find(
    (name) => name !== 'f2' && elementTypes[name]?.array.name === Object.prototype.toString.call(data).slice(8, -1),
  );
  if (type === undefined) fail('ERR_INVALID_ARG_TYPE', 'array.data', 'a typed array of numbers', data);
  const whole = shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0);
  const count = whole ? shape.reduce((product, extent) => product * extent, 1) : NaN;
  if (count !== data.length) fail('ERR_SHAPE_MISMATCH', 'array.shape', `extents of ${data.length} elements`, shape);
  const extents = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const order = (elementTypes[type] as ElementType).bytes === 1 ? '|' : '<';
  const text = `{'descr': '${order}${type}', 'fortran_order': False, 'shape': (${extents}), }`;
  const padded = text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11) + '\n';
  const header = Buffer.alloc(10);
  magic.copy(header);
  header.writeUInt8(1, 6);
  header.writeUInt16LE(padded.length, 8);
  return Buffer.concat([
    header,
    Buffer.from(padded, 'latin1'),
    new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  ]);
}

/** Writes an array as an NPY file, whole or not at all. Throws as `serializeNpy`. */
export function writeNpy(file: string, array: NpyArray): void {
  writeWhole(file, serializeNpy(array));
}
