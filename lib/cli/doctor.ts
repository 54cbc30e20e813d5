// `discrete-descent doctor`: what is installed, what this machine has, and whether every kernel computes the right
// thing on every way of running it. The first thing to run on a new machine, above all on one with a GPU.
import os from 'node:os';
import type { Command } from 'commander';
import { backends, type BackendStatus } from '../runtime/backends';
import { native, type NativeBuildInfo, type NativeSelfTest } from '../runtime/native';
import { textTable } from './table';

interface Diagnosis {
  package: NativeBuildInfo;
  node: string;
  platform: string;
  processor: string;
  backends: BackendStatus[];
  kernels: { name: string; formula: string; results: NativeSelfTest[] }[];
  passed: boolean;
}

function describeMachine(diagnosis: Diagnosis): string {
  const { package: build } = diagnosis;
  const lines = [
    `discrete-descent ${build.version}, compiled by ${build.compiler}; Node ${diagnosis.node}, ${diagnosis.platform}`,
    `processor: ${diagnosis.processor}; kernels at level ${build.isa} (available: ${build.isaLevels.join(', ')}); threads: ${build.threads}`,
  ];
  if (build.isaProblem !== '') lines.push(`note: ${build.isaProblem}`);
  for (const backend of diagnosis.backends) {
    const devices = backend.devices.map((device) => device.name).join(', ');
    lines.push(
      `back end ${backend.name}: ${backend.available ? `available${devices === '' ? '' : ` (${devices})`}` : `not available: ${backend.reason ?? 'no reason given'}`}`,
    );
  }
  return lines.join('\n');
}

/** Worst result of each kernel over all ways of running it, and every failure in full. */
function describeKernels({ kernels }: Diagnosis): string {
  const rows = kernels.map(({ name, results }) => {
    const failures = results.filter((result) => !result.passed);
    const worst = Math.max(...results.map((result) => result.largestError));
    const ratio = Math.max(...results.map((result) => result.toleranceRatio));
    return [
      name,
      failures.length === 0 ? 'ok' : 'FAILED',
      String(results.length),
      worst.toExponential(1),
      `${(ratio * 100).toPrecision(2)} %`,
    ];
  });
  const failures = kernels.flatMap(({ results }) =>
    results.filter((result) => !result.passed).map((result) => result.message),
  );
  return [textTable(['kernel', '', 'ways', 'largest deviation', 'of tolerance'], rows), ...failures].join('\n');
}

function diagnose(onKernel: (name: string) => void): Diagnosis {
  const statuses = backends();
  const devices = statuses.filter(({ name, available }) => name !== 'cpu' && available).map(({ name }) => name);
  const kernels = native.kernels.list().map(({ name, formula }) => {
    onKernel(name);
    return { name, formula, results: native.kernels.selfTest(name, devices) };
  });
  return {
    package: native.buildInfo(),
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    processor: os.cpus()[0]?.model.trim() ?? 'unknown',
    backends: statuses,
    kernels,
    passed: kernels.every(({ results }) => results.every((result) => result.passed)),
  };
}

function doctor(flags: { json?: boolean }): void {
  const live = flags.json !== true && process.stderr.isTTY;
  const diagnosis = diagnose((name) => live && process.stderr.write(`\r\u001b[Kself-test of ${name}`));
  if (live) process.stderr.write('\r\u001b[K');
  if (flags.json === true) console.log(JSON.stringify(diagnosis));
  else console.log(`${describeMachine(diagnosis)}\n\n${describeKernels(diagnosis)}`);
  if (!diagnosis.passed) process.exitCode = 1;
}

/** Adds the command. */
export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description(
      'versions, back ends and a self-test of every kernel against its reference; exit code 1 when one fails',
    )
    .option('--json', 'print one JSON object and nothing else on stdout')
    .action(doctor);
}
