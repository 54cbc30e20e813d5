// Reads the machine code of the objects compiled once per ISA level and fails when one of them is not what its level
// promises: symbols that other levels could pick up, fused multiply-adds that became scalar, registers kept in memory
// inside a kernel's loop, or instructions that the baseline CPU does not have. Speed shows none of this reliably.
//   node tools/check-isa-objects.mjs build-cmake/tests
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { basename, join, sep } from 'node:path';
import { pathToFileURL } from 'node:url';

const FUSED_PACKED = /^vfn?m(add|sub|addsub|subadd)\d+p[sd]$/;
const FUSED_SCALAR = /^vfn?m(add|sub)\d+s[sd]$/;
/** Mnemonics that begin with v and are older than VEX. */
const NOT_VEX = new Set(['verr', 'verw', 'vmcall', 'vmmcall', 'vmrun', 'vmload', 'vmsave']);
/** A loop with this many packed multiplications or multiply-adds is taken for a register tile. */
const TILE_OPERATIONS = 8;
/**
 * Packed multiply-adds per scalar one that dense linear algebra must have, in one object and in all of a level. An idiom
 * that fails gives one to one. clang unrolls the scalar rests.
 */
const PACKED_PER_SCALAR = { gcc: { object: 4, level: 10 }, clang: { object: 1, level: 2 } };

const run = (command, args) => execFileSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28 });

/** Objects of a build folder: [{ path, level }]. */
export function findIsaObjects(folder) {
  const found = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) found.push(...findIsaObjects(path));
    const level = /dd_isa_(\w+)\.dir/.exec(path)?.[1];
    if (entry.isFile() && level && /\.(o|obj)$/.test(entry.name)) found.push({ path, level });
  }
  return found;
}

/** Weak or unique symbols of `nm` output: a linker may keep this object's copy for the whole program. */
export function weakSymbols(nmText) {
  return [...nmText.matchAll(/^[0-9a-f ]*\s[WVu]\s(.*)$/gm)].map((match) => match[1]);
}

/** Functions of `objdump -d --no-show-raw-insn -M intel` output: [{ name, code: [{ address, mnemonic, operands }] }]. */
export function parseDisassembly(text) {
  const functions = [];
  for (const line of text.split('\n')) {
    const head = /^[0-9a-f]+ <(.+)>:$/.exec(line);
    if (head) {
      functions.push({ name: head[1], code: [] });
      continue;
    }
    const instruction = /^\s+([0-9a-f]+):\s+(?:\{\w+\}\s+)?(\S+)\s*(.*)$/.exec(line);
    if (instruction && functions.length > 0) {
      functions.at(-1).code.push({
        address: parseInt(instruction[1], 16),
        mnemonic: instruction[2],
        operands: instruction[3],
      });
    }
  }
  return functions;
}

/**
 * Instructions of every loop that is a single basic block, as the loop over k of a register tile is: from the target of
 * a backward jump to the jump, without another jump, call or return between them.
 */
export function straightLoops(code) {
  const loops = [];
  code.forEach(({ address, mnemonic, operands }, last) => {
    const target = /^j/.test(mnemonic) ? /^([0-9a-f]+)/.exec(operands)?.[1] : undefined;
    if (target === undefined || parseInt(target, 16) > address) return;
    const first = code.findIndex((instruction) => instruction.address === parseInt(target, 16));
    const body = code.slice(first, last);
    if (first >= 0 && !body.some((instruction) => /^(j|call|ret)/.test(instruction.mnemonic))) loops.push(body);
  });
  return loops;
}

const isTileOperation = ({ mnemonic }) => FUSED_PACKED.test(mnemonic) || /^v?mulp[sd]$/.test(mnemonic);

/** Whether the instruction writes a whole vector to the stack. */
function storesVectorToStack({ mnemonic, operands }, framePointer) {
  if (!/^v?mov(aps|ups|apd|upd|dqa|dqu|dqa32|dqa64|dqu32|dqu64)$/.test(mnemonic)) return false;
  const destination = operands.split(',')[0];
  return /\[rsp/.test(destination) || (framePointer && /\[rbp-/.test(destination));
}

/** Names of functions whose register tile spills inside its loop. */
export function spillingLoops(functions) {
  return functions
    .filter(({ code }) => {
      const framePointer = code.some(({ mnemonic, operands }) => mnemonic === 'mov' && operands === 'rbp,rsp');
      return straightLoops(code).some(
        (loop) =>
          loop.filter(isTileOperation).length >= TILE_OPERATIONS &&
          loop.some((instruction) => storesVectorToStack(instruction, framePointer)),
      );
    })
    .map(({ name }) => name);
}

/** { packed, scalar, vex }: how often each occurs. */
export function countInstructions(functions) {
  const counts = { packed: 0, scalar: 0, vex: 0 };
  for (const { code } of functions) {
    for (const { mnemonic } of code) {
      if (FUSED_PACKED.test(mnemonic)) counts.packed += 1;
      if (FUSED_SCALAR.test(mnemonic)) counts.scalar += 1;
      if (mnemonic.startsWith('v') && !NOT_VEX.has(mnemonic)) counts.vex += 1;
    }
  }
  return counts;
}

/** { path, level, linalg, compiler, weak, functions, packed, scalar, vex } of one object. */
export function readObject({ path, level }) {
  const x86 = ['baseline', 'avx2', 'avx512'].includes(level);
  const text = x86 ? run('objdump', ['-d', '-C', '--no-show-raw-insn', '-M', 'intel', path]) : '';
  const functions = parseDisassembly(text);
  return {
    path,
    level,
    linalg: path.includes(`${sep}linalg${sep}`),
    compiler: /clang/i.test(run('readelf', ['-p', '.comment', path])) ? 'clang' : 'gcc',
    weak: weakSymbols(run('nm', ['-C', path])),
    functions,
    ...countInstructions(functions),
  };
}

/** Sentences about what is wrong; empty when all is well. */
export function findProblems(objects) {
  const problems = [];
  for (const { path, level, linalg, compiler, weak, functions, packed, scalar, vex } of objects) {
    const complain = (text) => problems.push(`${path}: ${text}`);
    if (weak.length > 0)
      complain(`${weak.length} weak symbols, which other objects of the program may get: ${weak[0]}`);
    if (level === 'baseline' && vex > 0)
      complain(`${vex} VEX-encoded instructions, which the baseline CPU does not have`);
    if (!linalg) continue;
    const wanted = PACKED_PER_SCALAR[compiler].object;
    if (scalar > 0 && packed <= wanted * scalar) {
      complain(`${packed} packed and ${scalar} scalar multiply-adds; more than ${wanted} to 1 are expected`);
    }
    for (const name of spillingLoops(functions))
      complain(`a register tile is kept on the stack in the loop of ${name}`);
  }
  for (const level of ['avx2', 'avx512']) {
    const all = objects.filter((object) => object.level === level && object.linalg);
    if (all.length === 0) continue;
    const packed = all.reduce((sum, object) => sum + object.packed, 0);
    const scalar = all.reduce((sum, object) => sum + object.scalar, 0);
    const wanted = PACKED_PER_SCALAR[all[0].compiler].level;
    if (packed <= wanted * scalar || packed === 0) {
      const paths = all.map(({ path }) => path).join(', ');
      problems.push(
        `${paths}: ${packed} packed and ${scalar} scalar multiply-adds in all; more than ${wanted} to 1 are expected`,
      );
    }
  }
  return problems;
}

function main(folder) {
  if (!folder) throw new Error('usage: node tools/check-isa-objects.mjs <build folder>');
  const objects = findIsaObjects(folder);
  if (objects.length === 0) throw new Error(`no ISA objects (dd_isa_<level>.dir) under ${folder}`);
  const problems = findProblems(objects.map(readObject));
  for (const problem of problems) console.error(problem);
  if (problems.length === 0) {
    console.log(
      `${objects.length} ISA objects are in order: ${[...new Set(objects.map(({ path }) => basename(path)))].join(', ')}`,
    );
  }
  process.exitCode = problems.length === 0 ? 0 : 1;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    main(process.argv[2]);
  } catch (error) {
    console.error(error.message);
    process.exitCode = 2;
  }
}
