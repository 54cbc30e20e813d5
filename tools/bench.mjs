// `npm run bench`: builds the benchmarks and their native peers, then runs bench/main.ts (its head says the options).
import path from 'node:path';
import native from './build-native.cjs';
import prepare from './prepare.cjs';

prepare.ensureDependencies();
prepare.ensureNative();
native.buildWithCMake({
  buildFolder: `build-cmake/bench-${process.platform}-${process.arch}`,
  definitions: ['-DDD_ADDON=OFF', '-DDD_CUDA=OFF', '-DDD_BENCH=ON'],
});
prepare.run(process.execPath, [path.join('node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.bench.json']);
prepare.run(process.execPath, [path.join('build-bench', 'bench', 'main.js'), ...process.argv.slice(2)]);
