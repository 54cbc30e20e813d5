// `discrete-descent quantize`: a model file in, a quantised one out, with a report; resumes, shards, merges.
import path from 'node:path';
import { Argument, type Command, InvalidArgumentError, Option } from 'commander';
import { formats, quantize } from '..';
import { htmlPage } from '../report/html';
import { quantizeSections } from '../report/quantize-report';
import { writeWhole } from '../runtime/files';
import { native } from '../runtime/native';
import { progressBar } from './progress-bar';
import { textTable } from './table';
import { positiveInteger, positiveNumber, UsageError } from './usage';

interface QuantizeFlags {
  output: string;
  bits: number;
  method: 'rtn' | 'gptq' | 'baq';
  mode?: 'official' | 'int' | 'table' | 'levels';
  budget?: 'codes' | 'stored';
  groupSize?: number;
  actOrder?: boolean;
  calibration?: string;
  activations?: string;
  sequential?: boolean;
  acrossLayers?: 'auto' | quantize.LayerImportance;
  rates?: number[];
  packed?: boolean;
  convolutions: 'none' | 'pointwise' | 'all';
  minimumWeights: number;
  shard?: { index: number; count: number };
  work?: string;
  merge?: boolean;
  report?: string;
  threads?: number;
  json?: boolean;
}

function shardFlag(text: string): { index: number; count: number } {
  const match = /^(\d+)\/(\d+)$/.exec(text);
  const index = Number(match?.[1]);
  const count = Number(match?.[2]);
  if (match === null || count < 1 || index >= count) {
    throw new InvalidArgumentError('it must have the form i/n with 0 <= i < n, for example 0/4.');
  }
  return { index, count };
}

function ratesFlag(text: string): number[] {
  return text.split(',').map(positiveNumber);
}

/**
 * Inputs of the model from a safetensors file: tensors called `NAME` or `NAME.RUN`, one set for each RUN. Element types
 * as the model wants them.
 */
function modelInputs(file: string): quantize.OnnxValues[] {
  const opened = formats.openSafetensors(file);
  try {
    const runs = new Map<string, Record<string, quantize.OnnxValue>>();
    for (const name of opened.names) {
      const dot = name.lastIndexOf('.');
      const numbered = dot > 0 && /^\d+$/.test(name.slice(dot + 1));
      const run = numbered ? name.slice(dot + 1) : '';
      const { dtype, shape } = opened.info(name);
      const bytes = opened.bytes(name);
      const data =
        dtype === 'I64'
          ? new BigInt64Array(bytes.buffer)
          : dtype === 'I32'
            ? new Int32Array(bytes.buffer)
            : opened.float32(name);
      const set = runs.get(run) ?? {};
      set[numbered ? name.slice(0, dot) : name] = { data, shape };
      runs.set(run, set);
    }
    return [...runs].sort(([a], [b]) => Number(a) - Number(b)).map(([, values]) => values);
  } finally {
    opened.close();
  }
}

function calibrationOf({ calibration, activations }: QuantizeFlags): quantize.Calibration | undefined {
  if (calibration !== undefined && activations !== undefined) {
    throw new UsageError('give either --calibration (inputs of the model) or --activations (inputs of its layers)');
  }
  if (calibration !== undefined) return { inputs: modelInputs(calibration) };
  return activations === undefined ? undefined : { activations };
}

function requestOf(input: string, flags: QuantizeFlags): quantize.ModelRequest {
  const calibration = calibrationOf(flags);
  const { acrossLayers, rates } = flags;
  if (rates !== undefined && acrossLayers === undefined) throw new UsageError('--rates belongs to --across-layers');
  return {
    input,
    output: flags.output,
    method: flags.method,
    averageBits: flags.bits,
    convolutions: flags.convolutions,
    minimumWeights: flags.minimumWeights,
    sequential: flags.sequential === true,
    ...(acrossLayers !== undefined && {
      acrossLayers: {
        ...(acrossLayers !== 'auto' && { importance: acrossLayers }),
        ...(rates !== undefined && { rates }),
      },
    }),
    format: flags.packed === true ? 'packed' : 'values',
    ...(calibration !== undefined && { calibration }),
    ...(flags.mode !== undefined && { mode: flags.mode }),
    ...(flags.budget !== undefined && { budget: flags.budget }),
    ...(flags.groupSize !== undefined && { groupSize: flags.groupSize, allowTail: true }),
    ...(flags.actOrder === true && { actOrder: true }),
    ...(flags.work !== undefined && { workFolder: flags.work }),
    ...(flags.shard !== undefined && { shard: flags.shard }),
  };
}

const tableHead = ['layer', 'outputs x inputs', 'rate', 'bits', 'bits per weight', 'relative error', 'seconds'];

/** What the choice between rates gained, in words. */
function acrossText({ importance, value, gap, uniform }: quantize.AcrossLayersReport): string {
  const proven = gap === 0 ? 'no choice is better' : `at most ${gap.toPrecision(3)} from the best choice`;
  const beside =
    uniform === null ? 'no single rate fits' : `${uniform.value.toPrecision(4)} at ${uniform.rate} bits everywhere`;
  return `across layers, ${importance}: ${value.toPrecision(4)} in all (${proven}); ${beside}`;
}

function print(report: quantize.ModelReport, page: string | undefined): void {
  const rows = report.layers.map((layer) => [
    layer.name,
    `${layer.rows} x ${layer.columns}`,
    String(layer.rate),
    layer.averageBits.toFixed(2),
    layer.bitsPerWeight.toFixed(2),
    layer.relativeError.toExponential(1),
    layer.resumed ? 'resumed' : layer.seconds.toFixed(2),
  ]);
  if (rows.length > 0) console.log(textTable(tableHead, rows));
  if (report.acrossLayers !== null) console.log(`\n${acrossText(report.acrossLayers)}`);
  console.log(
    `\n${report.method}: ${report.weights} weights at ${report.averageBits.toFixed(3)} bits, ${report.bitsPerWeight.toFixed(3)} with side information, ${report.seconds.toFixed(1)} s`,
  );
  console.log(
    report.status === 'complete'
      ? `wrote ${[report.output, ...(page === undefined ? [] : [page])].join(', ')}`
      : 'some layers belong to other shards; run with --merge when all are done',
  );
}

async function run(input: string, flags: QuantizeFlags): Promise<void> {
  const request = requestOf(input, flags);
  const bar = progressBar(path.basename(input));
  const report = await (
    flags.merge === true
      ? quantize.mergeModel(request)
      : quantize.quantizeModel(request, {
          ...(flags.threads !== undefined && { threads: flags.threads }),
          onProgress: (progress) => bar.update(progress),
        })
  ).finally(() => bar.end());
  if (flags.report !== undefined) {
    const { version, isa, threads } = native.buildInfo();
    writeWhole(
      flags.report,
      htmlPage({
        title: `${path.basename(input)} at ${report.averageBits.toFixed(2)} bits`,
        lead: `${report.weights} weights in ${report.layers.length} layers, method ${report.method}: ${report.bitsPerWeight.toFixed(3)} bits per weight with everything counted.`,
        sections: quantizeSections(report),
        footer: `discrete-descent ${version}, ${process.platform}-${process.arch}, kernels at level ${isa}, up to ${threads} threads.`,
      }),
    );
  }
  if (flags.json === true) console.log(JSON.stringify(report));
  else print(report, flags.report);
}

/** Adds the command. */
export function addQuantize(program: Command): void {
  program
    .command('quantize')
    .description('quantise the weights of a model: .onnx or .safetensors in, the same format (or packed codes) out')
    .addArgument(new Argument('<model>', 'the model'))
    .requiredOption('-o, --output <file>', 'the model to write')
    .option('--bits <number>', 'average bits per weight (with --across-layers: everything counted)', positiveNumber, 4)
    .addOption(new Option('--method <name>', 'how').choices(['rtn', 'gptq', 'baq']).default('baq'))
    .addOption(new Option('--mode <name>', 'how baq allocates').choices(['official', 'int', 'table', 'levels']))
    .addOption(
      new Option('--budget <what>', 'what --bits counts in baq: codes alone, or all that is stored of a layer').choices(
        ['codes', 'stored'],
      ),
    )
    .option('--group-size <columns>', 'columns that share a grid', positiveInteger)
    .option('--act-order', 'columns by falling curvature')
    .option('--calibration <file>', 'safetensors file of model inputs, tensors NAME or NAME.RUN (.onnx models)')
    .option('--activations <file>', 'safetensors file of layer inputs, tokens x columns, by the name of the layer')
    .option('--sequential', 'layers see inputs from the layers before them as quantised')
    .addOption(
      new Option(
        '--across-layers [importance]',
        'move bits between layers, by what the outputs of the model lose where it can be run',
      )
        .choices(['auto', 'relative', 'loss', 'sensitivity'])
        .preset('auto'),
    )
    .option('--rates <list>', 'bits at which layers are tried for --across-layers, for example 1.5,2,3', ratesFlag)
    .option('--packed', 'write codes in a safetensors file instead of values in the model')
    .addOption(
      new Option('--convolutions <which>', 'convolutions to quantise')
        .choices(['none', 'pointwise', 'all'])
        .default('pointwise'),
    )
    .option('--minimum-weights <n>', 'leave smaller layers as they are', positiveInteger, 5000)
    .option('--shard <i/n>', 'only every n-th layer, from layer i on', shardFlag)
    .option('--work <folder>', 'where finished layers are kept (default: the output with .layers behind it)')
    .option('--merge', 'write the model from the layers that shards have left in the folder')
    .option('--report <file>', 'write an HTML report')
    .option('--threads <n>', 'threads to use', positiveInteger)
    .option('--json', 'print one JSON object and nothing else on stdout')
    .action(run);
}
