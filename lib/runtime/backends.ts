// Which back ends there are, and why one is not.
import { callNative } from './errors';
import { native, nativeFolder } from './native';

/** A device of a back end. */
export interface BackendDevice {
  /** Name as the driver gives it. */
  readonly name: string;
  /** Memory in bytes. */
  readonly memoryBytes: number;
  /** Compute capability, for example "9.0". */
  readonly computeCapability: string;
  /** Newest CUDA version that the driver knows, for example "13.0". */
  readonly driverVersion: string;
}

/** A back end: somewhere kernels can run. */
export interface BackendStatus {
  /** `'cpu'` or `'cuda'`. */
  readonly name: string;
  /** Whether it can be used now. */
  readonly available: boolean;
  /** Why it cannot; absent where it can. */
  readonly reason?: string;
  /** Its devices; empty for the CPU. */
  readonly devices: readonly BackendDevice[];
}

/**
 * Every back end of this build. Looks for drivers and devices at the first call, never at import; prints nothing.
 * The environment variable DISCRETE_DESCENT_NO_BACKENDS=1 makes it look at nothing but the CPU.
 */
export function backends(): BackendStatus[] {
  const found = callNative(() => native.backends(nativeFolder()));
  return found.map(({ name, available, reason, devices }) => ({
    name,
    available,
    ...(!available && { reason }),
    devices,
  }));
}
