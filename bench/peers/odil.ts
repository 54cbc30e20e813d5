// The published code of ODIL as a peer.
//   DISCRETE_DESCENT_ODIL_PYTHON    a Python that has tensorflow, scipy, psutil and matplotlib
//   DISCRETE_DESCENT_ODIL_CHECKOUT  a checkout of cselab/odil; without both the peer is left out, and said so
import path from 'node:path';
import { startJsonProcess } from './json-process';

/** What the peer is asked to do, on a square grid. */
export interface OdilJob {
  job: 'poisson' | 'heat' | 'heat_inverse' | 'heat_gradient';
  cells: number;
}

/** Answers jobs with seconds. */
export interface OdilPeer {
  seconds(job: OdilJob): Promise<number>;
  close(): void;
}

/** Starts the peer with so many threads, or says why not and gives nothing. */
export async function startOdil(threads: number): Promise<OdilPeer | undefined> {
  const { DISCRETE_DESCENT_ODIL_PYTHON: python, DISCRETE_DESCENT_ODIL_CHECKOUT: checkout } = process.env;
  if (python === undefined || checkout === undefined) {
    console.error('   the published code is left out: DISCRETE_DESCENT_ODIL_PYTHON and _CHECKOUT do not name it');
    return undefined;
  }
  const count = String(threads);
  const script = path.resolve('bench', 'peers', 'odil_official.py');
  const peer = await startJsonProcess<OdilJob>(python, [script, '--checkout', checkout], {
    ODIL_BACKEND: 'tf',
    CUDA_VISIBLE_DEVICES: '',
    TF_CPP_MIN_LOG_LEVEL: '3',
    OMP_NUM_THREADS: count,
    OPENBLAS_NUM_THREADS: count,
    TF_NUM_INTRAOP_THREADS: count,
    TF_NUM_INTEROP_THREADS: count,
  });
  return {
    async seconds(job) {
      return Number((await peer.ask(job))['seconds']);
    },
    close: () => {
      peer.close();
    },
  };
}
