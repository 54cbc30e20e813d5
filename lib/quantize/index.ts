// Quantisation of trained weights, and the budgeted assignments that decide where bits go.
export type { CodedWeights, QuantizationGrid, RangeGrid, ScaleGrid, TernaryGrid } from './coded-weights';
export { type AsyncBatchOptions, type BatchOptions, createHessian, type Hessian } from './hessian';
export {
  type LayerInput,
  quantizeLayer,
  quantizeLayerSync,
  type QuantizeOptions,
  type QuantizeSyncOptions,
} from './layer';
export { QuantizedLayer, type QuantizeSeconds, type QuantizeStatus } from './quantized-layer';
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
export { mergeModel, type ModelLayerReport, type ModelReport, type ModelRunOptions, quantizeModel } from './model';
export type { ModelRequest } from './model-request';
export type { AcrossLayers, AcrossLayersReport, LayerImportance } from './across-layers';
export type { Calibration, LayerActivations, LayerSelection, ModelInputs } from './model-source';
export {
  type AcrossLayersOptions,
  allocateAcrossLayers,
  allocateBits,
  type AllocationMode,
  type AllocationOptions,
  type BitAllocation,
  type LayerAllocation,
  type LayerOptions,
} from './allocate';
export {
  type KnapsackMethod,
  type KnapsackProblem,
  type KnapsackSolution,
  solveKnapsack,
  solveKnapsackSync,
} from './knapsack';
export {
  type AssignmentLoss,
  type Evaluation,
  type Question,
  rco,
  type RcoOptions,
  type RcoProblem,
  type RcoResult,
  rcoSync,
  type RcoSyncOptions,
  type TableObjective,
} from './rco';
export type { Numbers, NumberTable } from './table';
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
