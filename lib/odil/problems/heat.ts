// The heat equation with a conductivity that depends on the temperature, forward and inverse (odil.md, section 6.3).
import { boolean, integer, number, object, optional, parse, typedArray, withDefault } from '../../runtime/validate';
import { exp, Expression, type Field, sigmoid, type Value, where } from '../expression';
import { type Grid, grid } from '../grid';
import type { Network } from '../network';
import { problem, type Residuals, type Tools } from '../definition';
import type { Problem } from '../problem';
import { linear, quadraticWall } from './halo';
import { measuredPoints, perPoint } from './measurements';

/** Options of `problems.heat`. */
export interface HeatOptions {
  /** Cells in time, at least 2; default 64. */
  timeCells?: number;
  /** Cells in space, at least 2; default 64. */
  cells?: number;
  /**
   * The conductivity carries no derivative with respect to the temperature, as in the published code: Gauss-Newton then
   * converges linearly. Default false.
   */
  frozen?: boolean;
  /** Multiple of the reference conductivity, for twin experiments with a model that is wrong; default 1. */
  conductivityScale?: number;
  /** Whether the initial temperature is imposed; default true. */
  initialCondition?: boolean;
  /** Infer the conductivity as a network of the temperature; default: it is the reference. */
  inferConductivity?: {
    /** Neurons of the hidden layers; default [5, 5]. */
    hidden?: number[];
    /** Initial weights of all layers, then biases; default: drawn as in the published code. */
    initial?: Float64Array | readonly number[];
    /** Of the default initial weights; default 0. */
    seed?: number;
    /** Largest conductivity; default 0.1. */
    largest?: number;
    /**
     * Weight of a proximal term on the weights of the network: no value, only a derivative. Default 1 with `frozen`, as
     * published, where undamped steps would be singular without; else 0: methods that damp steps only get slower.
     */
    proximal?: number;
  };
  /** Measured temperatures: 1 in `mask` where there is one. */
  data?: {
    /** 1 where there is a measurement, else 0. */
    mask: Float64Array | readonly number[];
    /** Temperatures, one per point. */
    values: Float64Array | readonly number[];
    /** Weight; default 2. */
    weight?: number;
  };
  /** Initial temperature, one per cell; default exp(-50 (x - 1/2)^2) - exp(-50). */
  initial?: Float64Array | readonly number[];
  /** Weights of the differences in space and time as regularisers; default 0: no block. */
  smoothness?: {
    /** Of differences in space. */
    space?: number;
    /** Of differences in time. */
    time?: number;
  };
}

const schema = object({
  timeCells: withDefault(integer({ min: 2 }), 64),
  cells: withDefault(integer({ min: 2 }), 64),
  frozen: withDefault(boolean, false),
  conductivityScale: withDefault(number({ above: 0 }), 1),
  initialCondition: withDefault(boolean, true),
  inferConductivity: optional(
    object({
      hidden: withDefault((value) => value as number[], [5, 5]),
      initial: optional(typedArray(['Float64Array'])),
      largest: withDefault(number({ above: 0 }), 0.1),
      seed: withDefault(integer({ min: 0, max: 2 ** 31 - 1 }), 0),
      proximal: optional(number({ min: 0 })),
    }),
  ),
  data: optional(
    object({
      mask: typedArray(['Float64Array']),
      values: typedArray(['Float64Array']),
      weight: withDefault(number({ min: 0 }), 2),
    }),
  ),
  initial: optional(typedArray(['Float64Array'])),
  smoothness: withDefault(
    object({ space: withDefault(number({ min: 0 }), 0), time: withDefault(number({ min: 0 }), 0) }),
    { space: 0, time: 0 },
  ),
});
type Given = ReturnType<typeof schema>;

/** k(u) of the reference. */
export function referenceConductivity(u: Value): Expression {
  const distance = new Expression({ kind: 'constant', value: -0.5 }).plus(u);
  return exp(distance.square().times(-20)).times(0.02);
}

interface HeatSymbols extends Pick<Tools<'t' | 'x'>, 'at' | 'step' | 'constant'> {
  u: Field;
  conductivity?: Network;
}

function residuals(given: Given, of: Grid, symbols: HeatSymbols): Residuals {
  const { u, at, step, constant, conductivity } = symbols;
  const [time, space] = [at.t, at.x];
  const [dt, dx] = [step.t, step.x];
  const known = given.initial && perPoint(given.initial, given.cells, 'options.initial');
  const first = known ?? of.coordinates('x').map((x) => Math.exp(-50 * (x - 0.5) ** 2) - Math.exp(-50));
  const around = (steps: number): Float64Array =>
    first.map((_, i) => first[(i + steps + first.length) % first.length] as number);

  // Before the first row lies the initial temperature, half a step away.
  const before = (steps: number): Expression => {
    const here = u.shift({ x: steps });
    return where(time.first, linear(here, constant(around(steps), '.c')), here.shift({ t: -1 }));
  };
  const row = (value: (steps: number) => Expression): { minus: Expression; centre: Expression; plus: Expression } => {
    const [minus, centre, plus] = [value(-1), value(0), value(1)];
    const low = where(space.first, quadraticWall(plus, centre, 0), minus);
    return { minus: low, centre, plus: where(space.last, quadraticWall(low, centre, 0), plus) };
  };
  const q = row((steps) => u.shift({ x: steps }));
  const p = row(before);
  const frozen = (value: Expression): Expression => (given.frozen ? value.frozen() : value);
  const k = (value: Expression): Expression => {
    if (conductivity === undefined || given.inferConductivity === undefined) {
      return referenceConductivity(value).times(given.conductivityScale);
    }
    return sigmoid(conductivity.apply(value)[0] as Expression).times(given.inferConductivity.largest);
  };
  const sums = {
    minus: q.minus.plus(p.minus),
    centre: q.centre.plus(p.centre),
    plus: q.plus.plus(p.plus),
  };
  const flux = (low: Expression, high: Expression): Expression =>
    k(frozen(low.plus(high).over(4))).times(high.minus(low).over(2 * dx));
  const spread = flux(sums.centre, sums.plus).minus(flux(sums.minus, sums.centre)).over(dx);
  const heat = q.centre.minus(p.centre).over(dt).minus(spread);
  const blocks: Record<string, Expression | readonly Expression[]> = {
    heat: given.initialCondition ? heat : where(time.first, 0, heat),
  };
  if (given.data !== undefined) {
    const { mask, values, weight } = given.data;
    const cells = given.timeCells * given.cells;
    const points = measuredPoints(mask, cells, 'options.data.mask');
    const misfit = u.minus(constant(perPoint(values, cells, 'options.data.values')));
    blocks['data'] = constant(mask)
      .times(misfit)
      .times(weight * Math.sqrt(cells / points));
  }
  if (given.smoothness.space > 0) {
    const difference = u.minus(u.shift({ x: -1 })).times(given.smoothness.space / dx);
    blocks['smoothInSpace'] = where(space.first, 0, difference);
  }
  if (given.smoothness.time > 0) {
    const difference = u.minus(u.shift({ t: -1 })).times(given.smoothness.time / dt);
    blocks['smoothInTime'] = where(time.first, 0, difference);
  }
  const proximal = given.inferConductivity?.proximal ?? (given.frozen ? 1 : 0);
  if (conductivity !== undefined && proximal > 0) {
    // A value of zero with a derivative: every step is drawn towards where it started.
    const { weights } = conductivity;
    blocks['proximal'] = Array.from({ length: weights.size }, (_, i) =>
      weights.element(i).frozen().minus(weights.element(i)).times(proximal),
    );
  }
  return blocks;
}

/**
 * u_t = (k(u) u_x)_x on the unit square, zero walls, second order in time and space: field `u` at cells, blocks `heat`
 * and, where asked for, `data`, `smoothInSpace`, `smoothInTime`, `proximal`; network `conductivity` where inferred.
 */
export function heat(options: HeatOptions = {}): Problem {
  const given = parse(options, 'options', schema);
  const of = grid({ t: { cells: given.timeCells }, x: { cells: given.cells } });
  const fields = { u: 'cc' };
  if (given.inferConductivity === undefined) {
    return problem({ grid: of, fields }, (symbols) => residuals(given, of, symbols));
  }
  const { hidden, initial, seed } = given.inferConductivity;
  const conductivity = { layers: [1, ...hidden, 1], seed, ...(initial === undefined ? {} : { initial }) };
  const networks = { conductivity };
  return problem({ grid: of, fields, networks }, (symbols) => residuals(given, of, symbols));
}
