// The wire format of Protocol Buffers (protobuf.dev/programming-guides/encoding), just deep enough for ONNX: a message
// is a list of fields, each of which keeps its own bytes. What is not touched is written as it came, unknown fields and
// odd encodings included.
import { invalidFormat } from './bytes';

/** How a field's value is laid out: varint, 8 bytes, length-delimited, 4 bytes. Groups were gone before ONNX came. */
type WireType = 0 | 1 | 2 | 5;

/** One field of a message, as it lies in the file. @internal */
export interface WireField {
  /** Field number. */
  readonly number: number;
  /** Layout of the value. */
  readonly wireType: WireType;
  /** The whole field: tag, length, value. */
  readonly raw: Uint8Array;
  /** The value: the varint itself, the 4 or 8 bytes, or the bytes behind the length. */
  readonly value: Uint8Array;
}

const malformed = (what: string): Error => invalidFormat('bytes', `protobuf: ${what}`);

/** Where the varint at `start` ends. */
function varintEnd(bytes: Uint8Array, start: number): number {
  for (let end = start; end < Math.min(start + 10, bytes.length); ++end) {
    if ((bytes[end] ?? 0) < 128) return end + 1;
  }
  throw malformed('a number does not end');
}

function decodeVarint(bytes: Uint8Array, start: number, end: number): bigint {
  let value = 0n;
  for (let at = end - 1; at >= start; --at) value = (value << 7n) | BigInt((bytes[at] ?? 0) & 127);
  return BigInt.asUintN(64, value);
}

/** Tags and lengths: as a number, without the cost of bigints. */
function smallVarint(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let at = end - 1; at >= start; --at) value = value * 128 + ((bytes[at] ?? 0) & 127);
  return value;
}

/** Splits a message into its fields. Throws `ERR_INVALID_FORMAT`. @internal */
export function readFields(bytes: Uint8Array): WireField[] {
  const fields: WireField[] = [];
  for (let start = 0; start < bytes.length;) {
    const tagEnd = varintEnd(bytes, start);
    const tag = smallVarint(bytes, start, tagEnd);
    const number = Math.floor(tag / 8);
    const wireType = tag % 8;
    if (number < 1 || number > 536870911) throw malformed(`field number ${number}`);
    let valueStart = tagEnd;
    let end: number;
    if (wireType === 0) end = varintEnd(bytes, tagEnd);
    else if (wireType === 1) end = tagEnd + 8;
    else if (wireType === 5) end = tagEnd + 4;
    else if (wireType === 2) {
      valueStart = varintEnd(bytes, tagEnd);
      end = valueStart + smallVarint(bytes, tagEnd, valueStart);
    } else throw malformed(`wire type ${wireType}`);
    if (end > bytes.length) throw malformed(`field ${number} ends beyond its message`);
    fields.push({ number, wireType, raw: bytes.subarray(start, end), value: bytes.subarray(valueStart, end) });
    start = end;
  }
  return fields;
}

/** Puts byte strings one after another. @internal */
export function concatenate(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((total, piece) => total + piece.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    whole.set(piece, offset);
    offset += piece.length;
  }
  return whole;
}

/** The message made of these fields. @internal */
export function writeFields(fields: readonly WireField[]): Uint8Array {
  return concatenate(fields.map(({ raw }) => raw));
}

function encodeVarint(value: bigint | number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

/** A field of a whole number, negative ones in two's complement of 64 bits. @internal */
export function integerField(number: number, integer: bigint | number): WireField {
  const tag = encodeVarint(number * 8);
  const raw = concatenate([tag, encodeVarint(integer)]);
  return { number, wireType: 0, raw, value: raw.subarray(tag.length) };
}

/** A field of bytes: a message, a packed list or raw data. @internal */
export function bytesField(number: number, bytes: Uint8Array): WireField {
  const raw = concatenate([encodeVarint(number * 8 + 2), encodeVarint(bytes.length), bytes]);
  return { number, wireType: 2, raw, value: raw.subarray(raw.length - bytes.length) };
}

/** A field of text. @internal */
export function textField(number: number, text: string): WireField {
  return bytesField(number, new TextEncoder().encode(text));
}

/** A field that is a message. @internal */
export function messageField(number: number, fields: readonly WireField[]): WireField {
  return bytesField(number, writeFields(fields));
}

function expectWireType(field: WireField, wireType: WireType): void {
  if (field.wireType !== wireType) throw malformed(`field ${field.number} has wire type ${field.wireType}`);
}

/** The values of all fields `number` that must be length-delimited, in order. @internal */
export function allBytes(fields: readonly WireField[], number: number): Uint8Array[] {
  return fields
    .filter((field) => field.number === number)
    .map((field) => {
      expectWireType(field, 2);
      return field.value;
    });
}

/** The value of the one field `number`; undefined where there is none. Messages that would need merging are refused. @internal */
export function oneBytes(fields: readonly WireField[], number: number): Uint8Array | undefined {
  const found = allBytes(fields, number);
  if (found.length > 1) throw malformed(`field ${number} occurs ${found.length} times`);
  return found[0];
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw invalidFormat('bytes', 'protobuf: a text is not UTF-8', error);
  }
}

/** The texts of all fields `number`. @internal */
export function allTexts(fields: readonly WireField[], number: number): string[] {
  return allBytes(fields, number).map(decodeText);
}

/** The text of field `number`, the last one counts; empty where there is none. @internal */
export function oneText(fields: readonly WireField[], number: number): string {
  return allTexts(fields, number).at(-1) ?? '';
}

/** The signed 64-bit numbers of all fields `number`, packed or not. @internal */
export function allIntegers(fields: readonly WireField[], number: number): bigint[] {
  const integers: bigint[] = [];
  for (const field of fields) {
    if (field.number !== number) continue;
    if (field.wireType !== 0) expectWireType(field, 2);
    for (let at = 0; at < field.value.length;) {
      const end = varintEnd(field.value, at);
      integers.push(BigInt.asIntN(64, decodeVarint(field.value, at, end)));
      at = end;
    }
  }
  return integers;
}

/** As `allIntegers`, where the values must be safe integers. @internal */
export function allSafeIntegers(fields: readonly WireField[], number: number): number[] {
  return allIntegers(fields, number).map((integer) => {
    if (!Number.isSafeInteger(Number(integer))) throw malformed(`field ${number} holds ${integer}`);
    return Number(integer);
  });
}

/** The number of field `number`, the last one counts; undefined where there is none. @internal */
export function oneInteger(fields: readonly WireField[], number: number): number | undefined {
  return allSafeIntegers(fields, number).at(-1);
}

/** The fixed-width values of all fields `number`, packed or not, as their bytes. @internal */
export function allFixed(fields: readonly WireField[], number: number, width: 4 | 8): Uint8Array {
  const pieces = fields
    .filter((field) => field.number === number)
    .map((field) => {
      if (field.wireType !== (width === 4 ? 5 : 1)) expectWireType(field, 2);
      if (field.value.length % width !== 0) throw malformed(`field ${number} is not a list of ${width}-byte values`);
      return field.value;
    });
  return concatenate(pieces);
}
