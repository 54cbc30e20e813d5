// Values half a cell or a cell beyond a wall, from the cells within (odil.md, section 1.2).
import { type AxisPosition, type Expression, type Value, where } from '../expression';

/** Quadratic through the wall value, the edge cell and its inner neighbour. */
export function quadraticWall(inner: Expression, edge: Expression, wall: Value): Expression {
  return inner.minus(edge.times(6)).plus(wallTerm(wall)).over(3);
}

function wallTerm(wall: Value): Value {
  return typeof wall === 'number' ? 8 * wall : wall.times(8);
}

/** Straight line through the edge cell and its inner neighbour. */
export function linear(inner: Expression, edge: Expression): Expression {
  return edge.times(2).minus(inner);
}

/** Quadratic through three cells, the edge first. */
export function quadratic(edge: Expression, inner: Expression, next: Expression): Expression {
  return next.minus(inner.times(3)).plus(edge.times(3));
}

/** Both neighbours along one axis, with what the walls say beyond the ends. */
export function neighbours(
  value: Expression,
  axis: string,
  at: AxisPosition,
  walls: {
    low: (inner: Expression, edge: Expression) => Expression;
    high: (inner: Expression, edge: Expression) => Expression;
  },
): { minus: Expression; plus: Expression } {
  const minus = value.shift({ [axis]: -1 });
  const plus = value.shift({ [axis]: 1 });
  return {
    minus: where(at.first, walls.low(plus, value), minus),
    plus: where(at.last, walls.high(minus, value), plus),
  };
}
