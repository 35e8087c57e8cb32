/** The events of a simulation, one per line: `12.345 send 7.1 orders#0`. Times are in milliseconds, to the microsecond. */
export interface Trace {
  add(atMs: number, event: string, subject: string, detail: string): void;
}

export class TextTrace implements Trace {
  readonly #lines: string[] = [];

  add(atMs: number, event: string, subject: string, detail: string): void {
    const end = detail === '' ? '' : ` ${detail}`;
    this.#lines.push(`${atMs.toFixed(3)} ${event} ${subject}${end}`);
  }

  toString(): string {
    return `${this.#lines.join('\n')}\n`;
  }
}

export const noTrace: Trace = { add() {} };
