// Colours for numbers: 256 steps each, even to the eye. `viridis` is a polynomial fit of matplotlib's map (CC0);
// `diverging` and `grey` are straight lines in CIELAB, so equal steps of the value are equal steps of lightness.

/** `'viridis'` for amounts, `'diverging'` for values around zero, `'grey'` for images, `'heat'` over images. */
export type ColorMapName = 'viridis' | 'diverging' | 'grey' | 'heat';

const steps = 256;

/** Coefficients of t^0 ... t^6 for red, green, blue. */
const viridis = [
  [0.2777273272, 0.0054073445, 0.3340998053],
  [0.1050930431, 1.4046135299, 1.3845901626],
  [-0.3308618288, 0.2148475595, 0.095095163],
  [-4.634230499, -5.7991009734, -19.3324409563],
  [6.2282699363, 14.1799333668, 56.6905526007],
  [4.7763849977, -13.7451453777, -65.3530326334],
  [-5.4354558559, 4.6458526122, 26.3124352496],
] as const;

type Triple = readonly [number, number, number];

function polynomial(t: number): Triple {
  const channel = (k: 0 | 1 | 2): number => viridis.reduceRight((sum, row) => sum * t + row[k], 0);
  return [channel(0), channel(1), channel(2)];
}

/** CIELAB (D65) to sRGB in [0, 1]; what sRGB does not have is cut off. */
function srgbOfLab([lightness, a, b]: Triple): Triple {
  const fy = (lightness + 16) / 116;
  const inverse = (f: number): number => (f > 6 / 29 ? f ** 3 : 3 * (6 / 29) ** 2 * (f - 4 / 29));
  const x = 0.95047 * inverse(fy + a / 500);
  const y = inverse(fy);
  const z = 1.08883 * inverse(fy - b / 200);
  const gamma = (linear: number): number =>
    linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055;
  return [
    gamma(3.2404542 * x - 1.5371385 * y - 0.4985314 * z),
    gamma(-0.969266 * x + 1.8760108 * y + 0.041556 * z),
    gamma(0.0556434 * x - 0.2040259 * y + 1.0572252 * z),
  ];
}

/** Straight lines between points in CIELAB, evenly spaced. */
function between(points: readonly Triple[], t: number): Triple {
  const at = t * (points.length - 1);
  const k = Math.min(points.length - 2, Math.floor(at));
  const [low, high] = [points[k] as Triple, points[k + 1] as Triple];
  const mix = (c: 0 | 1 | 2): number => low[c] + (at - k) * (high[c] - low[c]);
  return srgbOfLab([mix(0), mix(1), mix(2)]);
}

const maps: Readonly<Record<ColorMapName, (t: number) => Triple>> = {
  viridis: polynomial,
  diverging: (t) =>
    between(
      [
        [32, 12, -48],
        [64, -8, -32],
        [96, 0, 0],
        [64, 32, 28],
        [32, 48, 30],
      ],
      t,
    ),
  grey: (t) =>
    between(
      [
        [4, 0, 0],
        [98, 0, 0],
      ],
      t,
    ),
  heat: (t) =>
    between(
      [
        [28, 32, 8],
        [52, 58, 52],
        [76, 24, 76],
        [97, -8, 50],
      ],
      t,
    ),
};

/** The colours of a map, red, green and blue of 256 steps one after the other. */
export function colorTable(name: ColorMapName): Uint8Array {
  const table = new Uint8Array(3 * steps);
  for (let k = 0; k < steps; k += 1) {
    maps[name](k / (steps - 1)).forEach((channel, c) => {
      table[3 * k + c] = Math.round(255 * Math.min(1, Math.max(0, channel)));
    });
  }
  return table;
}

/** Step of the map that stands for a value between the ends of a range. @internal */
export function colorStep(value: number, [low, high]: readonly [number, number]): number {
  return Math.min(steps - 1, Math.max(0, Math.floor(((value - low) / (high - low)) * steps)));
}

/** A colour as CSS. @internal */
export function cssColor(table: Uint8Array, step: number): string {
  return `rgb(${table[3 * step]},${table[3 * step + 1]},${table[3 * step + 2]})`;
}
