// Lines along which a field on a grid has a given value: marching squares between the points of the grid, joined to
// polylines. Saddles are decided by the mean of the four corners.

import { fail, integer, number, parse } from '../runtime/validate';

/** A line through points (column, row), in units of the grid; closed where its ends agree. */
export type Polyline = readonly (readonly [number, number])[];

/** Corners of a cell in turn: column and row from its first corner. */
const corners = [
  [0, 0],
  [1, 0],
  [1, 1],
  [0, 1],
] as const;

interface Segment {
  from: number;
  to: number;
}

/**
 * The lines at one level.
 *
 * @param values   row-major, NaN where there is none
 * @param columns  length of a row, at least 2
 * @param level    value on the lines
 * @returns        coordinates of points: (0, 0) is the first value, (columns - 1, 0) the last one of its row
 * @throws ERR_SHAPE_MISMATCH  no whole number of rows
 * Cost: one pass over the values.
 */
export function contourLines(values: ArrayLike<number>, columns: number, level: number): Polyline[] {
  parse(columns, 'columns', integer({ min: 2 }));
  parse(level, 'level', number());
  if (values.length % columns !== 0) fail('ERR_SHAPE_MISMATCH', 'values', `an array of rows of ${columns}`, values);
  const rows = Math.floor(values.length / columns);
  const segments: Segment[] = [];
  for (let row = 0; row + 1 < rows; row += 1) {
    for (let column = 0; column + 1 < columns; column += 1) {
      const v = corners.map(([x, y]) => values[(row + y) * columns + column + x] as number);
      if (v.some(Number.isNaN)) continue;
      const above = v.map((value) => value >= level);
      // Edge k joins corner k and the next. Edges have numbers of their own in the whole grid, so that neighbours agree.
      const edge = (k: number): number => {
        const [x, y] = corners[k === 1 ? 1 : k === 2 ? 3 : 0] as readonly [number, number];
        return 2 * ((row + y) * columns + column + x) + (k % 2);
      };
      const crossed = [0, 1, 2, 3].filter((k) => above[k] !== above[(k + 1) % 4]);
      if (crossed.length === 2) {
        segments.push({ from: edge(crossed[0] as number), to: edge(crossed[1] as number) });
      } else if (crossed.length === 4) {
        const joined = v.reduce((sum, value) => sum + value, 0) / 4 >= level === above[0];
        // Corners 0 and 2 belong together: the lines go around 1 and 3. Else around 0 and 2.
        const pairs = joined
          ? [
              [0, 1],
              [2, 3],
            ]
          : [
              [3, 0],
              [1, 2],
            ];
        for (const [a, b] of pairs) segments.push({ from: edge(a as number), to: edge(b as number) });
      }
    }
  }
  const point = (edge: number): readonly [number, number] => {
    const first = edge >> 1;
    const along = edge % 2 === 0 ? 1 : columns;
    const [a, b] = [values[first] as number, values[first + along] as number];
    const share = (level - a) / (b - a);
    const [column, row] = [first % columns, Math.floor(first / columns)];
    return edge % 2 === 0 ? [column + share, row] : [column, row + share];
  };
  return join(segments).map((edges) => edges.map(point));
}

/** Chains of segments that share ends; every end belongs to at most two. */
function join(segments: readonly Segment[]): number[][] {
  const at = new Map<number, Segment[]>();
  for (const segment of segments) {
    for (const end of [segment.from, segment.to]) at.set(end, [...(at.get(end) ?? []), segment]);
  }
  const used = new Set<Segment>();
  const walk = (start: number): number[] => {
    const chain = [start];
    for (;;) {
      const end = chain[chain.length - 1] as number;
      const next = at.get(end)?.find((segment) => !used.has(segment));
      if (next === undefined) return chain;
      used.add(next);
      chain.push(next.from === end ? next.to : next.from);
    }
  };
  const chains: number[][] = [];
  for (const segment of segments) {
    if (used.has(segment)) continue;
    used.add(segment);
    const forward = walk(segment.to);
    const backward = forward[forward.length - 1] === segment.from ? [segment.from] : walk(segment.from);
    chains.push([...backward.reverse(), ...forward]);
  }
  return chains;
}
