// The grid that fields and residuals live on: named axes with cells, bounds and periodicity.
import { fail, boolean, integer, number, object, parse, type Schema, withDefault } from '../runtime/validate';
import { maxAxes } from './native';

/** One axis of a grid. */
export interface AxisOptions {
  /** Number of cells, at least 1. */
  cells: number;
  /** Coordinate where the first cell begins; default 0. */
  lower?: number;
  /** Coordinate where the last cell ends; default 1. */
  upper?: number;
  /** Whether what lies beyond one end is the other end; default false. */
  periodic?: boolean;
}

/** An axis with its defaults filled in. */
export interface Axis<Name extends string = string> {
  /** As given to `grid`. */
  readonly name: Name;
  /** Number of cells. */
  readonly cells: number;
  /** Where the first cell begins. */
  readonly lower: number;
  /** Where the last cell ends. */
  readonly upper: number;
  /** Whether its ends are joined. */
  readonly periodic: boolean;
  /** Width of a cell. */
  readonly step: number;
}

/** Axes in the order of the arrays' indices: the first is the slowest. Made by {@link grid}. */
export class Grid<Name extends string = string> {
  /** In the order of the arrays' indices. */
  readonly axes: readonly Axis<Name>[];

  /** @internal */
  constructor(axes: readonly Axis<Name>[]) {
    this.axes = axes;
  }

  /** Names of the axes, in order. */
  get names(): Name[] {
    return this.axes.map((axis) => axis.name);
  }

  /** Cell widths by axis. */
  get step(): Record<Name, number> {
    return Object.fromEntries(this.axes.map((axis) => [axis.name, axis.step])) as Record<Name, number>;
  }

  /**
   * Number of points along each axis for a location: one character per axis, `'c'` for cell centres, `'n'` for nodes
   * (one more than cells), `'.'` for an axis that the array does not have (1).
   */
  counts(location: string): number[] {
    return this.axes.map((axis, k) => {
      if (location[k] === '.') return 1;
      return location[k] === 'n' ? axis.cells + 1 : axis.cells;
    });
  }

  /** Coordinates of the points along one axis. */
  coordinates(name: string, location: 'c' | 'n' = 'c'): Float64Array {
    const axis = this.axes.find((one) => one.name === name);
    if (axis === undefined) fail('ERR_INVALID_ARG_VALUE', 'name', `one of ${this.names.join(', ')}`, name);
    const half = location === 'c' ? 0.5 : 0;
    return Float64Array.from(
      { length: location === 'c' ? axis.cells : axis.cells + 1 },
      (_, i) => axis.lower + (i + half) * axis.step,
    );
  }

  /**
   * An array over all points of a location, from a function of the coordinates (in the order of the axes).
   * Axes with `'.'` do not count: the function does not get them.
   */
  sample(location: string, of: (...coordinates: number[]) => number): Float64Array {
    const counts = this.counts(parse(location, 'location', locationSchema(this)));
    const along = this.axes.map((axis, k) => this.coordinates(axis.name, location[k] === 'n' ? 'n' : 'c'));
    const values = new Float64Array(counts.reduce((product, count) => product * count, 1));
    const at = counts.map(() => 0);
    for (let flat = 0; flat < values.length; flat += 1) {
      const here: number[] = [];
      for (let k = 0; k < at.length; k += 1) {
        if (location[k] !== '.') here.push((along[k] as Float64Array)[at[k] as number] as number);
      }
      values[flat] = of(...here);
      for (let k = at.length - 1; k >= 0; k -= 1) {
        at[k] = (at[k] as number) + 1;
        if ((at[k] as number) < (counts[k] as number)) break;
        at[k] = 0;
      }
    }
    return values;
  }
}

/** A name of an axis or an unknown. Names like numbers would lose their order in an object. @internal */
export const nameSchema: Schema<string> = (value, argument) => {
  if (typeof value !== 'string' || !/^[A-Za-z_$][\w$]*$/.test(value)) {
    fail('ERR_INVALID_ARG_VALUE', argument, 'named by an identifier', value);
  }
  return value;
};

const axisSchema = object({
  cells: integer({ min: 1, max: 2 ** 31 - 2 }),
  lower: withDefault(number(), 0),
  upper: withDefault(number(), 1),
  periodic: withDefault(boolean, false),
});

/**
 * A grid of one to five named axes; the first is the slowest index of all arrays on it, time where there is time.
 *
 * @param axes  by name: `{ t: { cells: 64 }, x: { cells: 64, lower: -1, upper: 1, periodic: true } }`
 * @throws ERR_INVALID_ARG_VALUE  no axis, more than five, a name that is no identifier, or `upper` not above `lower`
 * @throws ERR_OUT_OF_RANGE       cells that are not a positive integer
 */
export function grid<Name extends string>(axes: Readonly<Record<Name, AxisOptions>>): Grid<Name> {
  if (typeof axes !== 'object' || (axes as unknown) === null)
    fail('ERR_INVALID_ARG_TYPE', 'axes', 'an object of axes', axes);
  const names = Object.keys(axes) as Name[];
  if (names.length === 0 || names.length > maxAxes) {
    fail('ERR_INVALID_ARG_VALUE', 'axes', `one to ${maxAxes} axes`, axes);
  }
  return new Grid(
    names.map((name) => {
      parse(name, `axes.${name}`, nameSchema);
      const given = parse(axes[name], `axes.${name}`, axisSchema);
      if (!(given.upper > given.lower)) {
        fail('ERR_INVALID_ARG_VALUE', `axes.${name}.upper`, `greater than \`lower\` (${given.lower})`, given.upper);
      }
      return Object.freeze({ name, ...given, step: (given.upper - given.lower) / given.cells });
    }),
  );
}

/** One of `'c'`, `'n'` (and `'.'` where `gaps`) per axis. @internal */
export function locationSchema(of: Grid, { gaps = true }: { gaps?: boolean } = {}): Schema<string> {
  const kinds = gaps ? 'cn.' : 'cn';
  return (value, argument) => {
    const good =
      typeof value === 'string' &&
      value.length === of.axes.length &&
      Array.from(value).every((kind) => kinds.includes(kind));
    if (!good) {
      const expected = `a string of ${of.axes.length} characters, 'c' (cells)${gaps ? ", 'n' (nodes) or '.'" : " or 'n' (nodes)"} for ${of.names.join(', ')}`;
      fail('ERR_INVALID_ARG_VALUE', argument, expected, value);
    }
    return value;
  };
}

/** A grid made by `grid()`. @internal */
export const gridSchema: Schema<Grid> = (value, argument) => {
  if (!(value instanceof Grid)) fail('ERR_INVALID_ARG_TYPE', argument, 'a grid made by grid()', value);
  return value as Grid;
};
