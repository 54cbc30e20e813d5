// Every 16-bit pattern, and the roundings between them, against what IEEE 754 says.
import * as formats from '../../../lib/formats';

const { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } = formats;
const every = Uint16Array.from({ length: 65536 }, (_, bits) => bits);

describe.each([
  { name: 'float16', widen: float16ToFloat32, narrow: float32ToFloat16, mantissa: 10, largest: 0x7bff },
  { name: 'bfloat16', widen: bfloat16ToFloat32, narrow: float32ToBfloat16, mantissa: 7, largest: 0x7f7f },
])('$name', ({ widen, narrow, largest }) => {
  test('every pattern survives the way to float32 and back; NaN stays NaN', () => {
    const wide = widen(every);
    const back = narrow(wide);
    for (let bits = 0; bits < 65536; ++bits) {
      if (Number.isNaN(wide[bits])) expect(Number.isNaN(widen(back.subarray(bits, bits + 1))[0])).toBe(true);
      else if (back[bits] !== bits) throw new Error(`${bits} came back as ${back[bits]}`);
    }
  });

  test('between neighbours the nearer wins, and the even one in the middle', () => {
    const wide = widen(every);
    for (let bits = 0; bits < largest; ++bits) {
      const below = wide[bits] ?? NaN;
      const above = wide[bits + 1] ?? NaN;
      const middle = (below + above) / 2;
      const quarter = below + (above - below) / 4;
      const [fromMiddle, fromQuarter, fromThree, negative] = narrow(
        Float32Array.of(middle, quarter, above - (above - below) / 4, -middle),
      );
      const even = bits % 2 === 0 ? bits : bits + 1;
      if (fromMiddle !== even || fromQuarter !== bits || fromThree !== bits + 1 || negative !== (even | 0x8000)) {
        throw new Error(`around ${bits}: ${fromMiddle}, ${fromQuarter}, ${fromThree}, ${negative}`);
      }
    }
  });
});

test('known values', () => {
  expect([...float16ToFloat32(Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x7c00))]).toEqual([
    1,
    -2,
    65504,
    2 ** -24,
    Infinity,
  ]);
  expect([...float32ToFloat16(Float32Array.of(65519.99, 65520, 1e10, 2 ** -25, 2 ** -25 * 1.0001))]).toEqual([
    0x7bff, 0x7c00, 0x7c00, 0, 1,
  ]);
  expect([...bfloat16ToFloat32(Uint16Array.of(0x3f80, 0xc000, 0x7f80))]).toEqual([1, -2, Infinity]);
});
