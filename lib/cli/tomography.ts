// `discrete-descent tomography`: a sinogram in, an image of few grey levels out, beside the image of SIRT.
import { type Command, InvalidArgumentError } from 'commander';
import { dmmv, formats } from '..';
import { imagePng, levelRange } from '../report/tomography';
import { writeWhole } from '../runtime/files';
import { progressBar } from './progress-bar';
import { positiveInteger, positiveNumber, UsageError, wholeNumber } from './usage';

interface TomographyFlags {
  levels: number[];
  noise: number;
  size?: number;
  smoothness: number;
  dart?: number;
  output: string;
  time: number;
  seed: number;
  threads?: number;
  json?: boolean;
}

function levelsFlag(text: string): number[] {
  const levels = text.split(',').map((part) => (part.trim() === '' ? NaN : Number(part)));
  if (levels.some((level) => !Number.isFinite(level))) {
    throw new InvalidArgumentError('it must be numbers with commas between them, for example 0,1.');
  }
  return levels;
}

const nonNegative = (text: string): number => {
  const value = text.trim() === '' ? NaN : Number(text);
  if (!(value >= 0) || !Number.isFinite(value)) throw new InvalidArgumentError('it must be a number of at least 0.');
  return value;
};

/** Angles x detectors numbers of an NPY file. */
function readSinogram(file: string): { angles: number; detectors: number; data: Float64Array } {
  let array: ReturnType<typeof formats.readNpy>;
  try {
    array = formats.readNpy(file);
  } catch (cause) {
    throw new UsageError(`cannot read ${file}: ${(cause as Error).message}`);
  }
  const { shape, data } = array;
  const [angles = 0, detectors = 0] = shape;
  if (shape.length !== 2 || angles === 0 || detectors === 0) {
    throw new UsageError(`${file} must hold an array of angles x detectors, got the shape [${shape.join(', ')}]`);
  }
  return { angles, detectors, data: Float64Array.from(data as ArrayLike<number | bigint>, Number) };
}

async function tomography(file: string, flags: TomographyFlags): Promise<void> {
  const { angles, detectors, data } = readSinogram(file);
  const size = flags.size ?? detectors;
  const bar = progressBar(`tomography ${size} x ${size}`);
  const found = await dmmv
    .reconstructTomography(
      {
        sinogram: data,
        angles,
        detectors,
        size,
        levels: flags.levels,
        noise: flags.noise,
        smoothness: flags.smoothness,
      },
      {
        seed: flags.seed,
        timeLimitMs: flags.time * 1000,
        ...(flags.threads !== undefined && { threads: flags.threads }),
        ...(flags.dart !== undefined && { dartIterations: flags.dart }),
        onProgress: (progress) => bar.update(progress),
      },
    )
    .finally(() => bar.end());
  const range = levelRange(flags.levels);
  const files = { image: `${flags.output}.png`, sirt: `${flags.output}-sirt.png`, array: `${flags.output}.npy` };
  writeWhole(files.image, imagePng(found.image, size, size, range));
  writeWhole(files.sirt, imagePng(found.sirt, size, size, range));
  formats.writeNpy(files.array, { shape: [size, size], data: found.image });
  const { objective, feasible, softPenalty } = found;
  const { status, iterations } = found.search;
  if (flags.json === true) {
    console.log(
      JSON.stringify({ size, angles, detectors, objective, feasible, softPenalty, status, iterations, files }),
    );
    return;
  }
  console.log(
    `largest deviation ${objective.toPrecision(6)} (${feasible ? 'within' : 'above'} the noise of ${flags.noise}), smoothness penalty ${softPenalty.toPrecision(6)}; ${status}`,
  );
  console.log(`wrote ${Object.values(files).join(', ')}`);
}

/** Adds the command. */
export function addTomography(program: Command): void {
  program
    .command('tomography')
    .description('reconstruct an image of few grey levels from parallel projections')
    .argument('<sinogram>', 'NPY file of angles x detectors line integrals; angle a is a pi / angles')
    .requiredOption('--levels <a,b,...>', 'grey levels, ascending', levelsFlag)
    .requiredOption('--noise <h>', 'half width of the noise of a measurement', nonNegative)
    .option('--size <n>', 'side of the image (default: the number of detectors)', positiveInteger)
    .option('--smoothness <s>', 'weight of differences of neighbours', nonNegative, 0.1)
    .option('--dart <iterations>', 'start from DART with so many iterations', positiveInteger)
    .option('-o, --output <prefix>', 'writes <prefix>.png, <prefix>-sirt.png and <prefix>.npy', 'tomography')
    .option('--time <seconds>', 'time limit of the search', positiveNumber, 10)
    .option('--seed <n>', 'seed of the search', wholeNumber, 0)
    .option('--threads <n>', 'threads (default: all processors)', positiveInteger)
    .option('--json', 'print one JSON object and nothing else on stdout')
    .addHelpText('after', '\nExample:\n  discrete-descent tomography sinogram.npy --levels 0,1 --noise 1 --size 128')
    .action(tomography);
}
