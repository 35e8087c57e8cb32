import type { LineOutput, WriteResult } from './descriptor-output.ts';
import type { LineDestination } from './options.ts';

/** A destination of the caller's own. What it throws is counted as a lost line and goes no further. */
export class ObjectOutput implements LineOutput {
  readonly description = 'an object';
  readonly trouble = undefined;
  readonly #destination: LineDestination;

  constructor(destination: LineDestination) {
    this.#destination = destination;
  }

  write(line: string): WriteResult {
    this.#destination.write(line);
    return 'done';
  }

  resume(): WriteResult {
    return 'done';
  }

  close(): void {}
}
