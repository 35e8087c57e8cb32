import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import sonic, { type SonicBoom } from 'sonic-boom';

/** What became of a line: taken by the system, to be tried again, or lost because nobody reads any more. */
export type WriteResult = 'done' | 'later' | 'broken';

/** Where lines go. After `later` it holds the rest of the line itself, and `resume` goes on. */
export interface LineOutput {
  readonly description: string;
  /** The code of what is wrong, where that is more than a reader who takes his time. */
  readonly trouble: string | undefined;
  write(line: string): WriteResult;
  resume(): WriteResult;
  close(): void;
}

/** What a pipe says that is full. */
const SLOW: ReadonlySet<string> = new Set(['EAGAIN', 'EBUSY']);

/** Errors that do not heal: the reader is gone, or the descriptor was closed. */
const FINAL: ReadonlySet<string> = new Set(['EPIPE', 'EBADF', 'ECONNRESET', 'ENOTCONN', 'EISDIR']);

/** Who has begun a line and could not end it, by file. Until it is whole nobody else writes there, or would write into it. */
const unended = new Map<string, DescriptorOutput>();

/**
 * A file or descriptor. Each line is in the hands of the kernel when `write` returns `done`, so an exit, a crash or a
 * kill loses nothing. Writing is synchronous but, on a pipe, never blocks: a reader that stops reading must stop the log
 * and not the service.
 */
export class DescriptorOutput implements LineOutput {
  readonly description: string;
  readonly #stream: SonicBoom;
  readonly #owned: boolean;
  readonly #file: string;
  /** A line that waits for another's. */
  #held: string | undefined;
  #error: NodeJS.ErrnoException | undefined;

  constructor(target: number | string) {
    this.description = typeof target === 'number' ? `descriptor ${target}` : target;
    const opened = typeof target === 'number' ? ownPipe(target) : openSync(target, 'a');
    const descriptor = opened ?? (target as number);
    this.#owned = opened !== undefined;
    this.#file = fileOf(descriptor);
    // Without retries of its own: they would sleep in the calling thread, without end.
    this.#stream = new sonic.SonicBoom({ fd: descriptor, sync: true, retryEAGAIN: () => false });
    this.#stream.on('error', (error: NodeJS.ErrnoException) => (this.#error = error));
  }

  get trouble(): string | undefined {
    const code = this.#error?.code;
    return code !== undefined && SLOW.has(code) ? undefined : code;
  }

  write(line: string): WriteResult {
    if (unended.size > 0 && !this.#mayWrite()) {
      this.#held = line;
      return 'later';
    }
    return this.#attempt(() => this.#stream.write(line));
  }

  resume(): WriteResult {
    if (!this.#mayWrite()) return 'later';
    const line = this.#held;
    this.#held = undefined;
    return line === undefined ? this.#proceed() : this.#attempt(() => this.#stream.write(line));
  }

  /** Whether no other has an unended line in this file, after a try to end it: its own turn may come too late. */
  #mayWrite(): boolean {
    const other = unended.get(this.#file);
    return other === undefined || other === this || other.#proceed() !== 'later';
  }

  #proceed(): WriteResult {
    // Not `flushSync`, which would write the beginning of a half-written chunk again.
    return this.#attempt(() => this.#stream.flush());
  }

  close(): void {
    if (unended.get(this.#file) === this) unended.delete(this.#file);
    if (this.#owned) this.#stream.destroy();
  }

  #attempt(write: () => void): WriteResult {
    this.#error = undefined;
    const result = this.#resultOf(write);
    if (result === 'later') unended.set(this.#file, this);
    else if (unended.size > 0 && unended.get(this.#file) === this) unended.delete(this.#file);
    return result;
  }

  #resultOf(write: () => void): WriteResult {
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

/** What tells one file from another, whatever descriptors lead to it: standard output and error may be one pipe. */
function fileOf(descriptor: number): string {
  try {
    const { dev, ino } = fstatSync(descriptor);
    return `${dev}:${ino}`;
  } catch {
    return `descriptor ${descriptor}`;
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
