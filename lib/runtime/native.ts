// Finds and loads the add-on, once, and says what to do when it cannot be loaded. The interface here is the whole
// contract with native/addon.
import fs from 'node:fs';
import path from 'node:path';
import load from 'node-gyp-build';
import { OperationError } from './errors';

/** What a run sends to native code. @internal */
export interface NativeRun {
  async: boolean;
  threads: number;
  timeLimitSeconds: number;
  onProgress?: (progress: NativeProgress) => void;
  cancelFlag?: Int32Array;
}

/** A progress report as native code makes it. @internal */
export interface NativeProgress {
  phase: string;
  fraction: number;
  iterations: number;
  objective: number;
  lowerBound: number;
  seconds: number;
  best?: unknown;
}

/** A running async computation. @internal */
export interface NativeJob<Result> {
  promise: Promise<Result>;
  cancel(): void;
}

/** Versions and levels of the loaded binary. @internal */
export interface NativeBuildInfo {
  version: string;
  compiler: string;
  threads: number;
  isaLevels: string[];
  isa: string;
  isaProblem: string;
}

/** One way of running a kernel, held against its reference. @internal */
export interface NativeSelfTest {
  target: string;
  passed: boolean;
  largestError: number;
  toleranceRatio: number;
  message: string;
}

/** Timing of one kernel at one size. @internal */
export interface NativeBenchmark {
  p10Seconds: number;
  medianSeconds: number;
  p90Seconds: number;
  gflops: number;
  gigabytes: number;
  samples: number;
  clock: string;
}

/** What this machine can do at most, one thread. @internal */
export interface NativeMachineLimits {
  gflopsFloat32: number;
  gflopsFloat64: number;
  bandwidth: { bytes: number; triadGigabytes: number; readGigabytes: number }[];
}

/** The kernel table. @internal */
export interface NativeKernels {
  list(): { name: string; formula: string; benchmarkSizes: string[] }[];
  selfTest(kernel: string, backends: readonly string[]): NativeSelfTest[];
  benchmark(kernel: string, size: number, options: { isa: string; threads: number; seconds: number }): NativeBenchmark;
  machineLimits(): NativeMachineLimits;
}

/** A back end and its devices. @internal */
export interface NativeBackend {
  name: string;
  available: boolean;
  reason: string;
  devices: { name: string; memoryBytes: number; computeCapability: string; driverVersion: string }[];
}

/** The functions that every domain shares. @internal */
export interface NativeRuntime {
  buildInfo(): NativeBuildInfo;
  setIsa(name: string): boolean;
  backends(searchFolder: string): NativeBackend[];
  philox(words: Int32Array): number[];
  firstNonFinite(values: Float64Array | Float32Array): number;
  noOperation(): void;
  spin(options: { seconds: number; fail?: boolean }, run: NativeRun): unknown;
}

/** The add-on: what is shared, and one object of functions per domain. @internal */
export interface Native extends NativeRuntime {
  kernels: NativeKernels;
  dmmv: unknown;
  odil: unknown;
  polystep: unknown;
  polystepObjectives: unknown;
  polystepBaselines: unknown;
  quantize: unknown;
}

/** The nearest folder above that has a package.json: the same from lib/, dist/ and the compiled benchmarks. */
function findPackageRoot(folder: string): string {
  const parent = path.dirname(folder);
  return fs.existsSync(path.join(folder, 'package.json')) || parent === folder ? folder : findPackageRoot(parent);
}

/** Folder of the package's package.json. @internal */
export const packageRoot = findPackageRoot(__dirname);

function glibcVersion(): string {
  if (process.platform !== 'linux') return '';
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  const version = header?.glibcVersionRuntime;
  return version === undefined ? ', no glibc (musl?)' : `, glibc ${version}`;
}

/**
 * Throws when a Linux binary is cut short: the system's loader would end the process with a bus error. The section
 * headers are the last thing in the file, and the first 64 bytes say where they end.
 */
function checkWhole(file: string): void {
  if (process.platform !== 'linux') return;
  const header = Buffer.alloc(64);
  const descriptor = fs.openSync(file, 'r');
  let read: number;
  try {
    read = fs.readSync(descriptor, header, 0, header.length, 0);
  } finally {
    fs.closeSync(descriptor);
  }
  const end = Number(header.readBigUInt64LE(40)) + header.readUInt16LE(58) * header.readUInt16LE(60);
  if (read < header.length || fs.statSync(file).size < end) throw new Error(`${file} is truncated`);
}

function loadNative(): Native {
  try {
    checkWhole(load.resolve(packageRoot));
    return load(packageRoot) as Native;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new OperationError(
      'ERR_NATIVE_UNAVAILABLE',
      '',
      `discrete-descent could not load its native binary for ${process.platform}-${process.arch} ` +
        `(Node ${process.versions.node}${glibcVersion()}): ${reason}. To build it from source, install CMake and a ` +
        'C++20 compiler, then run `npm rebuild discrete-descent` ' +
        '(npm 12: `npm install-scripts approve discrete-descent` first).',
      { cause },
    );
  }
}

/** Folder of the loaded .node file, where back ends lie beside it. @internal */
export function nativeFolder(): string {
  return path.dirname(load.resolve(packageRoot));
}

/** The loaded add-on; importing this module loads it. @internal */
export const native: Native = loadNative();
