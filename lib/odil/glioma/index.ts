// The glioma model in pieces: tissue, growth, images, synthetic patients, the initial guess and the plan.
export { type Coefficients, diffusionCoefficients, grow, type Growth, seed, seedConcentration } from './forward';
export {
  drawTumour,
  growTumour,
  petImage,
  type GrowTumourOptions,
  type SyntheticTumour,
  type TumourParameters,
} from './generator';
export {
  type GliomaParameters,
  type Guess,
  initialGuess,
  type InitialGuessOptions,
  parametersOf,
  parameterState,
} from './guess';
export {
  type PatientFiles,
  type PlacedImages,
  type PlacedVolume,
  readImages,
  readVolume,
  type ReadVolumeOptions,
  type VolumeSource,
} from './images';
export { allowedRange, brats, bratsLabels, classes, classesOf, dice, segment, type Thresholds } from './labels';
export {
  type Patient,
  type PatientImages,
  preparePatient,
  type PreparePatientOptions,
  restore,
  type Scan,
} from './patient';
export { coverage, modelPlan, standardPlan } from './plan';
export { syntheticBrain, type SyntheticBrainOptions } from './synthetic-brain';
export { type Face, type Faces, leastMatter, type Tissue, tissueFaces, type TissueInput } from './tissue';
export { boundingBox, type Box, crop, resample, type Shape3, type Volume, type VolumeInput } from './volume';
