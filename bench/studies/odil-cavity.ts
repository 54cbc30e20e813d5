// The lid-driven cavity against the velocities that Ghia, Ghia and Shin printed (J. Comput. Phys. 48, 1982, tables I and
// II, 129 x 129 points).
import { odil } from '../../lib';
import { arrayOf, gaussNewtonOf, short, study, Table } from './study';

const heights = [
  0.0547, 0.0625, 0.0703, 0.1016, 0.1719, 0.2813, 0.4531, 0.5, 0.6172, 0.7344, 0.8516, 0.9531, 0.9609, 0.9688, 0.9766,
];
const places = [
  0.0625, 0.0703, 0.0781, 0.0938, 0.1563, 0.2266, 0.2344, 0.5, 0.8047, 0.8594, 0.9063, 0.9453, 0.9531, 0.9609, 0.9688,
];
const published = {
  100: {
    u: [
      -0.03717, -0.04192, -0.04775, -0.06434, -0.1015, -0.15662, -0.2109, -0.20581, -0.13641, 0.00332, 0.23151, 0.68717,
      0.73722, 0.78871, 0.84123,
    ],
    v: [
      0.09233, 0.10091, 0.1089, 0.12317, 0.16077, 0.17507, 0.17527, 0.05454, -0.24533, -0.22445, -0.16914, -0.10313,
      -0.08864, -0.07391, -0.05906,
    ],
  },
  1000: {
    u: [
      -0.18109, -0.20196, -0.2222, -0.2973, -0.38289, -0.27805, -0.10648, -0.0608, 0.05702, 0.18719, 0.33304, 0.46604,
      0.51117, 0.57492, 0.65928,
    ],
    v: [
      0.27485, 0.29012, 0.30353, 0.32627, 0.37095, 0.33075, 0.32235, 0.02526, -0.31966, -0.42665, -0.5155, -0.39188,
      -0.33714, -0.27669, -0.21388,
    ],
  },
} as const;

/** A component on the centre line across it; the line lies between two columns (rows) of cells. */
function centreLine(values: Float64Array, cells: number, along: 'x' | 'y'): Float64Array {
  const at = (i: number, j: number): number => values[i * cells + j] as number;
  const half = cells / 2;
  return Float64Array.from({ length: cells }, (_, k) =>
    along === 'y' ? (at(half - 1, k) + at(half, k)) / 2 : (at(k, half - 1) + at(k, half)) / 2,
  );
}

/** The cubic through the four cells around a place; next to a wall its value there takes the place of missing cells. */
function interpolate(line: Float64Array, place: number, walls: readonly [number, number]): number {
  const cells = line.length;
  const points: [number, number][] = [
    [0, walls[0]],
    ...Array.from(line, (value, k): [number, number] => [(k + 0.5) / cells, value]),
    [1, walls[1]],
  ];
  const upper = points.findIndex(([x]) => x >= place);
  const first = Math.min(Math.max(upper - 2, 0), points.length - 4);
  const chosen = points.slice(first, first + 4);
  return chosen.reduce((sum, [x, value]) => {
    const weight = chosen.reduce(
      (product, [other]) => (other === x ? product : (product * (place - other)) / (x - other)),
      1,
    );
    return sum + weight * value;
  }, 0);
}

study(() => {
  const sizes = (process.argv[2] ?? '32,64,128').split(',').map(Number);
  const heads = [
    'Re',
    'cells',
    'iterations',
    'seconds',
    'status',
    'root of the loss',
    'least u',
    'least v',
    'greatest v',
    'max deviation of u',
    'of v',
  ];
  const table = new Table('Cavity', heads);
  const largest = sizes[sizes.length - 1] as number;
  const comparison: string[] = [];
  for (const reynolds of [100, 1000] as const) {
    for (const cells of sizes) {
      using problem = odil.problems.cavity({ cells, reynolds });
      // From rest; the level of the pressure is free: damp holds it.
      const solution = gaussNewtonOf(
        problem.solveSync({ method: 'gauss-newton', damping: 'none', damp: 1e-6, maxIterations: 300 }),
      );
      const u = centreLine(arrayOf(solution.fields, 'u'), cells, 'y');
      const v = centreLine(arrayOf(solution.fields, 'v'), cells, 'x');
      const { u: theirU, v: theirV } = published[reynolds];
      const ourU = heights.map((y) => interpolate(u, y, [0, 1]));
      const ourV = places.map((x) => interpolate(v, x, [0, 0]));
      const deviation = (ours: readonly number[], theirs: readonly number[]): number =>
        ours.reduce((most, value, k) => Math.max(most, Math.abs(value - (theirs[k] as number))), 0);
      table.add(
        reynolds,
        cells,
        solution.iterations,
        short(solution.seconds),
        solution.status,
        short(Math.sqrt(solution.loss)),
        Math.min(...u).toFixed(5),
        Math.min(...v).toFixed(5),
        Math.max(...v).toFixed(5),
        deviation(ourU, theirU).toFixed(4),
        deviation(ourV, theirV).toFixed(4),
      );
      if (cells !== largest) continue;
      heights.forEach((y, k) => {
        const x = places[k] as number;
        const numbers = [ourU[k], theirU[k], ourV[k], theirV[k]].map((value) => (value as number).toFixed(5));
        comparison.push(
          `| ${reynolds} | ${y} | ${numbers[0]} | ${numbers[1]} | ${x} | ${numbers[2]} | ${numbers[3]} |`,
        );
      });
    }
  }
  new Table(`Centre lines, ${largest} cells`, ['Re', 'y', 'u, ours', 'u, published', 'x', 'v, ours', 'v, published']);
  console.log(comparison.join('\n'));
});
