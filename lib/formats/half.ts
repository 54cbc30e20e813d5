// The 16-bit and 8-bit floating-point types of model files, to and from float32. Widening is exact; narrowing rounds
// half to even, as hardware does.

const word = new Uint32Array(1);
const real = new Float32Array(word.buffer);

/** Bits of a float32. @internal */
export function float32Bits(value: number): number {
  real[0] = value;
  return word[0] ?? 0;
}

/** The float32 of these bits. @internal */
export function float32FromBits(bits: number): number {
  word[0] = bits;
  return real[0] ?? 0;
}

/**
 * A small float of `exponentBits` and `mantissaBits` as a number, IEEE style: subnormals, infinities, NaN.
 * Every such value is exact in float32.
 */
function widen(bits: number, exponentBits: number, mantissaBits: number): number {
  const sign = (bits >>> (exponentBits + mantissaBits)) & 1 ? -1 : 1;
  const top = (1 << exponentBits) - 1;
  const exponent = (bits >>> mantissaBits) & top;
  const mantissa = bits & ((1 << mantissaBits) - 1);
  if (exponent === top) return mantissa === 0 ? sign * Infinity : NaN;
  const bias = top >>> 1;
  if (exponent === 0) return sign * mantissa * 2 ** (1 - bias - mantissaBits);
  return sign * (mantissa + (1 << mantissaBits)) * 2 ** (exponent - bias - mantissaBits);
}

/** A float16 given by its bits, exactly. */
export function float16ToNumber(bits: number): number {
  return widen(bits, 5, 10);
}

/** The bits of the float16 nearest to the float32 nearest to `value`, ties to even; beyond 65504 infinity; one NaN. */
export function numberToFloat16(value: number): number {
  const bits = float32Bits(value);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00; // 65536 and more
  if (magnitude < 0x38800000) {
    // Below 2^-14 float16 is fixed point with unit 2^-24; the product is exact.
    const scaled = float32FromBits(magnitude) * 2 ** 24;
    return sign | roundHalfEven(scaled);
  }
  const kept = magnitude - 0x38000000; // the exponent's bias goes from 127 to 15
  return sign | ((kept + 0xfff + ((kept >>> 13) & 1)) >>> 13); // a carry may rightly reach infinity
}

/** A bfloat16 given by its bits, exactly. */
export function bfloat16ToNumber(bits: number): number {
  return float32FromBits(bits << 16);
}

/** The bits of the bfloat16 nearest to the float32 nearest to `value`, ties to even; one NaN. */
export function numberToBfloat16(value: number): number {
  const bits = float32Bits(value);
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return ((bits >>> 16) & 0x8000) | 0x7fc0;
  return ((bits >>> 0) + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** A float8 with 5 exponent bits (OCP 8-bit floating point, E5M2), exactly. @internal */
export function float8E5M2ToNumber(bits: number): number {
  return widen(bits, 5, 2);
}

/** A float8 with 4 exponent bits (OCP 8-bit floating point, E4M3): no infinities, all ones is NaN. @internal */
export function float8E4M3ToNumber(bits: number): number {
  if ((bits & 0x7f) === 0x7f) return NaN;
  const sign = bits & 0x80 ? -1 : 1;
  const exponent = (bits >>> 3) & 15;
  const mantissa = bits & 7;
  return exponent === 0 ? sign * mantissa * 2 ** -9 : sign * (8 + mantissa) * 2 ** (exponent - 10);
}

/** A power of two, the scale of OCP microscaling blocks (E8M0); 255 is NaN. @internal */
export function float8E8M0ToNumber(bits: number): number {
  return bits === 255 ? NaN : 2 ** (bits - 127);
}

/** Nearest whole number, halves to the even one. @internal */
export function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below;
}

/** Float16 bits as float32 values. */
export function float16ToFloat32(bits: Uint16Array): Float32Array {
  return Float32Array.from(bits, float16ToNumber);
}

/** Float32 values as float16 bits, half to even. */
export function float32ToFloat16(values: Float32Array): Uint16Array {
  return Uint16Array.from(values, numberToFloat16);
}

/** Bfloat16 bits as float32 values. */
export function bfloat16ToFloat32(bits: Uint16Array): Float32Array {
  return Float32Array.from(bits, bfloat16ToNumber);
}

/** Float32 values as bfloat16 bits, half to even. */
export function float32ToBfloat16(values: Float32Array): Uint16Array {
  return Uint16Array.from(values, numberToBfloat16);
}
