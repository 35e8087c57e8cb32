import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);
/** Strict: a rejection that nobody hears of ends the process, even one in which something listens for them. */
const FLAGS = ['--conditions=@macadam/source', '--no-warnings', '--unhandled-rejections=strict'];

export interface RunOptions {
  /** What Node is told besides, such as `--expose-gc`. */
  readonly flags?: readonly string[];
  /** What the script is told. */
  readonly args?: readonly string[];
  /** Default: 30 s, far longer than a script takes that nothing keeps alive. */
  readonly timeoutMs?: number;
}

/**
 * Runs a script in a process of its own until it ends by itself; resolves to what it wrote. Rejects when it fails, and when something
 * keeps it alive beyond the limit.
 */
export async function runScript(path: string, { flags = [], args = [], timeoutMs }: RunOptions = {}): Promise<string> {
  return await runNode([...flags, path, ...args], process.cwd(), timeoutMs);
}

/** The same with the text of a script, which imports what a script in `folder` could. */
export async function runText(text: string, folder: string): Promise<string> {
  return await runNode(['--input-type=module-typescript', '--eval', text], folder);
}

async function runNode(words: readonly string[], cwd: string, timeoutMs = 30_000): Promise<string> {
  const options = { cwd, timeout: timeoutMs, maxBuffer: 2 ** 26 };
  const { stdout } = await execute(process.execPath, [...FLAGS, ...words], options);
  return stdout.trim();
}
