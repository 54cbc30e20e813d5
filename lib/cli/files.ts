// Files appear whole or not at all.
import fs from 'node:fs';
import path from 'node:path';

/** Writes beside the target and renames over it; makes missing folders. */
export function writeWhole(file: string, contents: string): void {
  fs.mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  fs.writeFileSync(temporary, contents);
  fs.renameSync(temporary, file);
}
