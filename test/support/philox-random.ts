// Reproducible random numbers for tests, from the package's own generator.
export { uniforms } from '../../lib/runtime/random';
