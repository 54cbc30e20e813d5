// Test functions against values of the official implementation.
import { polystep } from '../../lib';
import { vectors } from '../support/vectors';

interface Case {
  name: string;
  dim: number;
  bounds: [number, number] | [number, number][];
  x_opt: number[] | number[][];
  f_opt: number;
  X: number[][];
  f: number[];
}

const { functions } = vectors<{ functions: Case[] }>('polystep/objectives.json');
const name = (given: string): keyof typeof polystep.functions =>
  `${(given[0] as string).toLowerCase()}${given.slice(1)}` as keyof typeof polystep.functions;

test.each(functions.map((one) => [`${one.name}, dimension ${one.dim}`, one] as const))('%s', (_, one) => {
  const make = polystep.functions[name(one.name)] as (options?: object) => polystep.functions.FunctionObjective;
  const fixed = one.name === 'Beale' || one.name === 'Branin';
  using f = make(fixed ? {} : { dimension: one.dim });
  using negated = make(fixed ? { negate: true } : { dimension: one.dim, negate: true });
  const values = f.evaluate(one.X.flat());
  one.f.forEach((value, i) => {
    expect(Math.abs((values[i] as number) - value)).toBeLessThanOrEqual(1e-12 * Math.abs(value) + 1e-12);
  });
  expect(negated.evaluate(one.X.flat())).toEqual(values.map((value) => -value));
  // The vectors' boxes and optima went through float32.
  const bounds = (typeof one.bounds[0] === 'number' ? Array(one.dim).fill(one.bounds) : one.bounds) as number[][];
  (bounds as [number, number][]).forEach(([lower, upper], i) => {
    expect(f.lower[i]).toBeCloseTo(lower, 5);
    expect(f.upper[i]).toBeCloseTo(upper, 5);
  });
  const places = (Array.isArray(one.x_opt[0]) ? one.x_opt : [one.x_opt]) as number[][];
  expect(f.optima).toHaveLength(places.length);
  places.forEach((place, i) => place.forEach((x, j) => expect(f.optima[i]?.[j]).toBeCloseTo(x, 5)));
  expect(f.optimum).toBeCloseTo(one.f_opt, 5);
  for (const place of f.optima) expect(f.evaluate(place)[0]).toBeCloseTo(f.optimum, 9);
});
