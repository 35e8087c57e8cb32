import type { LineOutput, WriteResult } from './descriptor-output.ts';
import type { LineDestination } from './options.ts';

/** Writes to the caller's own `LineDestination`. If its `write` throws, the sink counts the line as dropped. */
export class ObjectOutput implements LineOutput {
  readonly description = 'an object';
  readonly errorCode = undefined;
  readonly #destination: LineDestination;

  constructor(destination: LineDestination) {
    this.#destination = destination;
  }

  write(line: string): WriteResult {
    this.#destination.write(line);
    return 'written';
  }

  resume(): WriteResult {
    return 'written';
  }

  close(): void {}
}
