// The torch peer of the quantiser.
//   DISCRETE_DESCENT_TORCH_PYTHON    a Python that has torch; without it the peer is left out, and said so
//   DISCRETE_DESCENT_GPTQ_CHECKOUT, DISCRETE_DESCENT_BAQ_CHECKOUT    the published codes, run instead of transcriptions
import path from 'node:path';
import { startJsonProcess } from './json-process';

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
  const peer = await startJsonProcess<TorchJob>(python, args);
  console.error(`   torch ${String(peer.ready['torch'])}`);
  return {
    nameOf: (job) =>
      (job === 'gptq' && gptq !== undefined) || (job === 'baq' && baq !== undefined) ? 'official' : 'torch',
    async seconds(job) {
      return Number((await peer.ask(job))['seconds']);
    },
    close: () => {
      peer.close();
    },
  };
}
