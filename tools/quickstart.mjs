// `npm run quickstart`: from a bare checkout to a report with pictures. No dependency, because it runs before any is
// installed.
import path from 'node:path';
import prepare from './prepare.cjs';

const output = path.join('out', 'report');
const cards = path.join(output, 'recogniser.json');
const node = (...args) => prepare.run(process.execPath, args);

function quantiseRecogniser() {
  prepare.ensureDependencies('ocr');
  console.log('\nquantising a text recogniser to 2 bits per weight and reading 32 lines with each result\n');
  node(path.join('ocr', 'compare.cjs'), '--bits', '2', '--lines', '32', '--samples', '4', '--cards', cards);
}

try {
  prepare.ensureDependencies();
  prepare.ensureNative();
  prepare.ensureDist();
  const report = [path.join('dist', 'cli', 'main.js'), 'report', '--output', output];
  try {
    quantiseRecogniser();
    report.push('--include', cards);
  } catch (error) {
    console.error(`\nquickstart: ${error.message}`);
    console.error('The text recogniser is left out (its packages come from the npm registry); the filters follow.');
    process.exitCode = 1;
  }
  console.log('\ndesigning three filters\n');
  node(...report);
} catch (error) {
  console.error(`quickstart: ${error.message}`);
  console.error('It needs Node 20 or newer, npm, CMake 3.18 or newer and a C++20 compiler.');
  process.exitCode = 1;
}
