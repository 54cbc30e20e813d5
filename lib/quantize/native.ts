// The contract with native/addon/quantize.cpp: one interface per part.
import { native } from '../runtime/native';
import type { CodedWeights } from './coded-weights';

declare const packedBrand: unique symbol;
/** An opaque handle. @internal */
export type NativePacked = { [packedBrand]: never };

/** native/addon/quantize_packing.cpp. @internal */
export interface NativePacking {
  packBits(codes: Uint8Array | Uint16Array, rows: number, columns: number, bits: number): Uint8Array;
  unpackBits(bytes: Uint8Array, rows: number, columns: number, bits: number): Uint8Array | Uint16Array;
  packWords(
    codes: Uint8Array | Uint16Array,
    rows: number,
    columns: number,
    bits: number,
    transposed: boolean,
  ): Uint32Array;
  unpackWords(
    words: Uint32Array,
    rows: number,
    columns: number,
    bits: number,
    transposed: boolean,
  ): Uint8Array | Uint16Array;
  packRadix(codes: Uint8Array | Uint16Array, rows: number, columns: number, levels: number): BigUint64Array;
  unpackRadix(words: BigUint64Array, rows: number, columns: number, levels: number): Uint8Array | Uint16Array;
  radixCodesPerWord(levels: number): number;
  createPacked(weights: CodedWeights, threads: number): NativePacked;
  disposePacked(packed: NativePacked): void;
  packedBytes(packed: NativePacked): number;
  multiplyPacked(packed: NativePacked, x: Float32Array, tokens: number, threads: number): Float32Array;
  dequantizePacked(packed: NativePacked, threads: number): Float32Array;
}

type NativeQuantize = NativePacking;

/** The native functions of this domain. @internal */
export const nativeQuantize = native.quantize as NativeQuantize;
