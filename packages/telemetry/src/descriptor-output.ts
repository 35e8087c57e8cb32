import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import sonic, { type SonicBoom } from 'sonic-boom';

/** What became of a line: taken by the system, to be tried again, or lost because nobody reads any more. */
export type WriteResult = 'done' | 'later' | 'broken';

/** Where lines go. After `later` it holds the rest of the line itself, and `resume` goes on. */
export interface LineOutput {
  readonly description: string;
  write(line: string): WriteResult;
  resume(): WriteResult;
  close(): void;
}

/** Errors that do not heal: the reader is gone, or the descriptor was closed. */
const FINAL: ReadonlySet<string> = new Set(['EPIPE', 'EBADF', 'ECONNRESET', 'ENOTCONN', 'EISDIR']);

/**
 * A file or descriptor. Each line is in the hands of the kernel when `write` returns `done`, so an exit, a crash or a
 * kill loses nothing. Writing is synchronous but, on a pipe, never blocks: a reader that stops reading must stop the log
 * and not the service.
 */
export class DescriptorOutput implements LineOutput {
  readonly description: string;
  readonly #stream: SonicBoom;
  readonly #owned: boolean;
  #error: NodeJS.ErrnoException | undefined;

  constructor(target: number | string) {
    this.description = typeof target === 'number' ? `descriptor ${target}` : target;
    const pipe = typeof target === 'number' ? ownPipe(target) : undefined;
    this.#owned = typeof target === 'string' || pipe !== undefined;
    // Without retries of its own: they would sleep in the calling thread, without end.
    this.#stream = new sonic.SonicBoom({ fd: pipe ?? target, sync: true, retryEAGAIN: () => false });
    this.#stream.on('error', (error: NodeJS.ErrnoException) => (this.#error = error));
  }

  write(line: string): WriteResult {
    return this.#attempt(() => this.#stream.write(line));
  }

  resume(): WriteResult {
    // Not `flushSync`, which would write the beginning of a half-written chunk again.
    return this.#attempt(() => this.#stream.flush());
  }

  close(): void {
    if (this.#owned) this.#stream.destroy();
  }

  #attempt(write: () => void): WriteResult {
    this.#error = undefined;
    try {
      write();
    } catch {
      return 'broken';
    }
    // Set by the listener, which a synchronous stream calls before it returns.
    const { code } = (this.#error as NodeJS.ErrnoException | undefined) ?? {};
    if (this.#error === undefined) return 'done';
    return code !== undefined && FINAL.has(code) ? 'broken' : 'later';
  }
}

/**
 * The same pipe through a descriptor of our own that does not block, which leaves the mode of the shared one alone.
 * Undefined where that is not possible: for a file, a terminal or a socket, for a pipe of another user, and off Linux.
 */
function ownPipe(descriptor: number): number | undefined {
  let opened: number | undefined;
  try {
    if (!fstatSync(descriptor).isFIFO()) return undefined;
    opened = openSync(`/proc/self/fd/${descriptor}`, constants.O_WRONLY | constants.O_NONBLOCK);
    if (fstatSync(opened).ino === fstatSync(descriptor).ino) return opened;
    closeSync(opened);
    return undefined;
  } catch {
    return undefined;
  }
}
