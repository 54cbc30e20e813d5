// Gradient-free training by optimal-transport steps: native objectives.
export * as functions from './functions';
export * as models from './models';
