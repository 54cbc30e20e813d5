// Random numbers that are the same everywhere: SplitMix64 (Steele, Lea, Flood 2014), one stream per seed.
'use strict';

const mask = (1n << 64n) - 1n;

/** Makes a generator of uniform numbers in [0, 1). */
function randomNumbers(seed) {
  let state = BigInt(seed) & mask;
  return () => {
    state = (state + 0x9e3779b97f4a7c15n) & mask;
    let word = state;
    word = ((word ^ (word >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
    word = ((word ^ (word >> 27n)) * 0x94d049bb133111ebn) & mask;
    return Number((word ^ (word >> 31n)) >> 11n) * 2 ** -53;
  };
}

module.exports = { randomNumbers };
