// Quantisation of one layer beside torch, and knapsacks of a whole model's columns. Packed products are measured by a
// native program.
import { denseMatrix, quantize } from '../lib';
import { type BenchOptions, type Family, type PeerResult, quantile, type Row, seconds, summary } from './harness';
import { runProgram } from './native-program';
import { startTorch, type TorchJob, type TorchPeer } from './peers/torch';

type Emit = (row: Row) => void;

/** Numbers of a simple generator: the speed of nothing here depends on which. */
function uniforms(count: number, scale: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 31 - 1) * scale;
  });
}

function hessianOf(columns: number): quantize.Hessian {
  const tokens = Math.max(columns / 2, 256);
  const x = uniforms(tokens * columns, 1);
  for (let at = 0; at < x.length; at += 1) x[at] = (x[at] ?? 0) * Math.exp(2 * Math.sin(at % columns));
  return quantize.createHessian(columns).add(x);
}

/** Ours and the peer in turn. */
async function compare(
  { threads, isa }: BenchOptions,
  peer: TorchPeer | undefined,
  job: TorchJob,
  samples: { ours: number; peer: number },
  own: { name: string; size: string; flops: number; call: () => number },
): Promise<Row> {
  const ours: number[] = [];
  const theirs: number[] = [];
  own.call();
  for (let sample = 0; sample < samples.ours; sample += 1) {
    ours.push(own.call());
    if (peer !== undefined && sample < samples.peer) theirs.push(await peer.seconds(job));
  }
  const peers: Record<string, PeerResult> = {};
  const median = quantile(ours, 0.5);
  if (peer !== undefined) {
    const medianSeconds = quantile(theirs, 0.5);
    peers[peer.nameOf(job.job)] = { medianSeconds, speedRatio: medianSeconds / median };
  }
  const rate = { value: own.flops / median / 1e9, unit: 'GFLOP/s' };
  return {
    family: 'quantize',
    name: own.name,
    size: own.size,
    dtype: 'float32',
    threads,
    isa,
    ...summary(ours),
    rate,
    peers,
  };
}

async function layers(options: BenchOptions, peer: TorchPeer | undefined, emit: Emit): Promise<void> {
  const { threads, quick } = options;
  const samples = { ours: quick ? 3 : 7, peer: quick ? 1 : 3 };
  for (const columns of quick ? [1024] : [1024, 2048, 4096]) {
    const rows = columns;
    const size = `${rows} x ${columns}`;
    const tokens = 2048;
    const job = { rows, columns, tokens };
    const x = uniforms(tokens * columns, 1);
    const sum = quantize.createHessian(columns);
    emit(
      await compare(options, peer, { job: 'hessian', ...job }, samples, {
        name: 'hessian',
        size: `${columns} x ${columns} x ${tokens}`,
        flops: tokens * columns ** 2,
        call: () =>
          seconds(() => {
            sum.add(x, { threads });
          }),
      }),
    );
    sum.dispose();
    const hessian = hessianOf(columns);
    const layer = { weights: uniforms(rows * columns, 0.02), rows, columns, hessian };
    // A Hessian keeps its last factor for the next layer; another damping has it made anew, as the peer does.
    let calls = 0;
    const damping = (): number => 0.01 + 1e-9 * (calls += 1);
    const phase = (name: 'factor' | 'quantize') => (): number =>
      quantize.quantizeLayerSync(layer, { method: 'gptq', averageBits: 4, threads, damping: damping() }).seconds[name];
    emit(
      await compare(options, peer, { job: 'factor', ...job }, samples, {
        name: 'factor and inverse',
        size,
        flops: (2 / 3) * columns ** 3,
        call: phase('factor'),
      }),
    );
    emit(
      await compare(options, peer, { job: 'gptq', ...job }, samples, {
        name: 'GPTQ loop',
        size,
        flops: rows * columns ** 2,
        call: phase('quantize'),
      }),
    );
    if (columns <= 2048) {
      for (const [name, extra] of [
        ['BAQ table, 3 rounds, refined', { rangeFits: 0 }],
        ['BAQ table as by default', {}],
      ] as const) {
        emit(
          await compare(
            options,
            peer,
            { job: 'baq', ...job },
            { ours: samples.ours, peer: 1 },
            {
              name,
              size,
              flops: (2 / 3) * columns ** 3 + 4 * rows * columns ** 2,
              call: () =>
                seconds(() =>
                  quantize.quantizeLayerSync(layer, { averageBits: 2, threads, damping: damping(), ...extra }),
                ),
            },
          ),
        );
      }
    }
    hessian.dispose();
  }
}

/** Columns of a whole model: 9 widths each, values falling as 4^-bits with noise. */
function knapsacks({ threads, isa, quick }: BenchOptions, emit: Emit): void {
  const groups = quick ? 1e5 : 1e6;
  const options = 9;
  const noise = uniforms(groups * (options + 1), 1);
  const values = new Float64Array(groups * options);
  for (let i = 0; i < groups; i += 1) {
    const size = Math.exp(3 * (noise[i * (options + 1)] ?? 0));
    for (let k = 0; k < options; k += 1) {
      values[i * options + k] = size * 4 ** -k * (1 + 0.3 * (noise[i * (options + 1) + k + 1] ?? 0));
    }
  }
  const table = denseMatrix(groups, options, values);
  const costs = Float64Array.from({ length: options }, (_, k) => k);
  for (const method of ['hull', 'core'] as const) {
    const times: number[] = [];
    let gap = NaN;
    for (let sample = 0; sample < 5; sample += 1) {
      times.push(
        seconds(() => {
          const problem = { values: table, costs, budget: 2 * groups, method };
          ({ gap } = quantize.solveKnapsackSync(problem, { threads }));
        }),
      );
    }
    emit({
      family: 'quantize',
      name: `knapsack, ${method}`,
      size: `${groups} x ${options}`,
      dtype: 'float64',
      threads,
      isa,
      ...summary(times),
      rate: { value: groups / quantile(times, 0.5) / 1e6, unit: 'million groups/s' },
      measures: { gap },
      peers: {},
    });
  }
}

async function run(options: BenchOptions, onRow: Emit): Promise<void> {
  const peer = options.threads === 1 ? await startTorch() : undefined;
  try {
    await layers(options, peer, onRow);
  } finally {
    peer?.close();
  }
  knapsacks(options, onRow);
  // In the last-level cache, and (64 MiB and more) from memory.
  for (const size of options.quick ? ['4096x4096'] : ['4096x4096', '16384x16384']) {
    const args = [`--isa=${options.isa}`, `--threads=${options.threads}`, `--size=${size}`];
    await runProgram('dd_bench_packed', args, onRow);
  }
}

/** The family. */
export const quantization: Family = {
  name: 'quantize',
  description:
    'One layer, from Node: Hessian of 2048 tokens (torch: the full product), factor of the inverse (torch: the three steps of the published codes), the GPTQ loop, BAQ with everything it takes (the published code: two passes with a factor each). `official`: the published code, else a transcription in torch. Knapsacks: columns of a whole model. Packed products: `dd_bench_packed`, beside reading the same bytes.',
  run,
};
