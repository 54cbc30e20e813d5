// `npm run quickstart`: from a bare checkout to a report with pictures. No dependency, because it runs before any is
// installed.
import path from 'node:path';
import prepare from './prepare.cjs';

try {
  prepare.ensureDependencies();
  prepare.ensureNative();
  prepare.ensureDist();
  console.log('designing three filters\n');
  prepare.run(process.execPath, [
    path.join('dist', 'cli', 'main.js'),
    'report',
    '--output',
    path.join('out', 'report'),
  ]);
} catch (error) {
  console.error(`quickstart: ${error.message}`);
  console.error('It needs Node 20 or newer, npm, CMake 3.18 or newer and a C++20 compiler.');
  process.exitCode = 1;
}
