import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import sonic, { type SonicBoom } from 'sonic-boom';

/** `written`: the kernel has the line. `blocked`: call `resume` later. `broken`: nothing can be written any more. */
export type WriteResult = 'written' | 'blocked' | 'broken';

/** Where lines go. After `blocked` it holds the unwritten rest of the line itself, and `resume` continues it. */
export interface LineOutput {
  readonly description: string;
  /** The error code of the last write, unless it only means that the reader is slow. */
  readonly errorCode: string | undefined;
  write(line: string): WriteResult;
  resume(): WriteResult;
  close(): void;
}

/** Error codes of a full pipe. */
const SLOW_READER_CODES: ReadonlySet<string> = new Set(['EAGAIN', 'EBUSY']);

/** Error codes after which no write can succeed: the reader is gone, or the descriptor was closed. */
const FATAL_CODES: ReadonlySet<string> = new Set(['EPIPE', 'EBADF', 'ECONNRESET', 'ENOTCONN', 'EISDIR']);

/**
 * The output that has written part of a line, by file. Several loggers can share a pipe: until that line is complete, a
 * line of another output would end up in the middle of it.
 */
const partialLineOwners = new Map<string, DescriptorOutput>();

/**
 * A file or descriptor. The kernel has the line when `write` returns `written`, so an exit, a crash or a kill loses
 * nothing. Writes are synchronous but never block on a pipe: a reader that stops reading must stop the log, not the
 * service.
 */
export class DescriptorOutput implements LineOutput {
  readonly description: string;
  readonly #stream: SonicBoom;
  readonly #ownsDescriptor: boolean;
  readonly #fileId: string;
  /** A line that cannot begin before the partial line of another output is complete. */
  #waitingLine: string | undefined;
  #error: NodeJS.ErrnoException | undefined;

  constructor(target: number | string) {
    this.description = typeof target === 'number' ? `descriptor ${target}` : target;
    const opened = typeof target === 'number' ? reopenPipe(target) : openPath(target);
    const descriptor = opened ?? (target as number);
    this.#ownsDescriptor = opened !== undefined;
    this.#fileId = fileIdOf(descriptor);
    // Retries of sonic-boom would sleep in the calling thread without a limit.
    this.#stream = new sonic.SonicBoom({ fd: descriptor, sync: true, retryEAGAIN: () => false });
    this.#stream.on('error', (error: NodeJS.ErrnoException) => (this.#error = error));
  }

  get errorCode(): string | undefined {
    const code = this.#error?.code;
    return code !== undefined && SLOW_READER_CODES.has(code) ? undefined : code;
  }

  write(line: string): WriteResult {
    if (partialLineOwners.size > 0 && !this.#canBeginLine()) {
      this.#waitingLine = line;
      return 'blocked';
    }
    return this.#attempt(() => this.#stream.write(line));
  }

  resume(): WriteResult {
    if (!this.#canBeginLine()) return 'blocked';
    const line = this.#waitingLine;
    this.#waitingLine = undefined;
    return line === undefined ? this.#continuePartialLine() : this.#attempt(() => this.#stream.write(line));
  }

  /**
   * Whether no other output has a partial line in this file. Tries to complete that line first: its owner retries on a
   * timer, which may fire too late.
   */
  #canBeginLine(): boolean {
    const owner = partialLineOwners.get(this.#fileId);
    return owner === undefined || owner === this || owner.#continuePartialLine() !== 'blocked';
  }

  #continuePartialLine(): WriteResult {
    // `flushSync` would write the beginning of a partially written chunk again.
    return this.#attempt(() => this.#stream.flush());
  }

  close(): void {
    if (partialLineOwners.get(this.#fileId) === this) partialLineOwners.delete(this.#fileId);
    if (this.#ownsDescriptor) this.#stream.destroy();
  }

  #attempt(write: () => void): WriteResult {
    this.#error = undefined;
    const result = this.#resultOf(write);
    if (result === 'blocked') partialLineOwners.set(this.#fileId, this);
    else if (partialLineOwners.size > 0 && partialLineOwners.get(this.#fileId) === this) {
      partialLineOwners.delete(this.#fileId);
    }
    return result;
  }

  #resultOf(write: () => void): WriteResult {
    try {
      write();
    } catch {
      return 'broken';
    }
    // A synchronous stream emits `error` before `write` returns.
    const { code } = (this.#error as NodeJS.ErrnoException | undefined) ?? {};
    if (this.#error === undefined) return 'written';
    return code !== undefined && FATAL_CODES.has(code) ? 'broken' : 'blocked';
  }
}

/** Identifies the file behind a descriptor: standard output and standard error may be the same pipe. */
function fileIdOf(descriptor: number): string {
  try {
    const { dev, ino } = fstatSync(descriptor);
    return `${dev}:${ino}`;
  } catch {
    return `descriptor ${descriptor}`;
  }
}

/** Opens a file for appending, or a pipe so that writing to it does not block. */
function openPath(path: string): number {
  const opened = openSync(path, 'a');
  const reopened = reopenPipe(opened);
  if (reopened !== undefined) closeSync(opened);
  return reopened ?? opened;
}

/**
 * Opens the pipe behind `descriptor` again as a non-blocking descriptor of our own: setting the mode of the shared one
 * would change it for other processes. Undefined where that is impossible: for a file, a terminal or a socket, for a
 * pipe of another user, and off Linux.
 */
function reopenPipe(descriptor: number): number | undefined {
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
