// Post-training quantisation of weights.
export type { CodedWeights, QuantizationGrid, RangeGrid, ScaleGrid, TernaryGrid } from './coded-weights';
export { convolutionPatches, type ConvolutionWindow, type SampleRows } from './im2col';
export {
  findOnnxLayers,
  type OnnxLayer,
  type OnnxLayerFilter,
  onnxLayerInputs,
  type OnnxLayerKind,
  type OnnxLayerSamples,
  type OnnxLayerSampling,
  type OnnxLayerUse,
  onnxLayerWeights,
  withOnnxWeights,
} from './onnx-model';
export {
  type OnnxData,
  type OnnxRuntime,
  onnxRuntime,
  type OnnxRuntimeModule,
  type OnnxRuntimeModuleSession,
  type OnnxRuntimeModuleTensor,
  type OnnxSession,
  type OnnxValue,
  type OnnxValues,
} from './onnx-runtime';
export {
  findSafetensorsLayers,
  type SafetensorsLayer,
  type SafetensorsLayerFilter,
  writeSafetensorsModel,
} from './safetensors-model';
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
export { dequantize } from './dequantize';
export {
  type CodePacking,
  type QuantizedContents,
  quantizedLayerNames,
  readQuantized,
  storedBytes,
  type StoredLayer,
  writeQuantized,
} from './storage';
export { ggufBlocks, type GgufType } from './export-gguf';
export { type GptqOptions, gptqTensors } from './export-gptq';
export { type OnnxExportForm, withQuantizedLayers } from './export-onnx';
