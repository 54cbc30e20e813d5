// The official example problems, each written in the language of `odil.problem`.
export { heat, type HeatOptions, referenceConductivity } from './heat';
export { poisson, type PoissonOptions, type WithReference } from './poisson';
