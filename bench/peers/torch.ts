// The torch peer as a process that answers jobs one by one, so that its samples can be taken in turn with ours.
//   DISCRETE_DESCENT_TORCH_PYTHON    a Python that has torch; without it the peer is left out, and said so
//   DISCRETE_DESCENT_GPTQ_CHECKOUT, DISCRETE_DESCENT_BAQ_CHECKOUT    the published codes, run instead of transcriptions
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import readline from 'node:readline';

/** What the peer is asked to do. */
export interface TorchJob {
  job: 'hessian' | 'factor' | 'gptq' | 'baq';
  rows: number;
  columns: number;
  tokens: number;
}

/** Answers jobs with seconds. */
export interface TorchPeer {
  /** Who does a job: "torch" or "official". */
  nameOf(job: TorchJob['job']): string;
  seconds(job: TorchJob): Promise<number>;
  close(): void;
}

/** Starts the peer, or says why not and gives nothing. */
export async function startTorch(): Promise<TorchPeer | undefined> {
  const {
    DISCRETE_DESCENT_TORCH_PYTHON: python,
    DISCRETE_DESCENT_GPTQ_CHECKOUT: gptq,
    DISCRETE_DESCENT_BAQ_CHECKOUT: baq,
  } = process.env;
  if (python === undefined) {
    console.error('   torch is left out: DISCRETE_DESCENT_TORCH_PYTHON names no Python that has it');
    return undefined;
  }
  const args = [
    path.resolve('bench', 'peers', 'quantize_torch.py'),
    ...(gptq === undefined ? [] : ['--gptq', gptq]),
    ...(baq === undefined ? [] : ['--baq', baq]),
  ];
  const child: ChildProcess = spawn(python, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error('the torch peer has no pipes');
  const lines: AsyncIterator<string> = readline.createInterface({ input: stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<Record<string, unknown>> => {
    const line = await lines.next();
    if (line.done === true) throw new Error(`the torch peer (${python}) ended early`);
    return JSON.parse(line.value) as Record<string, unknown>;
  };
  const { torch } = await next();
  console.error(`   torch ${String(torch)}`);
  return {
    nameOf: (job) =>
      (job === 'gptq' && gptq !== undefined) || (job === 'baq' && baq !== undefined) ? 'official' : 'torch',
    async seconds(job) {
      stdin.write(`${JSON.stringify(job)}\n`);
      const { seconds } = await next();
      return Number(seconds);
    },
    close: () => {
      stdin.end();
    },
  };
}
