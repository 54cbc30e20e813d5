// The official example problems, each written in the language of `odil.problem`.
export { advection, type AdvectionOptions } from './advection';
export { bodyFlow, type BodyFlowOptions, bodyFraction } from './body-flow';
export { burgers, type BurgersOptions } from './burgers';
export { cavity, type CavityOptions } from './cavity';
export { compare, type CompareOptions } from './compare';
export { fields, type FieldsOptions } from './fields';
export { glioma, type GliomaOptions } from './glioma';
export { heat, type HeatOptions, referenceConductivity } from './heat';
export { heatTmax, type HeatTmaxOptions } from './heat-tmax';
export { inferConstant, type InferConstantOptions } from './infer-constant';
export { poisson, type PoissonOptions } from './poisson';
export { type WithReference } from './reference';
export { velocityFromTracer, type VelocityFromTracerOptions } from './velocity-from-tracer';
export { wave, type WaveOptions } from './wave';
