// `discrete-descent report`: designs filters of the benchmark family, reconstructs an image, prints a table and writes an HTML
// page, with what other programs have prepared for it (`npm run quickstart`: the text recogniser of ocr/).
import path from 'node:path';
import type { Command } from 'commander';
import { dmmv } from '..';
import { type FirInstance, firInstance } from '../report/fir-family';
import { firPlot, rippleText } from '../report/fir-plot';
import { htmlPage, htmlTable, type Section } from '../report/html';
import { native } from '../runtime/native';
import { writeWhole } from '../runtime/files';
import { progressBar } from './progress-bar';
import { tomographyCard } from './report-tomography';
import { textTable } from './table';
import { positiveNumber, readJson, UsageError, wholeNumber } from './usage';

const defaultFilters = ['A35/8', 'D35/9', 'A125/21'];

interface Row {
  instance: FirInstance;
  design: dmmv.FirDesign;
  seconds: number;
}

async function designOne(name: string, timeLimitSeconds: number, seed: number): Promise<Row> {
  const { name: _, provenOptimum, ...specification } = firInstance(name);
  const bar = progressBar(name);
  const begin = process.hrtime.bigint();
  const design = await dmmv
    .designFir(specification, {
      seed,
      timeLimitMs: timeLimitSeconds * 1000,
      // Nothing better can exist: stop as soon as the proven optimum is met.
      ...(provenOptimum !== undefined && { target: provenOptimum * (1 + 1e-9) }),
      onProgress: (progress) => bar.update(progress),
    })
    .finally(() => bar.end());
  return { instance: firInstance(name), design, seconds: Number(process.hrtime.bigint() - begin) / 1e9 };
}

const tableHead = ['filter', 'rounding', 'discrete-descent', 'best possible', 'reached', 'seconds'];

/** Cells of one row: the proven optimum where known, else the proven bound. */
function cells({ instance, design, seconds }: Row): string[] {
  const { provenOptimum } = instance;
  const best = provenOptimum ?? design.lowerBound;
  const reached =
    provenOptimum === undefined
      ? `${((design.ripple / design.lowerBound - 1) * 100).toFixed(0)} % above the bound`
      : design.ripple <= provenOptimum * (1 + 1e-7)
        ? 'optimum'
        : `${((design.ripple / provenOptimum - 1) * 100).toFixed(2)} % above`;
  return [
    instance.name,
    rippleText(design.roundedRipple),
    rippleText(design.ripple),
    `${rippleText(best)} (${provenOptimum === undefined ? 'bound' : 'proven'})`,
    reached,
    seconds.toFixed(2),
  ];
}

function sections(rows: readonly Row[]): Section[] {
  const table = htmlTable(tableHead, rows.map(cells));
  const lead = '<p>Coefficients are small integers, found by a search over lattice moves, beside plain rounding.</p>';
  const note =
    '<p>Weighted ripple: the largest error over all bands. <em>Rounding</em> takes the best real coefficients and rounds them one by one. ' +
    '<em>Proven</em> optima come from mixed-integer programming run to the end; a <em>bound</em> is a linear relaxation with a checked certificate.</p>';
  return [
    { heading: 'Filters with integer coefficients', html: lead + table + note },
    ...rows.map(({ instance, design }) => ({
      heading: `${instance.name}: ${instance.taps} taps, ${instance.wordLength} bits`,
      html:
        firPlot(instance, design, instance.name) +
        `<p>Half impulse response, centre tap first: <code>${[...design.coefficients.subarray((instance.taps - 1) / 2)].join(' ')}</code></p>`,
    })),
  ];
}

/** Cards of a file that another program wrote. */
function included(file: string): Section[] {
  const cards = readJson(file);
  const isSection = (card: unknown): card is Section =>
    typeof (card as Section | null)?.heading === 'string' && typeof (card as Section).html === 'string';
  if (!Array.isArray(cards) || !cards.every(isSection)) {
    throw new UsageError(`${file} must hold a JSON array of { "heading": text, "html": text }`);
  }
  return cards;
}

async function report(flags: {
  output: string;
  time: number;
  tomography: number | false;
  seed: number;
  filter?: string[];
  include?: string[];
  json?: boolean;
}): Promise<void> {
  const others = (flags.include ?? []).flatMap(included);
  const rows: Row[] = [];
  for (const name of flags.filter ?? defaultFilters) rows.push(await designOne(name, flags.time, flags.seed));
  const card = flags.tomography === false ? undefined : await tomographyCard(flags.tomography, flags.seed);
  const { version, isa, threads } = native.buildInfo();
  const file = path.join(flags.output, 'index.html');
  writeWhole(
    file,
    htmlPage({
      title: 'discrete-descent: what it did just now',
      lead: 'Losses made small on this machine: of numbers that may only take few values, and of equations on grids.',
      sections: [...others, ...sections(rows), ...(card === undefined ? [] : [card.section])],
      footer: `discrete-descent ${version}, ${process.platform}-${process.arch}, kernels at level ${isa}, up to ${threads} threads, seed ${flags.seed}.`,
    }),
  );
  if (flags.json === true) {
    console.log(
      JSON.stringify({
        file,
        rows: rows.map(({ instance, design, seconds }) => ({
          name: instance.name,
          ripple: design.ripple,
          roundedRipple: design.roundedRipple,
          lowerBound: design.lowerBound,
          provenOptimum: instance.provenOptimum ?? null,
          status: design.status,
          seconds,
        })),
        ...(card !== undefined && { tomography: card.record }),
      }),
    );
    return;
  }
  console.log(`${textTable(tableHead, rows.map(cells))}\n\nwrote ${file}`);
}

/** Adds the command. */
export function addReport(program: Command): void {
  program
    .command('report')
    .description('design filters of a benchmark family, reconstruct an image and write an HTML report with pictures')
    .option('-o, --output <folder>', 'where index.html goes', path.join('out', 'report'))
    .option('--filter <name...>', `members of the family (default: ${defaultFilters.join(' ')})`)
    .option('--include <file...>', 'JSON files of cards [{ heading, html }] to show above the filters')
    .option('--time <seconds>', 'time limit for each filter', positiveNumber, 5)
    .option('--tomography <seconds>', 'time limit of the tomography card', positiveNumber, 5)
    .option('--no-tomography', 'leave that card out')
    .option('--seed <n>', 'seed of the search', wholeNumber, 0)
    .option('--json', 'print one JSON object and nothing else on stdout')
    .action(report);
}
