// `npm run quickstart`: from a bare checkout to a report with pictures. No dependency, because it runs before any is
// installed.
import path from 'node:path';
import prepare from './prepare.cjs';

const output = path.join('out', 'report');
const cards = [];
const node = (...args) => prepare.run(process.execPath, args);

function quantiseRecogniser() {
  prepare.ensureDependencies('ocr');
  console.log('\nquantising a text recogniser to 2 bits per weight and reading 32 lines with each result\n');
  const file = path.join(output, 'recogniser.json');
  node(path.join('ocr', 'compare.cjs'), '--bits', '2', '--lines', '32', '--samples', '4', '--cards', file);
  cards.push(file);
}

/** Equations: what is unknown in them is found together with their solution. */
function solveEquations() {
  const results = (name) => path.join('out', 'solve', name);
  const solve = (name, ...flags) => {
    const file = path.join(output, `${name}.json`);
    node(path.join('dist', 'cli', 'main.js'), 'solve', ...flags, '-o', results(name), '--cards', file);
    cards.push(file);
  };
  console.log('\nheat: its conductivity as a network of the temperature, from 200 temperatures\n');
  solve('heat', 'heat', '--cells', '64', '--time-cells', '64', '--infer-conductivity');
  console.log('\nglioma: where a tumour began and where its cells are, from the labels of one day\n');
  solve('glioma', 'glioma', '--synthetic', '64', '--cells', '16', '--time-cells', '32');
}

/** Steps without a gradient: clauses to satisfy, neurons that fire or do not. */
function descendWithoutGradients() {
  const run = (name, ...flags) => {
    const file = path.join(output, `${name}.json`);
    node(path.join('dist', 'cli', 'main.js'), name, ...flags, '--cards', file);
    cards.push(file);
  };
  console.log('\nMAX-SAT: 42700 random clauses over 10000 variables\n');
  run('maxsat', '--random', '10000', '--polish', '3');
  console.log('\ntraining a network of spiking neurons to read digits\n');
  run('train', 'lif', '--seed', '1', '-o', path.join('out', 'train'));
}

try {
  prepare.ensureDependencies();
  prepare.ensureNative();
  prepare.ensureDist();
  const report = [path.join('dist', 'cli', 'main.js'), 'report', '--output', output];
  try {
    quantiseRecogniser();
  } catch (error) {
    console.error(`\nquickstart: ${error.message}`);
    console.error('The text recogniser is left out (its packages come from the npm registry); the others follow.');
    process.exitCode = 1;
  }
  solveEquations();
  descendWithoutGradients();
  report.push('--include', ...cards);
  console.log('\ndesigning three filters\n');
  node(...report);
} catch (error) {
  console.error(`quickstart: ${error.message}`);
  console.error('It needs Node 20 or newer, npm, CMake 3.18 or newer and a C++20 compiler.');
  process.exitCode = 1;
}
