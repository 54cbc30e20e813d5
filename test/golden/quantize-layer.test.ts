// The published codes of GPTQ and BAQ through the public API: Hessians, grids, losses, codes.
import { quantize } from '../../lib';
import { vectors } from '../support/vectors';

interface Matrix {
  shape: number[];
  data: number[];
}

interface Options {
  sym?: boolean;
  mse?: boolean;
  actorder?: boolean;
  groupsize?: number;
  blocksize?: number;
  static_groups?: boolean;
}

interface LayerCase {
  name: string;
  bits: number;
  options: Options;
  percdamp?: number;
  W: Matrix;
  batches: Matrix[];
  Q: Matrix;
  loss_total: number;
  loss_per_column: Matrix;
}

function hessianOf(batches: Matrix[]): quantize.Hessian {
  const hessian = quantize.createHessian((batches[0] as Matrix).shape[1] as number);
  for (const batch of batches) hessian.add(batch.data);
  return hessian;
}

function layerOf(given: { W: Matrix; batches: Matrix[] }): quantize.LayerInput & { hessian: quantize.Hessian } {
  const [rows, columns] = given.W.shape as [number, number];
  return { weights: given.W.data, rows, columns, hessian: hessianOf(given.batches) };
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, relative: number, absolute: number): void {
  expect(actual.length).toBe(expected.length);
  for (let at = 0; at < expected.length; at += 1) {
    const wanted = expected[at] as number;
    if (Math.abs((actual[at] as number) - wanted) > absolute + relative * Math.abs(wanted)) {
      throw new Error(`element ${at}: got ${actual[at]}, expected ${wanted}`);
    }
  }
}

/** At most `part` of the entries may differ: rounding ties. */
function expectMostly(actual: Float32Array, expected: number[], part: number): void {
  const differing = expected.filter(
    (wanted, at) => Math.abs((actual[at] as number) - wanted) > 1e-5 + 1e-4 * Math.abs(wanted),
  );
  expect(differing.length).toBeLessThanOrEqual(Math.floor(part * expected.length));
}

/** Columns in the order in which act-order goes through them. */
function processingOrder(hessian: quantize.Hessian, actOrder: boolean): number[] {
  const { matrix, columns } = hessian;
  const diagonal = Array.from({ length: columns }, (_, j) => matrix[j * columns + j] || 1);
  const order = [...diagonal.keys()];
  return actOrder ? order.sort((a, b) => (diagonal[b] as number) - (diagonal[a] as number) || a - b) : order;
}

describe('hessian.json', () => {
  interface Case {
    name: string;
    N: number;
    batches: Matrix[];
    nsamples: number;
    H: Matrix;
    dead: number[];
  }
  const { cases, tolerance } = vectors<{ cases: Case[]; tolerance: { rtol: number; atol: number } }>(
    'quant/hessian.json',
  );
  test.each(cases.map((given) => [given.name, given] as const))('%s', (_, given) => {
    const hessian = hessianOf(given.batches);
    expect(hessian.sequences).toBe(given.nsamples);
    expectClose(hessian.matrix, given.H.data, tolerance.rtol, tolerance.atol);
    const weights = new Float32Array(given.N).fill(1);
    const { deadColumns } = quantize.quantizeLayerSync({ weights, rows: 1, columns: given.N, hessian });
    expect([...deadColumns]).toEqual(given.dead);
  });
});

describe('quantizer.json', () => {
  interface Case {
    bits: number;
    sym: boolean;
    mse: boolean;
    scale: Matrix;
    zero: Matrix;
    codes: Matrix;
    Q: Matrix;
  }
  const { cases, W } = vectors<{ cases: Case[]; W: Matrix }>('quant/quantizer.json');
  const [rows, columns] = W.shape as [number, number];
  test.each(cases.map((given) => [`${given.bits} bits, sym ${given.sym}, mse ${given.mse}`, given] as const))(
    '%s',
    (_, given) => {
      const layer = quantize.quantizeLayerSync(
        { weights: W.data, rows, columns },
        {
          method: 'rtn',
          averageBits: given.bits,
          symmetric: given.sym ? 'official' : false,
          search: given.mse ? 'mse' : 'none',
        },
      );
      const grid = layer.grid as quantize.ScaleGrid;
      expectClose(grid.scale, given.scale.data, 1e-5, 1e-7);
      expect([...grid.zero]).toEqual(given.zero.data.map((zero) => zero + 0));
      W.data.forEach((weight, at) => {
        const position = weight / (grid.scale[Math.floor(at / columns)] as number);
        if (Math.abs(Math.abs(position - Math.trunc(position)) - 0.5) < 1e-4) return;
        expect(layer.codes[at]).toBe(given.codes.data[at]);
        expect(Math.abs((layer.dequantize()[at] as number) - (given.Q.data[at] as number))).toBeLessThan(
          1e-7 + 1e-5 * Math.abs(given.Q.data[at] as number),
        );
      });
    },
  );
});

describe('gptq.json', () => {
  const { cases } = vectors<{ cases: LayerCase[] }>('quant/gptq.json');
  test.each(cases.map((given) => [given.name, given] as const))('%s', (_, given) => {
    const { options } = given;
    const layer = layerOf(given);
    const found = quantize.quantizeLayerSync(layer, {
      method: 'gptq',
      averageBits: given.bits,
      damping: given.percdamp ?? 0.01,
      symmetric: options.sym === true ? 'official' : false,
      search: options.mse === true ? 'mse' : 'none',
      actOrder: options.actorder ?? false,
      staticGroups: options.static_groups ?? false,
      exactGroups: false,
      ...(options.groupsize !== undefined && { groupSize: options.groupsize }),
      ...(options.blocksize !== undefined && { blockSize: options.blocksize }),
    });
    expectMostly(found.dequantize(), given.Q.data, 0.005);
    expectClose([found.loss], [given.loss_total], 0.002, 2e-5);
    const order = processingOrder(layer.hessian, options.actorder ?? false);
    expectClose(
      order.map((column) => found.columnLosses[column] as number),
      given.loss_per_column.data,
      0.002,
      2e-5,
    );
  });
});

describe('baq.json', () => {
  interface Case extends LayerCase {
    calib_loss_per_column: Matrix;
    gain_geo_over_ari: number;
    R_mean: number;
    levels: Matrix;
  }
  const { cases } = vectors<{ cases: Case[] }>('quant/baq.json');
  test.each(cases.map((given) => [given.name, given] as const))('%s', (_, given) => {
    const actOrder = given.options.actorder ?? false;
    const layer = layerOf(given);
    const found = quantize.quantizeLayerSync(layer, { mode: 'official', averageBits: given.bits, actOrder });
    const order = processingOrder(layer.hessian, actOrder);
    const inOrder = (values: ArrayLike<number>): number[] => order.map((column) => values[column] as number);
    expectClose(inOrder(found.sensitivities as Float64Array), given.calib_loss_per_column.data, 0.002, 2e-5);
    expectClose([found.gain], [given.gain_geo_over_ari], 0.002, 0);
    expect(inOrder(found.levels)).toEqual(given.levels.data);
    expectClose([found.averageBits], [given.R_mean], 1e-6, 0);
    expectMostly(found.dequantize(), given.Q.data, 0.005);
    expectClose(inOrder(found.columnLosses), given.loss_per_column.data, 0.002, 2e-5);
    expectClose([found.loss], [given.loss_total], 0.002, 2e-5);
  });
});

describe('baq_defect.json', () => {
  interface Case extends LayerCase {
    levels: Matrix;
    Q_official: Matrix;
    Q_correct: Matrix;
    loss_official: number;
    loss_correct: number;
  }
  const { cases } = vectors<{ cases: Case[] }>('quant/baq_defect.json');
  test.each(cases.map((given) => [given.name, given] as const))('%s', (_, given) => {
    const layer = layerOf(given);
    const official = quantize.quantizeLayerSync(layer, { mode: 'official', averageBits: given.bits });
    expect([...official.levels]).toEqual(given.levels.data);
    expectMostly(official.dequantize(), given.Q_official.data, 0.005);
    expectClose([official.loss], [given.loss_official], 0.002, 0);
    const correct = quantize.quantizeLayerSync(layer, { method: 'gptq', levels: official.levels });
    expect(Object.prototype.toString.call(correct.codes)).toBe('[object Uint16Array]');
    expectMostly(correct.dequantize(), given.Q_correct.data, 0.005);
    expectClose([correct.loss], [given.loss_correct], 0.002, 0);
  });
});
