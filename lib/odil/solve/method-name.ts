/** The ways to minimise. */
export type MethodName = 'gauss-newton' | 'marching' | 'control-space' | 'adam' | 'lbfgs' | 'gradient-descent';
