// The public names of quantisation.
export type { CodedWeights, QuantizationGrid, RangeGrid, ScaleGrid, TernaryGrid } from './coded-weights';
export { type BatchOptions, createHessian, type Hessian } from './hessian';
export {
  type LayerInput,
  quantizeLayer,
  quantizeLayerSync,
  type QuantizeOptions,
  type QuantizeSyncOptions,
} from './layer';
export { QuantizedLayer, type QuantizeSeconds, type QuantizeStatus } from './quantized-layer';
