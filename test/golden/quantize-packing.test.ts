// packing.json: the bit stream, and the words of GPTQ checkpoints.
import { quantize } from '../../lib';
import { vectors } from '../support/vectors';

interface Tensor {
  shape: number[];
  data: number[];
}
const golden = vectors<{
  lsb_stream: { bits: number; codes: number[]; bytes: number[] }[];
  gptq3: { bits: number; W: Tensor; scale: Tensor; zero: Tensor; qweight_int32: Tensor };
}>('quant/packing.json');

test('there are streams', () => expect(golden.lsb_stream.length).toBeGreaterThanOrEqual(8));

test.each(golden.lsb_stream)('bit stream of $bits bits', ({ bits, codes, bytes }) => {
  const shape = { rows: 1, columns: codes.length };
  const packed = quantize.packBits(Uint8Array.from(codes), shape, bits);
  expect([...packed]).toEqual(bytes);
  expect([...quantize.unpackBits(packed, shape, bits)]).toEqual(codes);
});

test('words of a 3-bit checkpoint', () => {
  const { bits, W, scale, zero, qweight_int32: expected } = golden.gptq3;
  const [rows, columns] = W.shape as [number, number];
  const codes = Uint8Array.from(W.data, (value, e) => {
    const row = Math.floor(e / columns);
    return Math.round(value / (scale.data[row] as number) + (zero.data[row] as number));
  });
  const words = quantize.packWords(codes, { rows, columns, transposed: true }, bits);
  expect([...new Int32Array(words.buffer)]).toEqual(expected.data);
  expect(quantize.unpackWords(words, { rows, columns, transposed: true }, bits)).toEqual(codes);
});
