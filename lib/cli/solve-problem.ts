// Which problem `discrete-descent solve` solves: one that is there, with sizes and options from flags or a JSON file, or
// one that a module of the user's defines.
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { formats, odil } from '..';
import { inverseHeat } from './solve-heat';
import type { SolveTarget } from './solve-target';
import { readJson, UsageError } from './usage';

/** Flags that choose a problem. */
export interface ProblemFlags {
  cells?: number;
  timeCells?: number;
  dimensions?: number;
  inferConductivity?: boolean;
  measurements: number;
  set?: Record<string, unknown>;
  seed: number;
}

type Options = Record<string, unknown>;

/** The builders by the names of the command line. */
const builders: Readonly<Record<string, (options: never) => odil.Problem>> = {
  poisson: odil.problems.poisson,
  wave: odil.problems.wave,
  heat: odil.problems.heat,
  'heat-tmax': odil.problems.heatTmax,
  'infer-constant': odil.problems.inferConstant,
  'velocity-from-tracer': odil.problems.velocityFromTracer,
  fields: odil.problems.fields,
  compare: odil.problems.compare,
  cavity: odil.problems.cavity,
  'body-flow': odil.problems.bodyFlow,
  advection: odil.problems.advection,
  burgers: odil.problems.burgers,
};

/** Names of the problems that need no file. */
export const builtIn: readonly string[] = Object.keys(builders);

function build(name: string, options: Options): SolveTarget {
  const problem = (builders[name] as (options: Options) => odil.Problem)(options);
  const reference = (problem as Partial<odil.problems.WithReference>).reference;
  return { name, problem, ...(reference !== undefined && { reference }) };
}

function fromName(name: string, given: Options, flags: ProblemFlags): SolveTarget {
  const { cells, timeCells, dimensions } = flags;
  const options: Options = {
    ...given,
    ...(cells !== undefined && { cells: name === 'velocity-from-tracer' ? { x: cells, y: cells } : cells }),
    ...(timeCells !== undefined && { timeCells }),
    ...(dimensions !== undefined && { dimensions }),
    ...flags.set,
  };
  if (name === 'heat' && (flags.inferConductivity === true || options['inferConductivity'] !== undefined)) {
    return inverseHeat(options, flags);
  }
  if (flags.inferConductivity === true) throw new UsageError('--infer-conductivity belongs to the problem heat');
  return build(name, options);
}

/** Numbers of a file that stands where an array may stand. */
function arrayOfFile(file: string): Float64Array {
  if (file.endsWith('.json')) {
    const values = readJson(file);
    const flat = Array.isArray(values) ? (values.flat(Infinity) as unknown[]) : [];
    if (flat.length === 0 || !flat.every((value) => typeof value === 'number')) {
      throw new UsageError(`${file} must hold an array of numbers`);
    }
    return Float64Array.from(flat);
  }
  return Float64Array.from(readFile(file, formats.readNpy).data as Float64Array, Number);
}

function readFile<Result>(file: string, read: (file: string) => Result): Result {
  if (!fs.existsSync(file)) throw new UsageError(`cannot read ${file}: there is no such file`);
  return read(file);
}

/** The same options with arrays in the place of names of `.npy` and `.json` files. */
function withArrays(value: unknown, folder: string): unknown {
  if (typeof value === 'string') return /\.(npy|json)$/.test(value) ? arrayOfFile(path.resolve(folder, value)) : value;
  if (Array.isArray(value))
    return value.every((one) => typeof one === 'number') ? value : value.map((one) => withArrays(one, folder));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withArrays(one, folder)]));
}

function fromJson(file: string, flags: ProblemFlags): SolveTarget {
  const { problem, options = {}, solve = {}, ...others } = readJson(file) as Record<string, unknown>;
  if (typeof problem !== 'string' || !builtIn.includes(problem) || Object.keys(others).length > 0) {
    throw new UsageError(
      `${file} must hold { "problem": name, "options": { ... }, "solve": { ... } }; the problems are ${builtIn.join(', ')}`,
    );
  }
  const given = withArrays(options, path.dirname(file)) as Options;
  return { ...fromName(problem, given, flags), solve: solve as Record<string, unknown> };
}

interface Definition extends Omit<odil.ProblemOptions, 'grid'> {
  axes: Record<string, odil.AxisOptions>;
  residuals: (symbols: never) => odil.Residuals;
  reference?: Readonly<Record<string, Float64Array>>;
  solve?: Record<string, unknown>;
}

const moduleForm =
  'must export by default { axes, fields, parameters?, networks?, residuals(symbols), reference?, solve? }, or a function of { odil } that returns this or odil.problem(...)';

function define(file: string, exported: unknown): SolveTarget {
  const name = path.basename(file, path.extname(file));
  if (exported instanceof odil.Problem) return { name, problem: exported };
  const given = exported as Partial<Definition> | null | undefined;
  if (typeof given !== 'object' || given === null || typeof given.residuals !== 'function') {
    throw new UsageError(`${file} ${moduleForm}`);
  }
  const { axes, residuals, reference, solve, ...rest } = given as Definition;
  const problem = odil.problem({ grid: odil.grid(axes), ...rest }, residuals as () => odil.Residuals);
  return { name, problem, ...(reference !== undefined && { reference }), ...(solve !== undefined && { solve }) };
}

async function fromModule(file: string): Promise<SolveTarget> {
  if (!fs.existsSync(file)) throw new UsageError(`cannot read ${file}: there is no such file`);
  const typescript = /\.[mc]?ts$/.test(file);
  const stripsTypes = Boolean((process.features as { typescript?: string | false }).typescript);
  if (typescript && !stripsTypes) {
    throw new UsageError(
      `${file} is TypeScript, which Node ${process.version} does not read: use Node 22.18 or newer, or compile it to JavaScript`,
    );
  }
  let loaded: unknown;
  try {
    loaded = ((await import(pathToFileURL(path.resolve(file)).href)) as { default?: unknown }).default;
  } catch (cause) {
    throw new UsageError(`cannot load ${file}: ${(cause as Error).message}`);
  }
  // CommonJS compiled from a default export brings one level more.
  const inner = (loaded as { default?: unknown } | undefined)?.default ?? loaded;
  return define(file, typeof inner === 'function' ? await (inner as (tools: object) => unknown)({ odil }) : inner);
}

/** The problem that is meant. */
export async function targetOf(what: string, flags: ProblemFlags): Promise<SolveTarget> {
  if (builtIn.includes(what)) return fromName(what, {}, flags);
  if (/\.json$/.test(what)) return fromJson(what, flags);
  if (/\.[mc]?[jt]s$/.test(what)) return fromModule(what);
  throw new UsageError(
    `${what} is no problem: give a .js, .mjs, .cjs, .ts or .json file, or one of ${builtIn.join(', ')}, glioma`,
  );
}
