// Writes expressions down as the flat list that native code reads. Here a block's location is known, so edges counted
// from the end, coordinates and shifts become numbers.
import { makeError } from '../runtime/errors';
import type { Edge, Expression, Shift } from './expression';
import type { Grid } from './grid';
import { maxAxes, type NativeGraph, type Operation, operations } from './native';

const numberOf = Object.fromEntries(operations.map((name, k) => [name, k])) as Record<Operation, number>;
const largestGraph = 65536;

/** Where fields, parameters and arrays stand in the packed lists. @internal */
export interface WriterNames {
  grid: Grid;
  fields: Map<string, { number: number; location: string }>;
  parameters: Map<string, { offset: number; size: number }>;
}

/** A constant array at its place in the list of operands. @internal */
export interface WrittenArray {
  name: string;
  counts: number[];
  /** The first so many axes have one point that stands for all. */
  repeated: number;
  values: Float64Array;
}

/** A sum over all points of an array, by its place in the graph. @internal */
export interface WrittenTotal {
  root: number;
  counts: number[];
}

interface Entry {
  operation: Operation;
  id: number;
  value: number;
  children: readonly number[];
  shift: readonly number[];
}

/** The location of the fields in an expression, where they agree. @internal */
export function locationOf(value: Expression, fields: WriterNames['fields'], block: string): string {
  const seen = new Set<Expression>();
  const found = new Set<string>();
  const stack = [value];
  while (stack.length > 0) {
    const next = stack.pop() as Expression;
    if (seen.has(next)) continue;
    seen.add(next);
    const { node } = next;
    if (node.kind === 'field') found.add(fields.get(node.name)?.location ?? '');
    if ('children' in node) stack.push(...node.children);
  }
  if (found.size !== 1) {
    throw makeError(
      'ERR_INVALID_ARG_VALUE',
      block,
      `\`${block}\` reads fields of ${found.size === 0 ? 'no location' : `locations ${[...found].join(', ')}`}: give it one by { value, location }`,
    );
  }
  return [...found][0] as string;
}

/** Collects the nodes of all blocks. @internal */
export class GraphWriter {
  readonly arrays: WrittenArray[] = [];
  readonly totals: WrittenTotal[] = [];
  readonly #names: WriterNames;
  readonly #entries: Entry[] = [];
  readonly #known = new Map<string, number>();
  readonly #arrayNumbers = new Map<Float64Array, Map<string, number>>();

  constructor(names: WriterNames) {
    this.#names = names;
  }

  /** Number of the node that holds `root` on points of `location` (no location: a single number). */
  write(root: Expression, location: string | undefined, block: string): number {
    const done = new Map<Expression, Map<string, number>>();
    const find = (of: Expression, shift: readonly number[]): number | undefined => done.get(of)?.get(shift.join());
    const stack: { of: Expression; shift: readonly number[] }[] = [{ of: root, shift: this.#noShift() }];
    while (stack.length > 0) {
      const { of, shift } = stack[stack.length - 1] as (typeof stack)[number];
      if (find(of, shift) !== undefined) {
        stack.pop();
        continue;
      }
      const { node } = of;
      const inner = node.kind === 'shift' ? this.#moved(shift, node.shift, block) : shift;
      const children = 'children' in node ? node.children : [];
      const missing = children.filter((child) => find(child, inner) === undefined);
      if (missing.length > 0) {
        for (const child of missing) stack.push({ of: child, shift: inner });
        continue;
      }
      stack.pop();
      const written = this.#writeNode(
        of,
        inner,
        children.map((child) => find(child, inner) as number),
        location,
        block,
      );
      let byShift = done.get(of);
      if (byShift === undefined) done.set(of, (byShift = new Map<string, number>()));
      byShift.set(shift.join(), written);
    }
    return find(root, this.#noShift()) as number;
  }

  /** Everything written so far. */
  graph(): NativeGraph {
    const count = this.#entries.length;
    const graph: NativeGraph = {
      ops: new Uint8Array(count),
      ids: new Int32Array(count),
      values: new Float64Array(count),
      children: new Int32Array(4 * count),
      shifts: new Int32Array(maxAxes * count),
    };
    this.#entries.forEach((entry, k) => {
      graph.ops[k] = numberOf[entry.operation];
      graph.ids[k] = entry.id;
      graph.values[k] = entry.value;
      graph.children.set(entry.children, 4 * k);
      graph.shifts.set(entry.shift, maxAxes * k);
    });
    return graph;
  }

  #noShift(): number[] {
    return this.#names.grid.axes.map(() => 0);
  }

  #moved(shift: readonly number[], by: Shift, block: string): number[] {
    const moved = [...shift];
    for (const [axis, steps] of Object.entries(by)) {
      const k = this.#axis(axis, block);
      moved[k] = (moved[k] as number) + steps;
    }
    return moved;
  }

  #axis(name: string, block: string): number {
    const axis = this.#names.grid.axes.findIndex((one) => one.name === name);
    if (axis < 0) {
      const names = this.#names.grid.names.join(', ');
      throw makeError('ERR_INVALID_ARG_VALUE', block, `\`${block}\` names an axis "${name}"; the axes are ${names}`);
    }
    return axis;
  }

  #add(operation: Operation, parts: Partial<Omit<Entry, 'operation'>>, block: string): number {
    const entry = { operation, id: 0, value: 0, children: [], shift: [], ...parts };
    const key = `${operation} ${entry.id} ${Object.is(entry.value, -0) ? '-0' : entry.value} ${entry.children.join()} ${entry.shift.join()}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#entries.length >= largestGraph) {
      throw makeError('ERR_OUT_OF_RANGE', block, `\`${block}\` takes the residuals beyond ${largestGraph} operations`);
    }
    this.#entries.push(entry);
    this.#known.set(key, this.#entries.length - 1);
    return this.#entries.length - 1;
  }

  #writeNode(
    of: Expression,
    shift: readonly number[],
    children: readonly number[],
    location: string | undefined,
    block: string,
  ): number {
    const { node } = of;
    const { grid, fields, parameters } = this.#names;
    const needsPoint = (what: string): string => {
      if (location !== undefined) return location;
      throw makeError(
        'ERR_INVALID_ARG_VALUE',
        block,
        `\`${block}\` is a list of numbers, but ${what} has a value per point: take one by pick()`,
      );
    };
    switch (node.kind) {
      case 'constant':
        return this.#add('constant', { value: node.value }, block);
      case 'operation':
        return this.#add(node.operation, { children }, block);
      case 'shift':
        return children[0] as number;
      case 'field': {
        needsPoint(`the field \`${node.name}\``);
        return this.#add('access', { id: this.#field(fields.get(node.name), node.name, block).number, shift }, block);
      }
      case 'pick': {
        if (location !== undefined) {
          throw makeError(
            'ERR_INVALID_ARG_VALUE',
            block,
            `\`${block}\` has a value per point, but pick() is for lists of single numbers`,
          );
        }
        const field = this.#field(fields.get(node.name), node.name, block);
        const counts = grid.counts(field.location);
        const index = counts.map(() => 0);
        for (const [axis, given] of Object.entries(node.index)) {
          const k = this.#axis(axis, block);
          index[k] = given < 0 ? given + (counts[k] as number) : given;
        }
        return this.#add('pick', { id: field.number, shift: index }, block);
      }
      case 'parameter': {
        const set = parameters.get(node.name);
        if (set === undefined) {
          throw makeError(
            'ERR_INVALID_ARG_VALUE',
            block,
            `\`${block}\` uses the parameter "${node.name}" of another problem`,
          );
        }
        if (node.element < 0) {
          throw makeError(
            'ERR_INVALID_ARG_VALUE',
            block,
            `\`${block}\` uses \`${node.name}\` as one number, but it holds ${set.size}: take one by element(index)`,
          );
        }
        return this.#add('parameter', { id: set.offset + node.element }, block);
      }
      case 'total':
        return this.#writeTotal(node, location, block);
      case 'index':
        needsPoint('an index');
        return this.#add('index', { id: this.#axis(node.axis, block), shift }, block);
      case 'coordinate': {
        const at = needsPoint('a coordinate');
        const k = this.#axis(node.axis, block);
        const axis = grid.axes[k] as (typeof grid.axes)[number];
        const index = this.#add('index', { id: k, shift }, block);
        const step = this.#add('constant', { value: axis.step }, block);
        const start = this.#add('constant', { value: axis.lower + (at[k] === 'n' ? 0 : axis.step / 2) }, block);
        const scaled = this.#add('multiply', { children: [step, index] }, block);
        return this.#add('add', { children: [start, scaled] }, block);
      }
      case 'array': {
        const at = needsPoint('an array');
        return this.#add('access', this.#arrayAccess(node.location, node.values, at, shift), block);
      }
      case 'whereIndex':
        return this.#writeEdge(node.edge, children, shift, needsPoint('a place on the grid'), block);
    }
  }

  /** Totals stand after the parameters. */
  #writeTotal(
    { of, location, mean }: Extract<Expression['node'], { kind: 'total' }>,
    at: string | undefined,
    block: string,
  ): number {
    if (at !== undefined) {
      throw makeError(
        'ERR_INVALID_ARG_VALUE',
        block,
        `\`${block}\` has a value per point, but total() and mean() are for lists of single numbers`,
      );
    }
    const points = location ?? locationOf(of, this.#names.fields, block);
    const counts = this.#names.grid.counts(points);
    const root = this.write(of, points, block);
    let number = this.totals.findIndex((total) => total.root === root && total.counts.join() === counts.join());
    if (number < 0) number = this.totals.push({ root, counts }) - 1;
    const parameters = [...this.#names.parameters.values()].reduce((total, { size }) => total + size, 0);
    const total = this.#add('parameter', { id: parameters + number }, block);
    if (!mean) return total;
    const share = 1 / counts.reduce((product, points) => product * points, 1);
    return this.#add('multiply', { children: [this.#add('constant', { value: share }, block), total] }, block);
  }

  #field<Found>(found: Found | undefined, name: string, block: string): Found {
    if (found === undefined) {
      throw makeError('ERR_INVALID_ARG_VALUE', block, `\`${block}\` uses the field "${name}" of another problem`);
    }
    return found;
  }

  /** index + shift < bound; on a periodic axis the moved index wraps, which is another bound beyond the end. */
  #writeEdge(
    edge: Edge,
    children: readonly number[],
    shift: readonly number[],
    location: string,
    block: string,
  ): number {
    const k = this.#axis(edge.axis, block);
    const count = this.#names.grid.counts(location)[k] as number;
    const bound = edge.bound + (edge.fromEnd ? count : 0);
    const steps = shift[k] as number;
    const test = (at: number, yes: number, no: number): number =>
      yes === no ? yes : this.#add('whereIndex', { id: k, value: at, children: [yes, no] }, block);
    const [yes, no] = children as [number, number];
    if (steps === 0 || !(this.#names.grid.axes[k] as { periodic: boolean }).periodic)
      return test(bound - steps, yes, no);
    const wrapped = ((steps % count) + count) % count; // index + wrapped, less count from index count - wrapped on
    return test(count - wrapped, test(bound - wrapped, yes, no), test(bound - wrapped + count, yes, no));
  }

  /**
   * A shift along an axis that an array does not have means nothing. Where these are its first axes (what does not
   * change with time), it is stored once; along others it is spread.
   */
  #arrayAccess(
    location: string,
    values: Float64Array,
    at: string,
    shift: readonly number[],
  ): { id: number; shift: readonly number[] } {
    const repeated = Math.min(/^\.*/.exec(location)?.[0].length ?? 0, location.length - 1);
    const full = Array.from(location, (kind, k) => (kind === '.' && k >= repeated ? (at[k] as string) : kind)).join('');
    let numbers = this.#arrayNumbers.get(values);
    if (numbers === undefined) this.#arrayNumbers.set(values, (numbers = new Map<string, number>()));
    let number = numbers.get(full);
    if (number === undefined) {
      number = this.arrays.length;
      numbers.set(full, number);
      const counts = this.#names.grid.counts(full);
      this.arrays.push({
        name: `array ${number}`,
        counts,
        repeated,
        values: full === location ? values : spread(values, this.#names.grid.counts(location), counts),
      });
    }
    const own = shift.map((steps, k) => (location[k] === '.' ? 0 : steps));
    return { id: this.#names.fields.size + number, shift: own };
  }
}

/** Repeats an array along the axes where it has one point. */
function spread(values: Float64Array, from: readonly number[], to: readonly number[]): Float64Array {
  let result = values;
  let inner = 1; // points of the axes after the one at hand
  for (let k = to.length - 1; k >= 0; k -= 1) {
    const [before, after] = [from[k] as number, to[k] as number];
    if (before !== after) {
      const repeated = new Float64Array((result.length / before) * after);
      for (let start = 0, at = 0; start < result.length; start += inner) {
        const part = result.subarray(start, start + inner);
        for (let turn = 0; turn < after; turn += 1, at += inner) repeated.set(part, at);
      }
      result = repeated;
    }
    inner *= after;
  }
  return result;
}
