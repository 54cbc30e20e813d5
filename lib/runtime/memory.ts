// How much memory a large allocation may take: what no other process uses, within the limit of a container.
import os from 'node:os';
import process from 'node:process';

/** Bytes that are free now. @internal */
export function availableMemory(): number {
  const constrained = process.constrainedMemory();
  const free = os.freemem();
  // 0, or more than there is: no limit.
  if (!(constrained > 0 && constrained < os.totalmem())) return free;
  return Math.max(0, Math.min(free, constrained - process.memoryUsage().rss));
}
