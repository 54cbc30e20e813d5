// Coded weights of every kind, at random but reproducible.
import * as fc from 'fast-check';
import type { CodedWeights, QuantizationGrid } from '../../lib/quantize';

interface Shape {
  rows: number;
  columns: number;
  groups: number;
  shuffled: boolean;
}

const positive = fc.float({ min: Math.fround(1e-3), max: 100, noNaN: true });
const many = <Value>(value: fc.Arbitrary<Value>, length: number): fc.Arbitrary<Value[]> =>
  fc.array(value, { minLength: length, maxLength: length });
const floats = (value: fc.Arbitrary<number>, length: number): fc.Arbitrary<Float32Array> =>
  many(value, length).map((list) => Float32Array.from(list));

function grids({ rows, columns, groups, shuffled }: Shape, ternary: boolean): fc.Arbitrary<QuantizationGrid> {
  const size = Math.ceil(columns / groups);
  const groupOfColumn = Int32Array.from({ length: columns }, (_, j) =>
    shuffled ? (j * 7 + 1) % groups : Math.floor(j / size),
  );
  if (ternary) {
    return fc.record({
      kind: fc.constant('ternary' as const), groups: fc.constant(groups),
      low: floats(positive.map((value) => -value), rows * groups), high: floats(positive, rows * groups),
      groupOfColumn: fc.constant(groupOfColumn),
    }); // prettier-ignore
  }
  const ratio = fc.float({ min: -1, max: 2, noNaN: true });
  const range = fc.record({
    kind: fc.constant('range' as const), range: floats(positive, rows), ratio: floats(ratio, rows),
  }); // prettier-ignore
  // Ranges of groups as quantisers make them, or any.
  const short = fc.integer({ min: 1, max: 200 });
  const part = fc.integer({ min: 0, max: 254 }).map((parts) => Math.fround(parts / 254));
  const grouped = fc.boolean().chain((any) => fc.record({
    kind: fc.constant('range' as const), groups: fc.constant(groups),
    range: floats(any ? positive : short, rows * groups), ratio: floats(any ? ratio : part, rows * groups),
    groupOfColumn: fc.constant(groupOfColumn),
  })); // prettier-ignore
  const scale = fc.record({
    kind: fc.constant('scale' as const), groups: fc.constant(groups), scale: floats(positive, rows * groups),
    zero: floats(fc.oneof(fc.integer({ min: 0, max: 255 }), fc.integer({ min: -40000, max: 40000 })), rows * groups),
    groupOfColumn: fc.constant(groupOfColumn),
  }); // prettier-ignore
  return groups === 1 ? fc.oneof(range, scale) : fc.oneof(range, grouped, scale);
}

/** Coded weights; `levels` limits the numbers of levels of the columns. */
export function codedWeights(levels = [1, 2, 3, 4, 5, 8, 12, 16, 256, 257, 65536]): fc.Arbitrary<CodedWeights> {
  const shape = fc.record({
    rows: fc.integer({ min: 1, max: 5 }), columns: fc.integer({ min: 1, max: 40 }),
    groups: fc.integer({ min: 1, max: 4 }), shuffled: fc.boolean(), ternary: fc.boolean(),
  }); // prettier-ignore
  return shape.chain(({ ternary, ...given }) => {
    const groups = Math.min(given.groups, given.columns);
    const { rows, columns } = given;
    const counts = ternary ? fc.constantFrom(1, 3) : fc.constantFrom(...levels);
    return fc
      .record({
        levels: many(counts, columns),
        draws: many(fc.double({ min: 0, max: 0.999999, noNaN: true }), rows * columns),
        grid: grids({ ...given, groups }, ternary),
      })
      .map(({ levels: found, draws, grid }) => ({
        rows,
        columns,
        codes: new (found.some((count) => count > 256) ? Uint16Array : Uint8Array)(
          draws.map((draw, at) => Math.floor(draw * (found[at % columns] ?? 1))),
        ),
        levels: Uint32Array.from(found),
        grid,
      }));
  });
}
