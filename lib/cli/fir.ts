// `discrete-descent fir`: a filter from flags or a JSON file; coefficients as JSON, C header and Verilog memory, response as SVG.
import path from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
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
  type?: dmmv.FirType;
  zeroTaps?: number | number[];
  signedPowers?: number;
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
  const form = 'from:to:gain[:weight[:slope]], for example 0.5:1:0:10';
  const [from = 0, to = 0, gain = 0, weight, slope] = numbers(text, 3, 5, form);
  return [
    ...previous,
    { from, to, gain, ...(weight !== undefined && { weight }), ...(slope !== undefined && { slope }) },
  ];
}

function gainRangeFlag(text: string): { min: number; max: number } {
  const [min = 1, max = 1] = numbers(text, 2, 2, 'min:max, for example 0.7:1.4');
  return { min, max };
}

/** A count, or positions after a colon. */
function zeroTapsFlag(text: string): number | number[] {
  if (!text.startsWith('@')) return wholeNumber(text);
  return text.slice(1).split(',').map(wholeNumber);
}

/** What is asked for: the file's members, overridden by flags; several where the file holds an array. */
function specificationsOf(flags: FirFlags): { specifications: dmmv.FirSpecification[]; several: boolean } {
  const given = flags.spec === undefined ? {} : readJson(flags.spec);
  const several = Array.isArray(given);
  if (several && given.length === 0) throw new UsageError(`${flags.spec} holds an array without a specification`);
  const specifications = (several ? given : [given]).map((members) => {
    const specification = {
      ...(members as dmmv.FirSpecification),
      ...(flags.taps !== undefined && { taps: flags.taps }),
      ...(flags.bits !== undefined && { wordLength: flags.bits }),
      ...(flags.band !== undefined && { bands: flags.band }),
      ...(flags.density !== undefined && { gridDensity: flags.density }),
      ...(flags.gainRange !== undefined && { gainRange: flags.gainRange }),
      ...(flags.type !== undefined && { type: flags.type }),
      ...(flags.zeroTaps !== undefined && { zeroTaps: flags.zeroTaps }),
      ...(flags.signedPowers !== undefined && { maxSignedPowers: flags.signedPowers }),
    };
    const { taps, wordLength, bands } = specification as Partial<dmmv.FirSpecification>;
    if (taps === undefined || wordLength === undefined || bands === undefined) {
      throw new UsageError('give --taps, --bits and at least one --band, or a JSON file with --spec');
    }
    return specification;
  });
  return { specifications, several };
}

function symmetry({ type = 'I' }: dmmv.FirSpecification): string {
  return type === 'I' || type === 'II' ? 'Symmetric' : 'Antisymmetric';
}

function header(name: string, specification: dmmv.FirSpecification, design: dmmv.FirDesign): string {
  const identifier = name.replace(/\W/g, '_').replace(/^(?=\d)/, '_');
  const type = specification.wordLength <= 8 ? 'int8_t' : specification.wordLength <= 16 ? 'int16_t' : 'int32_t';
  const lines: string[] = [];
  for (let i = 0; i < design.coefficients.length; i += 12) {
    lines.push(`    ${[...design.coefficients.subarray(i, i + 12)].join(', ')},`);
  }
  return `/* ${symmetry(specification)} FIR filter, ${specification.taps} taps of ${specification.wordLength} bits; gains are coefficient / 2^${specification.wordLength - 1}.
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

function writeFiles(
  output: string,
  specification: dmmv.FirSpecification,
  design: dmmv.FirDesign,
): Record<string, string> {
  const files = { json: `${output}.json`, header: `${output}.h`, memory: `${output}.hex`, plot: `${output}.svg` };
  writeWhole(files.json, `${JSON.stringify(record(specification, design), null, 2)}\n`);
  writeWhole(files.header, header(path.basename(output), specification, design));
  writeWhole(files.memory, memoryWords(specification, design));
  writeWhole(
    files.plot,
    firPlot(specification, design, `${specification.taps} taps, ${specification.wordLength} bits`),
  );
  return files;
}

async function fir(flags: FirFlags): Promise<void> {
  const { specifications, several } = specificationsOf(flags);
  const [first] = specifications;
  const options = {
    seed: flags.seed,
    ...(flags.threads !== undefined && { threads: flags.threads }),
    ...(flags.time !== undefined && { timeLimitMs: flags.time * 1000 }),
  };
  let designs: dmmv.FirDesign[];
  if (several || first === undefined) {
    designs = await dmmv.designFirBatch(specifications, options);
  } else {
    const bar = progressBar(`fir ${first.taps}/${first.wordLength}`);
    designs = [
      await dmmv
        .designFir(first, { ...options, onProgress: (progress) => bar.update(progress) })
        .finally(() => bar.end()),
    ];
  }
  const results = designs.map((design, k) => {
    const specification = specifications[k] as dmmv.FirSpecification;
    const files = writeFiles(several ? `${flags.output}-${k + 1}` : flags.output, specification, design);
    return { design, files, record: { ...record(specification, design), files } };
  });
  if (flags.json === true) {
    const records = results.map((result) => result.record);
    console.log(JSON.stringify(several ? records : records[0]));
    return;
  }
  for (const { design, files } of results) {
    const bound = Number.isFinite(design.lowerBound)
      ? `, no integer filter below ${design.lowerBound.toPrecision(6)}`
      : '';
    console.log(
      `ripple ${design.ripple.toPrecision(6)} (rounding: ${design.roundedRipple.toPrecision(6)}${bound}); ${design.status}`,
    );
    console.log(`wrote ${Object.values(files).join(', ')}`);
  }
}

/** Adds the command. */
export function addFir(program: Command): void {
  program
    .command('fir')
    .description('design a linear-phase FIR filter with integer coefficients')
    .option(
      '--taps <n>',
      'length of the impulse response: odd for types I and III, even for II and IV',
      positiveInteger,
    )
    .option('--bits <n>', 'word length of a coefficient with its sign', positiveInteger)
    .option('--band <from:to:gain[:weight[:slope]]>', 'a band in fractions of Nyquist; repeat for each', bandFlag)
    .addOption(
      new Option('--type <type>', 'symmetric (I, II) or antisymmetric (III, IV), default I').choices([
        'I',
        'II',
        'III',
        'IV',
      ]),
    )
    .option('--zero-taps <n or @positions>', 'zero taps: how many at least, or @3,5,7: which', zeroTapsFlag)
    .option(
      '--signed-powers <n>',
      'coefficients are sums of at most n signed powers of two (default: any)',
      positiveInteger,
    )
    .option('--density <n>', 'grid points per band and half tap (default 16)', positiveNumber)
    .option('--gain-range <min:max>', 'let the search choose a common gain factor', gainRangeFlag)
    .option(
      '--spec <file>',
      'JSON file { taps, wordLength, bands: [{ from, to, gain, weight, slope }], type, zeroTaps, maxSignedPowers, ... }, or an array of such',
    )
    .option(
      '-o, --output <prefix>',
      'writes <prefix>.json, <prefix>.h (C), <prefix>.hex (Verilog $readmemh) and <prefix>.svg; of an array <prefix>-1.json ...',
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
