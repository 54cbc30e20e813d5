// Files: models (safetensors, ONNX, GGUF and their number types), arrays (NPY), images (NIfTI), clauses (DIMACS).
export { type Cnf, parseDimacs, readDimacs, serializeDimacs, writeDimacs } from './dimacs';
export { type GgufContents, type GgufDtype, type GgufTensor, serializeGguf, writeGguf } from './gguf';
export { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from './half';
export {
  type Affine,
  type NiftiContents,
  type NiftiVolume,
  parseNifti,
  readNifti,
  serializeNifti,
  writeNifti,
} from './nifti';
export { type NpyArray, type NpyData, parseNpy, readNpy, serializeNpy, writeNpy } from './npy';
export {
  openSafetensors,
  parseSafetensors,
  type SafetensorsContents,
  type SafetensorsDtype,
  type SafetensorsEntry,
  SafetensorsFile,
  type SafetensorsInfo,
  serializeSafetensors,
  writeSafetensors,
} from './safetensors';
export {
  type OnnxAttribute,
  OnnxConstant,
  type OnnxDataType,
  type OnnxEdit,
  OnnxModel,
  OnnxNode,
  type OnnxNodeEntry,
  type OnnxTensor,
  openOnnx,
  parseOnnx,
} from './onnx';
