// Golden vectors, copied into this project so that the tests pass alone.
import fs from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../lib/runtime/native';

/** A vector file as an object. */
export function vectors<Contents>(name: string): Contents {
  return JSON.parse(fs.readFileSync(path.join(packageRoot, 'test', 'golden', 'vectors', name), 'utf8')) as Contents;
}
