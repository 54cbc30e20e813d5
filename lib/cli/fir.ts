// `discrete-descent fir`: a filter from flags or a JSON file; coefficients as JSON, C header and Verilog memory, response as SVG.
import path from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { dmmv } from '..';
import { firPlot } from '../report/fir-plot';
import { writeWhole } from '../runtime/files';
import { progressBar } from './progress-bar';
import { positiveInteger, positiveNumber, readJson, UsageError, wholeNumber } from './usage';

interface FirFlags {
  taps?: number;
  bits?: number;
  band?: dmmv.FirBand[];
  density?: number;
  gainRange?: { min: number; max: number };
  spec?: string;
  output: string;
  time?: number;
  seed: number;
  threads?: number;
  json?: boolean;
}

function numbers(text: string, least: number, most: number, form: string): number[] {
  const values = text.split(':').map((part) => (part.trim() === '' ? NaN : Number(part)));
  if (values.length < least || values.length > most || values.some((value) => !Number.isFinite(value))) {
    throw new InvalidArgumentError(`it must have the form ${form}.`);
  }
  return values;
}

function bandFlag(text: string, previous: dmmv.FirBand[] = []): dmmv.FirBand[] {
  const [from = 0, to = 0, gain = 0, weight] = numbers(text, 3, 4, 'from:to:gain[:weight], for example 0.5:1:0:10');
  return [...previous, { from, to, gain, ...(weight !== undefined && { weight }) }];
}

function gainRangeFlag(text: string): { min: number; max: number } {
  const [min = 1, max = 1] = numbers(text, 2, 2, 'min:max, for example 0.7:1.4');
  return { min, max };
}

/** The file's members, overridden by flags. */
function specificationOf(flags: FirFlags): dmmv.FirSpecification {
  const specification = {
    ...(flags.spec !== undefined && (readJson(flags.spec) as dmmv.FirSpecification)),
    ...(flags.taps !== undefined && { taps: flags.taps }),
    ...(flags.bits !== undefined && { wordLength: flags.bits }),
    ...(flags.band !== undefined && { bands: flags.band }),
    ...(flags.density !== undefined && { gridDensity: flags.density }),
    ...(flags.gainRange !== undefined && { gainRange: flags.gainRange }),
  };
  const { taps, wordLength, bands } = specification;
  if (taps === undefined || wordLength === undefined || bands === undefined) {
    throw new UsageError('give --taps, --bits and at least one --band, or a JSON file with --spec');
  }
  return { ...specification, taps, wordLength, bands };
}

function header(name: string, specification: dmmv.FirSpecification, design: dmmv.FirDesign): string {
  const identifier = name.replace(/\W/g, '_').replace(/^(?=\d)/, '_');
  const type = specification.wordLength <= 8 ? 'int8_t' : specification.wordLength <= 16 ? 'int16_t' : 'int32_t';
  const lines: string[] = [];
  for (let i = 0; i < design.coefficients.length; i += 12) {
    lines.push(`    ${[...design.coefficients.subarray(i, i + 12)].join(', ')},`);
  }
  return `/* Symmetric FIR filter, ${specification.taps} taps of ${specification.wordLength} bits; gains are coefficient / 2^${specification.wordLength - 1}.
 * Weighted ripple ${design.ripple.toPrecision(10)} (on the grid), ${design.continuousRipple.toPrecision(10)} (between its points too).
 * Made by discrete-descent. */
#ifndef ${identifier.toUpperCase()}_H
#define ${identifier.toUpperCase()}_H

#include <stdint.h>

#define ${identifier.toUpperCase()}_TAPS ${specification.taps}
#define ${identifier.toUpperCase()}_FRACTION_BITS ${specification.wordLength - 1}

static const ${type} ${identifier}[${identifier.toUpperCase()}_TAPS] = {
${lines.join('\n')}
};

#endif
`;
}

/** Two's complement words of `$readmemh`, one coefficient a line. */
function memoryWords(specification: dmmv.FirSpecification, design: dmmv.FirDesign): string {
  const { wordLength } = specification;
  const words = [...design.coefficients].map((value) =>
    (value < 0 ? value + 2 ** wordLength : value).toString(16).padStart(Math.ceil(wordLength / 4), '0'),
  );
  return `// ${words.length} coefficients of ${wordLength} bits, two's complement; gains are coefficient / 2^${wordLength - 1}\n${words.join('\n')}\n`;
}

function record(specification: dmmv.FirSpecification, design: dmmv.FirDesign): Record<string, unknown> {
  return {
    specification,
    coefficients: [...design.coefficients],
    ripple: design.ripple,
    continuousRipple: design.continuousRipple,
    roundedRipple: design.roundedRipple,
    unquantisedRipple: design.unquantisedRipple,
    gainFactor: design.gainFactor,
    // JSON has no infinity: an unknown bound is null
    lowerBound: Number.isFinite(design.lowerBound) ? design.lowerBound : null,
    status: design.status,
    iterations: design.iterations,
    seconds: design.seconds,
  };
}

async function fir(flags: FirFlags): Promise<void> {
  const specification = specificationOf(flags);
  const bar = progressBar(`fir ${specification.taps}/${specification.wordLength}`);
  const design = await dmmv
    .designFir(specification, {
      seed: flags.seed,
      ...(flags.threads !== undefined && { threads: flags.threads }),
      ...(flags.time !== undefined && { timeLimitMs: flags.time * 1000 }),
      onProgress: (progress) => bar.update(progress),
    })
    .finally(() => bar.end());
  const name = path.basename(flags.output);
  const files = {
    json: `${flags.output}.json`,
    header: `${flags.output}.h`,
    memory: `${flags.output}.hex`,
    plot: `${flags.output}.svg`,
  };
  const result = record(specification, design);
  writeWhole(files.json, `${JSON.stringify(result, null, 2)}\n`);
  writeWhole(files.header, header(name, specification, design));
  writeWhole(files.memory, memoryWords(specification, design));
  writeWhole(
    files.plot,
    firPlot(specification, design, `${specification.taps} taps, ${specification.wordLength} bits`),
  );
  if (flags.json === true) {
    console.log(JSON.stringify({ ...result, files }));
    return;
  }
  const bound = Number.isFinite(design.lowerBound)
    ? `, no integer filter below ${design.lowerBound.toPrecision(6)}`
    : '';
  console.log(
    `ripple ${design.ripple.toPrecision(6)} (rounding: ${design.roundedRipple.toPrecision(6)}${bound}); ${design.status}`,
  );
  console.log(`wrote ${Object.values(files).join(', ')}`);
}

/** Adds the command. */
export function addFir(program: Command): void {
  program
    .command('fir')
    .description('design a linear-phase FIR filter with integer coefficients')
    .option('--taps <n>', 'length of the impulse response, odd', positiveInteger)
    .option('--bits <n>', 'word length of a coefficient with its sign', positiveInteger)
    .option('--band <from:to:gain[:weight]>', 'a band in fractions of Nyquist; repeat for each', bandFlag)
    .option('--density <n>', 'grid points per band and half tap (default 16)', positiveNumber)
    .option('--gain-range <min:max>', 'let the search choose a common gain factor', gainRangeFlag)
    .option(
      '--spec <file>',
      'JSON file { taps, wordLength, bands: [{ from, to, gain, weight }], gridDensity, gainRange }',
    )
    .option(
      '-o, --output <prefix>',
      'writes <prefix>.json, <prefix>.h (C), <prefix>.hex (Verilog $readmemh) and <prefix>.svg',
      'fir',
    )
    .option('--time <seconds>', 'time limit (default: until the search stagnates)', positiveNumber)
    .option('--seed <n>', 'seed of the search', wholeNumber, 0)
    .option('--threads <n>', 'threads (default: all processors)', positiveInteger)
    .option('--json', 'print one JSON object and nothing else on stdout')
    .addHelpText(
      'after',
      '\nExample:\n  discrete-descent fir --taps 35 --bits 8 --band 0:0.4:1 --band 0.5:1:0 -o lowpass',
    )
    .action(fir);
}
