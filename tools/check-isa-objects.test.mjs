// Objects with one planted mistake each: the check must name them, and nothing else.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { countInstructions, findProblems, parseDisassembly, spillingLoops, weakSymbols } from './check-isa-objects.mjs';

const tile = (extra = '') =>
  parseDisassembly(`
0000000000000000 <good_or_bad>:
   0:\tvmovupd zmm0,ZMMWORD PTR [rax]
${Array.from({ length: 8 }, (_, i) => `  ${(16 + i).toString(16)}:\tvfmadd231pd zmm${i + 1},zmm0,zmm9`).join('\n')}
${extra}
  40:\tsub    r8,0x1
  44:\tjne    10 <good_or_bad+0x10>
  50:\tvmovapd ZMMWORD PTR [rsp+0x40],zmm1
  60:\tret
`);

const object = (changes) => ({
  path: 'dd_isa_avx512.dir/native/linalg/gemm.isa.cpp.o',
  level: 'avx512',
  linalg: true,
  compiler: 'gcc',
  weak: [],
  functions: tile(),
  packed: 800,
  scalar: 10,
  vex: 800,
  ...changes,
});

test('an object in order has no problem', () => {
  assert.deepEqual(findProblems([object()]), []);
});

test('weak symbols are seen, undefined and local ones are not', () => {
  const text =
    '0000000000000000 W std::vector<double>::push_back(double const&)\n                 U memcpy\n0000 t own\n';
  assert.deepEqual(weakSymbols(text), ['std::vector<double>::push_back(double const&)']);
  assert.match(findProblems([object({ weak: ['x'] })]).join(), /gemm\.isa\.cpp\.o: 1 weak symbols/);
});

test('multiply-adds that became scalar are seen, in one object and over a level', () => {
  assert.match(findProblems([object({ packed: 2743, scalar: 2818 })])[0], /2743 packed and 2818 scalar/);
  const many = [object(), object({ packed: 100, scalar: 20 }), object({ packed: 0, scalar: 100 })];
  assert.equal(findProblems(many).length, 2);
});

test('VEX instructions in a baseline object are seen', () => {
  const functions = parseDisassembly(
    '0000000000000000 <f>:\n   0:\tmulpd  xmm0,xmm1\n   4:\tvaddpd xmm0,xmm1,xmm2\n   8:\tverr ax\n',
  );
  assert.deepEqual(countInstructions(functions), { packed: 0, scalar: 0, vex: 1 });
  assert.equal(findProblems([object({ level: 'baseline', packed: 0, scalar: 0, vex: 1 })]).length, 1);
});

test('a store to the stack inside the loop of a tile is seen, one behind it is not', () => {
  assert.deepEqual(spillingLoops(tile()), []);
  assert.deepEqual(spillingLoops(tile('  30:\tvmovapd ZMMWORD PTR [rsp+0x80],zmm2')), ['good_or_bad']);
  assert.deepEqual(spillingLoops(tile('  30:\tvmovapd ZMMWORD PTR [rdi+0x80],zmm2')), []);
});
