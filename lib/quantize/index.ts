// The public names of quantisation.
export type { CodedWeights, QuantizationGrid, RangeGrid, ScaleGrid, TernaryGrid } from './coded-weights';
export { pack, PackedWeights, type MultiplyOptions, type PackOptions } from './packed-weights';
export {
  packBits,
  packRadix,
  packWords,
  radixCodesPerWord,
  unpackBits,
  unpackRadix,
  unpackWords,
  type CodeShape,
  type WordShape,
} from './packing';
