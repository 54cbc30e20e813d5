// Files appear whole or not at all.
import fs from 'node:fs';
import path from 'node:path';

/** Writes the pieces one after another beside the target and renames over it; makes missing folders. @internal */
export function writePieces(file: string, pieces: Iterable<string | Uint8Array>): void {
  fs.mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    const handle = fs.openSync(temporary, 'w');
    try {
      for (const piece of pieces) fs.writeFileSync(handle, piece);
    } finally {
      fs.closeSync(handle);
    }
    fs.renameSync(temporary, file);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
}

/** Writes `contents` to `file`, whole or not at all. @internal */
export function writeWhole(file: string, contents: string | Uint8Array): void {
  writePieces(file, [contents]);
}
