// `discrete-descent train`: a network that has no gradient, data in, accuracy, parameters and pictures out.
import path from 'node:path';
import { Argument, type Command, Option } from 'commander';
import { formats, polystep } from '..';
import { heatMap } from '../report/heat-map';
import { linePlot } from '../report/plot';
import { type PictureFile, pictureHtml } from '../report/solution';
import { escapeHtml } from '../report/html';
import { writeWhole } from '../runtime/files';
import { writeHistory } from './history-lines';
import { progressBar } from './progress-bar';
import { type Task, type TaskFlags, taskOf, tasks } from './train-task';
import { treePicture } from './tree-picture';
import { positiveInteger, positiveNumber, wholeNumber } from './usage';

interface TrainFlags extends TaskFlags {
  output?: string;
  time?: number;
  threads?: number;
  cards?: string;
  json?: boolean;
}

/** Accuracies on the way. */
interface Judged {
  step: number;
  train: number;
  test: number;
}

function curves({ name }: Task, history: polystep.History, judged: readonly Judged[]): string {
  const at = Array.from(history.step, (step) => step + 1);
  const xRange: [number, number] = [0, Math.max(1, at.length)];
  const losses = history.meanCost.filter((loss) => Number.isFinite(loss));
  const top = losses.reduce((most, loss) => Math.max(most, loss), 0);
  const accuracy = (of: 'train' | 'test'): { x: number[]; y: number[] } => ({
    x: judged.map(({ step }) => step),
    y: judged.map((one) => 100 * one[of]),
  });
  return linePlot({
    description: `${name}: loss and accuracy over the steps`,
    panelHeight: 200,
    panels: [
      {
        title: 'Mean loss of all candidates of a step',
        xLabel: 'step',
        yLabel: 'loss',
        xRange,
        yRange: [0, top > 0 ? 1.05 * top : 1],
        series: [{ label: 'loss', x: at, y: history.meanCost, color: '#1d4ed8' }],
      },
      {
        title: 'Accuracy',
        xLabel: 'step',
        yLabel: '% right',
        xRange,
        yRange: [0, 100],
        series: [
          { label: 'training', ...accuracy('train'), color: '#1d4ed8', dashes: '4 3' },
          { label: 'test', ...accuracy('test'), color: '#ea580c' },
        ],
      },
    ],
  });
}

/** Shares of each label's samples; the colours end at 10 %, so that single mistakes are seen. */
function confusionPicture({ network, test, classes }: Task, point: Float32Array | Float64Array): string {
  const counts = network.confusion(point, test);
  const shares = Float64Array.from(counts, (count, i) => {
    const row = Math.floor(i / classes) * classes;
    const all = counts.subarray(row, row + classes).reduce((sum, one) => sum + one, 0);
    return all === 0 ? 0 : (100 * count) / all;
  });
  const range: [number, number] = [-0.5, classes - 0.5];
  return heatMap({
    title: 'What test samples are taken for, 10 % and more in yellow',
    values: shares,
    rows: classes,
    columns: classes,
    range: [0, 10],
    xRange: range,
    yRange: range,
    xLabel: 'predicted',
    yLabel: 'label',
    valueLabel: '%',
  });
}

/** Spikes of the hidden layer: the first test sample of each class, side by side. */
function spikeRaster(
  network: polystep.models.LifNetwork,
  { test, classes }: Task,
  point: Float32Array | Float64Array,
): string {
  const firsts = Array.from({ length: Math.min(classes, 10) }, (_, label) => test.labels.indexOf(label)).filter(
    (at) => at >= 0,
  );
  const { inputs, ticks } = network;
  const rows = new Float32Array(firsts.length * inputs);
  firsts.forEach((at, k) => rows.set(test.inputs.subarray(at * inputs, (at + 1) * inputs), k * inputs));
  const spikes = network.spikes(point, rows);
  const units = spikes.length / (firsts.length * ticks);
  const columns = firsts.length * (ticks + 1);
  // A column of 0.5 between samples.
  const values = new Float64Array(units * columns).fill(0.5);
  for (let sample = 0; sample < firsts.length; sample += 1) {
    for (let unit = 0; unit < units; unit += 1) {
      const from = (sample * units + unit) * ticks;
      values.set(spikes.subarray(from, from + ticks), unit * columns + sample * (ticks + 1));
    }
  }
  return heatMap({
    title: 'Spikes of the hidden neurons',
    values,
    rows: units,
    columns,
    range: [0, 1],
    colors: 'grey',
    xRange: [0, firsts.length],
    xLabel: `one test sample of each class, ${ticks} ticks each`,
    yLabel: 'neuron',
    width: 640,
    height: 320,
  });
}

function picturesOf(task: Task, found: polystep.Minimum, judged: readonly Judged[]): PictureFile[] {
  const { network } = task;
  const { nodes } = task;
  const tree = nodes === undefined ? undefined : treePicture(found.x, { nodes, features: network.inputs }, task.train);
  return [
    { name: 'curve.svg', contents: curves(task, found.history, judged) },
    { name: 'confusion.svg', contents: confusionPicture(task, found.x) },
    ...(network instanceof polystep.models.LifNetwork
      ? [{ name: 'spikes.svg', contents: spikeRaster(network, task, found.x) }]
      : []),
    ...(tree === undefined ? [] : [{ name: 'tree.svg', contents: tree }]),
  ];
}

async function train(name: (typeof tasks)[number], flags: TrainFlags): Promise<void> {
  const task = taskOf(name, flags);
  using network = task.network;
  const { steps } = task;
  const { threads, time, seed } = flags;
  const every = Math.max(1, Math.round(steps / 30));
  const judge = (step: number, point: polystep.Reals): Judged => ({
    step,
    train: network.accuracy(point),
    test: network.accuracy(point, task.test),
  });
  const judged: Judged[] = [];
  const bar = progressBar(name);
  const begun = performance.now();
  const found = await polystep
    .minimize(network, {
      ...task.options,
      maxSteps: steps,
      seed,
      // Losses of different batches do not compare: the last iterate is the result.
      restoreBest: false,
      ...(threads !== undefined && { threads }),
      ...(time !== undefined && { timeLimitMs: time * 1000 }),
      onStep: ({ step, meanCost }, optimizer) => {
        if ((step + 1) % every === 0) judged.push(judge(step + 1, optimizer.iterate));
        bar.update({
          phase: 'steps',
          fraction: (step + 1) / steps,
          iterations: step + 1,
          objective: meanCost,
          lowerBound: -Infinity,
          seconds: (performance.now() - begun) / 1000,
        });
      },
    })
    .finally(() => bar.end());
  const final = judge(found.steps, found.x);
  if (judged.at(-1)?.step !== found.steps) judged.push(final);
  const folder = flags.output ?? path.join('out', `train-${name}`);
  const pictures = picturesOf(task, found, judged);
  const files = [...pictures.map((picture) => picture.name), 'history.jsonl', 'parameters.npy', 'result.json'].map(
    (file) => path.join(folder, file),
  );
  for (const picture of pictures) writeWhole(path.join(folder, picture.name), picture.contents);
  const on = new Map(judged.map((one) => [one.step, { trainAccuracy: one.train, testAccuracy: one.test }]));
  writeHistory(path.join(folder, 'history.jsonl'), found.history, (k) => on.get(k + 1) ?? {});
  formats.writeNpy(path.join(folder, 'parameters.npy'), { shape: [found.x.length], data: found.x });
  const record = {
    task: name,
    network: task.name,
    parameters: network.dimension,
    trainAccuracy: final.train,
    testAccuracy: final.test,
    steps: found.steps,
    evaluations: found.evaluations,
    seconds: found.seconds,
    status: found.status,
    warnings: found.warnings,
    tensors: network.tensors,
  };
  writeWhole(path.join(folder, 'result.json'), `${JSON.stringify(record, null, 2)}\n`);
  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
  const sentence = `${percent(final.test)} of the test samples right, ${percent(final.train)} of the training samples; ${found.evaluations} evaluations in ${found.seconds.toFixed(1)} s`;
  if (flags.cards !== undefined) {
    const html = `<p>Trained by probing alone, without a gradient. ${escapeHtml(sentence)}.</p>${pictureHtml(pictures)}`;
    writeWhole(flags.cards, JSON.stringify([{ heading: task.name, html }]));
  }
  if (flags.json === true) {
    console.log(JSON.stringify({ ...record, files }));
    return;
  }
  console.log(`${task.name}: ${sentence}`);
  for (const warning of found.warnings) console.log(`note: ${warning}`);
  console.log(`wrote ${files.join(', ')}`);
}

/** Adds the command. */
export function addTrain(program: Command): void {
  program
    .command('train')
    .description('train a network that has no gradient; write accuracy, parameters and pictures')
    .addArgument(
      new Argument(
        '<task>',
        'lif: spiking neurons; mlp: hard activations and weights; tree: odd or even label',
      ).choices(tasks),
    )
    .option('--data <file.npy>', 'rows of numbers with a label at the end (default: 8 x 8 digits, shipped)')
    .option('--hidden <n>', 'lif, mlp: hidden units (default: 32)', positiveInteger)
    .addOption(
      new Option('--activation <name>', 'mlp: of the hidden layer')
        .choices(['relu', 'sign', 'staircase', 'tanh', 'step', 'identity'])
        .default('relu'),
    )
    .addOption(
      new Option('--weights <kind>', 'mlp: what weights are rounded to')
        .choices(['real', 'int8', 'ternary', 'binary'])
        .default('real'),
    )
    .option('--depth <n>', 'tree: questions from the root to a leaf', positiveInteger, 4)
    .option('--batch <n>', 'samples that a step looks at (default: 128; tree: all)', positiveInteger)
    .option('--steps <n>', 'steps (default: 150; lif: 400)', positiveInteger)
    .option('--time <seconds>', 'time limit', positiveNumber)
    .option('--seed <n>', 'seed of all random numbers', wholeNumber, 0)
    .option('--threads <n>', 'threads (default: all processors)', positiveInteger)
    .option('-o, --output <folder>', 'where results go (default: out/train-<task>)')
    .option('--cards <file>', 'writes the pictures as JSON, for `report --include`')
    .option('--json', 'print one JSON object and nothing else on stdout')
    .addHelpText('after', '\nExample:\n  discrete-descent train mlp --activation sign --weights int8 --hidden 64')
    .action(train);
}
