// The whole add-on under AddressSanitizer and UndefinedBehaviorSanitizer inside Node, edge and worker threads included.
//   node test/package/sanitized-addon.mjs <CMake build folder with the sanitized add-on>
import fs from 'node:fs';
import path from 'node:path';
import { check, finish, root, run, smoke, work } from './support.mjs';

// A copy of the package whose only binary is the sanitized one.
const copy = path.join(work, 'sanitized');
fs.mkdirSync(copy);
for (const name of ['package.json', 'node_modules']) fs.symlinkSync(path.join(root, name), path.join(copy, name));
fs.cpSync(path.join(root, 'dist'), path.join(copy, 'dist'), { recursive: true });
fs.cpSync(path.join(root, process.argv[2], 'lib'), path.join(copy, 'build', 'Release'), { recursive: true });

const runtime = run('g++', ['-print-file-name=libasan.so']).stdout.trim();
const env = {
  LD_PRELOAD: runtime,
  // V8's heap is not ours to check for leaks.
  ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=0:exitcode=99',
  UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
  NODE_PRESERVE_SYMLINKS: '1',
};

await check('the smoke test is clean under AddressSanitizer', () => {
  run(process.execPath, [smoke, copy], { env });
});
await check('worker threads that end while jobs run are clean', () => {
  const script = path.join(copy, 'workers.cjs');
  fs.writeFileSync(
    script,
    `
    const { Worker, isMainThread } = require('node:worker_threads');
    const { native } = require(${JSON.stringify(path.join(copy, 'dist', 'runtime', 'native.js'))});
    if (isMainThread) {
      const workers = Array.from({ length: 4 }, () => new Worker(__filename));
      setTimeout(() => Promise.all(workers.map((worker) => worker.terminate())), 1500);
    } else {
      for (let k = 0; k < 3; k += 1) native.spin({ seconds: 60 }, { async: true, threads: 1, timeLimitSeconds: Infinity, onProgress: () => {} });
      setInterval(() => native.spin({ seconds: 0.001 }, { async: true, threads: 1, timeLimitSeconds: Infinity }), 5);
    }`,
  );
  run(process.execPath, [script], { env, timeout: 120_000 });
});

finish('sanitized add-on');
