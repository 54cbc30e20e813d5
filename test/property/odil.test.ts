// The language of odil.problem on random expressions: what native code finds is what the expression says, read point by
// point in JavaScript.
import fc from 'fast-check';
import { odil } from '../../lib';
import { uniforms } from '../support/philox-random';

const { grid, problem, where } = odil;

// x is periodic, y is not; one field at cells, one at the nodes of each axis.
const of = grid({ x: { cells: 4, lower: -1, periodic: true }, y: { cells: 3, upper: 2 } });
const locations = { u: 'cc', v: 'nc', w: 'cn' } as const;
const arrays = ['cc', '.c', 'c.'] as const;
const counts = of.counts('cc') as [number, number];

type Axis = 'x' | 'y';
type Place =
  | { kind: 'is'; axis: Axis; index: number }
  | { kind: 'below'; axis: Axis; index: number }
  | { kind: 'first'; axis: Axis }
  | { kind: 'last'; axis: Axis }
  | { kind: 'not'; of: Place }
  | { kind: 'and'; left: Place; right: Place }
  | { kind: 'or'; left: Place; right: Place };
type Unary = 'negative' | 'square' | 'abs' | 'exp' | 'log' | 'sin' | 'cos' | 'tanh' | 'sigmoid' | 'sqrt' | 'frozen';
type Binary = 'plus' | 'minus' | 'times' | 'over' | 'min' | 'max';
type Tree =
  | { kind: 'number'; value: number }
  | { kind: 'field'; name: keyof typeof locations }
  | { kind: 'parameter'; element: number }
  | { kind: 'array'; location: (typeof arrays)[number] }
  | { kind: 'coordinate' | 'index'; axis: Axis }
  | { kind: Unary; of: Tree }
  | { kind: 'power'; of: Tree; exponent: number }
  | { kind: 'clip'; of: Tree; low: number; high: number }
  | { kind: Binary; left: Tree; right: Tree }
  | { kind: 'less'; left: Tree; right: Tree; yes: Tree; no: Tree }
  | { kind: 'where'; place: Place; yes: Tree; no: Tree }
  | { kind: 'shift'; steps: number; of: Tree }
  | { kind: 'beside'; side: 1 | -1; edge: Tree; of: Tree }; // a neighbour in y, something else beyond the end

const axis = fc.constantFrom<Axis>('x', 'y');
const small = fc.integer({ min: -3, max: 4 });
const { place } = fc.letrec<{ place: Place }>((tie) => ({
  place: fc.oneof(
    { maxDepth: 2 },
    fc.record({ kind: fc.constantFrom('first', 'last'), axis }),
    fc.record({ kind: fc.constantFrom('is', 'below'), axis, index: small }),
    fc.record({ kind: fc.constant('not' as const), of: tie('place') }),
    fc.record({ kind: fc.constantFrom('and', 'or'), left: tie('place'), right: tie('place') }),
  ),
}));
const value = fc.integer({ min: -40, max: 40 }).map((tenths) => tenths / 16);
const { tree } = fc.letrec<{ tree: Tree }>((tie) => {
  const child = tie('tree');
  const unary: Unary[] = ['negative', 'square', 'abs', 'exp', 'log', 'sin', 'cos', 'tanh', 'sigmoid', 'sqrt', 'frozen'];
  return {
    tree: fc.oneof(
      { maxDepth: 5, depthSize: 'max' },
      fc.oneof(
        fc.record({ kind: fc.constant('field' as const), name: fc.constantFrom('u', 'v', 'w') }),
        fc.record({ kind: fc.constant('number' as const), value }),
        fc.record({ kind: fc.constant('parameter' as const), element: fc.constantFrom(0, 1) }),
        fc.record({ kind: fc.constant('array' as const), location: fc.constantFrom(...arrays) }),
        fc.record({ kind: fc.constantFrom('coordinate', 'index'), axis }),
      ),
      {
        weight: 4,
        arbitrary: fc.oneof(
          fc.record({ kind: fc.constantFrom(...unary), of: child }),
          fc.record({ kind: fc.constant('power' as const), of: child, exponent: fc.constantFrom(-1, 2, 3, 0.5, 1.5) }),
          fc.record({ kind: fc.constant('clip' as const), of: child, low: fc.constant(-0.5), high: fc.constant(0.75) }),
          fc.record({
            kind: fc.constantFrom<Binary>('plus', 'minus', 'times', 'over', 'min', 'max'),
            left: child,
            right: child,
          }),
          fc.record({ kind: fc.constant('less' as const), left: child, right: child, yes: child, no: child }),
          fc.record({ kind: fc.constant('where' as const), place, yes: child, no: child }),
          fc.record({ kind: fc.constant('shift' as const), steps: small, of: child }),
          fc.record({ kind: fc.constant('beside' as const), side: fc.constantFrom(1, -1), edge: child, of: child }),
        ),
      },
    ),
  };
});

/** The tree in the language of odil.problem. */
function build(root: Tree, symbols: Symbols): odil.Expression {
  const { at, constant, k } = symbols;
  const condition = (here: Place): odil.Condition => {
    switch (here.kind) {
      case 'first':
      case 'last':
        return at[here.axis][here.kind];
      case 'is':
      case 'below':
        return at[here.axis][here.kind](here.index);
      case 'not':
        return condition(here.of).not();
      case 'and':
      case 'or':
        return condition(here.left)[here.kind](condition(here.right));
    }
  };
  const make = (node: Tree): odil.Expression => {
    switch (node.kind) {
      case 'number':
        return odil.sum(node.value);
      case 'field':
        return symbols[node.name];
      case 'parameter':
        return k.element(node.element);
      case 'array':
        return constant(known[node.location], node.location);
      case 'coordinate':
      case 'index':
        return at[node.axis][node.kind];
      case 'negative':
      case 'square':
      case 'frozen':
        return make(node.of)[node.kind]();
      case 'abs':
      case 'tanh':
      case 'sigmoid':
        return odil[node.kind](make(node.of));
      case 'exp':
      case 'sin':
      case 'cos':
        return odil[node.kind](odil.clip(make(node.of), -3, 3));
      case 'log':
      case 'sqrt':
        return odil[node.kind](make(node.of).square().plus(0.5));
      case 'power':
        return odil.abs(make(node.of)).plus(0.5).power(node.exponent);
      case 'clip':
        return odil.clip(make(node.of), node.low, node.high);
      case 'plus':
      case 'minus':
      case 'times':
        return make(node.left)[node.kind](make(node.right));
      case 'over':
        return make(node.left).over(make(node.right).square().plus(0.5));
      case 'min':
      case 'max':
        return odil[node.kind](make(node.left), make(node.right));
      case 'less':
        return where(make(node.left).lessThan(make(node.right)), make(node.yes), make(node.no));
      case 'where':
        return where(condition(node.place), make(node.yes), make(node.no));
      case 'shift':
        return make(node.of).shift({ x: node.steps });
      case 'beside': {
        const end = node.side === 1 ? at.y.last : at.y.first;
        return where(end, make(node.edge), make(node.of).shift({ y: node.side }));
      }
    }
  };
  return make(root);
}

const unknowns = { grid: of, fields: locations, parameters: { k: { size: 2 } } };
type Symbols = odil.Symbols<typeof unknowns>;

const draw = uniforms(17);
const numbers = (count: number): Float64Array => new Float64Array(count).map(() => 4 * draw() - 2);
const product = (list: readonly number[]): number => list.reduce((a, b) => a * b, 1);
const known = Object.fromEntries(arrays.map((at) => [at, numbers(product(of.counts(at)))])) as Record<
  (typeof arrays)[number],
  Float64Array
>;
const state = {
  fields: Object.fromEntries(Object.entries(locations).map(([name, at]) => [name, numbers(product(of.counts(at)))])),
  parameters: { k: numbers(2) },
};

const wrap = (index: number, count: number): number => ((index % count) + count) % count;
const read = (values: Float64Array, location: string, x: number, y: number): number => {
  const [width, height] = of.counts(location) as [number, number];
  return values[(location[0] === '.' ? 0 : wrap(x, width)) * height + (location[1] === '.' ? 0 : y)] as number;
};

/** The tree at one point, and the largest number met on the way: what rounding errors are relative to. */
function evaluate(root: Tree, atX: number, atY: number): { value: number; size: number } {
  let size = 1;
  const holds = (here: Place, x: number, y: number): boolean => {
    if (here.kind === 'not') return !holds(here.of, x, y);
    if (here.kind === 'and') return holds(here.left, x, y) && holds(here.right, x, y);
    if (here.kind === 'or') return holds(here.left, x, y) || holds(here.right, x, y);
    const [index, count] = here.axis === 'x' ? [wrap(x, counts[0]), counts[0]] : [y, counts[1]];
    if (here.kind === 'first') return index === 0;
    if (here.kind === 'last') return index === count - 1;
    const bound = here.index < 0 ? here.index + count : here.index;
    return here.kind === 'is' ? index === bound : index < bound;
  };
  const at = (node: Tree, x: number, y: number): number => {
    const found = compute(node, x, y);
    size = Math.max(size, Math.abs(found));
    return found;
  };
  const compute = (node: Tree, x: number, y: number): number => {
    switch (node.kind) {
      case 'number':
        return node.value;
      case 'field':
        return read(state.fields[node.name] as Float64Array, locations[node.name], x, y);
      case 'parameter':
        return state.parameters.k[node.element] as number;
      case 'array':
        return read(known[node.location], node.location, x, y);
      case 'coordinate':
        return node.axis === 'x' ? -1 + (x + 0.5) * 0.5 : ((y + 0.5) * 2) / 3;
      case 'index':
        return node.axis === 'x' ? x : y;
      case 'negative':
        return -at(node.of, x, y);
      case 'square':
        return at(node.of, x, y) ** 2;
      case 'frozen':
        return at(node.of, x, y);
      case 'abs':
      case 'tanh':
        return Math[node.kind](at(node.of, x, y));
      case 'sigmoid':
        return 1 / (1 + Math.exp(-at(node.of, x, y)));
      case 'exp':
      case 'sin':
      case 'cos':
        return Math[node.kind](Math.min(3, Math.max(-3, at(node.of, x, y))));
      case 'log':
      case 'sqrt':
        return Math[node.kind](at(node.of, x, y) ** 2 + 0.5);
      case 'power':
        return (Math.abs(at(node.of, x, y)) + 0.5) ** node.exponent;
      case 'clip':
        return Math.min(node.high, Math.max(node.low, at(node.of, x, y)));
      case 'plus':
        return at(node.left, x, y) + at(node.right, x, y);
      case 'minus':
        return at(node.left, x, y) - at(node.right, x, y);
      case 'times':
        return at(node.left, x, y) * at(node.right, x, y);
      case 'over':
        return at(node.left, x, y) / (at(node.right, x, y) ** 2 + 0.5);
      case 'min':
      case 'max':
        return Math[node.kind](at(node.left, x, y), at(node.right, x, y));
      case 'less':
        return at(node.left, x, y) < at(node.right, x, y) ? at(node.yes, x, y) : at(node.no, x, y);
      case 'where':
        return holds(node.place, x, y) ? at(node.yes, x, y) : at(node.no, x, y);
      case 'shift':
        return at(node.of, x + node.steps, y);
      case 'beside': {
        const beyond = y === (node.side === 1 ? counts[1] - 1 : 0);
        return beyond ? at(node.edge, x, y) : at(node.of, x, y + node.side);
      }
    }
  };
  return { value: at(root, atX, atY), size };
}

test('random expressions: values point by point, and gradient = J^T F', () => {
  fc.assert(
    fc.property(tree, (root) => {
      // The field alone keeps a block without unknowns from being refused.
      using made = problem(unknowns, (symbols) => ({
        block: { value: build(root, symbols).plus(symbols.u), location: 'cc' },
      }));
      const { residuals, loss } = made.evaluate(state);
      const found = residuals['block'] as Float64Array;
      for (let x = 0; x < counts[0]; x += 1) {
        for (let y = 0; y < counts[1]; y += 1) {
          const { value: expected, size } = evaluate(
            { kind: 'plus', left: root, right: { kind: 'field', name: 'u' } },
            x,
            y,
          );
          const error = Math.abs((found[x * counts[1] + y] as number) - expected);
          if (!(error <= 1e-10 * size)) throw new Error(`${found[x * counts[1] + y]} is not ${expected} at ${x}, ${y}`);
        }
      }

      const { loss: same, gradient } = made.gradient(state);
      expect(same).toBe(loss);
      const { columnPointers, rowIndices, values, columns } = made.jacobian(state);
      const slopes = [...Object.values(gradient.fields), gradient.parameters?.['k'] as Float64Array].flatMap((one) => [
        ...one,
      ]);
      for (let column = 0; column < columns; column += 1) {
        let [expected, size] = [0, 1];
        for (let entry = columnPointers[column] as number; entry < (columnPointers[column + 1] as number); entry += 1) {
          const term = (2 / found.length) * (values[entry] as number) * (found[rowIndices[entry] as number] as number);
          expected += term;
          size = Math.max(size, Math.abs(term));
        }
        if (!(Math.abs((slopes[column] as number) - expected) <= 1e-9 * size)) {
          throw new Error(`slope ${slopes[column]} is not ${expected} in column ${column}`);
        }
      }
    }),
    { seed: 4, numRuns: 500 },
  );
});
