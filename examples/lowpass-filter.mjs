// A low-pass filter of 35 taps with coefficients of 8 bits, beside what rounding gives.
//   node examples/lowpass-filter.mjs
import { dmmv } from 'discrete-descent';

const filter = await dmmv.designFir(
  {
    taps: 35,
    wordLength: 8,
    bands: [
      { from: 0, to: 0.4, gain: 1 },
      { from: 0.5, to: 1, gain: 0 },
    ],
  },
  { timeLimitMs: 2000 },
);

console.log('coefficients', [...filter.coefficients].join(' '));
console.log('ripple', filter.ripple, 'rounding', filter.roundedRipple, 'no integer filter below', filter.lowerBound);
