// Expressions of a residual as its author writes them: immutable nodes, nothing is evaluated in JavaScript. Shifts and
// edges mean what they say only where an expression stands, so they are resolved when a block is compiled
// (graph-writer.ts).
import { fail } from '../runtime/validate';
import type { Operation } from './native';

/** Anything that can stand in an expression. */
export type Value = Expression | number;

/** Whole steps along named axes: `{ x: 1 }` is the next point in x. */
export type Shift = Readonly<Record<string, number>>;

/** @internal */
export type ExpressionNode =
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'array'; readonly location: string; readonly values: Float64Array }
  | { readonly kind: 'parameter'; readonly name: string; readonly element: number }
  | { readonly kind: 'index'; readonly axis: string }
  | { readonly kind: 'coordinate'; readonly axis: string }
  | { readonly kind: 'pick'; readonly name: string; readonly index: Shift }
  | { readonly kind: 'operation'; readonly operation: Operation; readonly children: readonly Expression[] }
  | { readonly kind: 'whereIndex'; readonly edge: Edge; readonly children: readonly [Expression, Expression] }
  | { readonly kind: 'total'; readonly of: Expression; readonly location: string | undefined; readonly mean: boolean }
  | { readonly kind: 'shift'; readonly shift: Shift; readonly children: readonly [Expression] };

/** index < bound, counted from the end of the axis where `fromEnd`. @internal */
export interface Edge {
  readonly axis: string;
  readonly bound: number;
  readonly fromEnd: boolean;
}

/** A scalar function of the unknowns at a point of the grid. Made from fields, parameters and numbers. */
export class Expression {
  /** @internal */
  readonly node: ExpressionNode;

  /** @internal */
  constructor(node: ExpressionNode) {
    this.node = node;
  }

  /** This + other. */
  plus(other: Value): Expression {
    return operation('add', this, other);
  }
  /** This - other. */
  minus(other: Value): Expression {
    return operation('add', this, expression(other).times(-1));
  }
  /** This * other. */
  times(other: Value): Expression {
    return operation('multiply', this, other);
  }
  /** This / other. */
  over(other: Value): Expression {
    return operation('divide', this, other);
  }
  /** -this. */
  negative(): Expression {
    return this.times(-1);
  }
  /** This * this. */
  square(): Expression {
    return operation('multiply', this, this);
  }
  /** This to a power; whole exponents up to 16 become products. */
  power(exponent: Value): Expression {
    return operation('power', this, exponent);
  }
  /** The same expression at another point: every field, array, coordinate and edge in it moves. */
  shift(shift: Shift): Expression {
    return new Expression({ kind: 'shift', shift: checkedShift(shift, 'shift'), children: [this] });
  }
  /** This < other, as a condition of `where`. */
  lessThan(other: Value): Condition {
    return new Condition({ kind: 'less', left: this, right: expression(other) });
  }
  /** This > other, as a condition of `where`. */
  greaterThan(other: Value): Condition {
    return expression(other).lessThan(this);
  }
  /** The same value without a derivative: Gauss-Newton becomes a Picard iteration in it. */
  frozen(): Expression {
    return operation('freeze', this);
  }
}

/** An unknown field; its value at the point, like any expression. */
export class Field extends Expression {
  /** Where its values lie: one character per axis of the grid, `'c'` or `'n'`. */
  readonly location: string;
  readonly #name: string;

  /** @internal */
  constructor(name: string, location: string) {
    super({ kind: 'field', name });
    this.#name = name;
    this.location = location;
  }

  /** Its value at one absolute index, for residuals that are single numbers. */
  pick(index: Shift): Expression {
    return new Expression({ kind: 'pick', name: this.#name, index: checkedShift(index, 'index') });
  }
}

/** An array of unknown numbers that belong to no point; an expression itself when it holds one. */
export class Parameter extends Expression {
  /** How many numbers. */
  readonly size: number;
  readonly #name: string;

  /** @internal */
  constructor(name: string, size: number) {
    super({ kind: 'parameter', name, element: size === 1 ? 0 : -1 });
    this.#name = name;
    this.size = size;
  }

  /** Number `index` of the array. */
  element(index: number): Expression {
    if (!Number.isInteger(index) || index < 0 || index >= this.size) {
      fail('ERR_OUT_OF_RANGE', 'index', `an integer in [0, ${this.size - 1}] (\`${this.#name}\`)`, index);
    }
    return new Expression({ kind: 'parameter', name: this.#name, element: index });
  }
}

type ConditionNode =
  | { readonly kind: 'less'; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'below'; readonly edge: Edge }
  | { readonly kind: 'not'; readonly of: Condition }
  | { readonly kind: 'and' | 'or'; readonly left: Condition; readonly right: Condition };

/** What `where` decides by: a comparison of values, or a place on the grid. */
export class Condition {
  readonly #node: ConditionNode;

  /** @internal */
  constructor(node: ConditionNode) {
    this.#node = node;
  }

  /** Both. */
  and(other: Condition): Condition {
    return new Condition({ kind: 'and', left: this, right: other });
  }
  /** Either. */
  or(other: Condition): Condition {
    return new Condition({ kind: 'or', left: this, right: other });
  }
  /** The opposite. */
  not(): Condition {
    return new Condition({ kind: 'not', of: this });
  }

  /** @internal */
  choose(yes: Expression, no: Expression): Expression {
    const node = this.#node;
    switch (node.kind) {
      case 'less':
        return operation('selectLess', node.left, node.right, yes, no);
      case 'below':
        return new Expression({ kind: 'whereIndex', edge: node.edge, children: [yes, no] });
      case 'not':
        return node.of.choose(no, yes);
      case 'and':
        return node.left.choose(node.right.choose(yes, no), no);
      case 'or':
        return node.left.choose(yes, node.right.choose(yes, no));
    }
  }
}

/** One axis, seen from the point where an expression is evaluated. */
export class AxisPosition {
  readonly #axis: string;

  /** @internal */
  constructor(axis: string) {
    this.#axis = axis;
  }

  /** True at index 0. */
  get first(): Condition {
    return this.is(0);
  }
  /** True at the last index. */
  get last(): Condition {
    return this.is(-1);
  }
  /** True at one index; negative ones count from the end (-1 is the last). */
  is(index: number): Condition {
    const end = index < 0;
    const next = this.#below(index + 1, end && index !== -1);
    return index === -1 ? this.#below(-1, true).not() : this.#below(index, end).not().and(next);
  }
  /** True for indices below `bound`; a negative bound counts from the end. */
  below(bound: number): Condition {
    return this.#below(bound, bound < 0);
  }
  /** The index as a number. */
  get index(): Expression {
    return new Expression({ kind: 'index', axis: this.#axis });
  }
  /** The coordinate of the point (of the block's location); beyond the ends of the axis it goes on evenly. */
  get coordinate(): Expression {
    return new Expression({ kind: 'coordinate', axis: this.#axis });
  }

  #below(bound: number, fromEnd: boolean): Condition {
    if (!Number.isInteger(bound)) fail('ERR_INVALID_ARG_VALUE', 'index', 'an integer', bound);
    return new Condition({ kind: 'below', edge: { axis: this.#axis, bound, fromEnd } });
  }
}

function checkedShift(shift: Shift, argument: string): Shift {
  if (typeof shift !== 'object' || (shift as unknown) === null)
    fail('ERR_INVALID_ARG_TYPE', argument, 'an object of steps', shift);
  for (const [axis, steps] of Object.entries(shift)) {
    if (!Number.isInteger(steps)) fail('ERR_INVALID_ARG_VALUE', `${argument}.${axis}`, 'an integer', steps);
  }
  return shift;
}

/** A number as an expression, or the expression itself. @internal */
export function expression(value: Value): Expression {
  if (value instanceof Expression) return value;
  if (typeof value !== 'number') fail('ERR_INVALID_ARG_TYPE', 'value', 'an expression or a number', value);
  if (Number.isNaN(value)) fail('ERR_NOT_FINITE', 'value', 'a number other than NaN', value);
  return new Expression({ kind: 'constant', value });
}

/** @internal */
export function operation(name: Operation, ...children: Value[]): Expression {
  return new Expression({ kind: 'operation', operation: name, children: children.map(expression) });
}

/** `yes` where the condition holds, else `no`; the derivative goes to the branch that is taken. */
export function where(condition: Condition, yes: Value, no: Value): Expression {
  if (!(condition instanceof Condition)) {
    fail('ERR_INVALID_ARG_TYPE', 'condition', 'a condition, such as at.x.first or u.lessThan(0)', condition);
  }
  return condition.choose(expression(yes), expression(no));
}

/** The sum of any number of values. */
export function sum(...values: Value[]): Expression {
  return values.reduce<Expression>((total, value) => total.plus(value), expression(0));
}
/** Where the points of a `total` or `mean` lie. */
export interface TotalOptions {
  /** One character per axis, `'c'` or `'n'`; default: that of the fields in the expression. */
  location?: string;
}

/**
 * The sum of an expression over all points, a single number: for blocks that are lists, such as `[total(u).minus(1)]`.
 * Its residual reads every point, so J^T J is dense: `method: 'auto'` takes a gradient method.
 */
export function total(of: Expression, options: TotalOptions = {}): Expression {
  return reduction(of, options, false);
}
/** The mean of an expression over all points; see `total`. */
export function mean(of: Expression, options: TotalOptions = {}): Expression {
  return reduction(of, options, true);
}

function reduction(of: Expression, { location }: TotalOptions, divided: boolean): Expression {
  if (!((of as unknown) instanceof Expression)) fail('ERR_INVALID_ARG_TYPE', 'of', 'an expression', of);
  if (location !== undefined && (typeof location !== 'string' || !/^[cn]+$/.test(location))) {
    fail('ERR_INVALID_ARG_VALUE', 'options.location', "made of 'c' and 'n', one for each axis", location);
  }
  return new Expression({ kind: 'total', of, location, mean: divided });
}

/** The smaller one; ties count as the first. */
export function min(a: Value, b: Value): Expression {
  return operation('minimum', a, b);
}
/** The larger one; ties count as the first. */
export function max(a: Value, b: Value): Expression {
  return operation('maximum', a, b);
}
/** The value, moved into [low, high]. */
export function clip(value: Value, low: Value, high: Value): Expression {
  return min(max(value, low), high);
}
/** |value|; its derivative at 0 is 0. */
export function abs(value: Value): Expression {
  return operation('absolute', value);
}
/** e^value. */
export function exp(value: Value): Expression {
  return operation('exp', value);
}
/** Natural logarithm. */
export function log(value: Value): Expression {
  return operation('log', value);
}
/** Sine. */
export function sin(value: Value): Expression {
  return operation('sin', value);
}
/** Cosine. */
export function cos(value: Value): Expression {
  return operation('cos', value);
}
/** Hyperbolic tangent. */
export function tanh(value: Value): Expression {
  return operation('tanh', value);
}
/** 1 / (1 + e^-value). */
export function sigmoid(value: Value): Expression {
  return operation('sigmoid', value);
}
/** Square root; its derivative at 0 is infinite. */
export function sqrt(value: Value): Expression {
  return operation('sqrt', value);
}
