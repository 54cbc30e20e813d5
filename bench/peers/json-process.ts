// A peer as a process that answers jobs one by one, a JSON object a line, so that its samples can be taken in turn with
// ours.
import { spawn } from 'node:child_process';
import readline from 'node:readline';

/** A running peer. */
export interface JsonProcess<Job> {
  /** What it said of itself when it was ready. */
  readonly ready: Record<string, unknown>;
  ask(job: Job): Promise<Record<string, unknown>>;
  close(): void;
}

/** Starts a program that prints one line when it is ready and then one for each line it reads. */
export async function startJsonProcess<Job>(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<JsonProcess<Job>> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...environment } });
  const { stdin, stdout } = child;
  const lines: AsyncIterator<string> = readline.createInterface({ input: stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<Record<string, unknown>> => {
    const line = await lines.next();
    if (line.done === true) throw new Error(`the peer ${command} ${args.join(' ')} ended early`);
    return JSON.parse(line.value) as Record<string, unknown>;
  };
  return {
    ready: await next(),
    ask(job) {
      stdin.write(`${JSON.stringify(job)}\n`);
      return next();
    },
    close: () => {
      stdin.end();
    },
  };
}
